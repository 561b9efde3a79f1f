"""Which columns of a result stand where: widths, hidden ones, and the first one on screen. Without a screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tui.services.sql.rows import WIDEST

#: Cells between two columns; the cursor's marks stand there.
GAP = 2
#: A column asks for no more than this while others need the room, on a narrow and on a wide terminal.
CAPS, ROOMY = (24, 40), 100
#: The narrowest that a column is made.
NARROWEST = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where a column stands: its index in the row, its first cell from the grid's left edge, its width."""

    index: int
    x: int
    width: int


class ColumnLayout:
    """The columns of one result.

    Attributes:
        shown: indices of the columns that are not hidden, in order.
        left: index among `shown` of the first column on screen.
    """

    def __init__(self, count: int) -> None:
        self.shown: list[int] = list(range(count))
        self.left = 0
        self._count = count
        self._natural: Sequence[int] = [NARROWEST] * count
        self._own: dict[int, int] = {}
        self._fits = True
        self._room = 0

    def measure(self, natural: Sequence[int], room: int) -> bool:
        """Takes what the columns ask for and the room that they have; True when that changes how they stand."""
        before = self.places(), self._room
        self._natural, self._room = natural, room
        self._fits = sum(natural[index] + GAP for index in self.shown) <= room
        return before != (self.places(), room)

    def width(self, index: int) -> int:
        """Cells that a column takes; never more than there is room for."""
        most = max(NARROWEST, self._room - GAP)
        if (own := self._own.get(index)) is not None:
            return min(own, most)
        natural = max(NARROWEST, self._natural[index])
        if len(self.shown) == 1:
            return most if natural >= WIDEST else min(natural, most)
        cap = WIDEST if self._fits else CAPS[self._room >= ROOMY]
        return min(natural, cap, most)

    def widen(self, index: int, *, wider: bool) -> None:
        """Makes a column half as wide again, or a third narrower."""
        now = self.width(index)
        wanted = now + max(2, now // 2) if wider else now - max(1, now // 3)
        self._own[index] = max(NARROWEST, min(wanted, max(NARROWEST, self._room - GAP)))

    def toggle(self, index: int) -> bool:
        """Hides a column, or shows it again; False when it is the last one that is shown."""
        if index in self.shown:
            if len(self.shown) == 1:
                return False
            self.shown.remove(index)
        else:
            self.shown.append(index)
            self.shown.sort()
        self._clamp()
        return True

    def show_all(self) -> None:
        """Hides none."""
        self.shown = list(range(self._count))
        self._clamp()

    def _clamp(self) -> None:
        self.left = max(0, min(self.left, len(self.shown) - 1))
        self._fits = sum(self._natural[index] + GAP for index in self.shown) <= self._room

    def places(self) -> list[Place]:
        """The columns on screen; the last one may be cut by the edge."""
        found: list[Place] = []
        x = 0
        for index in self.shown[self.left :]:
            width = self.width(index)
            if x >= self._room:
                break
            found.append(Place(index, x, min(width, self._room - x)))
            x += width + GAP
        return found

    def reveal(self, at: int) -> bool:
        """Moves sideways so that a column (index among `shown`) is wholly on screen; True when it had to."""
        before = self.left
        if at < self.left:
            self.left = at
        else:
            used = sum(self.width(index) + GAP for index in self.shown[self.left : at + 1]) - GAP
            while used > self._room and self.left < at:
                used -= self.width(self.shown[self.left]) + GAP
                self.left += 1
        return self.left != before
