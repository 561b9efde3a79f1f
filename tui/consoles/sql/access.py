"""What a console asks of the cluster: the workload, its credentials, and the way to one of its members."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tui.consoles.access import WorkloadAccess
from tui.problem import Problem, ProblemError
from tui.services.sql.model import Login, Options, Route, Router, Wire
from tui.services.sql.renewing import Renewing
from tui.systems.reach import PRIMARY, REPLICA
from tui.systems.sqlroutes import WorkloadRouter

if TYPE_CHECKING:
    from tui.systems.credentials import Found
    from tui.systems.live import Live
    from tui.systems.model import Member, Workload


@dataclass(frozen=True, slots=True)
class Way:
    """Whom to connect to: a role, or one member by its pod's name."""

    role: str = PRIMARY
    member: str = ""

    @property
    def text(self) -> str:
        """As shown: `mysql-0`, `the primary`."""
        return self.member or (f"the {self.role}" if self.role == PRIMARY else f"any {self.role or 'ready member'}")


@dataclass(frozen=True, slots=True)
class Offer:
    """A way that can be chosen.

    Attributes:
        text: what it is called.
        detail: role and state, for the right side.
    """

    way: Way
    text: str
    detail: str = ""


class TellingRouter:
    """A router that remembers the way it found last, and so why it ended."""

    def __init__(self, router: Router) -> None:
        """Finds none yet."""
        self._router = router
        self._last: Route | None = None

    async def __call__(self) -> Route:
        """Finds a way anew; see `services.sql.model.Router`."""
        self._last = None
        self._last = await self._router()
        return self._last

    def ended(self) -> Problem | None:
        """Why the connection over the last way ended, as far as it is known."""
        return self._last.ended() if self._last is not None else None


class Access(Protocol):
    """See `LiveAccess`; tests have another one."""

    context: str

    @property
    def workload(self) -> Workload | None:
        """The workload as it is now; None when it is gone."""
        ...

    @property
    def members(self) -> Sequence[Member]:
        """The members that can be connected to."""
        ...

    @property
    def wire(self) -> Wire:
        """What its servers speak."""
        ...

    async def look(self, way: Way, user: str = "") -> Found:
        """Looks for the credentials."""
        ...

    def session(self, way: Way, login: Login, options: Options) -> Renewing:
        """A session that is not opened yet."""
        ...

    async def watch(self, member: str, login: Login) -> None:
        """Asks a member where it stands now: its role and lag come with the workload."""
        ...


class LiveAccess(WorkloadAccess):
    """The access to the servers of a workload."""

    @property
    def members(self) -> Sequence[Member]:
        """The members that can be connected to: servers, no orchestrators."""
        workload, reach = self.workload, self._live.reach
        return reach.servers(workload) if workload is not None and reach is not None else ()

    @property
    def wire(self) -> Wire:
        """What its servers speak."""
        wire = wire_of(self._live, self.workload)
        return wire if wire is not None else Wire.POSTGRES

    async def look(self, way: Way, user: str = "") -> Found:
        """Looks for the credentials.

        Raises:
            ProblemError: there is no such workload any more.
        """
        from tui.systems.credentials import find_login  # noqa: PLC0415  (not needed to start)

        return await find_login(*self.sought(), member=way.member, user=user)

    def session(self, way: Way, login: Login, options: Options) -> Renewing:
        """A session that is not opened yet."""
        router = TellingRouter(WorkloadRouter(self._live, self._key, way.role, way.member))
        return Renewing(router, self.wire, login, options)

    async def watch(self, member: str, login: Login) -> None:
        """Asks a member where it stands now: its role and lag come with the workload.

        It is a session of its own: in the console's a question of ours would take the place of what SHOW WARNINGS and
        ROW_COUNT() tell of the user's last statement, and fail in a failed transaction.
        """
        from tui.systems.sqloperations import Operations  # noqa: PLC0415  (not needed to start)

        with contextlib.suppress(ProblemError):  # the workload is gone
            await Operations(self._live, self._key, login).glance(member)


def wire_of(live: Live, workload: Workload | None) -> Wire | None:
    """What a workload's servers speak; None when it is no database of SQL."""
    system = live.catalogue.systems.get(workload.system) if workload is not None else None
    return system.sql if system is not None else None


def offers(members: Sequence[Member]) -> list[Offer]:
    """The ways to a workload: the primary, any replica, and each member."""
    if not members:
        return []
    roles = [member.role for member in members if member.role is not None]
    found = []
    if any(role.writes for role in roles):
        found.append(Offer(Way(), "primary", "whoever takes writes, at each connection anew"))
    elif not any(role.writes is False for role in roles):
        found.append(Offer(Way(), "any member", "all are alike"))
    if any(role.writes is False for role in roles):
        found.append(Offer(Way(REPLICA), "any replica", "read-only"))
    return [*found, *(Offer(Way(member=each.pod), each.pod, _told(each)) for each in members if each.uid)]


def _told(member: Member) -> str:
    role = member.role.name if member.role is not None else ""
    said = [f"{role}{' ▲' if member.role is not None and member.role.writes else ''}", member.phase, member.note]
    return "  ".join(part for part in said if part)
