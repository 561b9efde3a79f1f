"""Garbage in cycles goes now and then, in a small share of the time.

Python's own full collections are rare here (`live._uncollected`): they look at every object, and with 10,000 pods that
takes 100 ms, in which neither a key nor an event is heard. But somebody has to look: closed screens with all that they
listed, tasks and the frames of errors end in cycles, 50,000 objects in half a minute of scrolling.

What was frozen (`gc.freeze`) at the beginning is not looked at: to thaw modules, classes and the first objects again
would cost 130 ms each time, and they stay anyway. What comes later must not be frozen: it would never be freed.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

#: The share of the time that may go into it: 20 ms every 20 s, 100 ms every 100 s.
SHARE = 0.001
#: Seconds that it is put off at most while somebody presses keys: half a minute of scrolling leaves 8 MB.
PATIENCE = 120.0


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

    def collect(self, *, quiet: bool) -> bool:
        """Frees what can be freed; False when it is too early for that.

        Args:
            quiet: nobody has pressed a key just now: no key waits for it.
        """
        if self._clock() < self._not_before + (0.0 if quiet else PATIENCE):
            return False
        before = self._used()
        gc.collect()
        self._not_before = self._clock() + (self._used() - before) / SHARE
        return True
