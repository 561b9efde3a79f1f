"""What consoles ask: a few fields, and whether something that destroys is meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Label

from tui.consoles.dialogs import Dialog
from tui.consoles.guard import Held
from tui.consoles.meant import MeantDialog
from tui.problem import Problem, ProblemError
from tui.screens.chooser import Choice, ChoiceList
from tui.text import one_line, safe
from tui.widgets.ink import Piece
from tui.widgets.lines import Line, Words

#: Lines that a form keeps free of the words above its fields: its frame, its keys, a margin; without one, its keys.
FRAME, FRAMELESS = 7, 3
#: Columns beside a field's name.
PADDING = 2


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form.

    Attributes:
        name: what it is called, in code and on screen.
        value: what stands there at first.
        hint: shown while it is empty.
        hidden: whether what is typed is not shown.
        offer: what could stand in it, given what does.
    """

    name: str
    value: str = ""
    hint: str = ""
    hidden: bool = False
    offer: Callable[[str], Sequence[Choice]] = lambda _: ()


#: Does it with what was typed; a ProblemError is shown, and everything typed stays.
Done = Callable[[Mapping[str, str]], None]


class Form(Dialog):
    """A few fields. Yields True when it was done.

    Args:
        title: what is asked.
        fields: from above.
        done: see `Done`.
        word: what enter does.
        told: words above the fields.
    """

    HELP: ClassVar[str] = """Form
Tab and shift+tab go from field to field. Where offers are shown, the arrows mark one and tab takes it, as it does once
something was typed. Enter does it, escape leaves everything as it is."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="form.leave", priority=True),
        Binding("enter", "submit", "Do it", id="form.done", priority=True),
        Binding("tab", "take", "Next field", id="form.next", priority=True),
        Binding("shift+tab", "turn(-1)", "Field before", show=False, id="form.previous", priority=True),
        Binding("up,alt+k", "move(-1)", "Up", show=False, id="form.up", priority=True),
        Binding("down,alt+j", "move(1)", "Down", show=False, id="form.down", priority=True),
    ]

    def __init__(
        self, title: str, fields: Sequence[Field], done: Done, *, word: str, told: Sequence[Line] = ()
    ) -> None:
        super().__init__()
        self._title, self._fields, self._done, self._word, self._told = title, list(fields), done, word, list(told)
        #: Whether somebody has typed in the field, or marked an offer: only then tab takes one. Who only goes through
        #: the fields must not answer `no` with the `yes` that is offered beside it.
        self._meant = False

    def compose(self) -> ComposeResult:
        """Words, fields, offers, keys."""
        widest = max(cell_len(field.name) for field in self._fields) + PADDING
        with Vertical(id="dialog") as frame:
            frame.border_title = Content(one_line(self._title))
            yield Words(id="why")
            for at, field in enumerate(self._fields):
                with Horizontal(classes="line"):
                    label = Label(field.name)
                    label.styles.min_width = widest
                    yield label
                    entry = Input(field.value, id=f"field-{at}", password=field.hidden, placeholder=field.hint)
                    entry.cursor_blink = False
                    yield entry
            yield ChoiceList()
            yield Words(id="keys")

    def on_mount(self) -> None:
        """The first field has the focus."""
        self.query_one("#why", Words).set_lines(self._told)
        self.query_one("#why", Words).display = bool(self._told)
        self.set_focus(self._entry(0))
        self._entry(0).action_end()
        self._show()
        self._fit()

    def on_resize(self) -> None:
        """The fields stay on the screen, whatever is told above them."""
        super().on_resize()
        self._fit()

    def _fit(self) -> None:
        offers = 5 if any(field.offer("") for field in self._fields) else 0
        frame = FRAMELESS if self.has_class("-low") else FRAME
        self.query_one("#why", Words).styles.max_height = max(1, self.size.height - frame - len(self._fields) - offers)

    def _entry(self, at: int) -> Input:
        return self.query_one(f"#field-{at}", Input)

    @property
    def _here(self) -> int:
        return next((at for at in range(len(self._fields)) if self._entry(at).has_focus), 0)

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        message.stop()
        if message.input.has_focus and message.value != self._fields[self._here].value:
            self._meant = True
        self._show()

    def on_descendant_focus(self) -> None:
        """Offers are those of the field that has the focus."""
        self._meant = False
        self._show()

    def _show(self, problem: Problem | None = None) -> None:
        offers = list(self._fields[self._here].offer(self._entry(self._here).value))
        listed = self.query_one(ChoiceList)
        listed.put(offers, 0)
        listed.display = any(field.offer("") for field in self._fields) or bool(offers)
        lines = list[Line]()
        if problem is not None:
            lines.append(Line((("✗ ", "failing"), (safe(problem.what), "failing")), hang=2))
            more = (text for text in (problem.evidence, problem.remedy) if text)
            lines += [Line((("  ", ""), (safe(text), "")), hang=2) for text in more]
        keys: list[Piece] = [("⏎", "key"), (f" {self._word}   ", "dim")]
        if offers and self._meant:
            keys += [("tab", "key"), (" take the offer   ", "dim")]
        elif offers and len(self._fields) > 1:
            keys += [("tab", "key"), (" next field   ", "dim"), ("↓", "key"), (" mark an offer   ", "dim")]
        elif offers:
            keys += [("↓", "key"), (" mark an offer   ", "dim")]
        elif len(self._fields) > 1:
            keys += [("tab", "key"), (" next field   ", "dim")]
        self.query_one("#keys", Words).set_lines([*lines, Line((*keys, ("esc", "key"), (" back", "dim")))])

    def action_turn(self, step: int) -> None:
        """Goes to another field."""
        self.set_focus(self._entry((self._here + step) % len(self._fields)))

    def action_move(self, by: int) -> None:
        """Marks another offer, or goes to another field where there are none."""
        listed = self.query_one(ChoiceList)
        if listed.choices and not self._meant:
            self._meant = True  # the first one is marked already
            self._show()
        elif listed.choices:
            listed.put(listed.choices, max(0, listed.at + by))
        else:
            self.action_turn(by)

    @on(ChoiceList.Clicked)
    def _clicked(self) -> None:
        self._meant = True
        self.action_take()

    def action_take(self) -> None:
        """Takes the marked offer once an offer is looked for, by typing or marking; goes on otherwise."""
        listed = self.query_one(ChoiceList)
        field = self._entry(self._here)
        if self._meant and 0 <= listed.at < len(listed.choices) and field.value != listed.choices[listed.at].value:
            field.value = listed.choices[listed.at].value
            field.action_end()
        else:
            self.action_turn(1)

    def action_submit(self) -> None:
        """Does it."""
        try:
            self._done({field.name: self._entry(at).value for at, field in enumerate(self._fields)})
        except ProblemError as error:
            self._show(error.problem)
        else:
            self.dismiss(True)

    def action_leave(self) -> None:
        """Leaves everything as it is."""
        self.dismiss(False)


class HeldQuestion(MeantDialog):
    """Yields whether something that destroys is meant. Enter alone never is a yes.

    Args:
        held: what it does.
        where: store and context.
    """

    HELP: ClassVar[str] = """Is this meant?
Nothing was changed yet. y does it, escape leaves everything as it is. For a whole bucket, and in a protected context,
the name of what goes must be typed."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "Leave it", id="held.no"),
        Binding("y", "answer(True)", "Do it", id="held.yes"),
    ]

    def __init__(self, held: Held, where: str) -> None:
        told = [Line((("⚠ ", "warn"), (safe(each), "strong")), hang=2) for each in held.does]
        told.append(Line((("  ", ""), (f"on {where}", ""))))
        super().__init__(held.title, told, yes=held.yes, leave="leave everything as it is", name=held.name)
