"""Garbage in cycles goes now and then, and what lives long is not looked at in between.

A full collection looks at every object: with 10,000 pods that takes 100 ms, in which neither a key nor an event is
heard. So Python's own is made rare, and what was made is frozen: not looked at. But what is frozen is never freed if
it ends in a cycle: closed screens with all that they listed, tasks, the frames of errors. It must be let go of again
before it is looked for.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

#: The share of the time that may go into it: 20 ms every 20 s, 200 ms every 200 s.
SHARE = 0.001


class Collector:
    """Collects as often as that share allows.

    Args:
        clock: in seconds.
        used: this thread's seconds of a processor; on a busy machine the clock would tell what others took.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, used: Callable[[], float] = time.thread_time
    ) -> None:
        self._clock = clock
        self._used = used
        self._not_before = clock()

    def collect(self) -> bool:
        """Frees all garbage, and freezes what is left; False when it is too early for that."""
        if self._clock() < self._not_before:
            return False
        before = self._used()
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._not_before = self._clock() + (self._used() - before) / SHARE
        return True
