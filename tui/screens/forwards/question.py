"""A question before connections end: what would end, and the key for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content

from tui.kube.quantity import text as size
from tui.screens.modal import Modal
from tui.text import one_line
from tui.widgets.ink import Piece
from tui.widgets.lines import Line, Words

if TYPE_CHECKING:
    from tui.kube.forward.views import ForwardView


class Question(Modal[bool]):
    """Yields whether to go on. Enter goes on, escape leaves everything as it is.

    Args:
        title: the question.
        told: what would end, a line each.
        yes: what enter does, in a word or two.
        key: a key that goes on as well; empty for none.
    """

    CSS_PATH = "question.tcss"
    HELP: ClassVar[str] = "Question\nEnter does it, escape leaves everything as it is."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "answer(True)", "Do it", id="question.yes", priority=True),
        Binding("escape,n", "answer(False)", "Leave it", id="question.no", priority=True),
    ]

    def __init__(self, title: str, told: Sequence[str], *, yes: str, key: str = "") -> None:
        super().__init__()
        self._title = title
        self._told = tuple(told)
        self._yes = yes
        self._key = key

    def compose(self) -> ComposeResult:
        """A frame with words and keys."""
        with Vertical(id="question") as frame:
            frame.border_title = Content(one_line(self._title))
            yield Words()

    def on_mount(self) -> None:
        """Says it."""
        again = f" or {self._key}" if self._key else ""
        keys: tuple[Piece, ...] = (
            (f"⏎{again}", "key"), (f" {self._yes}   ", ""), ("esc", "key"), (" leave everything as it is", ""),
        )  # fmt: skip
        self.query_one(Words).set_lines([*(Line(((text, ""),)) for text in self._told), Line(), Line(keys)])

    def action_answer(self, yes: bool) -> None:
        """Goes on, or not."""
        self.dismiss(yes)


class QuitQuestion(Question):
    """The question at the end: `q` again is an answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+q", "answer(True)", "Quit", id="app.quit", priority=True, show=False),
    ]


def ending(views: Iterable[ForwardView]) -> list[str]:
    """What ends with these forwards, a line for each that has connections; empty when none has any."""
    told = []
    for view in views:
        count = len(view.tunnels)
        if count:
            moved = sum(tunnel.sent + tunnel.received for tunnel in view.tunnels)
            many = "1 connection" if count == 1 else f"{count} connections"
            told.append(f"{view.name} at {view.address or 'no address'}: {many}, {size(moved)} so far")
    return told


def counted(count: int, what: str) -> str:
    """`1 forward`, `3 forwards`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
