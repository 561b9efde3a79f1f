"""The editor: Textual's, with lines that our own lexer colours, and that repaints only the cells that changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from enum import StrEnum
from typing import ClassVar, Protocol

from textual import events
from textual.binding import Binding, BindingType
from textual.document._document import EditResult, Location, Selection
from textual.document._document_navigator import DocumentNavigator
from textual.document._edit import Edit
from textual.document._wrapped_document import WrappedDocument
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer
from textual.widgets import TextArea

from tui.consoles.sql.editor.document import SqlDocument
from tui.consoles.sql.editor.drawing import Faults, Scene, draw
from tui.consoles.sql.editor.editing import INDENT, indent_of, indented, outdented, toggled_comments
from tui.consoles.sql.editor.painting import differing
from tui.consoles.sql.editor.statements import Statements
from tui.services.sql.language.lines import Place
from tui.services.sql.language.pieces import Piece, Sort
from tui.services.sql.language.split import piece_at
from tui.services.sql.model import Wire

#: A text of so many characters is split again at each key; a longer one when the keys have stopped for a moment.
_SHORT = 40_000
#: Seconds without a key after which a long text is split, and between two slices of lexing what was pasted.
_STOPPED, _SLICE = 0.25, 0.02


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


class SqlEditor(TextArea):
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
    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = """
    SqlEditor {
        border: none;
        padding: 0;
        background: $background;
        color: $foreground;
        scrollbar-size: 1 1;
        &:focus { border: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5,ctrl+j,ctrl+enter", "run", "Run", id="sql-editor.run"),
        Binding("f6", "run_all", "Run all", id="sql-editor.run-all"),
        Binding("ctrl+z,alt+z,super+z", "undo", "Undo", show=False, id="sql-editor.undo"),
        Binding("ctrl+y,alt+y,super+y", "redo", "Redo", show=False, id="sql-editor.redo"),
        Binding("f7,alt+a", "select_all", "Select all", show=False, id="sql-editor.select-all"),
        Binding("ctrl+underscore,ctrl+slash,alt+c", "comment", "Comment", show=False, id="sql-editor.comment"),
        Binding("shift+tab", "outdent", "Indent less", show=False, id="sql-editor.outdent"),
        Binding("alt+delete,alt+d", "delete_word_right", "Delete word", show=False, id="sql-editor.delete-word"),
    ]
    # A cursor that moves must not repaint the whole text, as it does in the class below.
    selection = reactive(Selection(), init=False, always_update=True, repaint=False)

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
        self._wire = wire
        self._statements = Statements(wire)
        self._scene = Scene()
        self._strips: dict[int, Strip] = {}
        self._repainting = False
        self._typing = False
        self._waits: dict[str, Timer] = {}
        self.helper: Helper | None = None
        super().__init__(
            text, id=id, soft_wrap=False, show_line_numbers=True, tab_behavior="indent", max_checkpoints=500
        )
        self.auto_links = False
        self.cursor_blink = False
        self.highlight_cursor_line = False

    # --- the text

    @property
    def sql(self) -> SqlDocument:
        """The document."""
        assert isinstance(self.document, SqlDocument)  # noqa: S101  (`_set_document` made it)
        return self.document

    @property
    def cursor_index(self) -> int:
        """The cursor's index in the text."""
        return self.sql.index(self.cursor_location)

    def statement(self) -> Piece | None:
        """The statement at the cursor."""
        found = piece_at(self.text, self.cursor_index, self._wire)
        return found if found is not None and found.sort is Sort.STATEMENT else None

    def put(self, text: str) -> None:
        """Writes a text in the place of the selection, or at the cursor, as if it had been typed."""
        self.replace(text, *self.selection, maintain_selection_offset=False)
        self.history.checkpoint()

    def take_over(self, text: str) -> None:
        """Another text in the place of all; it can be undone."""
        if text != self.text:
            place = self.cursor_location
            self.replace(text, (0, 0), self.sql.end, maintain_selection_offset=False)
            self.move_cursor(place)

    def go_to(self, index: int, end: int | None = None) -> None:
        """Puts the cursor on an index in the text, or selects up to another one; in the middle of the screen if it was
        not in sight.
        """
        place = self.sql.place(index)
        low = self.scroll_offset.y
        seen = low <= place[0] < low + self.size.height
        if end is None:
            self.move_cursor(place, center=not seen)
        else:
            self.selection = Selection(place, self.sql.place(end))
            if not seen:
                self.scroll_cursor_visible(center=True)

    def go_to_line(self, number: int) -> None:
        """Puts the cursor on a line, counted from 1; the nearest when there is none."""
        row = min(max(number, 1), self.sql.line_count) - 1
        self.move_cursor((row, 0), center=True)

    def show_error(self, offset: int, text: str) -> None:
        """Marks a place, with what is wrong there beside it, until the next edit.

        Args:
            offset: index in the buffer.
            text: the server's words; from outside.
        """
        row, column = self.sql.place(offset)
        self._scene.faults = Faults(row, column, text)
        self._later()

    def clear_error(self) -> None:
        """Takes the mark away."""
        if self._scene.faults is not None:
            self._scene.faults = None
            self._later()

    def show_matches(self, text: str) -> None:
        """Marks a text wherever it stands on screen, in any case; none when empty."""
        if text.lower() != self._scene.sought:
            self._scene.sought = text.lower()
            self._later()

    def _set_document(self, text: str, language: str | None) -> None:
        self.document = SqlDocument(text, self._wire)
        self.wrapped_document = WrappedDocument(self.document, tab_width=self.indent_width)
        self.navigator = DocumentNavigator(self.wrapped_document)
        self._build_highlight_map()
        self.move_cursor((0, 0))
        self._rewrap_and_refresh_virtual_size()

    def _build_highlight_map(self) -> None:
        # The class below calls it once after each change of the text.
        self._scene.faults = None
        if not self.is_mounted:
            return
        if not self.sql.tokens.settled:
            self._timer("settle", _SLICE, self._settle)
        self._later()

    def edit(self, edit: Edit) -> EditResult:
        """Performs an edit."""
        if "\r" in edit.text:
            edit.text = edit.text.replace("\r\n", "\n").replace("\r", "\n")
        return super().edit(edit)

    def _settle(self) -> None:
        """What a paste or an opened quote means for lines far below."""
        if not self.sql.tokens.settle(200):
            self._timer("settle", _SLICE, self._settle)
        self._later()

    def _timer(self, name: str, delay: float, work: Callable[[], Coroutine[object, object, None] | None]) -> None:
        if (running := self._waits.get(name)) is not None:
            running.stop()
        self._waits[name] = self.set_timer(delay, work)

    # --- the statement at the cursor

    def _find_statement(self) -> None:
        """Brings the gutter's mark up to date: at once, or for a long text when nobody types."""
        version = self.sql.version
        if self._statements.version != version:
            text = self.text
            if len(text) > _SHORT:
                self._timer("split", _STOPPED, self._split_long)
                return
            self._statements.take(text, version)
        self._mark_statement()

    def _mark_statement(self) -> None:
        piece = self._statements.at(self.cursor_index)
        if piece is None or piece.sort is not Sort.STATEMENT:
            self._scene.statement = (-1, -1)
        else:
            self._scene.statement = (piece.line - 1, piece.line - 1 + piece.text.count("\n"))

    async def _split_long(self) -> None:
        version = self.sql.version
        for _ in self._statements.steps(self.text, version):
            await asyncio.sleep(0)  # lets keys and frames through
            if self.sql.version != version:
                return
        self._mark_statement()
        self._later()

    # --- brackets

    def find_matching_bracket(self, bracket: str, search_from: Location) -> Location | None:
        """The partner of a bracket, by tokens: those in strings and comments are none."""
        tokens = self.sql.tokens
        if bracket not in tuple("()[]{}") or not (tokens.settled or len(tokens) < 400):
            return None
        found = tokens.partner(Place(*search_from))
        return None if found is None else (found.line, found.column)

    # --- drawing

    @property
    def gutter_width(self) -> int:
        """Cells before the text: the mark, the numbers, and one blank."""
        return max(2, len(str(self.document.line_count))) + 2

    def watch_selection(self) -> None:
        """The cursor moved."""
        self._later()
        if not self._typing and self.helper is not None and self.helper.wants("escape"):
            self.post_message(self.Moved(self))

    def watch_has_focus(self, focus: bool) -> None:
        """The cursor shows only with the focus."""
        super().watch_has_focus(focus)
        self._later()

    def _app_theme_changed(self) -> None:
        self._strips.clear()
        self.refresh()

    def _set_theme(self, theme: str) -> None:
        """Themes of text areas are of no use here: the inks are the app's."""

    def _later(self) -> None:
        """Repaints what changed, once, however many changes one key makes."""
        if not self._repainting and self.is_mounted:
            self._repainting = True
            self.call_next(self._repaint)

    def _repaint(self) -> None:
        self._repainting = False
        self._find_statement()
        self._scene.look(self)
        regions = list[Region]()
        for y in range(self.size.height):
            before = self._strips.get(y)
            if before is None:
                continue  # not drawn yet: it will be
            after = self._draw(y)
            left, right = differing(before, after)
            if right > left:
                regions.append(Region(left, y, right - left, 1))
        if len(regions) > self.size.height * 3 // 4:
            self.refresh()
        elif regions:
            self.refresh(*regions)

    def _draw(self, y: int) -> Strip:
        self._scene.brackets = ()
        if self._matching_bracket_location is not None and self.selection.is_empty:
            self._scene.brackets = (self.cursor_location, self._matching_bracket_location)
        self._scene.gutter = self.gutter_width
        return draw(self, self.sql, self._scene, self.scroll_offset.y + y)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Lines of the screen. Text areas would apply a theme of their own here, each time."""
        self._scene.look(self)
        return ScrollView.render_lines(self, crop)

    def render_line(self, y: int) -> Strip:
        """One line."""
        strip = self._strips[y] = self._draw(y)
        return strip

    def on_resize(self) -> None:
        """What was drawn does not count any more."""
        self._strips.clear()

    def _watch_scroll_y(self) -> None:
        super()._watch_scroll_y()
        self._strips.clear()

    def _watch_scroll_x(self) -> None:
        super()._watch_scroll_x()
        self._strips.clear()

    # --- keys

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Whether a key is text to it, or is answered here before any binding."""
        if self.helper is not None and self.helper.wants(key):
            return True
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
        elif event.is_printable and event.character:
            self._typing = True
            self._replace_via_keyboard(event.character, *self.selection)
            self._typing = False
            self.post_message(self.Completing(self, asked=False))
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
