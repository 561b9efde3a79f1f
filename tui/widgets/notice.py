"""A whole pane of words: what is going on when there is nothing else to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tui.text import safe
from tui.widgets.ink import Piece, inks
from tui.widgets.strips import strip_of

#: Words are not set wider than this.
MEASURE = 84


@dataclass(frozen=True, slots=True)
class Text:
    """What a notice says.

    Attributes:
        sign: the glyph before the title.
        ink: of glyph and title.
        title: one sentence.
        paragraphs: text and its ink, each set on its own; an empty one is a blank line.
        keys: what can be done from here: key and words.
    """

    sign: str
    ink: str
    title: str
    paragraphs: tuple[Piece, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()


def wrap(text: str, width: int) -> list[str]:
    """Text from anywhere as lines of at most `width` cells: at blanks where there are some, line ends kept."""
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        line = ""
        for word in safe(paragraph.expandtabs(4)).split(" "):
            rest = word
            joined = f"{line} {rest}" if line else rest
            while cell_len(joined) > width:
                if line:
                    lines.append(line)
                    line, joined = "", rest
                    continue
                lines.append(rest[:width])
                rest = joined = rest[width:]
            line = joined
        lines.append(line)
    return lines


def lay(text: Text, width: int, height: int) -> list[list[Piece]]:
    """The notice as lines, a third of the way down, at most `height` of them; keys stay, long evidence is cut."""
    measure = max(10, min(MEASURE, width - 6))
    indent = " " * max(2, (width - measure) // 2)
    title = wrap(text.title, max(8, measure - len(text.sign) - 1))
    head: list[list[Piece]] = [[(indent, ""), (f"{text.sign} ", text.ink), (title[0], text.ink)]]
    head += [[(indent + " " * (len(text.sign) + 1), ""), (line, text.ink)] for line in title[1:]]
    body: list[list[Piece]] = []
    for paragraph, ink in text.paragraphs:
        body += [[(indent + "  ", ""), (line, ink)] for line in wrap(paragraph, measure - 2)] if paragraph else [[]]
    foot: list[list[Piece]] = []
    if text.keys:
        foot.append([])
        line: list[Piece] = [(indent + "  ", "")]
        used = 0
        for key, words in text.keys:
            size = cell_len(key) + cell_len(words) + 4
            if used and used + size > measure:
                foot.append(line)
                line, used = [(indent + "  ", "")], 0
            line += [(key, "key"), (f" {words}   ", "dim")]
            used += size
        foot.append(line)
    gap: list[list[Piece]] = [[]] if body and height > len(head) + len(foot) + 2 else []
    room = max(0, height - len(head) - len(gap) - len(foot))
    if len(body) > room:
        body = [*body[: max(0, room - 1)], [(indent + "  …", "dim")]][:room]
    lines = [*head, *gap, *body, *foot]
    return [*([[]] * max(0, (height - len(lines)) // 3)), *lines][:height]


class Notice(Widget):
    """Draws a `Text`; `show` repaints only when it says something else."""

    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = "Notice { height: 1fr; }"

    def __init__(self, text: Text, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.auto_links = False
        self._text = text
        self._lines: Sequence[list[Piece]] = ()

    @property
    def text(self) -> Text:
        """What it says."""
        return self._text

    def show(self, text: Text) -> None:
        """Says something else."""
        if text != self._text:
            self._text = text
            self._set()

    def on_resize(self) -> None:
        """The lines break elsewhere."""
        self._set()

    def _set(self) -> None:
        self._lines = lay(self._text, self.size.width, self.size.height)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of it."""
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        line = self._lines[y] if y < len(self._lines) else []
        return strip_of(line, inks(self.app), ground, self.size.width)
