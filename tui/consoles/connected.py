"""The screen of a bucket or queue console as far as its connection goes: finding a login, asking for one, leaving."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, ClassVar, Generic

from tui.consoles import problems
from tui.consoles.connecting import Access, Asked, Connection, FoundT, LoginT, ServiceT
from tui.consoles.dialogs import TextDialog
from tui.consoles.forms import Field, Form, HeldQuestion
from tui.consoles.guard import Guard, Held
from tui.consoles.headline import headline
from tui.consoles.headparts import Part
from tui.consoles.screen import ConsoleScreen
from tui.widgets.ink import Piece


class ConnectedScreen(ConsoleScreen, Generic[LoginT, FoundT, ServiceT]):
    """A screen with a connection.

    Attributes:
        access: to the workload.
        guard: what may be changed.
        connection: the way to the service.
    """

    #: Asks whether something is meant.
    QUESTION: ClassVar[type[HeldQuestion]] = HeldQuestion

    def __init__(
        self,
        access: Access[LoginT, FoundT, ServiceT],
        name: str,
        guard: Guard,
        connection: type[Connection[LoginT, FoundT, ServiceT]],
    ) -> None:
        super().__init__(name)
        self.access = access
        self.guard = guard
        self.connection = connection(access, self._ask, changed=self._changed, clock=self._clock)

    # --- what each console knows for itself

    def _changed(self) -> None:
        """Something is new."""
        raise NotImplementedError

    def _connected(self) -> None:
        """There is a service."""
        raise NotImplementedError

    def _of_service(self) -> Sequence[Part]:
        """What the service tells of itself in the first line; empty while there is none."""
        raise NotImplementedError

    def _login_fields(self, asked: Asked) -> Sequence[Field]:
        """What a login is made of, with the name that is offered."""
        raise NotImplementedError

    def _login_of(self, fields: Mapping[str, str]) -> LoginT:
        """The login that somebody typed.

        Raises:
            ProblemError: something is lacking; what was typed stays.
        """
        raise NotImplementedError

    def _head(self, width: int) -> list[Piece]:
        told, workload = self._of_service(), self.access.workload
        return headline(self.connection, self.guard, workload, self.workload_name, told, width)

    # --- connecting

    def reachable(self) -> tuple[str, str]:
        """This workload."""
        workload = self.access.workload
        return (workload.key if workload is not None else "", "")

    def connect(self, login: LoginT | None = None, *, as_other: bool = False) -> None:
        """Connects, in place of what was; what goes on is asked about first.

        Args:
            login: the one to use, None for the same as before, or the best that is found.
            as_other: asks for one even where some are known.
        """
        self.unless_lost(
            "Leave this connection?", lambda: self._open_with(self._connect(login, as_other=as_other)), "leave it"
        )

    async def _connect(self, login: LoginT | None, *, as_other: bool) -> None:
        self.connection.read_only = bool(self.guard.read_only)
        if await self.connection.open(login, as_other=as_other):
            self._connected()

    async def _ask(self, asked: Asked) -> LoginT | None:
        given: list[LoginT] = []
        form = Form(
            f"{self.connection.terms.title} {self.workload_name}", self._login_fields(asked),
            lambda fields: given.append(self._login_of(fields)), word="log in, kept in memory only",
            told=problems.lines_of(asked.problem, remedy_first=True),
        )  # fmt: skip
        await self.shown(form)
        return given[0] if given else None

    # --- for actions

    def do(self, work: Coroutine[Any, Any, Any], *, group: str = "work") -> None:
        """Does something beside; of a group other than `work` only the last counts. What fails is told."""

        async def doing() -> None:
            try:
                await work
            except self.connection.errors as error:
                self.fail(error)

        self.run_worker(doing(), group=group, exclusive=group != "work", exit_on_error=False)

    def fail(self, error: Exception) -> None:
        """Tells what went wrong, with the service's words."""
        self.app.push_screen(TextDialog("That did not work", problems.text_of(self.connection.problem_of(error))))

    async def confirm(self, held: Held) -> bool:
        """Asks whether something is meant."""
        where = f"{self.workload_name} in context {self.access.context}"
        return await self.shown(self.QUESTION(held, where)) is True

    def may_change(self) -> bool:
        """Whether something may be changed; tells why not."""
        if why := self.guard.read_only:
            self.tell(f"Nothing is changed: {why}", "warn")
        return not why

    async def take_changes(self) -> None:
        """Opens a protected context for changes, once its name is typed, or closes it again; connects anew for it."""
        guard, context = self.guard, self.access.context
        if guard.opened:
            guard.opened = False
        else:
            does = (f"opens this console for changes in the protected context {context}",)
            if not await self.confirm(guard.held("Take changes?", does, "open", context, always=True)):
                return
            guard.opened = True
        self.connect()

    # --- leaving

    def leave(self) -> None:
        """Leaves the console."""
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
        self.unless_lost("Leave the console?", self.dismiss, "leave")

    async def _end(self) -> None:
        await self.connection.close()
