"""The columns of a table: how wide each is, which are left out on a narrow terminal, and cells cut to fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len, set_cell_size

from tui.text import safe
from tui.widgets.ink import Cell, Piece, plain


@dataclass(frozen=True, slots=True)
class Column:
    """What a column is called and how much room it may take, in cells of the terminal.

    Attributes:
        key: its name in code and settings.
        title: its name on screen.
        min_width: below this it is of no use.
        max_width: it never takes more, 0 for no limit.
        align: where the text stands.
        grow: its share of the room that nobody needs.
        priority: 0 for a column that always stays; of the others the highest number is left out first.
        optional: it appears only once a row has something in it.
        cut: it is cut, down to its minimum, before any column is left out; columns that grow are cut in the same way.
        keep: which end of a text that is cut is kept: of names with a number behind them it is the end that matters.
    """

    key: str
    title: str
    min_width: int = 4
    max_width: int = 0
    align: Literal["left", "right"] = "left"
    grow: int = 0
    priority: int = 0
    optional: bool = False
    cut: bool = False
    keep: Literal["start", "end"] = "start"

    @property
    def title_width(self) -> int:
        """What the title needs, with room for the sort arrow; nothing while an optional column is empty."""
        return 0 if self.optional else width_of(self.title) + 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a column stands: the index of its cells in a row, its first cell on screen, its width."""

    index: int
    x: int
    width: int


def width_of(cell: Cell) -> int:
    """How many cells of the terminal a cell's text takes when drawn."""
    text = plain(cell)
    return len(text) if text.isascii() and text.isprintable() else cell_len(safe(text))


def lay_out(
    columns: Sequence[Column], natural: Sequence[int], width: int, *, margin: int, gap: int
) -> tuple[Place, ...]:
    """Shares out a line.

    Columns go, by priority, until the rest fits (those that may be cut at their minimum, the others whole); then each
    gets what its widest cell needs, the important ones first; then those that grow take what is left.

    Args:
        columns: in display order.
        natural: what the widest cell of each needs.
        width: of the line.
        margin: kept free at the left.
        gap: kept free between two columns.

    Returns:
        The columns that are shown. Even the last one stays when nothing fits; it is cut by the line's end.
    """
    shown = [index for index, column in enumerate(columns) if natural[index] or not column.optional]
    wanted = [_within(column, natural[index]) for index, column in enumerate(columns)]
    needed = [
        min(column.min_width, wanted[index]) if column.cut or column.grow else wanted[index]
        for index, column in enumerate(columns)
    ]
    widths = [min(column.min_width, wanted[index]) for index, column in enumerate(columns)]

    def room(sizes: Sequence[int]) -> int:
        return width - margin - gap * (len(shown) - 1) - sum(sizes[index] for index in shown)

    while room(needed) < 0 and (droppable := [index for index in shown if columns[index].priority]):
        shown.remove(max(droppable, key=lambda index: columns[index].priority))
    if room(needed) >= 0:
        widths = needed
    for index in sorted(shown, key=lambda index: columns[index].priority):
        widths[index] += max(0, min(wanted[index] - widths[index], room(widths)))
    _grow(columns, widths, shown, room(widths))
    places = []
    x = margin
    for index in shown:
        places.append(Place(index, x, max(0, min(widths[index], width - x))))
        x += widths[index] + gap
    return tuple(place for place in places if place.width)


def _within(column: Column, natural: int) -> int:
    """What a column would like to have, within its limits; one that is cut does not take room that it does not fill."""
    wanted = min(natural, column.max_width or natural)
    return wanted if column.cut else max(column.min_width, wanted)


def _grow(columns: Sequence[Column], widths: list[int], shown: Sequence[int], spare: int) -> None:
    """Gives spare cells to the columns that grow, in proportion, within their limits."""
    takers = [index for index in shown if columns[index].grow]
    while spare > 0 and takers:
        shares = sum(columns[index].grow for index in takers)
        given = 0
        for index in list(takers):
            share = max(1, spare * columns[index].grow // shares)
            limit = columns[index].max_width
            taken = min(share, spare - given, max(0, limit - widths[index]) if limit else share)
            widths[index] += taken
            given += taken
            if limit and widths[index] >= limit:
                takers.remove(index)
        if not given:
            return
        spare -= given


def fit(
    cell: Cell,
    width: int,
    align: Literal["left", "right"] = "left",
    ink: str = "",
    keep: Literal["start", "end"] = "start",
) -> list[Piece]:
    """A cell made safe to print and exactly `width` cells wide: padded, or cut with an ellipsis.

    Args:
        cell: what stands there.
        width: in cells of the terminal.
        align: where the padding goes: left-aligned text has it on the right.
        ink: for text without one of its own.
        keep: which end stays when it is cut.
    """
    pieces: list[Piece] = [(cell, ink)] if isinstance(cell, str) else [(text, own or ink) for text, own in cell]
    pieces = [(safe(text), own) for text, own in pieces]
    size = sum(_size(text) for text, _ in pieces)
    if size > width:
        return _cut_start(pieces, width) if keep == "end" else _cut_end(pieces, width)
    if size < width:
        pieces.insert(0 if align == "right" else len(pieces), (" " * (width - size), ink))
    return pieces


def _size(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def _cut_end(pieces: Sequence[Piece], width: int) -> list[Piece]:
    kept: list[Piece] = []
    left = width - 1
    for text, ink in pieces:
        size = _size(text)
        if size > left:
            kept.append((set_cell_size(text, max(left, 0)) + "…" * min(1, width), ink))
            break
        kept.append((text, ink))
        left -= size
    return kept


def _cut_start(pieces: Sequence[Piece], width: int) -> list[Piece]:
    kept: list[Piece] = []
    left = width - 1
    for text, ink in reversed(pieces):
        size = _size(text)
        if size > left:
            rest = text
            while rest and _size(rest) > left:
                rest = rest[1:]
            # A wide character that was cut leaves one cell over.
            kept.append(("…" * min(1, width) + " " * (left - _size(rest)) + rest, ink))
            break
        kept.append((text, ink))
        left -= size
    return kept[::-1]
