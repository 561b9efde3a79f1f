"""Textual's driver for terminals, but one that tells a lone escape from the beginning of a sequence in time.

Both begin with the same byte. Textual waits for `ESCDELAY` and then looks at its clock only every tenth of a second,
so that going back with escape always feels slow, however short the delay is.
"""

from __future__ import annotations

import os
import select
from codecs import getincrementaldecoder

from textual import constants
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

#: Seconds between two looks at whether the driver is to end.
IDLE = 0.1
#: Bytes that are read at once.
CHUNK = 4096
#: A clock that is read a moment too early must not make an escape wait for the next look.
MARGIN = 0.001


class PromptDriver(LinuxDriver):
    """Reads keys; an escape that nothing follows is one after `ESCDELAY`.

    While another program has the terminal, nothing is written: the app goes on, and what it draws meanwhile would land
    in that program's screen. (Textual's writer thread has ended by then; its queue would fill up and block the loop.)
    """

    _away = False

    def start_application_mode(self) -> None:
        """Takes the terminal, at first or back."""
        self._away = False
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """The terminal is somebody else's now, or nobody's."""
        self._away = True
        super().close()

    def write(self, data: str) -> None:
        """Writes, as long as the terminal is ours."""
        if not self._away:
            super().write(data)

    def run_input_thread(self) -> None:
        """Reads until the driver is to end, in a thread of its own."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        wait = IDLE
        try:
            while not self.exit_event.is_set():
                readable, _, _ = select.select([self.fileno], [], [], wait)
                wait = IDLE
                if readable:
                    text = decode(os.read(self.fileno, CHUNK))
                    if text:
                        for message in parser.feed(text):
                            self.process_message(message)
                        wait = constants.ESCAPE_DELAY + MARGIN
                for message in parser.tick():
                    self.process_message(message)
        finally:
            try:
                for message in parser.feed(""):
                    self.process_message(message)
            except (EOFError, ParseError):
                pass
