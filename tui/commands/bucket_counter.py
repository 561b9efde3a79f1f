"""How far a count or a deletion is: one line on a terminal that goes when it ends, nothing elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time

from tui.text import safe

#: Seconds between two figures.
_EVERY = 0.2


class Counter:
    """Is told how many there were, and shows it while this is entered; a `Progress`.

    Attributes:
        done: how many there were.
    """

    def __init__(self, doing: str) -> None:
        """Says nothing yet.

        Args:
            doing: what goes on (`deleting what is in logs`).
        """
        self.done = 0
        self._doing = doing
        self._terminal = sys.stderr.isatty()
        self._shown = 0.0

    def __enter__(self) -> Counter:
        """Begins."""
        return self

    def __exit__(self, *error: object) -> None:
        """Leaves no trace on the terminal."""
        if self._shown:
            self._write("\r\x1b[K")

    def __call__(self, done: int, whole: int | None) -> None:
        """Takes a figure."""
        self.done = done
        if self._terminal and (now := time.monotonic()) >= self._shown + _EVERY:
            self._shown = now
            of = f" of {whole:,}" if whole is not None else ""
            self._write(f"\r{safe(self._doing)}: {done:,}{of}\x1b[K")

    @staticmethod
    def _write(text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()
