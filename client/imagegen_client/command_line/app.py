"""The Typer application: its commands, and the rule that a prompt without a command makes a picture."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

import typer
import typer.core

from imagegen_client.command_line.options import grouped
from imagegen_client.version import __version__

Command = TypeVar("Command", bound=Callable[..., None])

DEFAULT: Final = "generate"
ORDER: Final = (
    *(
        "generate",
        "batch",
        "again",
        "history",
        "show",
        "save",
        "open",
        "delete",
        "models",
        "usage",
        "config",
        "mcp",
    ),
)
"""The commands as the help lists them; others come after these."""

app = typer.Typer(
    name="imagegen",
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class PromptFirst(typer.core.TyperGroup):
    """Reads `imagegen "a tea plantation"` as `imagegen generate "a tea plantation"`."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands, the most used first."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command's name before a prompt, and before the options of a picture."""
        own = {
            name
            for parameter in self.get_params(ctx)
            for name in (*parameter.opts, *parameter.secondary_opts)
        }
        if not args and not ctx.resilient_parsing:  # which a completion sets
            args = ["--help"]
        if args and args[0] not in self.commands and args[0] not in own:
            if not ctx.resilient_parsing:
                self._refuse_mistakes(args)
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def _refuse_mistakes(self, args: list[str]) -> None:
        """Do not take a misspelt or misplaced command for a prompt, which is paid for."""
        word = args[0]
        late = [each for each in args[1:] if each in self.commands]
        if word.startswith("-") and late:
            raise typer.BadParameter(
                f"Write the command first: `imagegen {late[0]} {word} …`. "
                f"To draw the word, write `imagegen {DEFAULT} {late[0]}`."
            )
        close = difflib.get_close_matches(word.lower(), [*self.commands], n=1, cutoff=0.75)
        if close and not word.startswith("-"):
            raise typer.BadParameter(
                f"There is no command {word}. Did you mean {close[0]}? To draw it, write `imagegen {DEFAULT} {word}`."
            )


def _version(wanted: bool) -> None:  # noqa: FBT001 - Typer passes the option's value so
    if wanted:
        typer.echo(f"imagegen {__version__}")
        raise typer.Exit


def command(*examples: str, name: str | None = None) -> Callable[[Command], Command]:
    """Make a function a command: its docstring is the help, with the examples below it."""

    def register(function: Command) -> Command:
        # Typer takes each line break of all paragraphs but the first as it stands.
        paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
        app.command(
            name=name,
            help="\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs),
            epilog="\n\n".join(["Examples:", *examples]),
        )(grouped(function))
        return function

    return register


HELP: Final = """Make pictures from text with an imagegen service.

A prompt alone makes a picture: [bold]imagegen "a tea plantation" -o tea.png[/]

The base URL and the API key come from --url and --api-key, or from the variables IMAGEGEN_URL and IMAGEGEN_API_KEY, \
or from the file that [bold]imagegen config[/] writes. The first that is set holds. In a checkout of the service whose \
local service runs, [bold]make status[/] prints both.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 2 change the request or the settings, 3 wait and \
try again, 4 the operator has to act, 5 the service failed, 130 interrupted, 141 nobody reads stdout."""


@app.callback(cls=PromptFirst, help=HELP, subcommand_metavar="PROMPT | COMMAND [ARGS]...")
def imagegen(
    *,
    _wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Do nothing by itself: each command is a function of its own."""
