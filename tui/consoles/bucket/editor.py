"""A text to change and to set, checked before it is sent: a policy, lifecycle rules."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import TextArea

from tui.consoles.bucket.client import ERRORS, problem_of
from tui.consoles.problems import lines_of
from tui.consoles.view import View
from tui.problem import Cause, Problem, ProblemError
from tui.screens.forwards.question import Question
from tui.text import safe
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line, Words
from tui.widgets.oneline import OneLine


def check_json(text: str) -> object:
    """What a text holds; nothing for an empty one.

    Raises:
        ProblemError: it is no JSON; says where.
    """
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise ProblemError(Problem(Cause.CONFIG, "It is not JSON", where, "Nothing was sent.")) from error


class TextEditor(View):
    """One text.

    Args:
        title: what it is.
        text: as it is now, empty for none.
        start: what stands there when there is none.
        check: refuses what cannot be, with a ProblemError; its words are shown, and everything typed stays.
        save: sets it; empty takes it away.
        locked: why it may only be read; empty when it may be changed.
    """

    HELP: ClassVar[str] = """Editor
ctrl+s (or f5) checks the text and sends it; what is wrong is told below, and everything typed stays. An empty text
takes away what is there. escape leaves it unsent, and asks first where something was changed."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="bucket-editor.back", priority=True),
        Binding("ctrl+s,f5,alt+s", "save", "Check and set it", id="bucket-editor.save", priority=True),
    ]

    def __init__(
        self,
        title: str,
        text: str,
        *,
        start: str,
        check: Callable[[str], None],
        save: Callable[[str], Awaitable[None]],
        locked: str = "",
    ) -> None:
        super().__init__()
        self._title = title
        self._text = text or start
        self._is_set = bool(text)
        self._check = check
        self._save = save
        self._locked = locked

    def compose(self) -> ComposeResult:
        """The text, what is wrong with it, keys."""
        yield OneLine(lambda _: [(f" {safe(self._title)}", "title"), (self._state, "dim")], id="head")
        area = TextArea(self._text, read_only=bool(self._locked), show_line_numbers=True, tab_behavior="focus")
        area.cursor_blink = False
        yield area
        yield Words(id="said")
        yield KeyLine()

    @property
    def _state(self) -> str:
        if self._locked:
            return f"   read-only: {self._locked}"
        return "" if self._is_set else "   none is set: this is an example"

    def on_mount(self) -> None:
        """Begins."""
        self.query_one(OneLine).look()
        self.query_one("#said").display = False
        self.query_one(TextArea).focus()

    def _say(self, lines: list[Line]) -> None:
        said = self.query_one("#said", Words)
        said.display = bool(lines)
        said.set_lines(lines)

    def action_save(self) -> None:
        """Checks and sends it."""
        if self._locked:
            self._say([Line(((f"Nothing is changed: {self._locked}", "warn"),))])
            return
        self.run_worker(self._send(self.query_one(TextArea).text), exclusive=True, exit_on_error=False)

    async def _send(self, text: str) -> None:
        try:
            self._check(text)
            await self._save(text.strip() and text)
        except ERRORS as error:
            self._say(lines_of(problem_of(error)))
        else:
            self.dismiss()

    def action_leave(self) -> None:
        """Leaves it unsent."""
        if self.query_one(TextArea).text == self._text:
            self.dismiss()
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.dismiss()

        self.app.push_screen(Question("Leave it unsent?", ["What was changed is lost."], yes="leave"), answered)
