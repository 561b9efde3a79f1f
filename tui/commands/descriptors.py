"""Reading stdin and writing stdout without stopping the event loop, so that Ctrl-C is heard whoever is slow.

The descriptors are left in the mode that they have: others share them. What is ready takes a page at least, so no call
here blocks.
"""

from __future__ import annotations

import asyncio
import os
import select
import stat
from collections.abc import Callable

#: Bytes that a pipe which is ready takes at once (PIPE_BUF of Linux).
PAGE = 4096
#: Bytes that are read at once.
CHUNK = 1 << 16


def waits(descriptor: int) -> bool:
    """Whether it is something that may make one wait: not a regular file."""
    return not stat.S_ISREG(os.fstat(descriptor).st_mode)


async def write(descriptor: int, data: bytes) -> None:
    """Writes all of it.

    Raises:
        BrokenPipeError: the reader is gone.
        OSError: it cannot be written.
    """
    if not waits(descriptor):
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    for at in range(0, len(data), PAGE):
        page = data[at : at + PAGE]
        while page:
            if not poll.poll(0):
                loop = asyncio.get_running_loop()
                await _ready(descriptor, loop.add_writer, loop.remove_writer)
            page = page[os.write(descriptor, page) :]


async def read(descriptor: int) -> bytes:
    """The next bytes, empty at the end."""
    if waits(descriptor):
        loop = asyncio.get_running_loop()
        await _ready(descriptor, loop.add_reader, loop.remove_reader)
    return os.read(descriptor, CHUNK)


async def _ready(descriptor: int, add: Callable[..., None], remove: Callable[[int], object]) -> None:
    ready = asyncio.Event()
    try:
        add(descriptor, ready.set)
    except PermissionError:  # /dev/null and the like are always ready
        return
    try:
        await ready.wait()
    finally:
        remove(descriptor)
