"""Node.js takes a folder for temporary files from the environment alone, and ends with a page about a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from operating.deploying import Order, check
from tools.failures import LocalError
from tools.temporary_folder import check_temporary_folder


@pytest.mark.parametrize("variable", ["TMPDIR", "TMP", "TEMP"])
@pytest.mark.parametrize("folder", ["/nope", "/dev/null", "/proc"])
def test_a_folder_without_room_for_a_file_is_one_sentence(variable: str, folder: str) -> None:
    """Before the CDK is started."""
    environ = {variable: folder}
    with pytest.raises(
        LocalError, match=f"^{variable} is '{folder}', and no temporary file can be made there"
    ):
        check(Order(command="synth", stage="dev", has_terminal=False, environ=environ))


def test_the_first_variable_holds(tmp_path: Path) -> None:
    """As it does for Node.js; an empty one counts as none."""
    check_temporary_folder({"TMPDIR": str(tmp_path), "TMP": "/nope"})
    check_temporary_folder({"TMPDIR": "", "TMP": str(tmp_path), "TEMP": "/nope"})
    check_temporary_folder({})
