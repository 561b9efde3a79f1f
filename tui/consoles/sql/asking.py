"""What a console asks: for a login that could not be found, and whether a statement that destroys is meant."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Label

from tui.consoles.dialogs import Dialog
from tui.consoles.meant import MeantDialog
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


class HeldQuestion(MeantDialog):
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
        told = [Line((("⚠ ", "warn"), (f"It {each}", "strong")), hang=2) for each in held.does]
        told.append(Line((("  ", ""), (f"on {where}", ""))))
        if held.transaction:
            told.append(Line((("  inside of the open transaction: ROLLBACK would undo it", "dim"),), hang=2))
        text = held.statement.strip().splitlines()
        told += [Line(), *(Line((("  ", ""), (line[:400], "dim")), hang=2) for line in text[:STATEMENT])]
        if len(text) > STATEMENT:
            told.append(Line(((f"  … {len(text) - STATEMENT:,} lines more", "dim"),)))
        super().__init__("Is this meant?", told, yes="send it", leave="do not send", name=held.name)
