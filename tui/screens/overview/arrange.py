"""Where the panes stand: columns, bands, group headings; and who is whose neighbour."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: Panes are at least this wide where the terminal is.
MIN_WIDTH: Final = 44
#: Wider than this the eye loses the line.
MAX_WIDTH: Final = 110
#: Cells between two panes.
GAP: Final = 1


@dataclass(frozen=True, slots=True)
class Place:
    """A pane's place: its band, its column, and its rectangle in lines and cells of the whole view."""

    band: int
    column: int
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Band:
    """A row of panes: first line, lines in all, headings above its columns (empty: no heading line), keys by column."""

    y: int
    height: int
    headings: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """All panes in their places."""

    bands: tuple[Band, ...]
    places: dict[str, Place]
    keys: tuple[str, ...]
    pane_width: int
    height: int

    def band_at(self, y: int) -> Band | None:
        """The band that covers a line."""
        at = bisect_right(self.bands, y, key=lambda band: band.y) - 1
        if at < 0 or y >= self.bands[at].y + self.bands[at].height:
            return None
        return self.bands[at]

    def at(self, x: int, y: int) -> str | None:
        """The key of the pane that covers a point."""
        band = self.band_at(y)
        if band is None:
            return None
        for key in band.keys:
            place = self.places[key]
            if place.x <= x < place.x + place.width and place.y <= y < place.y + place.height:
                return key
        return None

    def neighbour(self, key: str, right: int, down: int) -> str:
        """The pane beside or below another; the same one where there is none. Left and right go on to the next band."""
        place = self.places[key]
        if right:
            at = min(max(self.keys.index(key) + right, 0), len(self.keys) - 1)
            return self.keys[at]
        band = place.band + down
        if not 0 <= band < len(self.bands):
            return key
        keys = self.bands[band].keys
        return keys[min(place.column, len(keys) - 1)]


def column_counts(panes: int, width: int) -> range:
    """How many columns of panes may stand side by side: panes neither too narrow to say much nor too wide to read."""
    most = max(1, min((width + GAP) // (MIN_WIDTH + GAP), panes))
    least = min(most, -(-(width + GAP) // (MAX_WIDTH + GAP)))
    return range(least, most + 1)


def pane_width(columns: int, width: int) -> int:
    """How wide each pane is in so many columns."""
    return (width - GAP * (columns - 1)) // columns


def arrange(groups: Sequence[tuple[str, Sequence[tuple[str, int]]]], width: int, columns: int) -> Arrangement:
    """Flows panes into columns of equal width; a group starts right after the one before, under its own heading.

    Args:
        groups: heading and panes (key, height) in order.
        width: of the view.
        columns: side by side.
    """
    flow = [
        (heading if first == 0 else "", key, height)
        for heading, panes in groups
        for first, (key, height) in enumerate(panes)
    ]
    each = pane_width(columns, width)
    bands: list[Band] = []
    places: dict[str, Place] = {}
    y = 0
    current = ""
    for start in range(0, len(flow), columns):
        chunk = flow[start : start + columns]
        headings: tuple[str, ...] = ()
        top = y
        if any(heading for heading, _, _ in chunk):
            first = chunk[0][0] or f"… {current}"
            headings = (first, *(heading for heading, _, _ in chunk[1:]))
            y += 1
        tallest = max(height for _, _, height in chunk)
        for column, (heading, key, _) in enumerate(chunk):
            current = heading or current
            places[key] = Place(len(bands), column, column * (each + GAP), y, each, tallest)
        y += tallest
        bands.append(Band(top, y - top, headings, tuple(key for _, key, _ in chunk)))
    return Arrangement(tuple(bands), places, tuple(key for _, key, _ in flow), each, y)
