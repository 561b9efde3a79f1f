"""Dialogs that consoles have in common: the frame, and a text to read and copy."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content

from tui.screens.modal import Modal
from tui.text import one_line
from tui.widgets.ink import Piece
from tui.widgets.lines import Line, Lines, Words

#: A screen with fewer lines or columns than this is small.
LOW, NARROW = 16, 60


class Dialog(Modal[object]):
    """A frame in the middle; all of a small screen."""

    # Absolute: those who inherit it live elsewhere.
    CSS_PATH = Path(__file__).resolve().with_name("dialogs.tcss")

    def on_resize(self) -> None:
        """On a small screen it takes all of it."""
        self.set_class(self.size.height < LOW or self.size.width < NARROW, "-low")


class TextDialog(Dialog):
    """A text to read and to copy; yields None.

    Args:
        title: what it is.
        text: it, from outside.
    """

    HELP: ClassVar[str] = "Text\nArrows scroll, y copies all of it, escape goes back."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Back", id="text-dialog.leave"),
        Binding("y", "copy", "Copy", id="text-dialog.copy"),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        """The text and the keys."""
        with Vertical(id="dialog", classes="-tall") as frame:
            frame.border_title = Content(one_line(self._title))
            yield Lines(id="text")
            yield Words(id="keys")

    def on_mount(self) -> None:
        """Shows it."""
        lines = self._text.splitlines()
        self.query_one("#text", Lines).set_lines([Line(((line, ""),), hang=4) for line in lines])
        self.query_one("#text").styles.height = min(len(lines) + 1, max(4, self.size.height - 8))
        keys: tuple[Piece, ...] = (("y", "key"), (" copy   ", "dim"), ("esc", "key"), (" back", "dim"))
        self.query_one("#keys", Words).set_lines([Line(keys)])
        self.set_focus(self.query_one("#text", Lines))

    def action_copy(self) -> None:
        """Copies it, by way of the terminal."""
        self.app.copy_to_clipboard(self._text)
        self.query_one("#keys", Words).set_lines([Line((("copied   ", "accent"), ("esc", "key"), (" back", "dim")))])

    def action_leave(self) -> None:
        """Goes back."""
        self.dismiss(None)
