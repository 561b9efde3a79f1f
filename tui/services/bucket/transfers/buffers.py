"""Memory for content on its way, used again and again, and given back to the system at the end.

It comes straight from the system, and not from the C library's heap: a freed part of 16 MiB stays resident there, once
for each thread that ever allocated one. It is used again because new memory costs the system's time for each page.
"""

from __future__ import annotations

import mmap
from collections import defaultdict

#: Bytes up to which the heap is as good: many small objects share pages there.
_SMALL = 64 << 10


class Buffers:
    """Buffers that nobody uses now, by size. All of it belongs to the event loop's thread.

    Args:
        most: bytes that are kept for later at most.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept = 0
        self._spare: defaultdict[int, list[mmap.mmap]] = defaultdict(list)

    def take(self, size: int) -> memoryview:
        """Memory of exactly so many bytes, with anything in it."""
        if size <= _SMALL:
            return memoryview(bytearray(size))
        # Powers of two, so that the parts of one object fit another's; pages that nobody touches are not resident.
        capacity = 1 << (size - 1).bit_length()
        spare = self._spare[capacity]
        if spare:
            self._kept -= capacity
            return memoryview(spare.pop())[:size]
        self._drop(capacity)
        return memoryview(mmap.mmap(-1, capacity, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))[:size]

    def give(self, view: memoryview) -> None:
        """Takes memory back that came from `take`, or a slice of it, once nobody reads or writes it any more.

        Where that is not certain (a connection broke, and may still hold it), it is let go of instead: then it goes
        back to the system with the last view of it.
        """
        memory = view.obj
        if isinstance(memory, mmap.mmap) and self._kept + len(memory) <= self._most:
            self._kept += len(memory)
            self._spare[len(memory)].append(memory)

    def close(self) -> None:
        """Gives back to the system what nobody uses."""
        self._drop(self._kept)

    def _drop(self, size: int) -> None:
        """Lets go of spare memory of so many bytes: what is about to be taken comes in its place."""
        target = max(0, self._kept - size)
        for capacity, spare in self._spare.items():
            while spare and self._kept > target:
                spare.pop()
                self._kept -= capacity
