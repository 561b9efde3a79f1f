"""The last line of every screen: the keys that do something here."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.columns import width_of
from tui.widgets.ink import Piece, inks
from tui.widgets.strips import strip_of

#: How keys are written where their name is not the key itself.
_NAMES = {
    "enter": "⏎",
    "escape": "esc",
    "question_mark": "?",
    "slash": "/",
    "apostrophe": "'",
    "space": "space",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "backspace": "⌫",
    "exclamation_mark": "!",
    "colon": ":",
    "tab": "tab",
    "shift+tab": "shift+tab",
    "full_stop": ".",
    "comma": ",",
    "minus": "-",
    "plus": "+",
    "equals_sign": "=",
}

#: Actions that lead back to where one came from.
_WAYS_OUT = ("leave", "back", "app.pop_screen")


def key_name(key: str) -> str:
    """A key as it stands on the keyboard: `slash` → `/`, `ctrl+p` as it is, `upper_o` → `O`."""
    key = key.strip()
    if key.startswith("upper_"):
        return key[6:].upper()
    return _NAMES.get(key, key)


class KeyLine(Widget):
    """The shown bindings of the focused widget and its screen, first the nearest."""

    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = "KeyLine { dock: bottom; height: 1; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self.auto_links = False
        self._pieces: list[Piece] = []

    def on_mount(self) -> None:
        """Follows the focus."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self._look())
        self._look()

    def on_resize(self) -> None:
        """Fewer or more keys fit."""
        self._look()

    def _look(self) -> None:
        told = self._tell()
        if told != self._pieces:
            self._pieces = told
            self.refresh()

    def _tell(self) -> list[Piece]:
        shown: dict[str, tuple[str, str]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            key = binding.key_display or key_name(binding.key)
            # Of several keys the shortest is told.
            if binding.show and active.enabled and len(key) < len(shown.get(binding.action, (" " * 99, ""))[0]):
                shown[binding.action] = (key, binding.description)
        # The way out stands first: it must not be what a narrow line leaves out.
        ways = {action: shown.pop(action) for action in _WAYS_OUT if action in shown}
        shown = {**ways, **shown}
        if "quit" in shown:
            shown["quit"] = shown.pop("quit")
        # The way to everything else is always told; what stands before it gives way.
        last = {action: shown.pop(action) for action in ("help", "palette") if action in shown}
        while len(last) > 1 and sum(_size(*each) for each in last.values()) > self.size.width:
            last.pop(next(iter(last)))
        room = self.size.width - sum(_size(*each) for each in last.values())
        if room < 0:
            return []
        kept = []
        for each in shown.values():
            room -= _size(*each)
            if room < 0:
                break
            kept.append(each)
        told: list[Piece] = []
        for key, description in (*kept, *last.values()):
            told += [("   " if told else " ", ""), (key, "key"), (f" {description}", "dim")]
        return told

    def render_line(self, y: int) -> Strip:
        """The line."""
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        return strip_of(self._pieces, inks(self.app), ground, self.size.width)


def _size(key: str, description: str) -> int:
    return width_of(key) + width_of(description) + 4
