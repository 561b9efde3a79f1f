"""Ends a command that goes on: Ctrl-C, SIGTERM and SIGHUP, and what they mean while another program runs for us."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from asyncio.subprocess import Process
from collections.abc import Iterator

#: What ends the command. What our parent had ignored (`nohup`, a shell's `&`) stays ignored.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """The signals of one command.

    Attributes:
        received: the first one that was to end it, None before.
        again: set at the next one: somebody is in a hurry.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.again = asyncio.Event()
        self._child: Process | None = None

    @contextlib.contextmanager
    def ending(self, work: asyncio.Task[int]) -> Iterator[None]:
        """Cancels the work at the first signal, while this is entered."""
        loop = asyncio.get_running_loop()
        heard = [one for one in _ENDING if signal.getsignal(one) is not signal.SIG_IGN]
        for one in heard:
            loop.add_signal_handler(one, self._hear, one, work)
        try:
            yield
        finally:
            for one in heard:
                loop.remove_signal_handler(one)

    @contextlib.contextmanager
    def passed_to(self, child: Process) -> Iterator[None]:
        """While this is entered, a program runs for us that shares our terminal: it decides when it ends."""
        loop = asyncio.get_running_loop()
        quits = signal.getsignal(signal.SIGQUIT) is not signal.SIG_IGN
        if quits:
            loop.add_signal_handler(signal.SIGQUIT, lambda: None)
        self._child = child
        try:
            yield
        finally:
            self._child = None
            if quits:
                loop.remove_signal_handler(signal.SIGQUIT)

    def _hear(self, one: signal.Signals, work: asyncio.Task[int]) -> None:
        if self._child is not None:
            if one is not signal.SIGINT:  # the terminal has sent that to the program as well
                with contextlib.suppress(ProcessLookupError):
                    self._child.send_signal(one)
        elif self.received is None:
            self.received = one
            work.cancel()
        else:
            self.again.set()
