"""Asks the servers of a SQL workload what an operator asks, and lets the workload know what they said."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tui.kube.forward.targets import Target
from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.model import Login, TlsMode, Wire
from tui.services.sql.operations.control import Ending
from tui.services.sql.operations.gathering import Asked, Gathering
from tui.services.sql.operations.metrics import Metrics
from tui.services.sql.operations.model import Activity, Answer, Report, Silence, Unknown
from tui.services.sql.operations.scrape import scrape
from tui.services.sql.operations.topology import Place, topology
from tui.systems.credentials import Found, find_login
from tui.systems.live import Live
from tui.systems.model import Health, Member, Workload
from tui.systems.observed import Observation
from tui.systems.sqlroutes import SQL, WorkloadRouter

#: Seconds that a forward waits for its pod: it is there, or is asked again in the next round.
PATIENCE = 5.0
#: Members that have no running container to ask.
_ABSENT = (Health.WAITING, Health.STARTING, Health.STOPPED)
#: Seconds for which a login is believed before its Secret is read again.
LOGIN_FOR = 300.0


@dataclass(slots=True)
class MemberRouter(WorkloadRouter):
    """The way to one member, ready or not: one that is not ready is the one to ask."""

    def target(self, workload: Workload) -> Target:
        """What the forward leads to.

        Raises:
            ProblemError: no port is known.
        """
        reach = self.live.reach
        assert reach is not None  # noqa: S101 (there are workloads)
        system = self.live.catalogue.systems.get(workload.system)
        port = self.port or (SQL if system is not None and SQL in system.ports else "")
        return reach.member(workload, self.member, port, unready=True)


class Operations:
    """What is asked of one workload.

    Args:
        live: the context.
        key: the workload's key.
        login: in place of what its packaging keeps; for one that somebody typed.

    Raises:
        ProblemError: it is no SQL workload that is known.
    """

    def __init__(self, live: Live, key: str, login: Login | None = None) -> None:
        self._live = live
        self.key = key
        self._given = login
        self._logins: dict[str, tuple[float, Login]] = {}
        self._finding = asyncio.Lock()
        workload = live.workloads.get(key)
        system = live.catalogue.systems.get(workload.system) if workload is not None else None
        if workload is None or system is None or system.sql is None:
            raise ProblemError(Problem(Cause.ABSENT, f"{key.rpartition('/')[2]} is no SQL workload that is known here"))
        self._has_metrics = workload.system == "cockroachdb"
        self.wire: Wire = system.sql
        self.gathering = Gathering(self._members, system.sql)

    @property
    def workload(self) -> Workload | None:
        """The workload as it is now, None when it is gone."""
        return self._live.workloads.get(self.key)

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The last answers."""
        return self.gathering.answers

    async def look(self) -> tuple[Answer, ...]:
        """Asks all members once, and lets the workload know."""
        answers = await self.gathering.once()
        self.observe(answers)
        return answers

    async def follow(self, wanted: Callable[[], bool], tell: Callable[[Answer], None]) -> None:
        """Asks again and again while somebody looks, until cancelled, and lets the workload know.

        Args:
            wanted: whether anybody looks.
            tell: is told each answer as it comes.
        """

        def told(answer: Answer) -> None:
            self.observe((answer,))
            tell(answer)

        await self.gathering.rounds(wanted, told)

    async def glance(self, member: str) -> None:
        """Asks one member where it stands, and lets the workload know; one that does not answer says nothing."""
        report = await self.gathering.glance(self._asked(member))
        if report is not None:
            self.observe((report,))

    def places(self) -> list[Place]:
        """Who follows whom."""
        workload = self.workload
        addresses = {member.pod: member.ip for member in workload.members} if workload is not None else {}
        return topology(self.answers, addresses)

    def observe(self, answers: Sequence[Answer]) -> None:
        """Puts what servers said of themselves where the workload is assembled."""
        workload = self.workload
        if workload is None:
            return
        uids = {member.pod: member.uid for member in workload.members if member.uid}
        places = {place.name: place for place in self.places()}
        asked = [answer for answer in answers if isinstance(answer, Report)]
        told = [_observation(uids[one.member], one, places.get(one.member)) for one in asked if one.member in uids]
        at = max((one.at for one in asked if one.standing.peers), default=None)
        if at is not None:
            told += [
                _of_peer(uids[place.name], place, at)
                for place in places.values()
                if place.answer is None and place.peer is not None and place.peer.role and place.name in uids
            ]
        self._live.observed.put(told)

    async def end(self, member: str, activity: Activity, ending: Ending) -> None:
        """Cancels somebody's statement or terminates the session.

        Raises:
            ProblemError: why it was not done, or that this is not known.
        """
        await self.gathering.end(self._asked(member), activity, ending)

    # --- whom to ask, and as whom

    def _members(self) -> list[Asked | Silence]:
        workload, reach = self.workload, self._live.reach
        return [self._member(member) for member in reach.servers(workload)] if workload is not None and reach else []

    def _member(self, member: Member) -> Asked | Silence:
        if not member.uid or member.health in _ABSENT:
            what = f"{member.pod} cannot be asked: {member.note or member.phase}"
            return Silence(member.pod, Problem(Cause.ABSENT, what), time.time())
        return self._asked(member.pod)

    def _asked(self, pod: str) -> Asked:
        live, key = self._live, self.key

        async def login() -> Login:
            return await self._login(pod)

        async def metrics(login: Login) -> Metrics | Unknown:
            router = MemberRouter(live, key, member=pod, port="http", patience=PATIENCE)
            return await scrape(router, login.tls, secure=login.tls.mode is not TlsMode.DISABLE)

        router = MemberRouter(live, key, member=pod, patience=PATIENCE)
        return Asked(pod, router, login, metrics if self._has_metrics else None)

    async def _login(self, pod: str) -> Login:
        """The login for a member; the Secret is read once in a while, not at each round.

        Raises:
            ProblemError: there is none, and which Secret or right would have served.
        """
        if self._given is not None:
            return self._given
        workload, live = self.workload, self._live
        if workload is None or live.api is None or live.cluster is None:
            raise ProblemError(Problem(Cause.ABSENT, f"{self.key.rpartition('/')[2]} is gone"))
        # Members of one set have one login; sets may differ in the name of their Secret.
        at = next((member.set_name for member in workload.members if member.pod == pod), "")
        async with self._finding:
            when, known = self._logins.get(at, (0.0, None))
            if known is None or time.monotonic() - when > LOGIN_FOR:
                found: Found = await find_login(
                    live.api, live.cluster.store, workload, live.catalogue, member=pod
                )  # fmt: skip
                if found.login is None:
                    raise ProblemError(found.problem(workload.name))
                known = found.login
                self._logins[at] = (time.monotonic(), known)
        return known


def _observation(uid: str, report: Report, place: Place | None) -> Observation:
    """What of an answer the workload's pane shows."""
    standing = report.standing
    lag, trouble = "", standing.trouble
    if place is not None and place.upstream is not None:
        lag = behind(place)
        if not place.upstream.works:
            why = place.upstream.error or (place.lag.because if isinstance(place.lag, Unknown) else "")
            trouble = f"replication has stopped: {why}" if why else "replication has stopped"
    return Observation(uid, standing.replica, standing.writes, lag, trouble, report.at)


def _of_peer(uid: str, place: Place, at: float) -> Observation:
    """What others say of a member that cannot be asked itself: of a tablet of Vitess, its gateways."""
    peer = place.peer
    assert peer is not None  # noqa: S101 (asked before)
    leads = peer.role.upper() in ("PRIMARY", "MASTER")
    return Observation(uid, not leads, leads, behind(place), peer.trouble, at)


def behind(place: Place) -> str:
    """`0 s behind`, or why that cannot be told; empty for one that follows nobody."""
    if place.lag is None:
        return ""
    return f"lag unknown: {place.lag.because}" if isinstance(place.lag, Unknown) else f"{place.lag:.0f} s behind"
