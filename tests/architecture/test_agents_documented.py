"""`docs/agents.md` and the MCP server agree, and so do the server and the contract."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from imagegen.contracts.text_to_image.parameters import MAX_PROMPT_LENGTH, MAX_SEED, SIZES, STYLE_PRESETS
from imagegen_client import AsyncClient
from imagegen_client.mcp_server import INLINE_LIMIT, create_server

if TYPE_CHECKING:
    from mcp_types import Tool

# The event loop wakes itself up through a pair of sockets that leads nowhere else.
pytestmark = pytest.mark.enable_socket

PAGE: Final = (Path(__file__).parents[2] / "docs" / "agents.md").read_text(encoding="utf-8")
PAID: Final = "generate_image"


@pytest.fixture(scope="module")
def tools() -> dict[str, Tool]:
    """Return the tools by name."""
    server = create_server(AsyncClient("https://api.example.com/v1", "key"))
    return {tool.name: tool for tool in anyio.run(server.list_tools)}


def arguments(tool: Tool) -> dict[str, Any]:
    """Return the schemas of a tool's arguments."""
    properties: dict[str, Any] = tool.input_schema["properties"]
    return properties


def test_every_tool_is_documented(tools: dict[str, Tool]) -> None:
    """With what it costs."""
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", PAGE, flags=re.MULTILINE))
    assert list(rows) == list(tools)
    assert {name for name, cost in rows.items() if cost != "nothing"} == {PAID}


def test_the_tools_say_whether_they_change_anything(tools: dict[str, Tool]) -> None:
    """An agent may ask its person before it spends money."""
    hints = {name: tool.annotations for name, tool in tools.items()}
    assert {name for name, hint in hints.items() if hint and hint.read_only_hint} == {*tools} - {PAID}
    assert hints[PAID]
    assert (hints[PAID].idempotent_hint, hints[PAID].destructive_hint) == (True, False)


def test_what_the_page_names_is_there(tools: dict[str, Tool]) -> None:
    """The arguments, the member of the result, and the limit."""
    assert {"seed", "variation", "inline"} <= arguments(tools[PAID]).keys()
    schema = tools[PAID].output_schema
    assert schema
    assert "paid_by_an_earlier_call" in schema["properties"]
    assert f"{INLINE_LIMIT:,} bytes" in PAGE


def test_the_arguments_have_the_contracts_limits(tools: dict[str, Tool]) -> None:
    """The service refuses what is beyond them, and an agent should not need to try."""
    given = arguments(tools[PAID])
    assert given["prompt"]["maxLength"] == MAX_PROMPT_LENGTH
    assert given["seed"]["anyOf"][0]["maximum"] == MAX_SEED
    sizes = re.findall(r"(\d+)x(\d+)", given["width"]["description"])
    assert [(int(width), int(height)) for width, height in sizes] == list(SIZES)
    styles = re.findall(r"[a-z0-9-]+", given["style"]["description"].partition(": ")[2])
    assert styles == list(STYLE_PRESETS)


def test_the_settings_of_the_page_are_the_commands(tools: dict[str, Tool]) -> None:
    """The file is JSON, with the variables that the command reads."""
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)
    (server,) = json.loads(block)["mcpServers"].values()
    assert (server["command"], server["args"]) == ("imagegen", ["mcp"])
    assert server["env"].keys() == {"IMAGEGEN_URL", "IMAGEGEN_API_KEY"}
    assert tools
