"""The consoles that are open, by workload, and how much those that were left may hold on to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.consoles.sql.screen import SqlConsole
    from tui.consoles.sql.staying import StayingScreen

#: Consoles that may be left open; the one that was left longest ago goes, if nothing goes on in it.
MOST = 8
#: Bytes of rows that those that were left may hold together: with a full one in front that is 250 MB in all.
ROWS = 64 << 20


class Kept:
    """Consoles by the key of their workload."""

    def __init__(self) -> None:
        self._consoles: dict[str, SqlConsole] = {}

    def __iter__(self) -> Iterator[SqlConsole]:
        """All of them."""
        return iter(list(self._consoles.values()))

    def get(self, key: str) -> SqlConsole | None:
        """That of a workload."""
        return self._consoles.get(key)

    def put(self, key: str, console: SqlConsole) -> None:
        """Takes note of a new one."""
        self._consoles[key] = console

    def drop(self, console: StayingScreen) -> None:
        """Forgets one."""
        self._consoles = {key: each for key, each in self._consoles.items() if each is not console}

    def left(self) -> list[SqlConsole]:
        """Those that nobody is in, the one that was left longest ago first."""
        return sorted((each for each in self if each.left is not None), key=lambda each: each.left or 0.0)

    def surplus(self) -> list[SqlConsole]:
        """Those that are one too many, and in which nothing is open or goes on."""
        left = self.left()
        return [each for each in left if not each.unfinished][: max(0, len(left) - MOST)]

    def make_room(self, *, spare: StayingScreen | None = None) -> None:
        """Has those that were left longest ago let their rows go, until the rest is little enough.

        Args:
            spare: one that keeps its rows, however many they are: whoever left it just now may be back at once.
        """
        others = [each for each in self.left() if each is not spare]
        held = sum(each.rows_held for each in others)
        for each in others:
            if held <= ROWS:
                return
            if each.rows_held and not each.working:
                held -= each.rows_held
                each.forget_rows()
