"""The console's screen as far as its connection goes: finding a login, asking for one, leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar, cast

from textual.screen import Screen

from tui.consoles.dialogs import TextDialog
from tui.consoles.forms import Field, Form
from tui.consoles.guard import Guard, Held
from tui.consoles.queue.access import Access
from tui.consoles.queue.asking import Meant
from tui.consoles.queue.client import ERRORS, Client, problem_of
from tui.consoles.queue.connecting import Asked, Connection
from tui.consoles.queue.details import of_problem
from tui.consoles.queue.jobs import Job, Jobs
from tui.consoles.queue.words import counted
from tui.problem import Cause, Problem, ProblemError
from tui.screens.base import BaseScreen
from tui.screens.forwards.question import Question
from tui.services.queue.model import Login

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui.screens.app import StatetuiApp

T = TypeVar("T")
#: Connections that are being ended after their console was left.
_ending: set[asyncio.Task[None]] = set()


class ConnectedScreen(BaseScreen):
    """A screen with a connection.

    Attributes:
        access: to the workload.
        workload_name: the workload's.
        guard: what may be changed.
        connection: the way to the broker.
        jobs: what goes on beside.
        held: for each look at messages that is open, how many are unacknowledged.
    """

    #: What `Quit?` calls it.
    CALLED = "Queue console"

    def __init__(self, access: Access, name: str, guard: Guard) -> None:
        super().__init__()
        self.access = access
        self.workload_name = name
        self.guard = guard
        self.connection = Connection(access, self._ask, changed=self._changed, clock=self._clock)
        self.jobs = Jobs(self._job_ended)
        self.held: dict[object, Callable[[], int]] = {}
        self._opening: asyncio.Task[None] | None = None

    def _changed(self) -> None:
        """Something is new."""
        raise NotImplementedError

    def _connected(self) -> None:
        """There is a broker."""
        raise NotImplementedError

    def _job_ended(self, job: Job) -> None:
        """A job has ended."""
        raise NotImplementedError

    @property
    def host(self) -> StatetuiApp:
        """The app."""
        return cast("StatetuiApp", self.app)

    @property
    def client(self) -> Client:
        """The broker; actions are there only while there is one."""
        assert self.connection.opened is not None  # noqa: S101
        return self.connection.opened.client

    def _clock(self) -> float:
        return self.host.clock()

    @property
    def unfinished(self) -> str:
        """What would stop by leaving, in words; empty when nothing would."""
        told = []
        if running := self.jobs.running:
            first = running[0].title if len(running) == 1 else f"{len(running)} jobs"
            told.append(f"{first} stop{'s' if len(running) == 1 else ''}; what was done until then is done")
        if count := sum(each() for each in self.held.values()):
            told.append(f"{counted(count, 'unacknowledged message')} go{'es' if count == 1 else ''} back to the queue")
        return ", and ".join(told)

    def reachable(self) -> tuple[str, str]:
        """This workload."""
        workload = self.access.workload
        return (workload.key if workload is not None else "", "")

    def tell(self, text: str, ink: str = "") -> None:
        """Says something in the last line for a while."""
        self.host.tell(((text, ink),))

    # --- connecting

    def connect(self, login: Login | None = None, *, as_other: bool = False) -> None:
        """Connects, in place of what was; what goes on is asked about first."""

        def go() -> None:
            if self._opening is not None:
                self._opening.cancel()
            self._opening = asyncio.create_task(self._connect(login, as_other=as_other), name="connect a console")

        self.unless_lost("Leave this connection?", go, "leave it")

    async def _connect(self, login: Login | None, *, as_other: bool) -> None:
        await self.jobs.close()
        self.connection.read_only = bool(self.guard.read_only)
        if await self.connection.open(login, as_other=as_other):
            self._connected()

    def unless_lost(self, title: str, then: Callable[[], object], yes: str) -> None:
        """Does something at once, or asks first where something would stop."""
        lost = self.unfinished
        if not lost:
            then()
            return

        def answered(meant: bool | None) -> None:
            if meant:
                then()

        self.app.push_screen(Question(title, [f"With it {lost}."], yes=yes), answered)

    async def _ask(self, asked: Asked) -> Login | None:
        given: list[Login] = []

        def done(fields: Mapping[str, str]) -> None:
            if not fields["user"].strip():
                raise ProblemError(Problem(Cause.CONFIG, "A user's name is needed", "", ""))
            given.append(Login(fields["user"].strip(), fields["password"], fields["virtual host"] or "/"))

        form = Form(
            f"Login to {self.workload_name}",
            [Field("user", asked.user), Field("password", hidden=True), Field("virtual host", "/")],
            done, word="log in, kept in memory only", told=of_problem(asked.problem, remedy_first=True),
        )  # fmt: skip
        await self.shown(form)
        return given[0] if given else None

    # --- for actions

    def do(self, work: Coroutine[Any, Any, Any], *, group: str = "work") -> None:
        """Does something beside; of a group other than `work` only the last counts. What fails is told."""

        async def doing() -> None:
            try:
                await work
            except ERRORS as error:
                self.fail(error)

        self.run_worker(doing(), group=group, exclusive=group != "work", exit_on_error=False)

    def fail(self, error: Exception) -> None:
        """Tells what went wrong, with the broker's words."""
        problem = problem_of(error)
        text = "\n\n".join(part for part in (problem.what, problem.evidence, problem.remedy) if part)
        self.app.push_screen(TextDialog("That did not work", text))

    async def confirm(self, held: Held) -> bool:
        """Asks whether something is meant."""
        where = f"{self.workload_name} in context {self.access.context}"
        return await self.shown(Meant(held, where)) is True

    async def shown(self, screen: Screen[T]) -> T | None:
        """Shows a dialog and waits for what it yields; None when it was left."""
        answer: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()

        def answered(value: T | None) -> None:
            if not answer.done():
                answer.set_result(value)

        self.app.push_screen(screen, answered)
        return await answer

    def may_change(self) -> bool:
        """Whether something may be changed; tells why not."""
        if why := self.guard.read_only:
            self.tell(f"Nothing is changed: {why}", "warn")
        return not why

    # --- leaving

    def leave(self) -> None:
        """Leaves the console."""
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
        self.unless_lost("Leave the console?", self.dismiss, "leave")

    async def _end(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        await self.jobs.close()
        await self.connection.close()

    def on_unmount(self) -> None:
        """Ends the connection, without anybody waiting for it."""
        self.closing(self._end())

    def closing(self, work: Coroutine[Any, Any, Any]) -> None:
        """Ends something after its screen was left, without anybody waiting for it."""
        ending = asyncio.create_task(work, name="end of a console's part")
        _ending.add(ending)
        ending.add_done_callback(_ending.discard)
