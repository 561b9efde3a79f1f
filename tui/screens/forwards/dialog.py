"""The dialog that opens a forward, or leads one elsewhere. One enter on what it suggests is enough."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import ClassVar, Protocol

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Label

from tui.problem import Cause, Problem, ProblemError
from tui.screens.chooser import LOW, NARROW, Choice, ChoiceList, matching
from tui.screens.forwards.wanted import FREE, Typed, address_choices
from tui.screens.modal import Modal
from tui.text import one_line
from tui.widgets.ink import Cell, Piece
from tui.widgets.lines import Line, Words

#: Choices on screen, and the lines that everything else may need: an error may take three.
CHOICES, REST = 8, 13
FIELDS = ("port", "way", "address")
_HINTS = {"port": "number or name", "way": "member or role", "address": FREE}
_LABELS = {"port": "port", "way": "to", "address": "local"}


class Desk(Protocol):
    """What the dialog asks of whoever opened it."""

    def suggest(self, port: str) -> str:
        """The local address that goes with a remote port."""

    def preview(self, typed: Typed) -> Cell:
        """Where that would lead now; a Problem is raised as ProblemError."""

    def submit(self, typed: Typed) -> Awaitable[None]:
        """Does it; ProblemError when it cannot be done."""


class ForwardDialog(Modal[bool]):
    """Three fields, and below them what can stand in the one that is being edited. Yields True when it was done.

    Args:
        title: what it is about.
        desk: who does it.
        ports: the ports to choose from.
        ways: the ways to choose from.
        start: what stands in the fields at first.
        name: for the file of a socket.
        done: what enter does, in a word.
    """

    CSS_PATH = "dialog.tcss"
    HELP: ClassVar[str] = (
        "Forward\nWhich port, to which member, and where programs of this machine connect. Enter opens it."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="forward-dialog.leave", priority=True),
        Binding("enter", "submit", "Open", id="forward-dialog.open", priority=True),
        Binding("tab", "turn(1)", "Next field", id="forward-dialog.next", priority=True),
        Binding("shift+tab", "turn(-1)", "Field before", show=False, id="forward-dialog.previous", priority=True),
        Binding("up,ctrl+k", "move(-1)", "Up", show=False, id="forward-dialog.up", priority=True),
        Binding("down,ctrl+n", "move(1)", "Down", show=False, id="forward-dialog.down", priority=True),
    ]

    def __init__(
        self,
        title: str,
        desk: Desk,
        ports: Sequence[Choice],
        ways: Sequence[Choice],
        start: Typed,
        *,
        name: str,
        done: str = "open",
    ) -> None:
        super().__init__()
        self._title = title
        self._desk = desk
        self._ports, self._ways = list(ports), list(ways)
        self._file = name
        self._done = done
        self._start = start
        self._suggested = start.suggested
        self._suggestion = start.address if start.suggested else desk.suggest(start.port)
        self._busy = False

    def compose(self) -> ComposeResult:
        """A frame with fields, choices, and a few words."""
        with Vertical(id="dialog") as frame:
            frame.border_title = Content(one_line(self._title))
            for field in FIELDS:
                with Horizontal(classes="line"):
                    yield Label(_LABELS[field])
                    entry = Input(id=field, placeholder=_HINTS[field])
                    entry.cursor_blink = False
                    yield entry
            yield ChoiceList()
            yield Words(id="words")

    def on_mount(self) -> None:
        """What is suggested stands there from the start."""
        self._put("port", self._start.port)
        self._put("way", next((way.text for way in self._ways if way.value == self._start.way), ""))
        self._put("address", self._start.address)
        self.on_resize()
        self.set_focus(self._field("port"))
        self._field("port").action_select_all()  # it had the focus before it had a value
        self._tell()

    def on_resize(self) -> None:
        """On a small screen it takes all of it."""
        self.set_class(self.size.height < LOW or self.size.width < NARROW, "-low")
        for listed in self.query(ChoiceList):  # not there yet when it is told of its first size
            listed.styles.height = min(CHOICES, max(2, self.size.height - REST))

    # --- the fields

    def _field(self, name: str) -> Input:
        return self.query_one(f"#{name}", Input)

    def _put(self, name: str, text: str) -> None:
        field = self._field(name)
        with field.prevent(Input.Changed):
            field.value = text
            field.cursor_position = len(text)

    @property
    def _at(self) -> str:
        focused = self.focused
        return focused.id if isinstance(focused, Input) and focused.id in FIELDS else FIELDS[0]

    def typed(self) -> Typed:
        """What stands in the fields.

        Raises:
            ProblemError: there is no such way.
        """
        text = self._field("way").value
        chosen = next((way for way in self._ways if way.text == text), None)
        found = [chosen] if chosen is not None else matching(self._ways, text)
        if not found:
            raise ProblemError(_no_way(text))
        address = self._field("address").value
        return Typed(self._field("port").value.strip(), found[0].value, address, self._suggested)

    # --- choices

    def _choices(self) -> list[Choice]:
        if self._at == "port":
            return self._ports
        return self._ways if self._at == "way" else address_choices(self._suggestion, self._file)

    def _show(self, *, narrow: bool) -> None:
        """The choices for the field that is being edited; what is typed narrows them, what stands there is marked."""
        text = self._field(self._at).value.strip()
        choices = self._choices()
        shown = matching(choices, text) if narrow else choices
        exact = next((at for at, choice in enumerate(shown) if choice.text == text), -1)
        if exact < 0 and self._at == "way" and shown:
            exact = 0  # enter takes it
        listed = self.query_one(ChoiceList)
        listed.empty = {"way": "nothing matches", "port": "no port of its own is known: type one"}.get(self._at, "")
        if narrow and not shown:
            listed.empty = "nothing matches" if self._at == "way" else ""
        listed.put(shown, exact)

    @on(Input.Changed)
    def _changed(self, message: Input.Changed) -> None:
        message.stop()
        if not message.input.has_focus:
            return
        self._after_change()
        self._show(narrow=True)

    def _after_change(self) -> None:
        """A new port brings a new suggestion, unless the address was chosen."""
        if self._at == "address":
            self._suggested = self._field("address").value == self._suggestion
        elif self._at == "port":
            self._suggestion = self._desk.suggest(self._field("port").value)
            if self._suggested:
                self._put("address", self._suggestion)
        self._tell()

    @on(events.DescendantFocus)
    def _another_field(self) -> None:
        self._show(narrow=False)

    def action_move(self, by: int) -> None:
        """Takes the choice above or below into the field."""
        listed = self.query_one(ChoiceList)
        if listed.choices:
            listed.put(listed.choices, max(0, listed.at + by))
            self._take()

    @on(ChoiceList.Clicked)
    def _take(self) -> None:
        listed = self.query_one(ChoiceList)
        if 0 <= listed.at < len(listed.choices):
            self._put(self._at, listed.choices[listed.at].text)
            self._after_change()

    def action_turn(self, step: int) -> None:
        """Goes to the next or the previous field; a way that was typed in part is spelt out."""
        if self._at == "way" and (found := matching(self._ways, self._field("way").value)):
            exact = next((way for way in self._ways if way.text == self._field("way").value), found[0])
            self._put("way", exact.text)
            self._tell()
        self.set_focus(self._field(FIELDS[(FIELDS.index(self._at) + step) % len(FIELDS)]))

    # --- words, and the end

    def _tell(self, problem: Problem | None = None) -> None:
        """What would come of it, or why it cannot be done; and the keys."""
        lines: list[Line] = []
        if problem is None:
            try:
                lines.append(Line(self._desk.preview(self.typed()), hang=2))
            except ProblemError as error:
                problem = error.problem
        if problem is not None:
            lines.append(Line((("✗ ", "failing"), (problem.what, "failing")), hang=2))
            if problem.evidence:
                lines.append(Line((("  ", ""), (problem.evidence, "")), hang=2))
            if problem.remedy:
                lines.append(Line((("  ", ""), (problem.remedy, "strong")), hang=2))
        keys: tuple[Piece, ...] = (
            ("⏎", "key"), (f" {self._done}   ", "dim"), ("tab", "key"), (" next field   ", "dim"),
            ("↑↓", "key"), (" choose   ", "dim"), ("esc", "key"), (" back", "dim"),
        )  # fmt: skip
        self.query_one(Words).set_lines([*lines, Line(keys)])

    async def action_submit(self) -> None:
        """Does it; when that fails, everything typed stays."""
        if self._busy:
            return
        self._busy = True
        try:
            await self._desk.submit(self.typed())
        except ProblemError as error:
            self._tell(error.problem)
        else:
            self.dismiss(True)
        finally:
            self._busy = False

    def action_leave(self) -> None:
        """Leaves everything as it is."""
        self.dismiss(False)


def _no_way(text: str) -> Problem:
    return Problem(Cause.CONFIG, f"There is no member or role “{text}”", "", "Clear the line to see them all.")
