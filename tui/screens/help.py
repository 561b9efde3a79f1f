"""Help for what has the focus: what it shows, its keys with their ids, and the signs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.screens.base import BaseScreen
from tui.text import MEANINGS, SIGNS
from tui.widgets.columns import fit
from tui.widgets.ink import Piece, inks
from tui.widgets.keyline import KeyLine, key_name
from tui.widgets.notice import wrap
from tui.widgets.statusline import StatusLine
from tui.widgets.strips import strip_of

#: Columns that the keys of one action may take beside what they do.
KEYS = 14
_MARKS = (
    ("▲", "accent", "takes writes"),
    ("⇡", "starting", "on the old revision; a rollout is under way"),
    ("↻", "warn", "restarts of its containers"),
    ("⚠", "warn", "wants attention"),
    ("⇄", "accent", "a forward: its local port, or how many; the sign of its state where it is not ready"),
    ("□", "dim", "a claim that no member uses"),
    ("?", "unknown", "use of a claim: not known; the pane's lower edge says why"),
    ("~", "dim", "use of a claim: of a file system that others share"),
)


def help_of(node: DOMNode | None) -> str:
    """The HELP of a widget, or of the nearest one around it that has any."""
    while node is not None:
        text = getattr(node, "HELP", "")
        if text:
            return str(text)
        node = node.parent
    return "statetui"


def keys_of(bindings: Iterable[Binding]) -> list[tuple[str, str, str]]:
    """Keys, what they do, and the binding's id; each action once."""
    told: dict[str, tuple[list[str], str, str]] = {}
    for binding in bindings:
        if not binding.description or not binding.id:  # Textual's own have no id
            continue
        keys, _, _ = told.setdefault(binding.action, ([], binding.description, binding.id or ""))
        if (name := key_name(binding.key)) not in keys:
            keys.append(name)
    return [(" ".join(sorted(keys, key=len)), description, ident) for keys, description, ident in told.values()]


class _Page(ScrollView, can_focus=True):
    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = "_Page { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("pageup", "page_up", "Page up", show=False),
        Binding("pagedown,space", "page_down", "Page down", show=False),
    ]

    def __init__(self, text: str, keys: list[tuple[str, str, str]]) -> None:
        super().__init__()
        self.auto_links = False
        self._text, self._keys = text, keys
        self._lines: list[list[Piece]] = []
        self._width = 0

    def on_resize(self) -> None:
        self.virtual_size = Size(0, len(self._set(self.scrollable_content_region.width or self.size.width)))

    def render_line(self, y: int) -> Strip:
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        at = self.scroll_offset.y + y
        # Set here: the first frame is drawn before the page is told of its size.
        lines = self._set(self.size.width)
        return strip_of(lines[at] if at < len(lines) else [], inks(self.app), ground, self.size.width)

    def _set(self, width: int) -> list[list[Piece]]:
        if width != self._width:
            self._width, self._lines = width, self._lines_of(width)
        return self._lines

    def _lines_of(self, width: int) -> list[list[Piece]]:
        title, _, text = self._text.partition("\n")
        lines: list[list[Piece]] = [[], [("  ", ""), (title, "title")], []]
        # Where the source breaks its lines means nothing here.
        text = " ".join(text.split())
        lines += [[("  ", ""), (line, "")] for line in wrap(text, min(92, width - 4))] if text else []
        signs = [[(f"  {glyph}  ", name), (MEANINGS[name], "")] for name, glyph in SIGNS.items()]
        signs += [[(f"  {glyph}  ", ink), (words, "")] for glyph, ink, words in _MARKS]
        keys: list[list[Piece]] = []
        for names, what, ident in self._keys:
            beside = names if len(names) <= KEYS else ""
            if not beside:  # more keys than there is room for: a line of their own
                keys.append([(f"  {names}", "key")])
            keys.append([(f"  {beside:<{KEYS}}", "key"), (f" {what:<22}", ""), (f" {ident}", "dim")])
        if width >= 108:
            half = width // 2
            lines += [[], [*fit((("  KEYS", "title"),), half), ("  SIGNS", "title")]]
            for at in range(max(len(keys), len(signs))):
                left = fit(tuple(keys[at]) if at < len(keys) else "", half)
                lines.append([*left, *(signs[at] if at < len(signs) else [])])
        else:
            lines += [[], [("  KEYS", "title")], *keys, [], [("  SIGNS", "title")], *signs]
        about = "The word at the right of each key is the name under which the settings can change it (keys:)."
        lines += [[], *([("  ", ""), (line, "dim")] for line in wrap(about, width - 4))]
        return lines


class HelpScreen(BaseScreen):
    """Opaque, full screen; gone with the next escape.

    Args:
        text: the HELP of what had the focus.
        keys: what `keys_of` told.
    """

    ALONE: ClassVar[bool] = True
    HELP: ClassVar[str] = "Help\nThis page. Escape goes back to where you were."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "app.pop_screen", "Back", id="help.back")
    ]

    def __init__(self, text: str, keys: list[tuple[str, str, str]]) -> None:
        super().__init__()
        self._text, self._keys = text, keys

    def compose(self) -> ComposeResult:
        """Status, page, keys."""
        yield StatusLine()
        yield _Page(self._text, self._keys)
        yield KeyLine()
