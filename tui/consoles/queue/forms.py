"""A form that fills the screen: many fields, help for the one that is typed in, and a text of several lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Label, TextArea

from tui.consoles.problems import lines_of
from tui.consoles.view import View
from tui.problem import Problem, ProblemError
from tui.screens.chooser import Choice, ChoiceList
from tui.screens.forwards.question import Question
from tui.text import safe
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line, Words
from tui.widgets.oneline import OneLine

#: What was typed, by the fields' names.
Typed = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """A field.

    Attributes:
        name: in code.
        label: on screen.
        help: what it means, shown while it has the focus.
        value: what stands there at first.
        offers: what could stand in it.
        text: whether it has several lines.
        when: whether it is there, given what was typed.
    """

    name: str
    label: str
    help: str = ""
    value: str = ""
    offers: Sequence[str] = ()
    text: bool = False
    when: Callable[[Typed], bool] = lambda _: True


class Fields(View):
    """Many fields.

    Args:
        title: what is asked.
        entries: the fields, from above.
        done: does it with what was typed; a ProblemError is shown, and everything typed stays.
        word: what it does, in a word or two.
    """

    HELP: ClassVar[str] = """Form
tab and shift+tab, or the arrows, go from field to field; below stands what the field means and what could stand in it:
right takes the first offer, and again the next. enter does it, or f5 and ctrl+s from a text of several lines. What is
wrong is told below, and everything typed stays. escape leaves it, and asks first where something was typed."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="queue-form.leave", priority=True),
        Binding("enter", "enter", "Do it", show=False, id="queue-form.enter"),
        Binding("f5,ctrl+s", "submit", "Do it", id="queue-form.done", priority=True),
        Binding("tab", "turn(1)", "Next field", id="queue-form.next", priority=True),
        Binding("shift+tab", "turn(-1)", "Field before", show=False, id="queue-form.previous", priority=True),
        Binding("down", "turn(1)", "Next field", show=False, id="queue-form.down"),
        Binding("up", "turn(-1)", "Field before", show=False, id="queue-form.up"),
        Binding("f4,alt+right", "take", "Take the offer", id="queue-form.take", priority=True),
    ]

    def __init__(self, title: str, entries: Sequence[Entry], done: Callable[[Typed], None], *, word: str) -> None:
        super().__init__()
        self._title, self._entries, self._done, self._word = title, list(entries), done, word
        self._widgets = [_widget(at, entry) for at, entry in enumerate(self._entries)]

    def compose(self) -> ComposeResult:
        """Head, fields, help, keys."""
        yield OneLine(lambda _: [(f" {safe(self._title)}", "title"), (f"   f5 {self._word}", "dim")], id="head")
        with VerticalScroll(id="fields", can_focus=False):
            for at, entry in enumerate(self._entries):
                with Horizontal(id=f"line-{at}", classes="-text line" if entry.text else "line"):
                    yield Label(entry.label)
                    yield self._widgets[at]
        yield Words(id="about")
        yield ChoiceList()
        yield Words(id="said")
        yield KeyLine()

    def on_mount(self) -> None:
        """The first field has the focus."""
        self.query_one(OneLine).look()
        self.query_one("#said").display = False
        self._show()
        self.set_focus(self._widgets[0])

    # --- what was typed

    def _value(self, at: int) -> str:
        widget = self._widgets[at]
        return widget.text if isinstance(widget, TextArea) else widget.value

    @property
    def typed(self) -> dict[str, str]:
        """What stands in the fields."""
        return {entry.name: self._value(at) for at, entry in enumerate(self._entries)}

    @property
    def _here(self) -> int:
        return next((at for at, widget in enumerate(self._widgets) if widget is self.focused), 0)

    def _there(self) -> list[int]:
        typed = self.typed
        return [at for at, entry in enumerate(self._entries) if entry.when(typed)]

    def _offers(self) -> list[Choice]:
        entry = self._entries[self._here]
        value = self._value(self._here)
        return [Choice(one, one, "", one == value) for one in entry.offers]

    # --- showing

    def _show(self) -> None:
        there = self._there()
        for at in range(len(self._entries)):
            self.query_one(f"#line-{at}").display = at in there
        entry = self._entries[self._here]
        self.query_one("#about", Words).set_lines([Line(((entry.help or " ", "dim"),))])
        offers = self._offers()
        listed = self.query_one(ChoiceList)
        listed.display = bool(offers) and self.size.height >= 20
        at = next((at for at, one in enumerate(offers) if one.current), 0)
        listed.put(offers, at)
        self.refresh_bindings()

    def on_resize(self) -> None:
        """Offers stand where there is room."""
        if self.is_mounted and self.query("#said"):
            self._show()

    def on_descendant_focus(self) -> None:
        """Help is of the field that has the focus."""
        self._show()

    @on(Input.Changed)
    @on(TextArea.Changed)
    def _changed(self, message: Input.Changed | TextArea.Changed) -> None:
        message.stop()
        self._show()

    def say(self, problem: Problem | None) -> None:
        """Tells what is wrong."""
        said = self.query_one("#said", Words)
        said.display = problem is not None
        said.set_lines(lines_of(problem) if problem is not None else [])

    # --- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offers are taken where there are some."""
        if action == "take":
            return bool(self._entries[self._here].offers)
        return super().check_action(action, parameters)

    def action_turn(self, step: int) -> None:
        """Goes to another field."""
        there = self._there()
        at = there.index(self._here) if self._here in there else 0
        widget: Widget = self._widgets[there[(at + step) % len(there)]]
        self.set_focus(widget)

    def action_take(self) -> None:
        """Takes the next offer."""
        offers = self._entries[self._here].offers
        widget = self._widgets[self._here]
        if offers and isinstance(widget, Input):
            at = offers.index(widget.value) + 1 if widget.value in offers else 0
            widget.value = offers[at % len(offers)]
            widget.action_end()

    @on(ChoiceList.Clicked)
    def _clicked(self) -> None:
        listed, widget = self.query_one(ChoiceList), self._widgets[self._here]
        if isinstance(widget, Input) and 0 <= listed.at < len(listed.choices):
            widget.value = listed.choices[listed.at].value

    @on(Input.Submitted)
    def _entered(self, message: Input.Submitted) -> None:
        message.stop()
        self.action_submit()

    def action_enter(self) -> None:
        """Does it, where enter means nothing else."""
        self.action_submit()

    def action_submit(self) -> None:
        """Does it."""
        there = {self._entries[at].name for at in self._there()}
        try:
            self._done({name: value if name in there else "" for name, value in self.typed.items()})
        except ProblemError as error:
            self.say(error.problem)
        else:
            self.dismiss()

    def action_leave(self) -> None:
        """Leaves it; asks where something was typed."""
        if all(self._value(at) == entry.value for at, entry in enumerate(self._entries)):
            self.dismiss()
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.dismiss()

        self.app.push_screen(Question("Leave it undone?", ["What was typed is lost."], yes="leave"), answered)


def _widget(at: int, entry: Entry) -> Input | TextArea:
    """What is typed into."""
    widget: Input | TextArea
    if entry.text:
        widget = TextArea(entry.value, id=f"entry-{at}", tab_behavior="focus")
    else:
        widget = Input(entry.value, id=f"entry-{at}")
    widget.cursor_blink = False
    return widget
