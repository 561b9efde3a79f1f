"""How a cell is shown: on one line of a grid, and whole.

Cells are text from outside: what a terminal would act on is replaced by visible signs (`tui.text.safe`), and nothing is
lost silently: what is cut ends in `…`, and the whole says how much is missing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from tui.services.sql.model import Cell, Look
from tui.text import safe

#: NULL; a text that is just this sign is put between quotes.
NULL = "∅"
#: What ends a text that was cut.
CUT = "…"
#: Bytes of a binary cell that a line shows at most, characters and bytes of one that is shown whole.
LINE_BYTES, WHOLE_CHARACTERS, WHOLE_BYTES = 32, 1 << 20, 64 << 10
_SIGNS = str.maketrans({"\t": "⇥", "\n": "↵"})


class Shape(StrEnum):
    """What a shown cell is; the signs tell it without colour, too."""

    NULL = "null"
    EMPTY = "empty"
    BINARY = "binary"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Line:
    """A cell on one line.

    Attributes:
        text: safe to print.
        shape: what it is.
        width: cells of the terminal that it takes.
        cut: whether the cell holds more than is shown.
    """

    text: str
    shape: Shape
    width: int
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Whole:
    """A cell shown whole.

    Attributes:
        lines: safe to print, one for each line.
        shape: what it is.
        summary: what it is in words: `text, 3 lines`, `1,234 bytes`.
        missing: what is not shown, in words; empty when everything is.
    """

    lines: tuple[str, ...]
    shape: Shape
    summary: str
    missing: str = ""


def width_of(text: str) -> int:
    """Cells of the terminal that a safe text takes: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(map(_width, text))


def _width(char: str) -> int:
    if char < "\u0300":
        return 1
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def on_one_line(cell: Cell, limit: int) -> Line:
    """A cell for a line.

    Args:
        cell: as the server printed it.
        limit: cells of the terminal that it may take, at least 1.
    """
    if cell is None:
        return Line(NULL, Shape.NULL, 1)
    if isinstance(cell, bytes):
        return _binary(cell, limit)
    if not cell:
        return Line("", Shape.EMPTY, 0)
    if cell == NULL:
        return _clipped(f'"{NULL}"', limit, more=False)
    # A character takes at least a cell, except those that combine; a hundred of them in a row are no text to be read.
    start = cell if len(cell) <= limit + 1 else cell[: limit + 100]
    if not start.isprintable():
        start = safe(start.replace("\r\n", "\n").translate(_SIGNS))
    return _clipped(start, limit, more=len(cell) > limit + 100)


def _clipped(text: str, limit: int, *, more: bool) -> Line:
    width = width_of(text)
    if width <= limit and not more:
        return Line(text, Shape.TEXT, width)
    if text.isascii():
        return Line(text[: limit - 1] + CUT, Shape.TEXT, min(limit, len(text) + 1), cut=True)
    taken = width = 0
    for char in text:
        if width + _width(char) > limit - 1:
            break
        width += _width(char)
        taken += 1
    return Line(text[:taken] + CUT, Shape.TEXT, width + 1, cut=True)


def _binary(cell: bytes, limit: int) -> Line:
    """`0x89504e47… 1,234 B`; the length stands there once it cannot be counted."""
    if len(cell) * 2 + 2 <= limit and len(cell) <= LINE_BYTES:
        text = f"0x{cell.hex()}"
        return Line(text, Shape.BINARY, len(text))
    length = f"{CUT} {len(cell):,} B"
    room = max(0, min(LINE_BYTES, (limit - len(length) - 2) // 2))
    text = f"0x{cell[:room].hex()}{length}" if room else f"{len(cell):,} B"
    if len(text) > limit:
        text = text[: limit - 1] + CUT
    return Line(text, Shape.BINARY, len(text), cut=True)


def whole(cell: Cell, look: Look = Look.TEXT) -> Whole:
    """A cell as a viewer shows it: JSON indented, arrays an element a line, binary as a hexadecimal dump.

    Args:
        cell: as the server printed it.
        look: its column's. A text that is not what the look says is shown as text.
    """
    if cell is None:
        return Whole((NULL,), Shape.NULL, "NULL")
    if isinstance(cell, bytes):
        more = len(cell) - WHOLE_BYTES
        missing = f"{more:,} bytes more are not shown" if more > 0 else ""
        return Whole(tuple(_dump(cell[:WHOLE_BYTES])), Shape.BINARY, _count(len(cell), "byte"), missing)
    if not cell:
        return Whole(("",), Shape.EMPTY, "empty text")
    more = len(cell) - WHOLE_CHARACTERS
    missing = f"{more:,} characters more are not shown" if more > 0 else ""
    text = cell[:WHOLE_CHARACTERS]
    if not missing and (pretty := _pretty(text, look)) is not None:
        return Whole(tuple(map(safe, pretty.split("\n"))), Shape.TEXT, look.value)
    lines = tuple(safe(line) for line in text.replace("\r\n", "\n").replace("\t", "    ").split("\n"))
    size = _count(len(cell), "character")
    return Whole(lines, Shape.TEXT, f"{size}, {_count(len(lines), 'line')}" if len(lines) > 1 else size, missing)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _pretty(text: str, look: Look) -> str | None:
    if look is Look.JSON:
        try:
            # Only the blanks change: numbers keep their digits, keys their order and repetition.
            return msgspec.json.format(text.encode(), indent=2).decode()
        except (msgspec.DecodeError, UnicodeEncodeError):
            return None
    if look is Look.ARRAY:
        return "\n".join(_array(text)) if text[:1] in "{[" and text[-1:] in "}]" else None
    return None


def _array(text: str) -> Iterator[str]:
    """PostgreSQL's `{1,"a,b",{2,NULL}}`, an element a line and indented by depth; it is only broken, never read."""
    depth, begun, quoted, at = 0, 0, False, 0
    while at < len(text):
        char = text[at]
        if quoted:
            if char == "\\":
                at += 1
            elif char == '"':
                quoted = False
        elif char == '"':
            quoted = True
        elif char == "{":
            yield "  " * depth + "{"
            depth, begun = depth + 1, at + 1
        elif char in ",}":
            if element := text[begun:at].strip():
                yield "  " * depth + element
            begun = at + 1
            if char == "}":
                depth = max(0, depth - 1)
                yield "  " * depth + "}"
        at += 1
    if rest := text[begun:]:
        yield rest


def _dump(data: bytes) -> Iterator[str]:
    """`00000000  89 50 4e 47 0d 0a 1a 0a  00 00 00 0d 49 48 44 52  |.PNG........IHDR|`."""
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        yield f"{at:08x}  {part[:8].hex(' '):<23}  {part[8:].hex(' '):<23}  |{text}|"
