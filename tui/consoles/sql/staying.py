"""A console that was left stays: editor, results and session are found again as they were.

What it holds on to is bounded. Its session ends after a while in which nobody came back and nothing ran, and with it an
open transaction, whose locks would be in others' way; its rows go when others' are many (see `kept`).
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

from textual.screen import Screen

from tui.consoles.sql.access import Access, Way
from tui.consoles.sql.connected import ConnectedScreen
from tui.consoles.sql.exports import Exports
from tui.consoles.sql.guard import Guard
from tui.consoles.sql.headline import result_of
from tui.consoles.sql.resultset import Message, Run
from tui.screens.chooser import Choice, Chooser
from tui.services.sql.history import History
from tui.services.sql.model import Notice, Transaction
from tui.text import one_line
from tui.widgets.ink import Piece

T = TypeVar("T")
#: Seconds after which the session of a console that was left is ended, unless something runs in it.
IDLE = 600.0
_LATER = f"{IDLE / 60:.0f} min"


class StayingScreen(ConnectedScreen):
    """A console that can be left and come back to.

    Attributes:
        left: when it was left last, seconds of the wall clock; None while it is in use.
    """

    def __init__(self, access: Access, name: str, guard: Guard, history: History, *, ahead: bool) -> None:
        super().__init__(access, name, guard, history, ahead=ahead)
        self.left: float | None = None
        self._level = guard.level
        self._back = asyncio.Event()
        self._quiet = 0.0  # since when nothing has been going on
        self._worked = False

    @property
    def exports(self) -> Exports:
        """What is being written to a file."""
        raise NotImplementedError

    def look(self) -> None:
        """Draws what is new."""
        raise NotImplementedError

    def show_run(self, run: Run) -> None:
        """Shows the results of a run in the place of those before, whose rows go."""
        raise NotImplementedError

    # --- what is known

    @property
    def here(self) -> bool:
        """Whether somebody is in it, be it in front of a dialog or a panel of it."""
        return self in self.app.screen_stack

    @property
    def working(self) -> bool:
        """Whether a statement runs or a file is written."""
        return self.desk.busy or self.exports.current is not None

    @property
    def rows_held(self) -> int:
        """Bytes of the rows of its results."""
        return sum(each.store.used for each in self.desk.results.sets)

    @property
    def state(self) -> str:
        """In a few words, for lists: what goes on in it, or how it was left."""
        desk, parts = self.desk, []
        if desk.busy:
            parts.append("a statement runs")
        if desk.connection.transaction in (Transaction.OPEN, Transaction.FAILED):
            parts.append(f"transaction {desk.connection.transaction}")
        if self.exports.current is not None:
            parts.append("exports")
        count = len(desk.results.sets)
        parts.append(f"{count} result{'' if count == 1 else 's'}" if count else "open")
        return ", ".join(parts)

    @property
    def kept(self) -> bool:
        """Whether it stays when it is left. One that takes changes in a protected context does not: whoever comes back
        to it would be asked for nothing.
        """
        return not self.desk.guard.protected or self.desk.connection.asked_read_only

    # --- leaving

    def leave(self) -> None:
        """Leaves it. What goes on, or stays open, is asked for."""
        if not self.kept:
            self.unless_lost("Leave the console?", self._gone, "leave")
            return
        choices = self._open_ends()
        if not choices:
            self._go()
            return

        def chosen(value: str | None) -> None:
            if value == "stay":
                self._go()
            elif value == "cancel":
                self.run_worker(self._after_cancel(self._go), exit_on_error=False)
            elif value is not None:
                self.run_worker(self._controlled(value), exit_on_error=False)

        title = "A statement runs" if self.desk.busy else "The transaction is open"
        self.app.push_screen(Chooser(f"{title}: leave the console?", choices), chosen)

    def _open_ends(self) -> list[Choice]:
        """What can become of what goes on; what loses nothing stands first, as enter alone takes it."""
        transaction = self.desk.connection.transaction
        opened = transaction in (Transaction.OPEN, Transaction.FAILED)
        if self.desk.busy:
            also = ", and the transaction stays open" if opened else ""
            return [
                Choice("stay", "Let it run on", f"its end is told{also}"),
                Choice("cancel", "Cancel it", f"on the server{also}"),
            ]
        if not opened:
            return []
        stay = Choice("stay", "Leave it open", f"its locks stay; rolled back after {_LATER}")
        rollback = Choice("ROLLBACK", "Roll back", "undoes all since it began")
        if transaction is Transaction.FAILED:
            return [rollback, stay]
        return [stay, Choice("COMMIT", "Commit", "makes it final"), rollback]

    async def _controlled(self, verb: str) -> None:
        await self.desk.control(verb)
        if self.desk.connection.transaction not in (Transaction.OPEN, Transaction.FAILED):
            self._go()

    def _go(self) -> None:
        self.host.console_left(self)

    def note_leaving(self) -> None:
        """Nobody is here from now on."""
        self.desk.guard.level = self._level  # that nothing is held back was said for this visit
        self.left = self._quiet = self._clock()
        self._worked = self.working
        self._back.clear()

    def close_for_good(self) -> None:
        """Ends the console with all that it holds; what is open is asked for."""
        self.unless_lost("Close the console?", self._gone, "close it")

    def _gone(self) -> None:
        self.host.console_gone(self)

    def come_back(self, way: Way | None) -> None:
        """Somebody is here again.

        Args:
            way: whom they want to talk to, None for whoever it was.
        """
        self.left = None
        self._back.set()
        self.look()
        if way is not None and way != self.desk.connection.way:
            self.reconnect(way)

    # --- while it is left

    async def watch_over(self) -> None:
        """Tells of an end, and ends a session that nobody uses; asked again and again while nobody is here."""
        now, working = self._clock(), self.working
        if working:
            self._quiet = now
        elif self._worked:
            outcome = self.desk.outcome
            said = self.exports.said or (tuple(result_of(outcome)) if outcome is not None else ())
            self._say(*said)
        self._worked = working
        if not working and self.left is not None and now - self._quiet >= IDLE:
            await asyncio.gather(
                self.desk.rest(f"nobody was in the console for {_LATER}"), self.schemas.rest(), return_exceptions=True
            )

    def _say(self, *what: Piece) -> None:
        lead: Piece = (f"SQL console of {one_line(self.workload_name)}: ", "strong")
        self.host.tell((lead, *what))

    def forget_rows(self) -> None:
        """Lets the rows of its results go; in their place it is said that they went."""
        run = Run()
        count = sum(len(each.store) for each in self.desk.results.sets)
        statement = self.desk.results.sets[-1].statement if self.desk.results.sets else ""
        notice = Notice("NOTICE", f"{count:,} rows were let go while the console was left: other consoles' are many",
                        hint="Run the statement again to see them.")  # fmt: skip
        self.desk.results = run
        self.show_run(run)
        run.say(Message(statement, notice))

    async def shown(self, screen: Screen[T]) -> T | None:
        """A question is put to whoever is here; nobody is asked on a screen that is about something else."""
        if not self.here:
            self._say(("waits for an answer", "warn"))
            await self._back.wait()
        return await super().shown(screen)
