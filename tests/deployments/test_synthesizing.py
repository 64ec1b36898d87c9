"""A fresh clone synthesizes every configuration, alike in every way that its users have."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.fresh_checkout import WITHOUT_NETWORK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.fresh_checkout import Done, FreshCheckout

# The wheels of Lambda's platform are not in every machine's cache, so the zip is made for this machine.
HERE: Final = "bundle_platform=host"
POOL: Final = "arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_Abc123"


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a user runs the synthesis."""

    name: str
    make: bool = False
    at_terminal: bool = False
    has_network: bool = True


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What a user synthesizes; `facts` are what the template then says."""

    name: str
    stage: str = "dev"
    config: str = ""
    region: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)


PLAIN: Final = Way(name="plain CDK")
OFFLINE: Final = Way(name="plain CDK without a network", has_network=False)
MADE: Final = Way(name="make without a terminal", make=True)
AT_TERMINAL: Final = Way(name="make at a terminal", make=True, at_terminal=True)
MADE_OFFLINE: Final = Way(name="make without a network", make=True, has_network=False)
WAYS: Final = (PLAIN, OFFLINE, MADE, AT_TERMINAL, MADE_OFFLINE)

USUAL: Final = {
    "protected by": {"CUSTOM"},
    "signs call-backs": True,
    "protects its data": False,
    "calls models in": {"us-east-1", "us-west-2"},
}
DEV: Final = Configuration(name="dev", facts=USUAL)
PROD: Final = Configuration(name="prod", stage="prod", facts={**USUAL, "protects its data": True})
IAM: Final = Configuration(name="iam", config="api_auth=iam", facts={**USUAL, "protected by": {"AWS_IAM"}})
COGNITO: Final = Configuration(
    name="cognito",
    config=f"api_auth=cognito user_pool_arn={POOL}",
    facts={**USUAL, "protected by": {"COGNITO_USER_POOLS"}},
)
NO_WEBHOOKS: Final = Configuration(
    name="no webhooks", config="webhooks=false", facts={**USUAL, "signs call-backs": False}
)
WITH_MODELS: Final = Configuration(
    name="region of the models", region="us-west-2", facts={**USUAL, "calls models in": {"us-west-2"}}
)
WITHOUT_MODELS: Final = Configuration(name="region without the models", region="eu-central-1", facts=USUAL)
FOREIGN: Final = Configuration(name="region of another partition", region="us-gov-west-1")

CONFIGURATIONS: Final = (DEV, PROD, IAM, COGNITO, NO_WEBHOOKS, WITH_MODELS, WITHOUT_MODELS)
CELLS: Final = tuple(itertools.product(WAYS, CONFIGURATIONS))
WARNED: Final = (
    "WARNING stability.stable-diffusion-xl-v1 reached its end of life on 2025-05-20: Bedrock replies with 404, and "
    "requests go on to the next model of the list; its successor is stability.stable-image-core-v1:1. (Annotation)\n"
    "   imagegen-{stage} aws-cdk-lib.Stack\n"
    "   Acknowledge with 'Annotation::imagegen:endOfLife:stability.stable-diffusion-xl-v1'\n"
)
"""All that a synthesis says: one listed model has ended."""
SEVERAL_STACKS: Final = ("Successfully synthesized to ", "Supply a stack id ")
"""What the CDK adds where there is more than one stack."""
REFUSED: Final = (
    "models: 'stability.stable-diffusion-xl-v1' is in the partition aws of AWS, and the region us-gov-west-1 is in "
    "aws-us-gov, which cannot call it: deploy to another region (AWS_REGION), or list what runs in aws-us-gov, as "
    "id@ARN.\n"
)


@dataclass(frozen=True, kw_only=True)
class Synthesized:
    """The templates, the names of their zips, and the CDK's report about them."""

    done: Done
    template: Mapping[str, Any]
    others: Mapping[str, Mapping[str, Any]]
    """The templates of the stacks beside the service's own, by the names of the stacks."""
    zips: tuple[str, ...]
    report: Mapping[str, Any]


@dataclass(kw_only=True)
class Matrix:
    """Runs each cell once."""

    plain: FreshCheckout
    made: FreshCheckout
    cells: dict[tuple[str, str], Synthesized] = field(default_factory=dict)

    def cell(self, way: Way, configuration: Configuration) -> Synthesized:
        """Return what a way makes of a configuration."""
        key = way.name, configuration.name
        if key not in self.cells:
            if not way.has_network:
                self.cell(MADE if way.make else PLAIN, DEV)  # the first build needs a network
            done = self.run(way, configuration)
            folder = (self.made if way.make else self.plain).root / "cdk.out"
            self.cells[key] = _read(done, folder, stage=configuration.stage)
        return self.cells[key]

    def run(self, way: Way, configuration: Configuration) -> Done:
        """Synthesize a configuration in a way."""
        config = f"{HERE} {configuration.config}".strip()
        environ = {
            **({} if way.has_network else WITHOUT_NETWORK),
            **({"AWS_REGION": configuration.region} if configuration.region else {}),
        }
        if way.make:
            return self.made.make(
                "synth",
                f"STAGE={configuration.stage}",
                environ={**environ, "CONFIG": config},
                at_terminal=way.at_terminal,
            )
        if (way, configuration) == (PLAIN, DEV):
            environ["CDK_VALIDATION"] = "true"  # one cell as its users have it, with CDK's own check
        context = ("-c", f"stage={configuration.stage}", "-c", f"config={config}")
        return self.plain.cdk("synth", "--quiet", *context, environ=environ)


def _read(done: Done, folder: Path, *, stage: str) -> Synthesized:
    assert done.status == 0, done.text
    own = f"imagegen-{stage}"
    # By the manifest, because the folder may have templates of the cell before.
    artifacts = json.loads((folder / "manifest.json").read_text())["artifacts"]
    names = [name for name, each in artifacts.items() if each["type"] == "aws:cloudformation:stack"]
    templates = {name: json.loads((folder / f"{name}.template.json").read_text()) for name in names}
    assets = [json.loads((folder / f"{name}.assets.json").read_text())["files"] for name in templates]
    files = [file for each in assets for file in each.values()]
    return Synthesized(
        done=done,
        template=templates.pop(own),
        others=templates,
        zips=tuple(
            sorted({each["source"]["path"] for each in files if each["source"]["packaging"] == "zip"})
        ),
        report=json.loads((folder / "validation-report.json").read_text()),
    )


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def facts(template: Mapping[str, Any]) -> dict[str, object]:
    """Return what a template says about callers, call-backs, data and models."""
    resources = template["Resources"].values()

    def properties(type_: str) -> list[dict[str, Any]]:
        return [each["Properties"] for each in resources if each["Type"] == type_]

    statements = [
        statement
        for policy in properties("AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement.get("Sid") == "InvokeListedModels"
    ]
    arns = [json.dumps(arn) for statement in statements for arn in _as_list(statement["Resource"])]
    return {
        "protected by": {each["AuthorizationType"] for each in properties("AWS::ApiGateway::Method")}
        - {"NONE"},
        "signs call-backs": bool(properties("AWS::SecretsManager::Secret")),
        "protects its data": all(
            each["DeletionProtectionEnabled"] for each in properties("AWS::DynamoDB::Table")
        ),
        "calls models in": {arn.split("bedrock:")[1].split(":")[0] for arn in arns},
    }


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.fixture(scope="module")
def matrix(plain: FreshCheckout, made: FreshCheckout) -> Matrix:
    """Return the matrix, of which nothing has been run."""
    return Matrix(plain=plain, made=made)


def _name(value: Way | Configuration | str) -> str:
    return "" if isinstance(value, str) else value.name


@pytest.mark.parametrize(("way", "configuration"), CELLS, ids=_name)
def test_every_way_gives_the_same(matrix: Matrix, way: Way, configuration: Configuration) -> None:
    """The same template and the same zips, and not a word but the warning that one model has ended."""
    ours, plain = matrix.cell(way, configuration), matrix.cell(PLAIN, configuration)
    said = [line for line in ours.done.text.splitlines(keepends=True) if not line.startswith(SEVERAL_STACKS)]
    assert "".join(said) == WARNED.format(stage=configuration.stage)
    assert (ours.template, ours.others) == (plain.template, plain.others)
    # The functions' zip, and that of the authorizer where there are keys.
    assert len(ours.zips) == 1 + ("CUSTOM" in str(configuration.facts["protected by"]))
    assert {*ours.zips} <= {*matrix.cell(PLAIN, DEV).zips}


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=_name)
def test_the_template_is_of_the_configuration(matrix: Matrix, configuration: Configuration) -> None:
    """The settings and the region have come through the command line."""
    cell = matrix.cell(PLAIN, configuration)
    assert facts(cell.template) == configuration.facts
    assert list(cell.others) == (["imagegen-prod-monitoring"] if configuration is PROD else [])


FAILED: Final = "python3 app.py: Subprocess exited with error 1\n"
MAKE_FAILED: Final = f"{FAILED}make: *** [line] Error 1\n"


@pytest.mark.parametrize(
    ("way", "rest"),
    [
        (PLAIN, FAILED),
        (OFFLINE, FAILED),
        (MADE, MAKE_FAILED),
        (AT_TERMINAL, MAKE_FAILED),
        (MADE_OFFLINE, MAKE_FAILED),
    ],
    ids=_name,
)
def test_a_region_of_another_partition_is_refused_in_one_sentence(
    matrix: Matrix, way: Way, rest: str
) -> None:
    """The CDK alone would write ARNs of models that are not there; the tools say that their command has failed."""
    done = matrix.run(way, FOREIGN)
    assert done.status != 0
    assert done.text.startswith(REFUSED)
    assert [line.split(" [")[0] for line in done.text.removeprefix(REFUSED).splitlines()] == [
        line.split(" [")[0] for line in rest.splitlines()
    ]


def test_both_clones_have_the_same_zip(matrix: Matrix) -> None:
    """Its hash is one of its inputs, so the content is compared as well; the functions are in it."""
    assert matrix.cell(PLAIN, DEV).zips == matrix.cell(MADE, DEV).zips
    ((plain,), (made,)) = (
        tuple(clone.root.glob(".build/function-*")) for clone in (matrix.plain, matrix.made)
    )
    assert (plain / "imagegen" / "api_handler.py").is_file()
    assert _digest(plain) == _digest(made)


def test_the_checks_find_nothing_but_that_a_model_has_ended(matrix: Matrix) -> None:
    """Each finding of the rule packs is accepted, and CDK's own check of the template finds none."""
    plugins = matrix.cell(PLAIN, DEV).report["pluginReports"]
    rules = [finding["ruleName"] for plugin in plugins for finding in plugin["violations"]]
    assert rules == ["Annotation::imagegen:endOfLife:stability.stable-diffusion-xl-v1"]
