"""The editor: keys, and what they tell those around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import ClassVar, Protocol

from textual import events
from textual.binding import Binding, BindingType
from textual.document._document import Selection
from textual.message import Message
from textual.widgets import TextArea

from tui.consoles.sql.editor.area import SqlArea
from tui.consoles.sql.editor.editing import INDENT, indent_of, indented, outdented, toggled_comments
from tui.services.sql.model import Wire

#: Textual's keys that mean something else here.
_OTHERS = ("f6", "f7")


class RunKind(StrEnum):
    """What is to be run."""

    STATEMENT = "statement"  # the one at the cursor
    SELECTION = "selection"
    ALL = "all"


class Helper(Protocol):
    """Somebody who answers keys before the editor does: the list of completions."""

    def wants(self, key: str) -> bool:
        """Whether it answers this key now."""
        ...

    def take(self, key: str) -> None:
        """Answers it."""
        ...


class EditorMessage(Message):
    """Something that an editor tells."""

    def __init__(self, editor: SqlEditor) -> None:
        super().__init__()
        self.editor = editor

    @property
    def control(self) -> SqlEditor:
        """The editor, for `@on` with a selector."""
        return self.editor


class SqlEditor(SqlArea, inherit_bindings=False):
    """A buffer's text.

    Args:
        wire: whose grammar.
        text: what it begins with.

    Attributes:
        helper: who answers keys first.
    """

    HELP: ClassVar[str] = """Editor
Write statements, each ended by a semicolon. f5 or ctrl+enter (ctrl+j where the terminal sends none) runs the one that
is marked beside its line numbers, or what is selected; f6 runs all. Shift with the arrows selects. Completions open
while you type: tab takes the marked one, enter only one that you went to with the arrows; tab behind a word opens
them, elsewhere it indents. Texts are kept in the state directory while you write, readable for you alone, so that
nothing is lost with the connection; of statements that hold passwords the literals and comments are left out there,
and come back as '…'."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5,ctrl+j,ctrl+enter", "run", "Run", id="sql-editor.run"),
        Binding("f6", "run_all", "Run all", id="sql-editor.run-all"),
        Binding("ctrl+z,alt+z,super+z", "undo", "Undo", show=False, id="sql-editor.undo"),
        Binding("ctrl+y,alt+y,super+y", "redo", "Redo", show=False, id="sql-editor.redo"),
        Binding("f7,alt+a", "select_all", "Select all", show=False, id="sql-editor.select-all"),
        Binding("ctrl+underscore,ctrl+slash,alt+c", "comment", "Comment", show=False, id="sql-editor.comment"),
        Binding("shift+tab", "outdent", "Indent less", show=False, id="sql-editor.outdent"),
        Binding("alt+delete,alt+d", "delete_word_right", "Delete word", show=False, id="sql-editor.delete-word"),
        *(one for one in TextArea.BINDINGS if isinstance(one, Binding) and one.key not in _OTHERS),
    ]

    class Run(EditorMessage):
        """Something is to be run.

        Attributes:
            text: one statement without its delimiter, or a script.
            offset: index in the buffer where it begins: what a server says of a position is counted from there.
            kind: what it is.
        """

        def __init__(self, editor: SqlEditor, text: str, offset: int, kind: RunKind) -> None:
            super().__init__(editor)
            self.text, self.offset, self.kind = text, offset, kind

    class NothingToRun(EditorMessage):
        """There is no statement at the cursor, and nothing is selected."""

    class Completing(EditorMessage):
        """Completions are asked for, by key (`asked`) or because something was typed."""

        def __init__(self, editor: SqlEditor, *, asked: bool) -> None:
            super().__init__(editor)
            self.asked = asked

    class Moved(EditorMessage):
        """The cursor was moved without a text being typed, while a list of completions is open."""

    def __init__(self, wire: Wire, text: str = "", *, id: str | None = None) -> None:
        self.helper: Helper | None = None
        self._typing = False
        super().__init__(wire, text, id=id)

    def watch_selection(self) -> None:
        """The cursor moved."""
        super().watch_selection()
        if not self._typing and self.helper is not None and self.helper.wants("escape"):
            self.post_message(self.Moved(self))

    # --- keys

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Whether a key is text to it, or is answered here before any binding."""
        if self.helper is not None and self.helper.wants(key):
            return True
        if key.startswith("alt+"):
            return False  # it comes with its letter, and is none
        return key in ("enter", "tab") or super().check_consume_key(key, character)

    async def _on_key(self, event: events.Key) -> None:
        """The helper's keys, enter and tab; all others are text or bindings."""
        if self.helper is not None and self.helper.wants(event.key):
            self.helper.take(event.key)
        elif event.key == "enter":
            line = self.sql.get_line(self.cursor_location[0])[: self.cursor_location[1]]
            self._replace_via_keyboard("\n" + indent_of(line), *self.selection)
        elif event.key == "tab":
            self._tab()
        elif event.is_printable and event.character and not event.key.startswith("alt+"):
            self._typing = True
            self._replace_via_keyboard(event.character, *self.selection)
            self._typing = False
            self.post_message(self.Completing(self, asked=False))
        elif event.is_printable:
            event.prevent_default()  # the class below would write an alt+letter that nothing is bound to
            return
        else:
            return
        event.stop()
        event.prevent_default()

    def _tab(self) -> None:
        start, end = sorted(self.selection)
        if start[0] != end[0]:
            self._change_lines(indented)
            return
        before = self.sql.get_line(end[0])[: end[1]]
        if self.selection.is_empty and before and (before[-1].isalnum() or before[-1] in '_."`'):
            self.post_message(self.Completing(self, asked=True))
        else:
            self._replace_via_keyboard(" " * (INDENT - len(before) % INDENT), start, end)

    def _change_lines(self, change: Callable[[Sequence[str]], list[str]]) -> None:
        """Replaces the lines of the selection, or the cursor's, as one edit; the same lines stay selected."""
        (top, left), (bottom, right) = sorted(self.selection)
        last = bottom - 1 if bottom > top and right == 0 else bottom
        lines = self.sql.lines[top : last + 1]
        changed = change(lines)
        if changed == lines:
            return
        forward = self.selection.end >= self.selection.start
        self.replace("\n".join(changed), (top, 0), (last, len(lines[-1])), maintain_selection_offset=False)
        self.history.checkpoint()
        first = (top, 0) if top != bottom else (top, max(0, left + len(changed[0]) - len(lines[0])))
        end = (bottom, 0) if last != bottom else (bottom, max(0, right + len(changed[-1]) - len(lines[-1])))
        self.selection = Selection(first, end) if forward else Selection(end, first)

    def action_delete_left(self) -> None:
        """Deletes what is before the cursor; an open list of completions follows."""
        self._typing = True
        super().action_delete_left()
        self._typing = False
        if self.helper is not None and self.helper.wants("escape"):
            self.post_message(self.Completing(self, asked=False))

    def action_comment(self) -> None:
        """Comments the lines of the selection out, or in again."""
        self._change_lines(toggled_comments)

    def action_outdent(self) -> None:
        """Moves them one step to the left."""
        self._change_lines(outdented)

    def action_run(self) -> None:
        """Runs what is selected, or else the statement at the cursor."""
        if not self.selection.is_empty and self.selected_text.strip():
            start = self.sql.index(min(self.selection))
            self.post_message(self.Run(self, self.selected_text, start, RunKind.SELECTION))
        elif (piece := self.statement()) is not None:
            self.post_message(self.Run(self, piece.text, piece.start, RunKind.STATEMENT))
        else:
            self.post_message(self.NothingToRun(self))

    def action_run_all(self) -> None:
        """Runs the whole buffer."""
        if self.text.strip():
            self.post_message(self.Run(self, self.text, 0, RunKind.ALL))
        else:
            self.post_message(self.NothingToRun(self))

    def action_copy(self) -> None:
        """Copies what is selected, or else the line."""
        row = self.cursor_location[0]
        self.app.copy_to_clipboard(self.selected_text or self.sql.get_line(row) + "\n")
