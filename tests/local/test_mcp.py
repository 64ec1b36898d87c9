"""An agent makes pictures through the MCP server: the protocol's own client, the command, and the deployed stack."""

from __future__ import annotations

import hashlib
import secrets
import socket
import subprocess
import sys
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
import httpx
import pytest
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp_types import CallToolResult, ImageContent, ResourceLink, TextContent

from imagegen_client import AsyncClient
from imagegen_client.mcp_server import create_server
from local.certificates import trust
from tests.support.local_instances import ENVIRON
from tests.support.stack_callers import awaited, fresh_key

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.deployed_stack import Stack, StandIn

T = TypeVar("T")

COMMAND: Final = ("-m", "imagegen_client", "mcp")


@dataclass(frozen=True, kw_only=True)
class Agent:
    """An agent with an API key of its own."""

    url: str
    api_key: str
    ca_bundle: Path | None

    @property
    def variables(self) -> dict[str, str]:
        """The environment of the command."""
        trusted = {"SSL_CERT_FILE": str(self.ca_bundle)} if self.ca_bundle else {}
        own = {"IMAGEGEN_URL": self.url, "IMAGEGEN_API_KEY": self.api_key, "NO_PROXY": "*"}
        return {"PATH": ENVIRON["PATH"], "PYTHONPATH": "client", **trusted, **own}

    def talk(self, converse: Callable[[Client], Awaitable[T]]) -> T:
        """Hold a conversation with a server in this process."""

        async def talked() -> T:
            transport = httpx.AsyncHTTPTransport(verify=trust(self.ca_bundle))
            async with (
                AsyncClient(self.url, self.api_key, transport=transport) as service,
                Client(create_server(service)) as client,
            ):
                return await converse(client)

        return anyio.run(talked)

    def talk_to_a_process(self, converse: Callable[[Client], Awaitable[T]]) -> T:
        """Start the command, hold a conversation over its standard input and output, and end it."""

        async def talked() -> T:
            server = StdioServerParameters(command=sys.executable, args=list(COMMAND), env=self.variables)
            async with Client(stdio_client(server)) as client:
                return await converse(client)

        return anyio.run(talked)

    def call(self, tool: str, **arguments: Any) -> CallToolResult:
        """Call one tool."""
        return self.talk(lambda client: client.call_tool(tool, arguments))


@pytest.fixture
def agent(stack: Stack) -> Agent:
    """An agent that has made nothing yet."""
    return Agent(url=stack.state.api_url, api_key=fresh_key(stack), ca_bundle=stack.ca_bundle)


@pytest.fixture
def prompt() -> str:
    """Return a prompt that nothing else uses."""
    return f"tea plantation {secrets.token_hex(8)}"


def one(result: CallToolResult, kind: type[Any]) -> Any:
    """Return the only part of a kind."""
    (found,) = (part for part in result.content if isinstance(part, kind))
    return found


def said(result: CallToolResult) -> str:
    """Return the text of a failure."""
    assert result.is_error
    text: str = one(result, TextContent).text
    return text


def test_an_image_is_a_link_that_opens(agent: Agent, prompt: str, anonymous: httpx.Client) -> None:
    """The link, its type and size, and the facts as JSON; the image itself is not in the result."""
    result = agent.call("generate_image", prompt=prompt, style="photographic", width=1152, height=896)
    link, facts = one(result, ResourceLink), result.structured_content
    image = anonymous.get(str(link.uri)).content
    assert (link.mime_type, link.size) == ("image/png", len(image))
    assert (facts["url"], facts["width"], facts["height"]) == (str(link.uri), 1152, 896)
    assert facts["cost_usd"] > 0
    assert facts["paid_by_an_earlier_call"] is False
    assert facts["id"] in one(result, TextContent).text
    assert not any(isinstance(part, ImageContent) for part in result.content)


def test_the_same_call_is_paid_once_in_every_session(agent: Agent, prompt: str, stand_in: StandIn) -> None:
    """An agent cannot know whether a call that it lost was paid."""
    first = agent.talk_to_a_process(lambda client: client.call_tool("generate_image", {"prompt": prompt}))
    again = agent.call("generate_image", prompt=prompt).structured_content
    assert (again["id"], again["paid_by_an_earlier_call"]) == (first.structured_content["id"], True)
    other = agent.call("generate_image", prompt=prompt, variation=1).structured_content
    assert other["id"] != again["id"]
    assert stand_in.calls(prompt=prompt)["billed"] == 2


@pytest.mark.thorough
def test_a_session_that_ended_in_the_middle_is_paid_once(
    agent: Agent, prompt: str, stand_in: StandIn
) -> None:
    """The next session gets the image that the first one did not wait for."""
    stand_in.set_rules({"prompt": prompt, "action": {"type": "latency", "seconds": 4}})

    async def leave(client: Client) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(partial(client.call_tool, "generate_image", {"prompt": prompt}))
            await anyio.to_thread.run_sync(
                lambda: awaited(lambda: stand_in.calls(prompt=prompt)["billed"] or None, "the call")
            )
            group.cancel_scope.cancel()

    agent.talk_to_a_process(leave)
    assert agent.call("generate_image", prompt=prompt).structured_content["status"] == "succeeded"
    assert stand_in.calls(prompt=prompt)["billed"] == 1


def test_progress_is_reported_while_it_draws(agent: Agent, prompt: str) -> None:
    """Each notification is later than the one before."""
    seen: list[float] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001 - the callback's names
        assert message is not None
        seen.append(progress)

    async def converse(client: Client) -> CallToolResult:
        return await client.call_tool("generate_image", {"prompt": prompt}, progress_callback=note)

    assert not agent.talk(converse).is_error
    assert seen
    assert seen == sorted(set(seen))


def test_a_filtered_image_says_what_it_cost_and_is_paid_once(
    agent: Agent, prompt: str, stand_in: StandIn
) -> None:
    """A repeat is told the same; only `variation` pays again."""
    stand_in.set_rules({"prompt": prompt, "action": "filtered"})
    first, again = (said(agent.call("generate_image", prompt=prompt)) for _ in range(2))
    assert "It was paid. The same call brings this answer again and costs nothing" in first
    assert "(code: content_filtered)" in first
    assert again == first
    assert stand_in.calls(prompt=prompt)["billed"] == 1


@pytest.mark.thorough
def test_a_free_failure_may_be_repeated(agent: Agent, prompt: str, stand_in: StandIn) -> None:
    """The same call works once the cause is gone."""
    stand_in.set_rules(
        {"prompt": prompt, "times": 1, "action": {"type": "account", "reason": "marketplace_agreement"}}
    )
    assert "Nothing was paid." in said(agent.call("generate_image", prompt=prompt))
    assert agent.call("generate_image", prompt=prompt).structured_content["status"] == "succeeded"
    assert stand_in.calls(prompt=prompt)["billed"] == 1


@pytest.mark.thorough
def test_what_was_made_can_be_looked_up(agent: Agent, prompt: str, stand_in: StandIn) -> None:
    """By its id, in the list, as a resource, and put into the result."""
    stand_in.set_rules({"prompt": prompt, "action": {"type": "wrong_size", "width": 256, "height": 256}})
    made = agent.call("generate_image", prompt=prompt).structured_content

    async def converse(client: Client) -> tuple[Any, ...]:
        found = await client.call_tool("get_image", {"id": made["id"], "inline": True})
        listed = await client.call_tool("list_images", {"limit": 1})
        read = await client.read_resource(f"imagegen://generations/{made['id']}/image")
        return found, listed, read

    found, listed, read = agent.talk(converse)
    image = b64decode(one(found, ImageContent).data)
    assert read.contents[0].mime_type == one(found, ImageContent).mime_type == "image/png"
    assert hashlib.sha256(image).hexdigest() == hashlib.sha256(b64decode(read.contents[0].blob)).hexdigest()
    assert (len(image), found.structured_content["seed"]) == (made["bytes"], made["seed"])
    assert [each["id"] for each in listed.structured_content["images"]] == [made["id"]]


@pytest.mark.thorough
def test_a_large_image_is_not_put_into_a_result(agent: Agent, prompt: str) -> None:
    """A sentence says so, and the link is there."""
    result = agent.call("generate_image", prompt=prompt, inline=True)
    facts, told, link = result.structured_content, result.content[-1], one(result, ResourceLink)
    assert isinstance(told, TextContent)
    assert (
        told.text == f"The image has {facts['bytes']} bytes, and a result holds at most 750000: use the link."
    )
    assert str(link.uri) == facts["url"]


@pytest.mark.thorough
def test_models_and_usage_are_told(agent: Agent, prompt: str) -> None:
    """With prices, and with what the image cost."""
    cost = agent.call("generate_image", prompt=prompt).structured_content["cost_usd"]
    models = agent.call("list_models").structured_content["models"]
    usage = agent.call("get_usage").structured_content
    assert cost in [model["usd_per_image"] for model in models]
    assert (usage["images_today"], usage["usd_today"]) == (1, cost)


def test_what_is_not_there_is_said(agent: Agent) -> None:
    """As a failure of the tool, and as an error of the protocol."""
    unknown = "gen_" + "a" * 26
    assert "(code: not_found)" in said(agent.call("get_image", id=unknown))

    async def converse(client: Client) -> str:
        with pytest.raises(MCPError) as caught:
            await client.read_resource(f"imagegen://generations/{unknown}/image")
        return caught.value.message

    assert agent.talk(converse) == "There is no such generation."


def test_an_argument_that_is_wrong_is_named(agent: Agent, prompt: str, stand_in: StandIn) -> None:
    """By the service's own sentence, and nothing is paid."""
    failure = said(agent.call("generate_image", prompt=prompt, style="baroque"))
    assert "style_preset must be" in failure
    assert stand_in.calls(prompt=prompt)["billed"] == 0


@contextmanager
def served(agent: Agent) -> Iterator[str]:
    """Serve streamable HTTP in a process of its own, and yield the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(  # noqa: S603 - the command itself
        [sys.executable, *COMMAND, "--http", "--port", str(port)], env=agent.variables, stderr=subprocess.PIPE
    ) as server:
        try:
            assert server.stderr is not None
            assert b"http" in server.stderr.readline()
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            server.terminate()


def test_over_http_the_same_tools_are_there(agent: Agent, prompt: str, stand_in: StandIn) -> None:
    """A page in a browser is refused, also one whose host name leads here."""

    async def converse(url: str) -> tuple[Any, ...]:
        async with Client(url) as client:
            return await client.list_tools(), await client.call_tool("generate_image", {"prompt": prompt})

    with served(agent) as url:
        tools, made = anyio.run(converse, url)
        headers = ({"Host": "evil.example.com"}, {"Origin": "http://evil.example.com"})
        refused = [httpx.post(url, json={}, headers=each, trust_env=False).status_code for each in headers]
    assert [tool.name for tool in tools.tools] == [
        *("generate_image", "get_image", "list_images", "list_models", "get_usage"),
    ]
    assert made.structured_content["status"] == "succeeded"
    assert stand_in.calls(prompt=prompt)["billed"] == 1
    assert refused == [421, 403]


def run(agent: Agent, *arguments: str, before: str = "") -> tuple[int, str]:
    """Run the command in a process that ends by itself, and return its exit code and what it says."""
    program = f"{before}import sys; from imagegen_client.command_line.program import main; sys.exit(main())"
    done = subprocess.run(  # noqa: S603 - arguments of these tests
        [sys.executable, "-c", program, "mcp", *arguments],
        env=agent.variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_mistake_is_one_sentence(agent: Agent) -> None:
    """A port that is taken, and a package that is not installed."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, told = run(agent, "--http", "--port", port)
    assert (code, told.count("\n")) == (2, 1)
    assert told.startswith(
        f"Port {port} cannot be listened on (Address already in use): choose another --port."
    )
    code, told = run(agent, before="import sys; sys.modules['mcp'] = None; ")
    assert (code, told.count("\n")) == (2, 1)
    assert told.startswith("This command needs the package mcp: run pip install 'imagegen[mcp]'.")
