"""Builds the site: lays the pages out, lets Zensical make the HTML, adds what programs read, and checks the result."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from docsite import api_reference, llms, navigation, result, sources
from docsite.sources import Page
from tools.checkout import CHECKOUT
from tools.failures import LocalError

CONFIGURATION: Final = "docsite/zensical.toml"
STYLE: Final = "docsite/site.css"
ZENSICAL: Final = CHECKOUT / ".venv" / "docs" / "bin" / "zensical"
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


def build(target: Path, *, work: Path, environ: Mapping[str, str], root: Path = CHECKOUT) -> list[Page]:
    """Build the site of a checkout into a folder, which is replaced only if everything is right; return the pages.

    Args:
        target: The folder of the site.
        work: A folder that this function may empty; the pages are laid out there.
        environ: The environment of Zensical.
        root: The checkout whose pages are taken.

    Raises:
        LocalError: a page or link is missing, Zensical warns of something, or a page would load something from
            another host. The message has one line for each fault.
    """
    written = [*sources.pages(root), api_reference.page(root)]
    configuration = navigation.written_out((root / CONFIGURATION).read_text(encoding="utf-8"), written)
    found = navigation.entries(configuration)
    navigation.check(found, written)
    shutil.rmtree(work, ignore_errors=True)
    sources.lay_out(written, work / "pages", root)
    (work / "zensical.toml").write_text(configuration, encoding="utf-8")
    shutil.copyfile(root / STYLE, work / "pages" / Path(STYLE).name)
    _run_zensical(work, environ)
    site = work / "site"
    _add_what_programs_read(site, configuration, found, written)
    # A host that serves this page knows under which path; the addresses in it would be right at the root alone.
    (site / "404.html").unlink(missing_ok=True)
    (site / "sitemap.xml").unlink(missing_ok=True)
    faults = result.faults(site)
    if faults:
        raise LocalError("\n".join(faults))
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    site.replace(target)
    return written


def _run_zensical(work: Path, environ: Mapping[str, str]) -> None:
    if not ZENSICAL.exists():
        raise LocalError("The generator of the docs is not installed here: run `make docs`.")
    command = [str(ZENSICAL), "build", "--strict", "--config-file", str(work / "zensical.toml")]
    done = subprocess.run(  # noqa: S603 - the checkout's own generator
        command,
        cwd=work,
        env={**environ, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = _COLOURS.sub("", done.stdout)
        # In strict mode it ends with a traceback, after it has said what is wrong.
        raise LocalError(said.partition("Traceback (most recent call last)")[0].strip() or said)


def _add_what_programs_read(
    site: Path, configuration: str, found: Sequence[navigation.Entry], written: Sequence[Page]
) -> None:
    project = tomllib.loads(configuration)["project"]
    for page in written:
        (site / page.path).write_text(page.text, encoding="utf-8")
    text = llms.llms_txt(
        name=project["site_name"],
        summary=project["site_description"],
        found=found,
        pages={page.path: page for page in written},
    )
    (site / "llms.txt").write_text(text, encoding="utf-8")
