"""Writes to the terminal only what differs from what already stands there.

Textual repaints regions: a changed cell costs at least the rest of its line, a dialog costs the whole screen several
times over, and a frame that is identical to the one before is sent all the same. Over a thin line that is what makes
a program feel slow. `FrameDiff` keeps the cells that the terminal shows and turns each of Textual's updates into the
runs of cells that changed, with the shortest change of colours between them.

It reads the two update types of Textual's compositor, which are not public: Textual is pinned, and a test compares
what is written, replayed by a terminal, with what Textual itself would have drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from rich.cells import cell_len
from rich.color import ColorSystem
from textual._compositor import ChopsUpdate, LayoutUpdate

if TYPE_CHECKING:
    from rich.style import Style
    from textual.strip import Strip

#: Two runs with no more unchanged cells than this between them are written as one: moving the cursor costs as much.
MERGE_GAP = 4

#: Styles whose look is remembered; a program uses some hundreds.
MANY_STYLES = 4096

#: SGR numbers of rich's attribute bits, lowest bit first (bold, dim, italic, underline, blink, blink2, reverse, …).
_ATTRIBUTES = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "21", "51", "52", "53")


@dataclass(frozen=True, slots=True)
class Pen:
    """How a cell is drawn, as parameters of an SGR sequence; equal looks are the same object."""

    attributes: frozenset[str]
    foreground: str
    background: str

    def whole(self) -> str:
        """Every parameter, for a terminal that has just been reset."""
        return ";".join((*sorted(self.attributes, key=int), *filter(None, (self.foreground, self.background))))


#: A character with what combines with it (empty in the second half of a wide one), and its look.
Cell: TypeAlias = tuple[str, Pen]

_PLAIN = Pen(frozenset(), "", "")
_widths: dict[str, int] = {}


class FrameDiff:
    """What the terminal shows now, and how to get from there to the next frame.

    Args:
        color_system: what the terminal can show.
        no_color: leave out every colour, keep the attributes.
    """

    def __init__(self, color_system: ColorSystem = ColorSystem.TRUECOLOR, *, no_color: bool = False) -> None:
        self._color_system = color_system
        self._no_color = no_color
        self._lines: list[list[Cell]] = []
        self._width = 0
        self._pens: dict[Style | None, Pen] = {None: _PLAIN}
        self._known: dict[Pen, Pen] = {_PLAIN: _PLAIN}
        self._moves: dict[tuple[Pen, Pen], str] = {}

    def invalidate(self) -> None:
        """Forgets what the terminal shows, when something else may have drawn on it; the next frame is whole."""
        self._lines = []

    def encode(self, update: LayoutUpdate | ChopsUpdate, width: int, height: int) -> str:
        """The sequences that bring the terminal from what it shows to this update; empty when nothing differs.

        Args:
            update: what Textual's compositor made.
            width: of the screen, in cells.
            height: of the screen, in cells.
        """
        if self._width != width or len(self._lines) != height:
            self._width = width
            self._lines = [[] for _ in range(height)]
        out: list[str] = []
        pen = _PLAIN
        if isinstance(update, LayoutUpdate):
            for y, strips in enumerate(update.strips, update.region.y):
                if y < height:
                    pen = self._write(out, y, 0, self._cells(strips, width), pen)
        else:
            for y, x1, x2 in update.spans:
                if not 0 <= y < height:
                    continue
                for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                    if strip is not None and x < x2 and end > x1:
                        pen = self._write(out, y, x, self._cells((strip,), min(end, width) - x), pen)
        if out and pen is not _PLAIN:
            out.append("\x1b[0m")
        return "".join(out)

    def _write(self, out: list[str], y: int, x: int, cells: list[Cell], pen: Pen) -> Pen:
        """Appends what differs on one line from `x` on, and remembers it; returns the pen the terminal is left with."""
        line = self._lines[y]
        if not line:
            # Unknown until now: every cell counts as different, whatever it is.
            line = self._lines[y] = [("\0", _PLAIN)] * self._width
        old = line[x : x + len(cells)]
        if old == cells:
            return pen
        for start, end in _runs(old, cells):
            out.append(f"\x1b[{y + 1};{x + start + 1}H")
            for text, look in cells[start:end]:
                if look is not pen:
                    out.append(self._change(pen, look))
                    pen = look
                out.append(text)
        line[x : x + len(cells)] = cells
        return pen

    def _change(self, pen: Pen, look: Pen) -> str:
        """The shortest SGR sequence from one look to another."""
        key = (pen, look)
        known = self._moves.get(key)
        if known is not None:
            return known
        reset = f"\x1b[0;{look.whole()}m" if look is not _PLAIN else "\x1b[0m"
        sequence = reset
        if pen.attributes <= look.attributes:
            parts = sorted(look.attributes - pen.attributes, key=int)
            if look.foreground != pen.foreground:
                parts.append(look.foreground or "39")
            if look.background != pen.background:
                parts.append(look.background or "49")
            shorter = f"\x1b[{';'.join(parts)}m"
            sequence = min(shorter, reset, key=len)
        self._moves[key] = sequence
        return sequence

    def _cells(self, strips: Iterable[Strip], width: int) -> list[Cell]:
        """The segments as cells, exactly `width` of them."""
        cells: list[Cell] = []
        for strip in strips:
            for text, style, control in strip:
                if control:
                    continue
                pen = self._pens.get(style) or self._pen(style)
                if text.isascii():
                    cells.extend([(char, pen) for char in text])
                else:
                    _spread(text, pen, cells)
        if len(cells) < width:
            cells.extend([(" ", _PLAIN)] * (width - len(cells)))
        elif len(cells) > width:
            del cells[width:]
            if cells and cell_len(cells[-1][0]) > 1:
                cells[-1] = (" ", cells[-1][1])
        return cells

    def _pen(self, style: Style | None) -> Pen:
        if style is None:
            return _PLAIN
        if len(self._pens) > MANY_STYLES:
            self._pens.clear()
        bits = style._attributes & style._set_attributes
        attributes = frozenset(sgr for bit, sgr in enumerate(_ATTRIBUTES) if bits & (1 << bit))
        foreground = background = ""
        if not self._no_color:
            if style.color is not None and not style.color.is_default:
                foreground = ";".join(style.color.downgrade(self._color_system).get_ansi_codes())
            if style.bgcolor is not None and not style.bgcolor.is_default:
                background = ";".join(style.bgcolor.downgrade(self._color_system).get_ansi_codes(False))
        pen = Pen(attributes, foreground, background)
        pen = self._pens[style] = self._known.setdefault(pen, pen)
        return pen


def _spread(text: str, pen: Pen, cells: list[Cell]) -> None:
    """Appends text that is not all ASCII: a wide character takes two cells, a combining one joins the cell before."""
    for char in text:
        width = _widths.get(char)
        if width is None:
            width = _widths[char] = cell_len(char)
        if width == 1:
            cells.append((char, pen))
        elif width == 2:
            cells.append((char, pen))
            cells.append(("", pen))
        elif cells:
            before, look = cells[-1] if cells[-1][0] or len(cells) < 2 else cells[-2]
            at = -1 if cells[-1][0] or len(cells) < 2 else -2
            cells[at] = (before + char, look)


def _runs(old: Sequence[Cell], new: Sequence[Cell]) -> list[tuple[int, int]]:
    """The stretches [start, end) of cells to write; never half of a wide character."""
    runs: list[tuple[int, int]] = []
    for at, (before, now) in enumerate(zip(old, new, strict=True)):
        if before == now:
            continue
        if runs and at - runs[-1][1] <= MERGE_GAP:
            runs[-1] = (runs[-1][0], at + 1)
        else:
            runs.append((at, at + 1))
    whole: list[tuple[int, int]] = []
    for start, end in runs:
        while start > 0 and not new[start][0]:
            start -= 1  # noqa: PLW2901
        while end < len(new) and not new[end][0]:
            end += 1  # noqa: PLW2901
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], end)
        else:
            whole.append((start, end))
    return whole
