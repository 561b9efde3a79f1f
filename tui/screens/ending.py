"""How the program on screen ends when nobody asked it to: by a signal, with its terminal, or by a defect of its own."""

from __future__ import annotations

from typing import Any

from textual.app import App

from tui.screens import terminal


class EndingApp(App[None]):
    """An app that leaves the terminal as it was, whatever ends it.

    Attributes:
        defect: the exception that nobody caught, for whoever ran the app to report.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self.defect: Exception | None = None
        self._terminal = terminal.Watchdog()

    def watch_terminal(self) -> None:
        """From now on a signal ends the app in an orderly way, and the end of its terminal at once."""
        self._terminal.start()
        terminal.on_signals(self._asked_to_end)

    def _asked_to_end(self, sign: int) -> None:
        if self._terminal.gone():
            terminal.leave(terminal.HUNG_UP)
        self.exit(return_code=128 + sign)

    def _handle_exception(self, error: Exception) -> None:
        self.defect = self.defect or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Ends without Textual's own report: a traceback on the terminal, with the values of all locals in it."""
        self._close_messages_no_wait()
