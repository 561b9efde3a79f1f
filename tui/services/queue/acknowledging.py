"""Which deliveries are to be acknowledged, in as few frames as the order allows."""

from __future__ import annotations


class Acknowledgements:
    """Deliveries that are done with, by their numbers on a channel, which begin at 1 and have no gaps."""

    def __init__(self) -> None:
        """Nothing is done with yet."""
        self._floor = 0
        self._done: set[int] = set()
        self._keeps = False
        self._told = 0

    def add(self, tag: int) -> None:
        """A delivery is done with."""
        self._done.add(tag)

    def keep(self, tag: int) -> None:
        """A delivery is not to be acknowledged; from now on none may be acknowledged along with others."""
        if not self._keeps:
            self._keeps = True
        self._done.discard(tag)

    def due(self) -> list[tuple[int, bool]]:
        """What to acknowledge now: the number, and whether all up to it are meant."""
        if self._keeps:
            due = [(tag, False) for tag in sorted(self._done)]
            self._told += len(due)
            self._done.clear()
            return due
        before = self._floor
        while self._floor + 1 in self._done:
            self._floor += 1
            self._done.remove(self._floor)
        self._told += self._floor - before
        return [(self._floor, True)] if self._floor > before else []

    def told(self) -> int:
        """How many were due since this was asked last."""
        told, self._told = self._told, 0
        return told
