"""Completions below the cursor: a list that never takes the focus, and never waits for the catalogue."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Protocol

from rich.style import Style
from textual import events
from textual.geometry import Offset
from textual.strip import Strip
from textual.widget import Widget

from tui.services.sql.language.complete import Candidate, Completion, Offer, complete
from tui.services.sql.language.names import Names
from tui.text import one_line
from tui.widgets.columns import fit, width_of
from tui.widgets.ink import Piece, inks, paper
from tui.widgets.strips import strip_of

if TYPE_CHECKING:
    from tui.consoles.sql.editor.editor import SqlEditor
    from tui.services.sql.model import Wire

#: Candidates on screen at once, and those that are sought.
ROWS, LIMIT = 8, 60
#: Cells of the list.
NARROWEST, WIDEST = 28, 58
#: Letters typed before it opens by itself: one would open it at every word.
LETTERS = 2
_KEYS = frozenset(("tab", "down", "up", "escape", "pagedown", "pageup"))
#: One letter for each kind, beside the colour.
_SIGNS: dict[Offer, tuple[str, str]] = {
    Offer.COLUMN: ("c", "sql-number"),
    Offer.RELATION: ("t", "sql-keyword"),
    Offer.CTE: ("w", "sql-keyword"),
    Offer.ALIAS: ("a", "sql-name"),
    Offer.FUNCTION: ("f", "sql-function"),
    Offer.SCHEMA: ("s", "sql-parameter"),
    Offer.DATABASE: ("d", "sql-parameter"),
    Offer.ROLE: ("r", "sql-parameter"),
    Offer.TYPE: ("y", "sql-type"),
    Offer.KEYWORD: ("k", "sql-comment"),
    Offer.SETTING: ("v", "sql-type"),
}


class Source(Protocol):
    """Where names come from: `Catalogue` is one."""

    names: Names

    def want_columns(self, schema: str, relation: str) -> None:
        """Has columns read, soon."""
        ...

    def want_schema(self, schema: str) -> None:
        """Has relations read, soon."""
        ...


class Completions(Widget):
    """The list. It belongs to one editor at a time, and takes the keys of an open list from it.

    Args:
        wire: whose grammar.
        source: of names; may be set later, without one there are only the grammar's own words.
    """

    ALLOW_SELECT = False
    HELP: ClassVar[str] = "Completions\ntab takes the marked one, the arrows go through them, escape closes the list."
    DEFAULT_CSS: ClassVar[str] = """
    Completions {
        overlay: screen;
        constrain: inside none;
        position: absolute;
        display: none;
        width: auto;
        height: auto;
        background: $panel;
    }
    """

    def __init__(self, wire: Wire, source: Source | None = None) -> None:
        super().__init__()
        self.auto_links = False
        self.source = source
        self._wire = wire
        self._editor: SqlEditor | None = None
        self._found = Completion(0, 0)
        self._begin = (0, 0)
        self._at = 0
        self._top = 0
        self._rows = ROWS
        self._chosen = False  # somebody went through the list: enter takes the marked one
        self._asked = False
        self._waits = False  # for names that are being read
        self._shape = (0, 0)

    @property
    def is_open(self) -> bool:
        """Whether it is on screen."""
        return bool(self.display)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What it offers."""
        return self._found.candidates

    @property
    def marked(self) -> Candidate | None:
        """The marked one."""
        return self.candidates[self._at] if self.is_open else None

    # --- opening and closing

    def complete(self, editor: SqlEditor, *, asked: bool) -> None:
        """Offers what can stand at the cursor; closes when that is nothing, or too little was typed.

        Args:
            editor: whose cursor.
            asked: by key: then whatever was typed counts.
        """
        self._editor = editor
        self._asked = asked or (self._asked and self.is_open)
        found = self._find(editor, asked=self._asked)
        if found is None or not found.candidates:
            self.close()
            self._waits = found is not None and bool(found.missing or found.schema)
            return
        same = self.marked.name if self._chosen and self.marked else None
        self._found = found
        self._at = next((at for at, one in enumerate(found.candidates) if one.name == same), 0)
        self._chosen = self._chosen and same is not None and self.candidates[self._at].name == same
        self._show()

    def names_changed(self) -> None:
        """New names are known: an open list, or one that waited for them, is made anew."""
        if self._editor is not None and self._editor.has_focus and (self.is_open or self._waits):
            self.complete(self._editor, asked=self._asked)

    def close(self) -> None:
        """Takes it off the screen."""
        self._chosen = self._waits = False
        if self.display:
            self.display = False
            self._asked = False
            self._shape = (0, 0)

    def _find(self, editor: SqlEditor, *, asked: bool) -> Completion | None:
        if not editor.selection.is_empty:
            return None
        line = editor.sql.get_line(editor.cursor_location[0])[: editor.cursor_location[1]]
        word = len(line) - len(line.rstrip("_$")) if line[-1:] in ("_", "$") else 0
        while word < len(line) and (line[-word - 1].isalnum() or line[-word - 1] in "_$"):
            word += 1
        if not asked and word < LETTERS and line[len(line) - word - 1 : len(line) - word] != ".":
            return None
        if not asked and line[len(line) - word : len(line) - word + 1].isdigit():
            return None
        self._begin, text, cursor = editor.sql.around(editor.cursor_location)
        names = self.source.names if self.source is not None else Names()
        found = complete(text, cursor, names, self._wire, LIMIT)
        if self.source is not None:
            for schema, relation in found.missing:
                self.source.want_columns(schema, relation)
            if found.schema:
                self.source.want_schema(found.schema)
        # What stands there already need not be offered: enter and tab mean something else then.
        typed = text[found.start : cursor].lower()
        return replace(found, candidates=tuple(one for one in found.candidates if one.text.lower() != typed))

    # --- where and how large

    def _show(self) -> None:
        assert self._editor is not None  # noqa: S101  (`complete` set it)
        names = [width_of(one_line(one.name)) for one in self.candidates]
        details = [min(28, width_of(one_line(one.detail))) for one in self.candidates]
        width = min(WIDEST, max(NARROWEST, max(map(sum, zip(names, details, strict=True))) + 6))
        # An open list only grows wider: one that changes its shape at each letter is hard to read.
        width = max(width, self._shape[0])
        cursor = self._editor.cursor_screen_offset
        room = self.screen.size.height - 1 - cursor.y
        height = self._rows = max(1, min(ROWS, len(self.candidates), max(room, cursor.y)))
        _, column = self._editor.cursor_location
        line = self._editor.sql.get_line(self._editor.cursor_location[0])
        typed = column - self._start_column(line, column)
        # Above the line where there is no room below it; never over what is typed.
        top = cursor.y + 1 if height <= room or room >= cursor.y else max(0, cursor.y - height)
        place = Offset(max(0, cursor.x - typed - 3), top)
        self._keep_in_sight()
        if (width, height) != self._shape or not self.display or self.absolute_offset != place:
            self._shape = (width, height)
            self.styles.width, self.styles.height = width, height
            self.absolute_offset = place
            self.display = True
        self.refresh()

    def _start_column(self, line: str, column: int) -> int:
        start = column
        while start and (line[start - 1].isalnum() or line[start - 1] in "_$"):
            start -= 1
        return start

    def _keep_in_sight(self) -> None:
        rows = min(self._rows, len(self.candidates))
        self._top = max(0, min(max(self._top, self._at - rows + 1), self._at, len(self.candidates) - rows))

    def render_line(self, y: int) -> Strip:
        """One candidate: its kind, its name, what is known of it."""
        width = self.size.width
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        at = self._top + y
        if at >= len(self.candidates):
            return Strip.blank(width, ground)
        one = self.candidates[at]
        sign, ink = _SIGNS[one.offer]
        here = at == self._at
        more = " "
        if y == self._rows - 1 and at < len(self.candidates) - 1:
            more = "▾"
        elif y == 0 and at:
            more = "▴"
        detail = fit(((one_line(one.detail), "dim"),), min(28, width_of(one_line(one.detail))))
        room = width - 5 - sum(width_of(text) for text, _ in detail)
        name = fit(((one_line(one.name), "strong" if here else ""),), max(4, room))
        pieces: list[Piece] = [("▌" if here else " ", "accent"), (f"{sign} ", ink), *name, (" ", ""), *detail]
        if here:
            ground += paper(self.app, "cursor") or Style(reverse=True)
        drawn = strip_of(pieces, inks(self.app), ground, width - 1)
        return Strip.join([drawn, strip_of([(more, "dim")], inks(self.app), ground, 1)])

    # --- keys

    def wants(self, key: str) -> bool:
        """The keys of an open list; enter only when somebody went through it."""
        return self.is_open and (key in _KEYS or (key == "enter" and self._chosen))

    def take(self, key: str) -> None:
        """Answers one."""
        if key in ("tab", "enter"):
            self.accept()
        elif key == "escape":
            self.close()
        else:
            self._move({"down": 1, "up": -1, "pagedown": ROWS, "pageup": -ROWS}[key])

    def _move(self, by: int) -> None:
        self._chosen = True
        at = self._at + by
        if abs(by) == 1:
            at %= len(self.candidates)
        self._at = max(0, min(at, len(self.candidates) - 1))
        self._keep_in_sight()
        self.refresh()

    def accept(self) -> None:
        """Puts the marked one in."""
        one, editor = self.marked, self._editor
        if one is None or editor is None:
            return
        begin = editor.sql.index(self._begin)
        start, end = (editor.sql.place(begin + at) for at in (self._found.start, self._found.end))
        text = one.text
        if text.endswith("(") and editor.sql.get_line(end[0])[end[1] : end[1] + 1] == "(":
            text = text[:-1]
        self.close()
        editor.replace(text, start, end, maintain_selection_offset=False)
        editor.history.checkpoint()

    def on_click(self, event: events.Click) -> None:
        """Takes the one under the pointer."""
        at = self._top + event.y
        if at < len(self.candidates):
            self._at = at
            self.accept()
