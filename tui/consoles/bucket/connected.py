"""The console's screen as far as its connection goes: finding keys, asking for them, leaving."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar, cast

from textual.screen import Screen

from tui.consoles.bucket.access import Access
from tui.consoles.bucket.connecting import TYPED, Asked, Connection, Phase
from tui.consoles.bucket.details import of_problem
from tui.consoles.forms import Field, Form
from tui.consoles.guard import Guard
from tui.problem import Cause, Problem, ProblemError
from tui.screens.base import BaseScreen
from tui.screens.forwards.question import Question
from tui.services.bucket.model import Keys

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
        connection: the way to the store.
    """

    #: What `Quit?` calls it.
    CALLED = "Bucket console"

    def __init__(self, access: Access, name: str, guard: Guard) -> None:
        super().__init__()
        self.access = access
        self.workload_name = name
        self.guard = guard
        self.connection = Connection(
            access, self._ask, read_only=bool(guard.read_only), changed=self._changed, clock=self._clock
        )
        self._opening: asyncio.Task[None] | None = None
        self._refused = False

    def _changed(self) -> None:
        """Something is new."""
        raise NotImplementedError

    def _connected(self) -> None:
        """There is a store."""
        raise NotImplementedError

    @property
    def host(self) -> StatetuiApp:
        """The app."""
        return cast("StatetuiApp", self.app)

    def _clock(self) -> float:
        return self.host.clock()

    @property
    def unfinished(self) -> str:
        """What would stop by leaving, in words; empty when nothing would."""
        count = self.connection.opened.mover.unfinished if self.connection.opened is not None else 0
        if not count:
            return ""
        return f"{count} transfer{'s stop' if count > 1 else ' stops'}; asked for again, it goes on where it stopped"

    def reachable(self) -> tuple[str, str]:
        """This workload."""
        workload = self.access.workload
        return (workload.key if workload is not None else "", "")

    def tell(self, text: str, ink: str = "") -> None:
        """Says something in the last line for a while."""
        self.host.tell(((text, ink),))

    # --- connecting

    def connect(self, keys: Keys | None = None, *, as_other: bool = False) -> None:
        """Connects, in place of what was; what moves is asked about first."""

        def go() -> None:
            if self._opening is not None:
                self._opening.cancel()
            self._opening = asyncio.create_task(self._connect(keys, as_other=as_other), name="connect a console")

        self.unless_lost("Leave this connection?", go, "leave it")

    async def _connect(self, keys: Keys | None, *, as_other: bool) -> None:
        self.connection.read_only = bool(self.guard.read_only)
        opened = await self.connection.open(keys, as_other=as_other)
        refused, self._refused = self._refused, False
        if opened:
            self._connected()
            if refused:
                self.tell("Connected again, with the keys that their Secret has now", "ready")

    def read_keys_anew(self, problem: Problem | None) -> bool:
        """Connects anew where the store does not know the keys any more: their Secret may have been changed since.

        Args:
            problem: with which it refused something; None for nothing.

        Returns:
            Whether that is so; what was refused is then not told by itself, as the connection tells how it goes on.
        """
        link = self.connection
        if (
            problem is None
            or problem.cause is not Cause.CREDENTIALS
            or link.phase is not Phase.OPEN
            or link.source == TYPED
        ):
            return False
        if not self._refused:
            self._refused = True
            self.tell("The store does not know these keys any more: they are looked for again", "warn")
            link.forget_keys()
            self.connect()
        return True

    def unless_lost(self, title: str, then: object, yes: str) -> None:
        """Does something at once, or asks first where transfers would stop."""
        assert callable(then)  # noqa: S101
        lost = self.unfinished
        if not lost:
            then()
            return

        def answered(meant: bool | None) -> None:
            if meant:
                then()

        self.app.push_screen(Question(title, [f"With it {lost}."], yes=yes), answered)

    async def shown(self, screen: Screen[T]) -> T | None:
        """Shows a dialog and waits for what it yields; None when it was left."""
        answer: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()

        def answered(value: T | None) -> None:
            if not answer.done():
                answer.set_result(value)

        self.app.push_screen(screen, answered)
        return await answer

    async def _ask(self, asked: Asked) -> Keys | None:
        given: list[Keys] = []

        def done(fields: Mapping[str, str]) -> None:
            if not fields["access key"].strip():
                raise ProblemError(Problem(Cause.CONFIG, "An access key is needed", "", ""))
            given.append(Keys(fields["access key"].strip(), fields["secret key"], fields["token"].strip()))

        form = Form(
            f"Keys for {self.workload_name}",
            [Field("access key", asked.access), Field("secret key", hidden=True),
             Field("token", hidden=True, hint="only with temporary keys")],
            done, word="log in, kept in memory only", told=of_problem(asked.problem, remedy_first=True),
        )  # fmt: skip
        await self.shown(form)
        return given[0] if given else None

    # --- leaving

    def leave(self) -> None:
        """Leaves the console."""
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
        self.unless_lost("Leave the console?", self.dismiss, "leave")

    async def _end(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        await self.connection.close()

    def on_unmount(self) -> None:
        """Ends the connection, without anybody waiting for it."""
        ending = asyncio.create_task(self._end(), name="end of a console")
        _ending.add(ending)
        ending.add_done_callback(_ending.discard)
