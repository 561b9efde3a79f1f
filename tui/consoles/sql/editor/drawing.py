"""One line of the editor on screen: gutter, text, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.document._document import Location
from textual.strip import Strip

from tui.consoles.sql.editor.document import SqlDocument
from tui.consoles.sql.editor.painting import Mark, Window, paint
from tui.text import one_line
from tui.widgets.columns import fit
from tui.widgets.ink import inks
from tui.widgets.strips import strip_of

if TYPE_CHECKING:
    from tui.consoles.sql.editor.area import SqlArea

_BRACKET = Style(bold=True, underline=True)
_REVERSE = Style(reverse=True)
_FOUND = Style(underline=True)
#: Drawn lines that are kept.
_KEPT = 400


class Faults(NamedTuple):
    """Where something is wrong, and what."""

    row: int
    column: int
    text: str


@dataclass
class Scene:
    """What is marked in a text.

    Attributes:
        statement: first and last row of the statement at the cursor.
        faults: what is wrong.
        sought: a text in lower case that is underlined wherever it stands.
        brackets: the two that belong together.
        gutter: its width.
        ground: the editor's ground.
        styles: the inks' styles.
        painted: texts that were drawn before: of a screenful all but a line or two are the same after a key.
    """

    statement: tuple[int, int] = (-1, -1)
    faults: Faults | None = None
    sought: str = ""
    brackets: tuple[Location, ...] = ()
    gutter: int = 4
    ground: Style = field(default_factory=Style)
    styles: Mapping[str, Style] = field(default_factory=dict)
    painted: dict[object, Strip] = field(default_factory=dict)

    def look(self, editor: SqlArea) -> None:
        """Takes the theme's colours; before lines are drawn, for they may have changed."""
        ground, styles = Style(bgcolor=editor.background_colors[1].rich_color), inks(editor.app)
        if ground != self.ground or styles is not self.styles:
            self.ground, self.styles = ground, styles
            self.painted.clear()


def draw(editor: SqlArea, document: SqlDocument, scene: Scene, row: int) -> Strip:
    """A row of the document as wide as the editor."""
    width, ground, styles = editor.size.width, scene.ground, scene.styles
    if row >= document.line_count:
        return Strip.blank(width, ground)
    text = document.get_line(row)
    window = Window(editor.scroll_offset.x, max(0, width - scene.gutter))
    known = document.tokens.ready(row)
    tokens, marks = document.tokens.tokens(row) if known else (), tuple(_marks(editor, scene, row, text))
    key = (text, tokens, marks, window)
    drawn = scene.painted.get(key)
    if drawn is None:
        if len(scene.painted) > _KEPT:
            scene.painted.clear()
        drawn = scene.painted[key] = paint(text, tokens, marks, window, styles, ground + styles["sql-name"])
    parts = [_gutter(editor, scene, row), drawn]
    room = window.width - drawn.cell_length
    if scene.faults is not None and scene.faults.row == row and room > 8:
        words = fit((("   ✗ ", "failing"), (one_line(scene.faults.text), "failing")), room - 1)
        parts.append(strip_of(words, styles, ground, min(room - 1, sum(cell_len(word) for word, _ in words))))
    return Strip.join(parts).adjust_cell_length(width, ground)


def _gutter(editor: SqlArea, scene: Scene, row: int) -> Strip:
    styles, ground = scene.styles, scene.ground
    mark, ink = " ", ""
    if scene.faults is not None and scene.faults.row == row:
        mark, ink = "✗", "failing"
    elif scene.statement[0] <= row <= scene.statement[1]:
        mark, ink = "▎", "accent"
    number = f"{row + 1:>{scene.gutter - 2}} "
    here = row == editor.cursor_location[0]
    return Strip(
        [Segment(mark, ground + styles[ink]), Segment(number, ground + styles["strong" if here else "frame"])],
        scene.gutter,
    )


def _marks(editor: SqlArea, scene: Scene, row: int, text: str) -> list[Mark]:
    marks = list[Mark]()
    if scene.sought:
        lower, at = text.lower(), -1
        while len(marks) < 200 and (at := lower.find(scene.sought, at + 1)) >= 0:
            marks.append(Mark(at, at + len(scene.sought), _FOUND))
    marks += [Mark(column, column + 1, _BRACKET) for line, column in scene.brackets if line == row]
    if scene.faults is not None and scene.faults.row == row:
        until = _word_end(text, scene.faults.column)
        marks.append(Mark(scene.faults.column, until, scene.styles["failing"] + _FOUND))
    top, bottom = sorted(editor.selection)
    if top != bottom and top[0] <= row <= bottom[0]:
        first = top[1] if row == top[0] else 0
        last = bottom[1] if row == bottom[0] else len(text) + 1
        marks.append(Mark(first, last, editor.get_component_rich_style("text-area--selection", partial=True)))
    if editor.has_focus and editor.cursor_location[0] == row:
        column = editor.cursor_location[1]
        marks.append(Mark(column, column + 1, _REVERSE))
    return marks


def _word_end(text: str, column: int) -> int:
    end = column
    while end < len(text) and (text[end].isalnum() or text[end] in "_$"):
        end += 1
    return max(end, column + 1)
