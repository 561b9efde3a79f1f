"""The question whether something that destroys is meant: a key answers it, or the name of what goes."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Label

from tui.consoles.dialogs import Dialog
from tui.text import one_line
from tui.widgets.ink import Piece
from tui.widgets.lines import Line, Words


class MeantDialog(Dialog):
    """Yields whether it is meant. Enter alone never is a yes. Who inherits it binds keys to `answer`.

    Args:
        title: of the frame.
        told: what it does, and to what.
        yes: what the answer does, in a word or two.
        leave: what escape does.
        name: what must be typed first; empty where a key is enough.
    """

    def __init__(self, title: str, told: Sequence[Line], *, yes: str, leave: str, name: str) -> None:
        super().__init__()
        self._title, self._told, self._yes, self._leave, self._wanted = title, list(told), yes, leave, name

    def compose(self) -> ComposeResult:
        """Words; where a name must be typed, a field."""
        with Vertical(id="dialog", classes="-danger") as frame:
            frame.border_title = Content(one_line(self._title))
            yield Words(id="why")
            if self._wanted:
                with Horizontal(classes="line"):
                    yield Label("name")
                    entry = Input(id="name", placeholder=one_line(self._wanted))
                    entry.cursor_blink = False
                    yield entry
            yield Words(id="keys")

    def on_mount(self) -> None:
        """Says what it does."""
        self.query_one("#why", Words).set_lines(self._told)
        said = f" {self._yes} once {one_line(self._wanted)} is typed   " if self._wanted else f" {self._yes}   "
        self._offer(("⏎" if self._wanted else "y", "key"), (said, "dim"))
        if self._wanted:
            self.set_focus(self.query_one("#name", Input))

    def _offer(self, *first: Piece) -> None:
        keys: tuple[Piece, ...] = (*first, ("esc", "key"), (f" {self._leave}", "dim"))
        self.query_one("#keys", Words).set_lines([Line(keys)])

    @on(Input.Submitted)
    def _typed(self, message: Input.Submitted) -> None:
        message.stop()
        # Not stripped: a key may begin or end with a blank.
        if message.value == self._wanted:
            self.dismiss(True)
        else:
            self._offer((f"That is not {one_line(self._wanted)}   ", "failing"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A letter is no answer where a name must be typed."""
        return not (self._wanted and action == "answer" and parameters == (True,))

    def action_answer(self, yes: bool) -> None:
        """Does it, or not."""
        self.dismiss(yes)
