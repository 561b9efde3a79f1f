"""What an object's beginning is: text in some encoding, JSON, a picture, or bytes. Without a screen."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from tui.consoles.bucket import pictures

#: Bytes of an object that are read for a look at it; of a picture, all of it up to the second figure.
BOUND, PICTURE = 256 << 10, 8 << 20
#: Lines and bytes a line of a hexadecimal view.
_HEX_WIDTH = 16
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
          codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32"}  # fmt: skip
#: By how objects begin, for what is no text.
_KINDS = ((b"\xff\xd8\xff", "JPEG"), (b"GIF8", "GIF"), (b"PK\x03\x04", "ZIP"), (b"\x1f\x8b", "gzip"), (b"%PDF", "PDF"),
          (b"\x7fELF", "ELF program"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"SQLite format 3\0", "SQLite"),
          (b"PAR1", "Parquet"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"OggS", "Ogg"))  # fmt: skip
#: What may stand in a text beside printable characters.
_BLANK = frozenset("\t\n\r\f\x1b")


class Look(StrEnum):
    """How contents are shown."""

    TEXT = "text"
    JSON = "JSON"
    PICTURE = "picture"
    HEX = "hex"


@dataclass(frozen=True, slots=True)
class Contents:
    """An object's beginning, read in one way.

    Attributes:
        encoding: of a text; empty for others.
        kind: what the bytes seem to be (`PNG 640 × 480`), empty when nothing is known.
    """

    look: Look
    text: str = ""
    encoding: str = ""
    kind: str = ""
    picture: pictures.Picture | None = None


def read(data: bytes, *, whole: bool, content_type: str = "", wanted: Look | None = None) -> Contents:
    """Reads a beginning in the way that fits best, or in the one that is wanted, if that is possible.

    Args:
        data: the beginning.
        whole: whether it is all of it: a character that is cut at the end is no mistake where it is not.
        content_type: what the object calls itself; only its charset is believed.
        wanted: how to show it.
    """
    kind = kind_of(data)
    if wanted is Look.HEX:
        return Contents(Look.HEX, hexadecimal(data), kind=kind)
    if pictures.size_of(data) is not None and wanted in (None, Look.PICTURE):
        try:
            return Contents(Look.PICTURE, kind=kind, picture=pictures.decode(data))
        except pictures.NotAPicture as why:
            return Contents(Look.HEX, hexadecimal(data), kind=f"{kind}, not drawn: {why}")
    encoding = encoding_of(data, whole=whole, content_type=content_type)
    if encoding is None and wanted is not Look.TEXT:
        return Contents(Look.HEX, hexadecimal(data), kind=kind)
    text = data.decode(encoding or "latin-1", errors="replace" if whole else "ignore")
    if wanted in (None, Look.JSON) and whole and text.lstrip()[:1] in ("{", "["):
        try:
            # Not decoded: numbers stay as they are written, and a name that stands twice stays twice.
            return Contents(Look.JSON, msgspec.json.format(text, indent=2), encoding or "latin-1", kind)
        except msgspec.DecodeError:
            pass
    return Contents(Look.TEXT, text, encoding or "latin-1 (guessed)", kind)


def kind_of(data: bytes) -> str:
    """What the first bytes say of it."""
    if (size := pictures.size_of(data)) is not None:
        return f"PNG {size[0]} × {size[1]}"
    return next((name for begin, name in _KINDS if data.startswith(begin)), "")


def encoding_of(data: bytes, *, whole: bool, content_type: str = "") -> str | None:
    """The encoding of a text, None for what is none."""
    if not data:
        return "utf-8"
    # UTF-32's mark begins like UTF-16's: the longest first.
    for mark in sorted(_MARKS, key=len, reverse=True):
        if data.startswith(mark):
            return _MARKS[mark]
    named = re.search(r"charset=\"?([\w.:-]+)", content_type)
    if named is not None and _reads(data, named[1], whole=whole):
        return named[1].lower()
    if b"\0" in data[:4096]:
        # Without a mark, UTF-16 of most texts shows by zeros on one side.
        even, odd = data[0:4096:2].count(0), data[1:4096:2].count(0)
        half = len(data[:4096]) // 2
        for count, other, name in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
            if count > half * 0.4 and other < half * 0.05 and _reads(data[: len(data) // 2 * 2], name, whole=whole):
                return name
        return None
    if _reads(data, "utf-8", whole=whole):
        return "utf-8"
    # Every byte is a character in it: only a text that has few control characters is taken for one.
    text = data.decode("latin-1")
    strange = sum(not (one.isprintable() or one in _BLANK) for one in text[:4096])
    return "latin-1" if strange * 50 < len(text[:4096]) else None


def _reads(data: bytes, encoding: str, *, whole: bool) -> bool:
    try:
        text = codecs.getincrementaldecoder(encoding)("strict").decode(data, whole)
    except (LookupError, UnicodeError, ValueError, AttributeError):
        return False
    strange = sum(not (one.isprintable() or one in _BLANK) for one in text[:4096])
    return strange * 50 <= len(text[:4096])


def hexadecimal(data: bytes) -> str:
    """As `xxd` writes it: offset, sixteen bytes, and those that are printable ASCII."""
    lines = []
    for at in range(0, len(data), _HEX_WIDTH):
        piece = data[at : at + _HEX_WIDTH]
        left, right = piece[:8].hex(" "), piece[8:].hex(" ")
        shown = "".join(chr(one) if 32 <= one < 127 else "." for one in piece)
        lines.append(f"{at:08x}  {left:<23}  {right:<23}  {shown}")
    return "\n".join(lines)
