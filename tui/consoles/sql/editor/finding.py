"""The line below the editor in which one types what is sought, or the number of a line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label

if TYPE_CHECKING:
    from tui.consoles.sql.editor.editor import SqlEditor


class FindLine(Horizontal):
    """Finds a text in any case, from the cursor on and round again; or goes to a line."""

    HELP: ClassVar[str] = """Find
What is typed is sought from the cursor on, in any case, and marked wherever it stands. Enter and down go to the next
place, up to the one before, round the end of the text; escape closes the line and stays there."""
    DEFAULT_CSS: ClassVar[str] = """
    FindLine {
        height: 1;
        background: $panel;
        display: none;
        & Label { width: auto; padding: 0 1; color: $foreground-muted; }
        & Input { width: 1fr; height: 1; border: none; padding: 0; background: $panel; color: $foreground; }
        & Input:focus { border: none; background: $panel; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,down", "step(1)", "Next", id="sql-find.next", priority=True),
        Binding("up", "step(-1)", "Before", id="sql-find.previous", priority=True),
        Binding("escape", "close", "Back", id="sql-find.close", priority=True),
    ]

    class Closed(Message):
        """The line was closed."""

    def __init__(self) -> None:
        super().__init__()
        self._editor: SqlEditor | None = None
        self._line = False
        self._from = 0

    def compose(self) -> ComposeResult:
        """A word, the field, and how many there are."""
        yield Label("find", id="what", markup=False)
        field = Input()
        field.cursor_blink = False
        yield field
        yield Label("", id="count", markup=False)

    def open(self, editor: SqlEditor, *, line: bool) -> None:
        """Begins to seek in an editor; what is selected there in one line is sought.

        Args:
            editor: where.
            line: whether a line's number is asked for.
        """
        self._editor, self._line = editor, line
        self._from = editor.sql.index(min(editor.selection))
        self.query_one("#what", Label).update(f"line, 1 to {editor.sql.line_count}" if line else "find")
        self.query_one("#count", Label).update("")
        field = self.query_one(Input)
        chosen = editor.selected_text
        if line:
            field.value = ""
        elif chosen and "\n" not in chosen:
            field.value = chosen
        self.display = True
        self.screen.set_focus(field)  # now, and not when its turn comes: letters may follow the key at once
        field.action_select_all()
        self._seek(field.value)

    def on_input_changed(self, message: Input.Changed) -> None:
        """Seeks what is typed now."""
        message.stop()
        if self.display:
            self._seek(message.value)

    def _seek(self, text: str) -> None:
        editor = self._editor
        if editor is None:
            return
        if self._line:
            if text.strip().isdecimal():
                editor.go_to_line(int(text))
            return
        editor.show_matches(text)
        self._go(0)

    def _go(self, step: int) -> None:
        editor, sought = self._editor, self.query_one(Input).value
        if editor is None:
            return
        places = [match.span() for match in re.finditer(re.escape(sought), editor.text, re.I)] if sought else []
        count = self.query_one("#count", Label)
        if not places:
            count.update("nothing" if sought else "")
            return
        here = editor.sql.index(min(editor.selection)) if step else self._from
        if step > 0:
            at = next((at for at, place in enumerate(places) if place[0] > here), 0)
        elif step < 0:
            at = next((at for at in range(len(places) - 1, -1, -1) if places[at][0] < here), len(places) - 1)
        else:
            at = next((at for at, place in enumerate(places) if place[0] >= here), 0)
        count.update(f"{at + 1} of {len(places):,}")
        editor.go_to(*places[at])

    def action_step(self, step: int) -> None:
        """Goes to the next place or the one before; with a line's number, closes."""
        if self._line:
            self.action_close()
        else:
            self._go(step)

    def action_close(self) -> None:
        """Closes the line; the cursor stays where it is."""
        self.display = False
        if self._editor is not None:
            self._editor.show_matches("")
            self.screen.set_focus(self._editor)
        self.post_message(self.Closed())
