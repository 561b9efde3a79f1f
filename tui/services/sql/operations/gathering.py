"""Asks all members, again and again while somebody looks: a few at once, each over a short-lived read-only session."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.connect import open_session
from tui.services.sql.model import Login, Lost, Options, Router, ServerError, Session, Wire
from tui.services.sql.operations.cockroach import of_metrics
from tui.services.sql.operations.control import Ending, end
from tui.services.sql.operations.looking import glance, look
from tui.services.sql.operations.metrics import Metrics
from tui.services.sql.operations.model import Activity, Answer, Report, Silence, Size, Unknown

log = logging.getLogger(__name__)

#: Members that are asked at once.
AT_ONCE = 3
#: Seconds for all questions to one member, for one statement, and for logging in.
PATIENCE, STATEMENT, LOGIN = 12.0, 5.0, 8.0
#: Seconds between two rounds, and between two measurings of sizes, which look at files and tables.
EVERY, SIZES_EVERY = 3.0, 60.0
#: How other sessions see ours.
APPLICATION = "statetui operations"


@dataclass(frozen=True, slots=True)
class Asked:
    """A member that is to be asked.

    Attributes:
        name: the pod's name.
        router: the way to it.
        login: finds the login; raises ProblemError.
        metrics: reads its metrics, for engines that have some; None for others.
    """

    name: str
    router: Router
    login: Callable[[], Awaitable[Login]]
    metrics: Callable[[Login], Awaitable[Metrics | Unknown]] | None = None


@dataclass(slots=True)
class Gathering:
    """What all members answer.

    Attributes:
        members: names those to be asked now, and those that cannot be; called before each round.
        wire: the protocol.
        answers: the last answer of each, in the members' order.
    """

    members: Callable[[], Sequence[Asked | Silence]]
    wire: Wire
    answers: tuple[Answer, ...] = ()
    _sizes: dict[str, tuple[float, tuple[Size, ...] | Unknown]] = field(default_factory=dict, init=False, repr=False)

    async def once(self, tell: Callable[[Answer], None] | None = None) -> tuple[Answer, ...]:
        """One round. What one says counts as soon as it has said it, whatever the others take.

        Args:
            tell: is told each answer, after it has come among `answers`.
        """
        slots = asyncio.Semaphore(AT_ONCE)
        asked = list(self.members())
        names = [one.name if isinstance(one, Asked) else one.member for one in asked]
        known = set(names)
        self.answers = tuple(answer for answer in self.answers if answer.member in known)

        async def one(asked: Asked | Silence) -> None:
            if isinstance(asked, Silence):
                answer: Answer = asked
            else:
                async with slots:
                    answer = await self._ask(asked)
            latest = {one.member: one for one in self.answers} | {answer.member: answer}
            self.answers = tuple(latest[name] for name in names if name in latest)
            if tell is not None:
                tell(answer)

        async with asyncio.TaskGroup() as tasks:
            for each in asked:
                tasks.create_task(one(each))
        return self.answers

    async def rounds(self, wanted: Callable[[], bool], tell: Callable[[Answer], None], every: float = EVERY) -> None:
        """Round after round, until cancelled. Servers that answer slowly are asked less often: half of the time at most
        is spent on asking.

        Args:
            wanted: whether anybody looks; nobody is asked while not.
            tell: is told each answer as it comes.
            every: seconds between the end of a round and the next one.
        """
        while True:
            if not wanted():
                await asyncio.sleep(0.2)
                continue
            began = time.monotonic()
            await self.once(tell)
            await asyncio.sleep(max(every, min(60.0, time.monotonic() - began)))

    async def glance(self, asked: Asked) -> Report | None:
        """Where one member stands, over a short session; None when it does not say. It counts among the answers."""
        not_asked = Unknown("only where it stands was asked")
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                session = await open_session(asked.router, self.wire, await asked.login(), _options(read_only=True))
                try:
                    standing, facts = await glance(session), session.facts
                finally:
                    await _close(session)
        except (ProblemError, Lost, ServerError, TimeoutError) as error:
            log.debug("%s does not say where it stands: %s", asked.name, error)
            return None
        report = Report(
            asked.name, facts.engine, facts.version, str(facts.session), facts.tls, standing, not_asked, not_asked,
            not_asked, (), time.time(), time.monotonic() - began,
        )  # fmt: skip
        self.answers = (*(one for one in self.answers if one.member != asked.name), report)
        return report

    async def end(self, asked: Asked, activity: Activity, ending: Ending) -> None:
        """Ends somebody's statement or session, over a session of its own.

        Raises:
            ProblemError: why not, or that it is not known whether it was done.
        """
        session = await open_session(asked.router, self.wire, await asked.login(), _options(read_only=False))
        try:
            async with asyncio.timeout(PATIENCE):
                await end(session, activity, ending)
        except Lost as loss:
            what = f"Whether session {activity.id} of {asked.name} was ended is not known"
            raise ProblemError(Problem(Cause.UNREACHABLE, what, str(loss.problem))) from loss
        except TimeoutError as error:
            what = f"{asked.name} did not say within {PATIENCE:g} s whether session {activity.id} was ended"
            raise ProblemError(Problem(Cause.TIMEOUT, what)) from error
        finally:
            await _close(session)

    async def _ask(self, asked: Asked) -> Answer:
        metrics: Metrics | Unknown | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                login = await asked.login()
                metrics = await asked.metrics(login) if asked.metrics is not None else None
                session = await open_session(asked.router, self.wire, login, _options(read_only=True))
                try:
                    return await self._look(asked.name, session, metrics)
                finally:
                    await _close(session)
        except ProblemError as error:
            problem = error.problem
        except Lost as loss:
            problem = loss.problem
        except ServerError as error:
            problem = Problem(Cause.REJECTED, f"{asked.name} did not answer", f"{error.message} ({error.code})")
        except TimeoutError:
            what = f"{asked.name} did not answer within {PATIENCE:g} s"
            problem = Problem(Cause.TIMEOUT, what, "", "It is asked again.")
        # A node's metrics answer when SQL does not, and then they are what counts.
        told = of_metrics(metrics) if isinstance(metrics, Metrics) else []
        return Silence(asked.name, problem, time.time(), tuple(told))

    async def _look(self, name: str, session: Session, metrics: Metrics | Unknown | None) -> Report:
        at, before = self._sizes.get(name, (0.0, None))
        if before is not None and time.monotonic() - at > SIZES_EVERY:
            before = None
        report = await look(session, sizes=before, metrics=metrics)
        if before is None:
            self._sizes[name] = (time.monotonic(), report.sizes)
        return report


def _options(*, read_only: bool) -> Options:
    return Options(read_only, STATEMENT, LOGIN, APPLICATION)


async def _close(session: Session) -> None:
    with contextlib.suppress(ProblemError, Lost, ServerError, OSError):
        await session.close()
