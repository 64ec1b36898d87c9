"""The options that several commands have, as dataclasses; `grouped` gives them to a command."""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Annotated, Any, Final, get_type_hints

import typer

from imagegen_client.command_line.reading import Unreadable, json_of
from imagegen_client.image_request import ImageRequest, Prompt

STYLES: Final = (
    *("3d-model", "analog-film", "anime", "cinematic", "comic-book", "digital-art", "enhance", "fantasy-art"),
    *("isometric", "line-art", "low-poly", "modeling-compound", "neon-punk", "origami", "photographic"),
    *("pixel-art", "tile-texture"),
)
FORMATS: Final = ("png", "jpeg", "webp")
SAMPLERS: Final = (
    *("DDIM", "DDPM", "K_DPMPP_2M", "K_DPMPP_2S_ANCESTRAL", "K_DPM_2", "K_DPM_2_ANCESTRAL", "K_EULER"),
    *("K_EULER_ANCESTRAL", "K_HEUN", "K_LMS"),
)
GUIDANCE: Final = ("FAST_BLUE", "FAST_GREEN", "NONE", "SIMPLE", "SLOW", "SLOWER", "SLOWEST")
SIZES: Final = (
    *("1024x1024", "1152x896", "1216x832", "1344x768", "1536x640", "640x1536", "768x1344", "832x1216"),
    "896x1152",
)

LOOKS: Final = "How it looks"
WHERE: Final = "Which service"


def complete(words: tuple[str, ...]) -> Callable[[str], list[str]]:
    """Return a completion that offers these words. The service, not the command, says which are allowed."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def weighted(text: str) -> Prompt:
    """Read `WEIGHT:TEXT`."""
    found = re.fullmatch(r"([+-]?[0-9]*\.?[0-9]+):(.*)", text, re.DOTALL)
    if found is None:
        raise typer.BadParameter('must be WEIGHT:TEXT, such as "0.5:morning mist".')
    return Prompt(text=found[2], weight=float(found[1]))


def size(text: str) -> str:
    """Read `WIDTHxHEIGHT`."""
    if not re.fullmatch(r"[0-9]{1,6}x[0-9]{1,6}", text):
        raise typer.BadParameter("must be WIDTHxHEIGHT, such as 1344x768.")
    return text


def json_object(text: str) -> str:
    """Read a JSON object."""
    try:
        value = json_of(text)
    except Unreadable as exc:
        raise typer.BadParameter(f'must be a JSON object, such as {{"name": 1}}; this {exc}.') from exc
    if not isinstance(value, dict):
        raise typer.BadParameter('must be a JSON object, such as {"name": 1}.')
    return text


@dataclass(frozen=True, kw_only=True)
class Service:
    """Which service, and as whom."""

    url: Annotated[
        str | None,
        typer.Option(
            "--url", metavar="URL", help="Base URL of the service. [IMAGEGEN_URL]", rich_help_panel=WHERE
        ),
    ] = None
    api_key: Annotated[
        str | None,
        typer.Option(
            "--api-key",
            metavar="KEY",
            help="API key. Other users of this machine can see it; better set IMAGEGEN_API_KEY.",
            rich_help_panel=WHERE,
        ),
    ] = None
    json: Annotated[
        bool, typer.Option("--json", help="Write JSON: results to stdout, a failure to stderr.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Every field of the contract but the main prompt and the seed; None is not sent."""

    negative: Annotated[
        list[str] | None,
        typer.Option(
            "--negative", metavar="TEXT", help="What to avoid. May be repeated.", rich_help_panel=LOOKS
        ),
    ] = None
    add: Annotated[
        list[Prompt] | None,
        typer.Option(
            "--add",
            metavar="WEIGHT:TEXT",
            parser=weighted,
            help="Another prompt with its weight. May be repeated.",
            rich_help_panel=LOOKS,
        ),
    ] = None
    weight: Annotated[
        float | None,
        typer.Option("--weight", metavar="NUMBER", help="The weight of PROMPT.", rich_help_panel=LOOKS),
    ] = None
    style: Annotated[
        str | None,
        typer.Option(
            "--style",
            metavar="STYLE",
            autocompletion=complete(STYLES),
            help=f"The style: {', '.join(STYLES)}.",
            rich_help_panel=LOOKS,
        ),
    ] = None
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="WIDTHxHEIGHT",
            parser=size,
            autocompletion=complete(SIZES),
            help=f"Pixels: {', '.join(SIZES)}.",
            rich_help_panel=LOOKS,
        ),
    ] = None
    width: Annotated[
        int | None,
        typer.Option("--width", metavar="PIXELS", help="With --height, the same.", rich_help_panel=LOOKS),
    ] = None
    height: Annotated[
        int | None,
        typer.Option("--height", metavar="PIXELS", help="With --width, the same.", rich_help_panel=LOOKS),
    ] = None
    cfg_scale: Annotated[
        float | None,
        typer.Option(
            "--cfg-scale",
            metavar="NUMBER",
            help="How closely the image follows the prompt, 0 to 35.",
            rich_help_panel=LOOKS,
        ),
    ] = None
    clip_guidance: Annotated[
        str | None,
        typer.Option(
            "--clip-guidance",
            metavar="PRESET",
            autocompletion=complete(GUIDANCE),
            help=f"How CLIP guides the image: {', '.join(GUIDANCE)}.",
            rich_help_panel=LOOKS,
        ),
    ] = None
    sampler: Annotated[
        str | None,
        typer.Option(
            "--sampler",
            metavar="NAME",
            autocompletion=complete(SAMPLERS),
            help=f"The sampler: {', '.join(SAMPLERS)}.",
            rich_help_panel=LOOKS,
        ),
    ] = None
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", metavar="NUMBER", help="Steps of the diffusion, 10 to 150.", rich_help_panel=LOOKS
        ),
    ] = None
    extras: Annotated[
        str | None,
        typer.Option(
            "--extras",
            metavar="JSON",
            parser=json_object,
            help="An object that is passed on to the model.",
            rich_help_panel=LOOKS,
        ),
    ] = None
    output_format: Annotated[
        str | None,
        typer.Option(
            "--output-format",
            metavar="FORMAT",
            autocompletion=complete(FORMATS),
            help=f"The format of the file: {', '.join(FORMATS)}.",
            rich_help_panel=LOOKS,
        ),
    ] = None
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="ID",
            help="The only model that may draw (`imagegen models`).",
            rich_help_panel=LOOKS,
        ),
    ] = None
    strict: Annotated[
        bool | None,
        typer.Option(
            "--strict/--no-strict",
            help="Refuse instead of ignoring what the model cannot honour.",
            show_default=False,
            rich_help_panel=LOOKS,
        ),
    ] = None

    def changed(self, base: ImageRequest) -> ImageRequest:
        """Return a request with everything that these options say.

        Raises:
            typer.BadParameter: Two of them contradict each other.
        """
        if self.size and (self.width is not None or self.height is not None):
            raise typer.BadParameter("--size stands for --width and --height: give one or the other.")
        width, height = (
            (int(side) for side in self.size.split("x")) if self.size else (self.width, self.height)
        )
        given: dict[str, Any] = {
            "width": width,
            "height": height,
            "cfg_scale": self.cfg_scale,
            "clip_guidance_preset": self.clip_guidance,
            "sampler": self.sampler,
            "steps": self.steps,
            "style_preset": self.style,
            "extras": None if self.extras is None else json.loads(self.extras),
            "output_format": self.output_format,
            "model": self.model,
            "strict": self.strict,
        }
        prompts = base.prompts()
        if self.weight is not None:
            prompts = (replace(prompts[0], weight=self.weight), *prompts[1:])
        return replace(
            base,
            prompt=(*prompts, *(self.add or ())),
            negative=tuple(self.negative or ()),
            **{name: value for name, value in given.items() if value is not None},
        )


def grouped(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of each dataclass among its parameters, and pass them on as that dataclass."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[Any]] = {}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        kind = hints[name]
        if inspect.isclass(kind) and is_dataclass(kind):
            groups[name] = kind
            options = get_type_hints(kind, include_extras=True)
            parameters += [
                inspect.Parameter(
                    each.name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=each.default,
                    annotation=options[each.name],
                )
                for each in fields(kind)
            ]
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name]))

    @functools.wraps(command)
    def with_groups(**given: Any) -> Any:
        made = {
            name: kind(**{each.name: given.pop(each.name) for each in fields(kind)})
            for name, kind in groups.items()
        }
        return command(**given, **made)

    del with_groups.__wrapped__  # Typer would read the signature of the wrapped one
    with_groups.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
    with_groups.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_groups
