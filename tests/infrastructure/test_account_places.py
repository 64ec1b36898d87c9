"""`make bench ACCOUNT=1` finds the parts of a stage in its stack, and can read what they log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.account.places import FUNCTIONS, GATEWAY, GENERATIONS
from operating.stack import LOG_GROUP, TABLE

if TYPE_CHECKING:
    from tests.support.synthesis import Synthesized


def test_each_part_is_there_once(any_stage: Synthesized) -> None:
    """The command finds a part by the beginning of its logical id."""
    resources = any_stage.template["Resources"]
    for type_, prefixes in ((LOG_GROUP, (*FUNCTIONS.values(), GATEWAY)), (TABLE, (GENERATIONS,))):
        names = [id_ for id_, each in resources.items() if each["Type"] == type_]
        assert {
            prefix: sum(name.startswith(prefix) for name in names) for prefix in prefixes
        } == dict.fromkeys(prefixes, 1)


def test_the_functions_log_as_text(any_stage: Synthesized) -> None:
    """If they logged as JSON, Lambda would write its reports in another form."""
    functions = [
        each["Properties"]
        for each in any_stage.template["Resources"].values()
        if each["Type"] == "AWS::Lambda::Function" and "LoggingConfig" in each["Properties"]
    ]
    assert len(functions) == 3
    assert {each["LoggingConfig"].get("LogFormat", "Text") for each in functions} == {"Text"}
