"""How long to wait before the next try."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable


def jitter(seconds: float, part: float = 0.2) -> float:
    """A time around `seconds`, up to `part` of it sooner or later."""
    return seconds * (1 + part * (2 * random.random() - 1))  # noqa: S311 - nothing secret depends on it


class Backoff:
    """Grows from `first` to `longest` seconds by a factor of two, with jitter.

    The first tries are quick, because an API server that was restarted answers again within a second or two; the
    jitter keeps many programs (and the feeds of this one) from returning in step. Waits are counted on the monotonic
    clock: setting the wall clock changes nothing.

    Args:
        first: the first wait, seconds.
        longest: what the wait grows to, seconds.
        forget: after so many healthy seconds the next failure counts as the first.
        clock: monotonic seconds.
        spread: a random number from 0 to 1.
    """

    def __init__(
        self,
        first: float = 0.2,
        longest: float = 30.0,
        *,
        forget: float = 120.0,
        clock: Callable[[], float] = time.monotonic,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._first, self._longest, self._forget = first, longest, forget
        self._clock, self._spread = clock, spread
        self._healthy_since: float | None = None
        self.failures = 0

    def healthy(self) -> None:
        """Says that it works now; the first call after a failure starts the healthy time."""
        if self._healthy_since is None:
            self._healthy_since = self._clock()

    def reset(self) -> None:
        """The next failure is the first."""
        self.failures = 0

    def next(self, retry_after: float | None = None) -> float:
        """Counts a failure.

        Args:
            retry_after: what the server asked for (Retry-After); never waited for shorter, and up to ten minutes.

        Returns:
            Seconds to wait.
        """
        if self._healthy_since is not None and self._clock() - self._healthy_since >= self._forget:
            self.failures = 0
        self._healthy_since = None
        base = min(self._first * 2.0 ** min(self.failures, 16), self._longest)
        self.failures += 1
        wait = base * (0.75 + 0.5 * self._spread())
        if retry_after is not None:
            wait = max(wait, min(retry_after, 600.0) * (1 + 0.1 * self._spread()))
        return wait


async def happens(event: asyncio.Event, seconds: float | None) -> bool:
    """Waits for the event, which is cleared, or so many seconds. Returns whether it was the event."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    event.clear()
    return True
