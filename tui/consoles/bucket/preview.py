"""An object's beginning: text, JSON, a picture, or bytes."""

from __future__ import annotations

from typing import ClassVar

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widget import Widget

from tui.consoles.bucket.client import ERRORS, Client, problem_of
from tui.consoles.bucket.contents import BOUND, PICTURE, Contents, Look, read
from tui.consoles.bucket.pictures import Picture, Pixel, fitted, size_of
from tui.consoles.bucket.words import size
from tui.consoles.problems import lines_of
from tui.consoles.prompts import Prompt
from tui.consoles.view import View
from tui.services.bucket.model import Entry
from tui.text import safe
from tui.widgets.columns import fit
from tui.widgets.ink import Piece
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line, Lines
from tui.widgets.oneline import OneLine

#: Lines of a text that are laid out: wrapping a million would hold the keys.
LINES = 20_000
#: A line of a text is cut after so many characters.
LONG = 20_000


class Drawn(Widget):
    """A picture in half blocks."""

    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = "Drawn { height: 1fr; display: none; }"

    def __init__(self) -> None:
        super().__init__()
        self.auto_links = False
        self._picture: Picture | None = None
        self._cells: list[list[tuple[Pixel, Pixel]]] = []

    def show(self, picture: Picture) -> None:
        """Draws it, as large as there is room for."""
        self._picture = picture
        self.on_resize()

    def on_resize(self) -> None:
        """More or less fits."""
        if self._picture is not None and self.size.width and self.size.height:
            self._cells = fitted(self._picture, self.size.width, self.size.height)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line: two rows of pixels."""
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        if y >= len(self._cells):
            return Strip.blank(self.size.width, ground)
        segments = [
            Segment("▀", Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower)))
            for upper, lower in self._cells[y]
        ]
        return Strip(Strip(segments).simplify()).adjust_cell_length(self.size.width, ground)


class Preview(View):
    """An object's beginning.

    Args:
        client: the store.
        bucket: the bucket.
        entry: the object.
        version: which one, empty for the current.
    """

    HELP: ClassVar[str] = """Preview
The beginning of the object, up to 256Ki (a PNG up to 8Mi): nothing else is read. m shows it in another way, as text,
JSON, picture or bytes; w wraps long lines or lets them run on; slash searches, n and N go to matches. What a text
holds is shown, never interpreted."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "mode", "Another way", id="bucket-preview.mode"),
        Binding("w", "wrap", "Wrap", id="bucket-preview.wrap"),
        Binding("slash", "search", "Search", id="bucket-preview.search"),
        Binding("n", "match(1)", "Next match", show=False, id="bucket-preview.next-match"),
        Binding("N", "match(-1)", "Match before", show=False, id="bucket-preview.previous-match"),
        Binding("right,l", "aside(8)", "Right", show=False, id="bucket-preview.right"),
        Binding("left,h", "aside(-8)", "Left", show=False, id="bucket-preview.left"),
    ]

    def __init__(self, client: Client, bucket: str, entry: Entry, version: str) -> None:
        super().__init__()
        self._client = client
        self._bucket = bucket
        self._entry = entry
        self._version = version
        self._data: bytes | None = None
        self._contents: Contents | None = None

    def compose(self) -> ComposeResult:
        """What it is, and it."""
        yield OneLine(self._head, id="head")
        yield Lines(id="text")
        yield Drawn()
        yield KeyLine()

    def on_mount(self) -> None:
        """Reads it."""
        self.query_one(Lines).focus()
        self.query_one(Lines).set_lines([Line((("◌ reading…", "dim"),))])
        self.query_one(OneLine).look()
        self.run_worker(self._read(), exit_on_error=False)

    async def _read(self) -> None:
        try:
            data = await self._client.read(self._bucket, self._entry.key, self._version, BOUND)
            whole = self._entry.size or 0
            if size_of(data) is not None and len(data) < whole <= PICTURE:
                data = await self._client.read(self._bucket, self._entry.key, self._version, whole)
        except ERRORS as error:
            self.query_one(Lines).set_lines(lines_of(problem_of(error)), top=True)
            return
        self._data = data
        self._show(None)

    @property
    def _whole(self) -> bool:
        return self._data is not None and len(self._data) >= (self._entry.size or 0)

    def _show(self, wanted: Look | None) -> None:
        assert self._data is not None  # noqa: S101  (it was read)
        contents = self._contents = read(self._data, whole=self._whole, wanted=wanted)
        text, drawn = self.query_one(Lines), self.query_one(Drawn)
        drawn.display = contents.look is Look.PICTURE
        text.display = not drawn.display
        if contents.picture is not None:
            drawn.show(contents.picture)
        else:
            lines = contents.text.split("\n")
            shown = [Line(((line.rstrip("\r").expandtabs(4)[:LONG], ""),)) for line in lines[:LINES]]
            if len(lines) > LINES:
                shown.append(Line(((f"… {len(lines) - LINES:,} lines more were read", "dim"),)))
            if not self._whole:
                shown.append(Line(((f"… the first {size(len(self._data))} of {size(self._entry.size or 0)}", "warn"),)))
            if not self._data:
                shown = [Line((("it is empty: 0 bytes", "dim"),))]
            if text.wrap is (contents.look is Look.HEX):
                text.set_wrap(contents.look is not Look.HEX)
            text.set_lines(shown, top=True)
        self.query_one(OneLine).look()

    def _head(self, width: int) -> list[Piece]:
        left: list[Piece] = [(f" {safe(self._bucket)}/", "dim"), (safe(self._entry.key), "title")]
        right: list[Piece] = [(f" {size(self._entry.size or 0)} ", "")]
        if self._contents is not None:
            seen = self._contents
            told = " ".join(part for part in (seen.look.value, seen.encoding, seen.kind) if part)
            part = "" if self._whole else f", first {size(len(self._data or b''))}"
            right = [(f" {told}  {size(self._entry.size or 0)}{part} ", "")]
        taken = sum(len(text) for text, _ in right)
        return fit((*fit(tuple(left), max(10, width - taken), keep="end"), *right), width)

    def action_mode(self) -> None:
        """Shows it in the next way."""
        if self._data is None or self._contents is None:
            return
        ways = [Look.TEXT, Look.HEX]
        if self._whole and self._data.lstrip()[:1] in (b"{", b"["):
            ways.insert(0, Look.JSON)
        if size_of(self._data) is not None:
            ways = [Look.PICTURE, Look.HEX]
        here = ways.index(self._contents.look) if self._contents.look in ways else -1
        self._show(ways[(here + 1) % len(ways)])

    def action_wrap(self) -> None:
        """Wraps long lines, or lets them run on."""
        text = self.query_one(Lines)
        text.set_wrap(not text.wrap)

    def action_search(self) -> None:
        """Asks for a text."""
        text = self.query_one(Lines)
        self.app.push_screen(Prompt("Search in what was read", "", lambda typed: _found(text, typed), word="search"))

    def action_match(self, step: int) -> None:
        """Goes to another match."""
        self.query_one(Lines).find_next(step)

    def action_aside(self, by: int) -> None:
        """Scrolls sideways."""
        text = self.query_one(Lines)
        text.scroll_to(x=max(0, text.scroll_offset.x + by), animate=False, force=True)


def _found(text: Lines, typed: str) -> None:
    text.find(typed)
