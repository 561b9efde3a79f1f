"""Textual's editor, with lines that our own lexer colours, and that repaints only the cells that changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import ClassVar

from textual.document._document import EditResult, Location, Selection
from textual.document._document_navigator import DocumentNavigator
from textual.document._edit import Edit
from textual.document._wrapped_document import WrappedDocument
from textual.geometry import Offset, Region
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer
from textual.widgets import TextArea

from tui.consoles.sql.editor.document import SqlDocument
from tui.consoles.sql.editor.drawing import Faults, Scene, draw
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


class SqlArea(TextArea, inherit_bindings=False):
    """A text in its colours, with the statement at the cursor, brackets, matches and an error marked.

    Args:
        wire: whose grammar.
        text: what it begins with.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = """
    SqlArea {
        border: none;
        padding: 0;
        background: $background;
        color: $foreground;
        scrollbar-size: 0 1;
        &:focus { border: none; }
    }
    """
    # A cursor that moves must not repaint the whole text, as it does in the class below.
    selection = reactive(Selection(), init=False, always_update=True, repaint=False)

    def __init__(self, wire: Wire, text: str = "", *, id: str | None = None) -> None:
        self._wire = wire
        self._statements = Statements(wire)
        self._scene = Scene()
        self._strips: dict[int, Strip] = {}
        self._repainting = False
        self._waits: dict[str, Timer] = {}
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

    def scroll_cursor_visible(self, center: bool = False, animate: bool = False) -> Offset:
        """Scrolls to the cursor. When an undo takes away the lines that it is in, it is asked to before it moved."""
        if self.cursor_location[0] >= self.document.line_count:
            return Offset(0, 0)
        return super().scroll_cursor_visible(center, animate)

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

    def on_mount(self) -> None:
        """Marks the first statement."""
        self._later()

    def watch_selection(self) -> None:
        """The cursor moved."""
        self._later()

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
            before, after = self._strips.get(y), self._draw(y)
            left, right = differing(before, after) if before is not None else (0, self.size.width)
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
        self._later()

    def _watch_scroll_y(self) -> None:
        super()._watch_scroll_y()
        self._strips.clear()

    def _watch_scroll_x(self) -> None:
        super()._watch_scroll_x()
        self._strips.clear()
