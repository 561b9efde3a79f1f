"""The console's screen as far as its session goes: connecting, asking, leaving. What is drawn is `screen`'s."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tui.consoles.screen import ConsoleScreen
from tui.consoles.sql.access import Access, Way
from tui.consoles.sql.asking import HeldQuestion, LoginDialog
from tui.consoles.sql.connecting import Asked, Connection, Given
from tui.consoles.sql.desk import Desk
from tui.consoles.sql.guard import Guard, Held
from tui.consoles.sql.resultset import Run
from tui.consoles.sql.schemas import Schemas
from tui.services.sql.history import History


class ConnectedScreen(ConsoleScreen):
    """A screen with a desk.

    Attributes:
        access: to the workload.
        desk: where statements are run.
        schemas: the catalogue.
    """

    CALLED = "SQL console"

    def __init__(self, access: Access, name: str, guard: Guard, history: History, *, ahead: bool) -> None:
        super().__init__(name)
        self.access = access
        locked = guard.protected or guard.locked
        self.desk = Desk(
            Connection(access, self._ask, read_only=locked, changed=self._changed, clock=self._clock), guard, history,
            self.confirm, changed=self._changed, begun=self._begun, defined=self._defined, clock=self._clock,
        )  # fmt: skip
        self.schemas = Schemas(self.desk.connection, self._names_changed, ahead=ahead)

    # --- what the screen does about it

    def _changed(self) -> None:
        """Something is new."""
        raise NotImplementedError

    def _begun(self, run: Run) -> None:
        """Results are coming."""
        raise NotImplementedError

    def _defined(self) -> None:
        """Definitions were changed."""
        raise NotImplementedError

    def _names_changed(self) -> None:
        """Names for completion have come."""
        raise NotImplementedError

    async def _follow(self) -> None:
        """Brings the catalogue to where the session is."""
        raise NotImplementedError

    # --- what is known

    @property
    def unfinished(self) -> str:
        """What would be lost by leaving, in words; empty when nothing would."""
        return self.desk.unfinished

    def reachable(self) -> tuple[str, str]:
        """This workload, and the member that the session is with."""
        facts, workload = self.desk.connection.facts, self.access.workload
        return (workload.key if workload is not None else "", facts.member if facts is not None else "")

    # --- connecting

    def _open(self, way: Way | None = None, *, as_other: bool = False) -> None:
        self._open_with(self._connect(way, as_other=as_other))

    async def _connect(self, way: Way | None, *, as_other: bool) -> None:
        if await self.desk.connection.open(way, as_other=as_other):
            await self._follow()

    def reconnect(self, way: Way | None = None, *, as_other: bool = False) -> None:
        """Opens another session in place of this one; asks first where something would be lost."""
        self.unless_lost("Leave this session?", lambda: self._open(way, as_other=as_other), "leave it")

    def _give_up(self, then: Callable[[], object]) -> None:
        self.run_worker(self._after_cancel(then), exit_on_error=False)

    async def _after_cancel(self, then: Callable[[], object]) -> None:
        if self.desk.busy:
            await self.desk.cancel()
            await self.desk.wait()
        then()

    async def _ask(self, asked: Asked) -> Given | None:
        given = await self.shown(LoginDialog(asked, f"Log in to {self.workload_name}"))
        return given if isinstance(given, Given) else None

    async def confirm(self, held: Held) -> bool:
        """Asks whether a statement that is held back is meant."""
        facts = self.desk.connection.facts
        where = self.workload_name
        if facts is not None:
            where = f"{facts.member}, {facts.database}" if facts.database else facts.member
        return await self.shown(HeldQuestion(held, f"{where} in context {self.access.context}")) is True

    async def _end(self) -> None:
        await asyncio.gather(self.schemas.close(), self.desk.close(), return_exceptions=True)
