"""Ends the program when it is told to, or when its terminal is gone.

A closed terminal usually sends SIGHUP, and Textual ends. Under `nohup`, systemd-run or some multiplexers that signal
is ignored: reading then yields nothing for ever, and the program would spin at full speed, an orphan that no one sees.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import select
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

from textual.geometry import Size

log = logging.getLogger(__name__)

#: Seconds between two looks.
INTERVAL = 2.0
#: The exit code then, as a shell tells an end by SIGHUP.
HUNG_UP = 129


def gone(fd: int) -> bool:
    """Whether the terminal behind a file descriptor has hung up. False for what never was one."""
    try:
        poll = select.poll()
        poll.register(fd, 0)
        if any(events & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, events in poll.poll(0)):
            return True
        os.tcgetpgrp(fd)
    except OSError as error:
        return error.errno in (errno.EIO, errno.EBADF, errno.ENXIO)
    return False


def on_signals(end: Callable[[int], None]) -> None:
    """Calls `end` with the signal where the program is asked to end, so that it can leave the terminal as it was.

    Textual handles neither: the terminal would stay on its second screen and report the mouse to the shell.
    """
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(sign) is not signal.SIG_IGN:  # who ignores it for us (nohup) means it
            loop.add_signal_handler(sign, end, sign)


def leave(code: int) -> NoReturn:
    """Ends at once. Nothing can be restored on a terminal that is gone, and every orderly way out writes to it."""
    program = sys.modules.get("tui.kube.program")  # loaded only where credentials come from one
    if program is not None:
        program.kill_all()
    logging.shutdown()
    os._exit(code)


class Watchdog:
    """Remembers which terminal the program was started on. Not started on one, it never barks.

    It watches from a thread of its own: Textual's writer dies of the first write to a terminal that is gone, and the
    event loop then waits for ever for its queue.
    """

    def __init__(self) -> None:
        self._fd = next((fd for fd in _descriptors() if os.isatty(fd)), -1)

    def gone(self) -> bool:
        """Whether that terminal is gone."""
        return self._fd >= 0 and gone(self._fd)

    def start(self) -> None:
        """Ends the program, from now on, as soon as that terminal is gone."""
        if self._fd >= 0:
            threading.Thread(target=self._watch, name="terminal", daemon=True).start()

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._fd, 0)
        while not self.gone():
            poll.poll(INTERVAL * 1000)  # a hang-up is told at once
        log.warning("the terminal is gone")
        leave(HUNG_UP)


def _descriptors() -> list[int]:
    found = []
    for stream in (sys.__stdin__, sys.__stderr__, sys.__stdout__):
        try:
            if stream is not None:
                found.append(stream.fileno())
        except (OSError, ValueError):
            continue
    return found


def size(told: Size) -> Size:
    """The size of the terminal, or the one that was told where there is no way to ask.

    A signal that arrives while another one is being handled is told first: of many sizes in a moment an older one may
    have been told last.
    """
    return Size(*shutil.get_terminal_size((told.width, told.height)))
