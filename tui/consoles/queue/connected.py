"""The console's screen as far as its connection goes: a login, and what is held and goes on over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tui.consoles import connected
from tui.consoles.connecting import TYPED, Asked
from tui.consoles.forms import Field
from tui.consoles.guard import Guard
from tui.consoles.queue.access import Access
from tui.consoles.queue.asking import Meant
from tui.consoles.queue.client import Client, Opened
from tui.consoles.queue.connecting import Connection
from tui.consoles.queue.jobs import Job, Jobs
from tui.consoles.queue.words import counted
from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.model import Login
from tui.systems.queuecertificates import given
from tui.systems.queuekeys import FoundLogins


def certificate_fields() -> tuple[Field, Field]:
    """What a broker may want to see beside a password."""
    hint = "where the broker wants one: file, or secret/NAME"
    return Field("certificate", hint=hint), Field("its key", hint="file; a Secret holds both")


class ConnectedScreen(connected.ConnectedScreen[Login, FoundLogins, Opened]):
    """A screen with a connection to a broker.

    Attributes:
        jobs: what goes on beside.
        held: for each look at messages that is open, how many are unacknowledged.
    """

    CALLED = "Queue console"
    QUESTION = Meant

    def __init__(self, access: Access, name: str, guard: Guard) -> None:
        super().__init__(access, name, guard, Connection)
        self.jobs = Jobs(self._job_ended)
        self.held: dict[object, Callable[[], int]] = {}

    def _job_ended(self, job: Job) -> None:
        """A job has ended."""
        raise NotImplementedError

    @property
    def client(self) -> Client:
        """The broker; actions are there only while there is one."""
        assert self.connection.opened is not None  # noqa: S101
        return self.connection.opened.client

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

    async def _connect(self, login: Login | None, *, as_other: bool) -> None:
        await self.jobs.close()
        await super()._connect(login, as_other=as_other)

    def _login_fields(self, asked: Asked) -> Sequence[Field]:
        login = (Field("user", asked.name), Field("password", hidden=True), Field("virtual host", "/"))
        return (*login, *certificate_fields())

    def _login_of(self, fields: Mapping[str, str]) -> Login:
        user = fields["user"].strip()
        if not user:
            raise ProblemError(Problem(Cause.CONFIG, "A user's name is needed", "", ""))
        certificate = given(fields["certificate"], fields["its key"])
        return Login(user, fields["password"], fields["virtual host"] or "/", TYPED, certificate)

    async def _end(self) -> None:
        await self.jobs.close()
        await super()._end()
