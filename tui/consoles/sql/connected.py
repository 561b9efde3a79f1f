"""The console's screen as far as its session goes: connecting, asking, leaving. What is drawn is `screen`'s."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

from textual.screen import Screen

from tui.consoles.sql.access import Access, Way
from tui.consoles.sql.asking import HeldQuestion, LoginDialog
from tui.consoles.sql.connecting import Asked, Connection, Given
from tui.consoles.sql.desk import Desk
from tui.consoles.sql.guard import Guard, Held
from tui.consoles.sql.resultset import Run
from tui.consoles.sql.schemas import Schemas
from tui.screens.base import BaseScreen
from tui.screens.forwards.question import Question
from tui.services.sql.history import History

if TYPE_CHECKING:
    from tui.screens.app import StatetuiApp

T = TypeVar("T")
#: Sessions that are being ended after their console was left.
_ending: set[asyncio.Task[None]] = set()


class ConnectedScreen(BaseScreen):
    """A screen with a desk.

    Attributes:
        access: to the workload.
        workload_name: the workload's.
        desk: where statements are run.
        schemas: the catalogue.
    """

    def __init__(self, access: Access, name: str, guard: Guard, history: History, *, ahead: bool) -> None:
        super().__init__()
        self.access = access
        self.workload_name = name
        locked = guard.protected or guard.locked
        self.desk = Desk(
            Connection(access, self._ask, read_only=locked, changed=self._changed, clock=self._clock), guard, history,
            self.confirm, changed=self._changed, begun=self._begun, defined=self._defined, clock=self._clock,
        )  # fmt: skip
        self.schemas = Schemas(self.desk.connection, self._names_changed, ahead=ahead)
        self._opening: asyncio.Task[None] | None = None

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
    def _host(self) -> StatetuiApp:
        return cast("StatetuiApp", self.app)

    @property
    def unfinished(self) -> str:
        """What would be lost by leaving, in words; empty when nothing would."""
        return self.desk.unfinished

    def reachable(self) -> tuple[str, str]:
        """This workload, and the member that the session is with."""
        facts, workload = self.desk.connection.facts, self.access.workload
        return (workload.key if workload is not None else "", facts.member if facts is not None else "")

    def _clock(self) -> float:
        return self._host.clock()

    def tell(self, text: str, ink: str = "") -> None:
        """Says something in the last line for a while."""
        self._host.tell(((text, ink),))

    # --- connecting

    def _open(self, way: Way | None = None, *, as_other: bool = False) -> None:
        if self._opening is not None:
            self._opening.cancel()
        self._opening = asyncio.create_task(self._connect(way, as_other=as_other), name="connect a console")

    async def _connect(self, way: Way | None, *, as_other: bool) -> None:
        if await self.desk.connection.open(way, as_other=as_other):
            await self._follow()

    def reconnect(self, way: Way | None = None, *, as_other: bool = False) -> None:
        """Opens another session in place of this one; asks first where something would be lost."""
        self._unless_lost("Leave this session?", lambda: self._open(way, as_other=as_other), "leave it")

    def _unless_lost(self, title: str, then: Callable[[], object], yes: str) -> None:
        lost = self.unfinished
        if not lost:
            then()
            return

        def answered(meant: bool | None) -> None:
            if meant:
                self.run_worker(self._after_cancel(then), exit_on_error=False)

        self.app.push_screen(Question(title, [f"With it {lost}."], yes=yes), answered)

    async def _after_cancel(self, then: Callable[[], object]) -> None:
        if self.desk.busy:
            await self.desk.cancel()
            await self.desk.wait()
        then()

    async def _shown(self, screen: Screen[T]) -> T | None:
        """Shows a dialog and waits for what it yields; None when it was left."""
        answer: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()

        def answered(value: T | None) -> None:
            if not answer.done():
                answer.set_result(value)

        self.app.push_screen(screen, answered)
        return await answer

    async def _ask(self, asked: Asked) -> Given | None:
        given = await self._shown(LoginDialog(asked, f"Log in to {self.workload_name}"))
        return given if isinstance(given, Given) else None

    async def confirm(self, held: Held) -> bool:
        """Asks whether a statement that is held back is meant."""
        facts = self.desk.connection.facts
        where = self.workload_name
        if facts is not None:
            where = f"{facts.member}, {facts.database}" if facts.database else facts.member
        return await self._shown(HeldQuestion(held, f"{where} in context {self.access.context}")) is True

    async def _end(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        await asyncio.gather(self.schemas.close(), self.desk.close(), return_exceptions=True)

    def on_unmount(self) -> None:
        """Ends the sessions, without anybody waiting for it."""
        ending = asyncio.create_task(self._end(), name="end of a console")
        _ending.add(ending)
        ending.add_done_callback(_ending.discard)
