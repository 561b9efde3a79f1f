"""A list to choose from by typing: the palette, the switchers of contexts, namespaces and themes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.color import Color
from rich.style import Style
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from tui.screens.modal import Modal
from tui.text import one_line
from tui.widgets.columns import fit, width_of
from tui.widgets.ink import Piece, inks
from tui.widgets.strips import strip_of

#: A screen with fewer lines or columns than this is small.
LOW, NARROW = 14, 48


@dataclass(frozen=True, slots=True)
class Choice:
    """One line.

    Attributes:
        value: what choosing it yields.
        text: what it is called.
        detail: what else there is to say of it, at the right.
        current: it is the one in use.
    """

    value: str
    text: str
    detail: str = ""
    current: bool = False


def matching(choices: Sequence[Choice], typed: str) -> list[Choice]:
    """The choices that hold every word typed, those that begin with it first; else those with its letters in order."""
    words = typed.lower().split()
    if not words:
        return list(choices)
    found = [choice for choice in choices if all(word in f"{choice.text} {choice.detail}".lower() for word in words)]
    found.sort(key=lambda choice: (not choice.text.lower().startswith(words[0]), words[0] not in choice.text.lower()))
    if found:
        return found
    letters = "".join(words)
    return [choice for choice in choices if _holds(choice.text.lower(), letters)]


def _holds(text: str, letters: str) -> bool:
    at = 0
    for letter in letters:
        at = text.find(letter, at) + 1
        if not at:
            return False
    return True


class ChoiceList(Widget):
    """Choices, as many as fit around the marked one; a click marks one and takes it.

    Attributes:
        choices: what it shows.
        at: which is marked, -1 for none.
        empty: said when there are none.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"chooser--cursor"}

    class Clicked(Message):
        """The marked choice was clicked."""

    def __init__(self) -> None:
        super().__init__()
        self.auto_links = False
        self.choices: list[Choice] = []
        self.at = 0
        self.empty = ""

    def put(self, choices: list[Choice], at: int) -> None:
        """Shows these choices, one of them marked."""
        at = min(at, max(0, len(choices) - 1))
        if (choices, at) != (self.choices, self.at):
            self.choices, self.at = choices, at
            self.refresh()

    @property
    def top(self) -> int:
        """The first choice on screen."""
        return max(0, min(self.at - self.size.height // 2, len(self.choices) - self.size.height))

    def render_line(self, y: int) -> Strip:
        """One line of it."""
        width = self.size.width
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        at = self.top + y
        if at >= len(self.choices):
            text = fit(((f"  {self.empty}", "dim"),), width) if y == 0 else []
            return strip_of(text, inks(self.app), ground, width)
        choice = self.choices[at]
        marked = at == self.at
        left: list[Piece] = [
            ("▌" if marked else " ", "accent"),
            ("● " if choice.current else "  ", "accent"),
            (one_line(choice.text), "strong" if marked else ""),
        ]
        used = sum(width_of(text) for text, _ in left)
        detail = fit(((one_line(choice.detail), "dim"),), max(0, width - used - 3), "right") if choice.detail else []
        right = [*detail, (self._more(y), "dim")]
        pieces = [*fit(tuple(left), width - sum(width_of(text) for text, _ in right)), *right]
        if marked:
            ground += Style(bgcolor=self._cursor_ground())
        return strip_of(pieces, inks(self.app), ground, width)

    def _more(self, y: int) -> str:
        """What the end of a line says: that the list goes on above, or below."""
        if y == 0 and self.top:
            return "▴"
        return "▾" if y == self.size.height - 1 and self.top + self.size.height < len(self.choices) else " "

    def _cursor_ground(self) -> Color | None:
        return self.get_component_rich_style("chooser--cursor").bgcolor

    def on_click(self, event: events.Click) -> None:
        """Marks the choice under the pointer and tells."""
        at = self.top + event.y
        if at < len(self.choices):
            self.put(self.choices, at)
            self.post_message(self.Clicked())


class Chooser(Modal[str | None]):
    """Yields the value that was chosen, or None. Opaque where it is, and without a veil over the rest.

    Args:
        title: what is chosen.
        choices: in order; more may be set later.
        hint: shown while nothing is typed.
    """

    CSS_PATH = "chooser.tcss"
    HELP: ClassVar[str] = (
        "Chooser\nType to narrow the list, arrows to move, enter to choose, escape to leave things as they are."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="chooser.leave", priority=True),
        Binding("up,ctrl+k", "move(-1)", "Up", show=False, id="chooser.up", priority=True),
        Binding("down,ctrl+n", "move(1)", "Down", show=False, id="chooser.down", priority=True),
        Binding("pageup", "move(-10)", "Page up", show=False, id="chooser.page-up", priority=True),
        Binding("pagedown", "move(10)", "Page down", show=False, id="chooser.page-down", priority=True),
        Binding("enter", "choose", "Choose", id="chooser.choose", priority=True),
    ]

    def __init__(self, title: str, choices: Sequence[Choice] = (), hint: str = "type to narrow") -> None:
        super().__init__()
        self._title = title
        self._hint = hint
        self._choices = list(choices)
        self._empty = "nothing matches"

    def compose(self) -> ComposeResult:
        """A frame with a field and a list."""
        with Vertical(id="chooser") as frame:
            frame.border_title = Content(one_line(self._title))
            field = Input(placeholder=self._hint)
            field.cursor_blink = False
            yield field
            yield ChoiceList()

    def on_mount(self) -> None:
        """All choices, the one in use marked."""
        self.set_choices(self._choices)
        self.set_focus(self.query_one(Input))

    def on_resize(self) -> None:
        """On a small screen it takes all of it."""
        self.set_class(self.size.height < LOW or self.size.width < NARROW, "-low")

    def set_choices(self, choices: Sequence[Choice], empty: str = "nothing matches") -> None:
        """Other choices, which were not known before."""
        self._choices, self._empty = list(choices), empty
        current = next((at for at, choice in enumerate(choices) if choice.current), 0)
        self._show(current)

    def _show(self, at: int) -> None:
        shown = self.query_one(ChoiceList)
        shown.empty = self._empty
        shown.put(matching(self._choices, self.query_one(Input).value), at)

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        message.stop()
        self._show(0)

    def action_move(self, by: int) -> None:
        """Marks another line."""
        shown = self.query_one(ChoiceList)
        shown.put(shown.choices, max(0, shown.at + by))

    @on(ChoiceList.Clicked)
    def action_choose(self) -> None:
        """Takes the marked line."""
        shown = self.query_one(ChoiceList)
        self.dismiss(shown.choices[shown.at].value if shown.choices else None)

    def action_leave(self) -> None:
        """Takes none."""
        self.dismiss(None)
