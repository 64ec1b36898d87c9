"""Programs that nobody here wrote open marked pictures, see the same pixels, and read the mark.

They are Pillow, ExifTool and Chromium. The pictures are made by Pillow, in every way that it can encode them.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from PIL import Image, PngImagePlugin

from imagegen.generations.image_formats import FORMATS
from imagegen.generations.marks import packet
from tests.support import exiftool, pages
from tests.support.marks import GENERATED, properties
from tests.support.picture_files import SIDES, saved

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MODEL: Final = "stability.stable-image-core-v1:1"
ID: Final = "gen_3nq7v5kd2wzr6xj4tm5yhb2c7a"
PROMPT: Final = "Tea & <hills>,\r\n日本語 \"quoted\" 'text'"
MARK: Final = packet(id_=ID, model=MODEL, prompt=PROMPT)


def exif() -> Image.Exif:
    """Return Exif data with one tag."""
    data = Image.Exif()
    data[0x010E] = "described"
    return data


def text() -> PngImagePlugin.PngInfo:
    """Return chunks of text as other writers have them."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "plain")
    info.add_itxt("Title", "international", lang="en", tkey="Title", zip=True)
    return info


# A profile is opaque to the formats, so any bytes do.
PROFILE: Final = bytes(range(256)) * 300
FILES: Final[Mapping[str, bytes]] = {
    "image/png plain": saved("PNG"),
    "image/png transparent": saved("PNG", mode="RGBA"),
    "image/png text and Exif": saved("PNG", pnginfo=text(), exif=exif()),
    "image/png profile": saved("PNG", icc_profile=PROFILE),
    "image/jpeg plain": saved("JPEG", quality=90),
    "image/jpeg progressive": saved("JPEG", progressive=True),
    "image/jpeg Exif": saved("JPEG", exif=exif()),
    "image/jpeg long profile, comment": saved("JPEG", icc_profile=PROFILE, comment="a comment"),
    "image/jpeg grey": saved("JPEG", mode="L"),
    "image/webp lossy": saved("WEBP", quality=80),
    "image/webp lossless": saved("WEBP", lossless=True),
    "image/webp lossless, transparent": saved("WEBP", lossless=True, mode="RGBA"),
    "image/webp lossy, transparent": saved("WEBP", mode="RGBA"),
    "image/webp profile and Exif": saved("WEBP", icc_profile=PROFILE, exif=exif()),
}


def media_type(name: str) -> str:
    """Return the media type of a file."""
    return name.partition(" ")[0]


def marked(name: str) -> bytes:
    """Return a file with its mark."""
    return FORMATS[media_type(name)].marked(FILES[name], MARK)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Return what ExifTool reads in each file, without the mark and with it."""
    folder = tmp_path_factory.mktemp("pictures")
    paths: list[Path] = []
    for name, plain in FILES.items():
        for content in (plain, marked(name)):
            paths.append(folder / f"{len(paths)}{FORMATS[media_type(name)].suffix}")
            paths[-1].write_bytes(content)
    found = exiftool.read(paths)
    return dict(zip(FILES, zip(found[::2], found[1::2], strict=True), strict=True))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium."""
    with pages.running_browser(resolve={}) as started:
        yield started


@pytest.mark.parametrize("name", FILES)
def test_pillow_sees_the_same_pixels_and_reads_the_mark(name: str) -> None:
    """It also finds the vendor's own metadata as they were."""
    before, after = Image.open(io.BytesIO(FILES[name])), Image.open(io.BytesIO(marked(name)))
    assert FORMATS[media_type(name)].size(marked(name)) == SIDES
    assert (after.mode, after.size, after.tobytes()) == (before.mode, before.size, before.tobytes())
    assert properties(after.info["xmp"]) == {
        "Iptc4xmpExt:DigitalSourceType": GENERATED,
        "Iptc4xmpExt:AISystemUsed": MODEL,
        "xmp:CreatorTool": MODEL,
        "dc:identifier": ID,
        "Iptc4xmpExt:AIPromptInformation": PROMPT,
    }
    assert {key: value for key, value in after.info.items() if "xmp" not in str(key).lower()} == before.info


@pytest.mark.parametrize("name", FILES)
def test_exiftool_reads_the_mark_and_finds_nothing_wrong_with_it(
    name: str, told: Mapping[str, Sequence[Mapping[str, Any]]]
) -> None:
    """It validates the whole file: what it finds wrong with the vendor's own metadata, it found before."""
    before, after = told[name]
    assert {key: value for key, value in after.items() if key.startswith("XMP")} == {
        "XMP-iptcExt:DigitalSourceType": GENERATED,
        "XMP-iptcExt:AISystemUsed": MODEL,
        "XMP-iptcExt:AIPromptInformation": PROMPT,
        "XMP-xmp:CreatorTool": MODEL,
        "XMP-dc:Identifier": ID,
    }
    validated = ("ExifTool:Validate", "ExifTool:Warning")
    assert [after.get(key) for key in validated] == [before.get(key) for key in validated]


def test_chromium_shows_every_marked_picture(browser: Browser) -> None:
    """It has the size that the service describes."""
    page = browser.new_page()
    for name in FILES:
        url = f"data:{media_type(name)};base64,{base64.b64encode(marked(name)).decode()}"
        assert page.evaluate(pages.SHOW, url) == [*SIDES], name


def test_without_perl_one_sentence_says_what_to_install() -> None:
    """ExifTool is written in Perl."""
    with pytest.raises(exiftool.NoPerlError, match=r"need Perl, .*apt-get install perl"):
        exiftool.perl(path="")
