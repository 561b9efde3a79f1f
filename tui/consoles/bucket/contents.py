"""What an object's beginning is: text in some encoding, JSON, a picture, or bytes. Without a screen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from tui.consoles.bucket import pictures
from tui.consoles.decoding import encoding_of, hexadecimal

#: Bytes of an object that are read for a look at it; of a picture, all of it up to the second figure.
BOUND, PICTURE = 256 << 10, 8 << 20
#: By how objects begin, for what is no text.
_KINDS = ((b"\xff\xd8\xff", "JPEG"), (b"GIF8", "GIF"), (b"PK\x03\x04", "ZIP"), (b"\x1f\x8b", "gzip"), (b"%PDF", "PDF"),
          (b"\x7fELF", "ELF program"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"SQLite format 3\0", "SQLite"),
          (b"PAR1", "Parquet"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"OggS", "Ogg"))  # fmt: skip


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
