"""What bytes of unknown origin are: the encoding of a text, or a hexadecimal view. Without a screen."""

from __future__ import annotations

import codecs
import re

#: Bytes a line of a hexadecimal view.
_HEX_WIDTH = 16
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
          codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32"}  # fmt: skip
#: What may stand in a text beside printable characters.
_BLANK = frozenset("\t\n\r\f\x1b")


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
