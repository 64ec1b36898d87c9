"""The tables of `docs/cost.md`, made from the arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Final

from estimates import bill, shares
from estimates.idle import Line
from estimates.idle import idle as idle_lines
from estimates.prices import PRICES
from estimates.usage import WRITES
from stacks.stage import StageConfig

TODAY: Final = date(2026, 11, 28)
"""The day of the page: it decides which models have ended."""
AMOUNTS: Final = (1, 1_000, 1_000_000)
ADDITIONS: Final = (
    "alarm",
    "composite_alarm",
    "dashboard",
    "trace",
    "kms_key",
    "kms_request",
    "web_acl",
    "waf_rule",
    "waf_request",
    "hosted_zone",
)
"""Prices of what is not in the stack of a stage as it is."""
_PLACES: Final = ((0.995, 2), (0.01, 3), (0.001, 4), (0.0001, 5), (1e-7, 7))
"""With how many decimals an amount is shown, from which amount on; anything less is nothing."""
_SEEN: Final = {
    "AWS": "on AWS's page",
    "others": "repeated by others, not on AWS's page",
    "remembered": "not looked up",
}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay a table out in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def usd(amount: float) -> str:
    """Return dollars as the tables show them: cents, or as many decimals as it takes to be more than nothing."""
    sign, amount = ("-" if amount < 0 else ""), abs(amount)
    places = next((places for least, places in _PLACES if amount >= least), None)
    return "–" if places is None else f"{sign}${amount:,.{places}f}"


def idle(lines: Sequence[Line]) -> str:
    """Return the table of a month in which nobody uses the stage."""
    sums: dict[tuple[str, str], list[float]] = {}
    for line in lines:
        sums.setdefault((line.service, line.what), []).append(line.usd)
    rows = [
        [what if len(parts) == 1 else f"{what}, {len(parts)} times", service, usd(sum(parts))]
        for (service, what), parts in sorted(sums.items(), key=lambda item: -sum(item[1]))
    ]
    together = ["**together**", "", f"**{usd(bill.total(lines))}**"]
    return table(["what", "service", "a month"], [*rows, together])


def images(config: StageConfig) -> str:
    """Return the table of what a thousand images cost, in each way to ask for them."""
    ways = tuple(WRITES)
    lines = {
        way: {(one.service, one.what): 1_000 * one.usd for one in bill.image(config, way, today=TODAY)}
        for way in ways
    }
    names = dict.fromkeys(name for way in ways for name in lines[way])
    rows = [
        [f"{what}", service, *(usd(lines[way].get((service, what), 0)) for way in ways)]
        for service, what in names
    ]
    sums = [sum(lines[way].values()) for way in ways]
    own = [total - lines[way]["Bedrock", "the model"] for way, total in zip(ways, sums, strict=True)]
    rows.append(["**AWS's part, without the model**", "", *(f"**{usd(one)}**" for one in own)])
    rows.append(["**together**", "", *(f"**{usd(one)}**" for one in sums)])
    return table(["a thousand images", "service", *ways], rows)


def months(config: StageConfig, lines: Sequence[Line]) -> str:
    """Return the table of a month with so many images, by service."""
    bills = [bill.month(config, amount, "synchronous", idle=lines, today=TODAY) for amount in AMOUNTS]
    services = sorted(bills[-1], key=lambda service: -bills[-1][service])
    rows = [[service, *(usd(one.get(service, 0)) for one in bills)] for service in services]
    sums = [sum(one.values()) for one in bills]
    rows.append(["**together**", *(f"**{usd(one)}**" for one in sums)])
    rows.append(["for one image", *(usd(one / amount) for one, amount in zip(sums, AMOUNTS, strict=True))])
    return table(["a month with", *(f"{amount:,} image{'s' * (amount > 1)}" for amount in AMOUNTS)], rows)


def settings(
    config: StageConfig,
    *,
    idle_of: Callable[[StageConfig], Sequence[Line]],
    playground: Sequence[Line],
    monitoring: Sequence[Line],
) -> str:
    """Return the table of what each setting changes."""
    rows = []
    for share in shares.shares(
        config, idle=idle_of, playground=playground, monitoring=monitoring, today=TODAY
    ):
        name = f"`{share.setting}={share.value}`" if share.value else f"`{share.setting}`"
        name = name.replace(", ", "`, `") if share.value else name
        rows.append([name, share.words or usd(share.idle), "" if share.words else usd(share.thousand_images)])
    return table(["setting", "idle, a month", "a thousand images"], rows)


def additions() -> str:
    """Return the table of what an operator may add to a stage, and pays by the month or by the million."""
    rows = [
        [PRICES[name].service, PRICES[name].what, f"{usd(PRICES[name].usd)} for {PRICES[name].unit}"]
        for name in ADDITIONS
    ]
    return table(["service", "what", "price"], rows)


def prices() -> str:
    """Return the table of the list prices."""
    rows = [
        [
            price.service,
            price.what,
            f"${price.usd:.10f}".rstrip("0").rstrip("."),
            price.unit,
            _SEEN[price.seen],
        ]
        for price in PRICES.values()
    ]
    return table(["service", "what", "price", "for", "read"], rows)


def tables(
    config: StageConfig,
    *,
    template: Mapping[str, object],
    playground: Mapping[str, object],
    monitoring: Mapping[str, object],
) -> dict[str, str]:
    """Return every table of the page by its name, for a stage and the templates of its stacks."""

    def idle_of(stage: StageConfig) -> Sequence[Line]:
        return idle_lines(template, memory_mb=stage.memory_mb)

    lines = idle_of(config)
    page = idle_lines(playground, memory_mb=config.memory_mb)
    watching = idle_lines(monitoring, memory_mb=config.memory_mb)
    return {
        "idle": idle(lines),
        "images": images(config),
        "months": months(config, lines),
        "settings": settings(config, idle_of=idle_of, playground=page, monitoring=watching),
        "additions": additions(),
        "prices": prices(),
    }
