"""What a console asks: for a login that could not be found, and whether a statement that destroys is meant."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Label

from tui.consoles.dialogs import Dialog
from tui.consoles.sql.connecting import Asked, Given
from tui.consoles.sql.guard import Held
from tui.text import one_line
from tui.widgets.ink import Piece
from tui.widgets.lines import Line, Words

#: Lines of the other side's words that a dialog shows, and of a statement.
EVIDENCE, STATEMENT = 6, 5


class LoginDialog(Dialog):
    """Yields a `Given`, or None. What is typed is kept in memory only.

    Args:
        asked: why, and what is offered.
        title: the workload.
    """

    HELP: ClassVar[str] = """Login
No login was found that this console may use: it says which Secret and which right would have served. What you type
here is kept in memory for as long as the console is open, and nowhere else. Tab goes to the next field, enter logs
in, escape leaves the console without a session."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="sql-login.leave", priority=True),
        Binding("enter", "submit", "Log in", id="sql-login.open", priority=True),
        Binding("tab,down", "turn(1)", "Next field", id="sql-login.next", priority=True),
        Binding("shift+tab,up", "turn(-1)", "Field before", show=False, id="sql-login.previous", priority=True),
    ]
    _FIELDS = ("user", "password", "database")

    def __init__(self, asked: Asked, title: str) -> None:
        super().__init__()
        self._asked = asked
        self._title = title

    def compose(self) -> ComposeResult:
        """Words, three fields, keys."""
        with Vertical(id="dialog") as frame:
            frame.border_title = Content(one_line(self._title))
            yield Words(id="why")
            for field in self._FIELDS:
                with Horizontal(classes="line"):
                    yield Label(field)
                    hint = "empty for the user's own" if field == "database" else ""
                    entry = Input(id=field, password=field == "password", placeholder=hint)
                    entry.cursor_blink = False
                    yield entry
            yield Words(id="keys")

    def on_mount(self) -> None:
        """What is offered stands there; the first empty field has the focus."""
        self._field("user").value = self._asked.user
        self._field("database").value = self._asked.database
        problem = self._asked.problem
        lines = [Line((("? ", "warn"), (problem.what, "strong")), hang=2)]
        lines += [Line((("  ", ""), (line, "dim")), hang=4) for line in problem.evidence.splitlines()[:EVIDENCE]]
        if problem.remedy:
            lines.append(Line((("  ", ""), (problem.remedy, "")), hang=2))
        self.query_one("#why", Words).set_lines(lines)
        keys: tuple[Piece, ...] = (
            ("⏎", "key"), (" log in   ", "dim"), ("tab", "key"), (" next field   ", "dim"),
            ("esc", "key"), (" back   kept in memory only", "dim"),
        )  # fmt: skip
        self.query_one("#keys", Words).set_lines([Line(keys)])
        self.set_focus(self._field("password" if self._asked.user else "user"))

    def _field(self, name: str) -> Input:
        return self.query_one(f"#{name}", Input)

    def action_turn(self, step: int) -> None:
        """Goes to the next field, or the one before."""
        here = self.focused.id if self.focused is not None and self.focused.id in self._FIELDS else "user"
        self.set_focus(self._field(self._FIELDS[(self._FIELDS.index(str(here)) + step) % len(self._FIELDS)]))

    def action_submit(self) -> None:
        """Logs in; without a user there is nothing to try."""
        user = self._field("user").value.strip()
        if not user:
            self.set_focus(self._field("user"))
            return
        self.dismiss(Given(user, self._field("password").value, self._field("database").value.strip()))

    def action_leave(self) -> None:
        """Leaves it."""
        self.dismiss(None)


class HeldQuestion(Dialog):
    """Yields whether a statement that is held back is to be sent. Enter alone never is a yes.

    Args:
        held: the statement and what it does.
        where: member and database.
    """

    HELP: ClassVar[str] = """Is this meant?
The statement was not sent yet: it destroys what COMMIT makes final. y sends it, escape keeps it back; the session and
its transaction stand either way. In a protected context the name of what goes must be typed. Which statements are
held back is the setting sql.confirm: off, unconditional or all."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "Do not send", id="sql-held.no"),
        Binding("y", "answer(True)", "Send it", id="sql-held.yes"),
    ]

    def __init__(self, held: Held, where: str) -> None:
        super().__init__()
        self._held = held
        self._where = where

    def compose(self) -> ComposeResult:
        """Words; where a name must be typed, a field."""
        with Vertical(id="dialog", classes="-danger") as frame:
            frame.border_title = Content("Is this meant?")
            yield Words(id="why")
            if self._held.name:
                with Horizontal(classes="line"):
                    yield Label("name")
                    entry = Input(id="name", placeholder=one_line(self._held.name))
                    entry.cursor_blink = False
                    yield entry
            yield Words(id="keys")

    def on_mount(self) -> None:
        """Says what it does."""
        held = self._held
        lines = [Line((("⚠ ", "warn"), (f"It {each}", "strong")), hang=2) for each in held.does]
        lines.append(Line((("  ", ""), (f"on {self._where}", ""))))
        if held.transaction:
            lines.append(Line((("  inside of the open transaction: ROLLBACK would undo it", "dim"),), hang=2))
        text = held.statement.strip().splitlines()
        lines += [Line(), *(Line((("  ", ""), (line[:400], "dim")), hang=2) for line in text[:STATEMENT])]
        if len(text) > STATEMENT:
            lines.append(Line(((f"  … {len(text) - STATEMENT:,} lines more", "dim"),)))
        self.query_one("#why", Words).set_lines(lines)
        yes = "⏎" if held.name else "y"
        said = f" sends it once {one_line(held.name)} is typed   " if held.name else " send it   "
        keys: tuple[Piece, ...] = ((yes, "key"), (said, "dim"), ("esc", "key"), (" do not send", "dim"))
        self.query_one("#keys", Words).set_lines([Line(keys)])
        if held.name:
            self.set_focus(self.query_one("#name", Input))

    @on(Input.Submitted)
    def _typed(self, message: Input.Submitted) -> None:
        message.stop()
        if message.value.strip() == self._held.name:
            self.dismiss(True)
        else:
            keys: tuple[Piece, ...] = ((f"That is not {one_line(self._held.name)}   ", "failing"), ("esc", "key"),
                                       (" do not send", "dim"))  # fmt: skip
            self.query_one("#keys", Words).set_lines([Line(keys)])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A letter is no answer where a name must be typed."""
        return not (self._held.name and action == "answer" and parameters == (True,))

    def action_answer(self, yes: bool) -> None:
        """Sends it, or not."""
        self.dismiss(yes)
