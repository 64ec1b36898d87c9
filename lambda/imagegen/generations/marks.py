"""The mark that an image is generated: an XMP packet that the image formats put into a file, and what it says.

Properties follow the IPTC Photo Metadata Standard 2025.1 ("Digital Source Type", "AI System Used", "AI Prompt
Information") and the XMP specification, part 1 (`xmp:CreatorTool`, `dc:identifier`, the packet wrapper). See
`docs/decisions/0034-images-say-that-they-are-generated.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's word for media that a trained model has made."""

# Without scheme and host, which writers spell in two ways.
_TERM: Final = b"/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

MAX_PROMPT_BYTES: Final = 60_000
"""A longer prompt, in bytes of XML, is left out: in a JPEG the whole packet has to fit one segment of 65,533 bytes."""

# By hand, because `xml.sax` would be one more module at each start. A return has to be a reference: a parser reads a
# plain one as a newline.
_ESCAPES: Final = {ord(char): f"&#{ord(char)};" for char in '&<>"\r'}
# What XML 1.0 cannot hold: control characters and two noncharacters. Half a surrogate pair is a question mark in UTF-8.
_ESCAPES.update(dict.fromkeys((*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF), "\ufffd"))
# XMP part 1, "Packet wrapper": `r`, because a program that does not know the file's format must not change the packet.
_START: Final = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/">
""".encode()
_END: Final = b"""\
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


class NotMarked(Exception):
    """An image cannot be marked: its file is not built as its format says, or it holds other XMP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """What a deployment writes into its images: the mark, and with it the prompt."""

    images: bool = True
    prompts: bool = False

    def packet(self, *, id_: str, model: str, parameters: Mapping[str, Any]) -> bytes:
        """Return the XMP packet of a generation's image, in UTF-8; `parameters` are those of its task."""
        prompt = prompt_information(parameters) if self.prompts else ""
        return packet(id_=id_, model=model, prompt=prompt)


def packet(*, id_: str, model: str, prompt: str = "") -> bytes:
    """Return the XMP packet of an image, in UTF-8; without `prompt`, or if it is too long, it holds no prompt."""
    properties = {
        "Iptc4xmpExt:DigitalSourceType": SOURCE_TYPE,
        "Iptc4xmpExt:AISystemUsed": model,
        "xmp:CreatorTool": model,
        "dc:identifier": id_,
    }
    if prompt and len(_escaped(prompt)) <= MAX_PROMPT_BYTES:
        properties["Iptc4xmpExt:AIPromptInformation"] = prompt
    lines = (
        f"   <{name}>".encode() + _escaped(value) + f"</{name}>\n".encode()
        for name, value in properties.items()
    )
    return _START + b"".join(lines) + _END


def prompt_information(parameters: Mapping[str, Any]) -> str:
    """Return the prompts of a task as text: the only one alone, several as lines of weight and text."""
    prompts = parameters.get("text_prompts", ())
    if len(prompts) == 1 and prompts[0]["weight"] > 0:
        return str(prompts[0]["text"])
    return "\n".join(f"{prompt['weight']:g}: {prompt['text']}" for prompt in prompts)


def says_generated(xmp: bytes) -> bool:
    """Say whether an XMP packet, as it stands in a file, has IPTC's word for generated media."""
    return _TERM in xmp


def _escaped(text: str) -> bytes:
    return text.translate(_ESCAPES).encode(errors="replace")
