"""Opens a context for a command: waits until all has come, and gives up with a reason when it will not."""

from __future__ import annotations

import asyncio
import logging
import time
from types import TracebackType

from tui import paths
from tui.commands.remarks import note
from tui.kube.feeds import Phase
from tui.kube.options import ConnectOptions
from tui.kube.presence import look_for
from tui.problem import Cause, Problem, ProblemError
from tui.systems.catalogue import load_catalogue
from tui.systems.live import Live, Update

log = logging.getLogger(__name__)

#: Seconds between two looks at what announces itself by no change.
LOOK = 0.05
#: Seconds after which a connection that fails counts as failed; one reset connection among six is no verdict.
STUBBORN = 1.0
#: Trouble that waiting does not cure.
_FINAL = (Cause.CONFIG, Cause.CREDENTIALS, Cause.PROTOCOL, Cause.INTERNAL)
#: The resources without which there is no workload to tell of.
_ESSENTIAL = ("statefulsets", "pods", "persistentvolumeclaims", "deployments", "daemonsets")


def live_for(options: ConnectOptions, *, usage: bool = False) -> Live:
    """A context that is not opened yet, with the systems that are known; what is wrong with their files is told.

    Args:
        options: which cluster.
        usage: whether figures of use are read.
    """
    catalogue = load_catalogue([paths.config_dir() / "systems"])
    for problem in catalogue.problems:
        note(str(problem))
    return Live(options, catalogue, usage=usage)


class Opening:
    """A context that is being opened, and watched for as long as this is entered."""

    def __init__(self, live: Live, timeout: float) -> None:
        """Opens nothing yet.

        Args:
            live: the context.
            timeout: seconds to wait for a complete answer.
        """
        self._live = live
        self._timeout = timeout
        self._news = asyncio.Event()
        self._complete = False
        self._failing_since: float | None = None
        self._state = "live"
        self._task: asyncio.Task[None] | None = None
        live.listeners.append(self._hear)

    async def __aenter__(self) -> Opening:
        """Starts to watch."""
        self._task = asyncio.create_task(self._live.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the watching, and closes everything that the context has open."""
        assert self._task is not None  # noqa: S101 (entered)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._live.close()

    async def arrive(self) -> bool:
        """Waits until everything has come. False when the time was over before: half of it would make wrong workloads.

        Raises:
            ProblemError: nothing has come and nothing will.
        """
        deadline = time.monotonic() + self._timeout
        while not self._complete:
            self._refuse()
            if time.monotonic() >= deadline:
                self._give_up()
                return False
            await self.wait(LOOK if self._failing_since else deadline - time.monotonic())
        self._refuse()
        return True

    async def arrive_whole(self, *too: str, option: str = "--wait") -> None:
        """Waits until everything has come, and what workloads can do without as well.

        Args:
            too: resources of the latter kind, by their names.
            option: the command's, that gives it longer.

        Raises:
            ProblemError: nothing will come, or not all has come in time.
        """
        if not (await self.arrive() and all([await self.arrive_too(resource) for resource in too])):
            raise ProblemError(
                Problem(
                    Cause.TIMEOUT,
                    f"not all has come within {self._timeout:g} s",
                    f"still waiting for {', '.join(self.late)}",
                    f"Give it longer with {option}, or name a namespace with -n.",
                )
            )

    async def arrive_too(self, resource: str) -> bool:
        """Waits for what workloads can do without (Services), or until it is known not to come. False: out of time."""
        deadline = time.monotonic() + self._timeout
        while self._live.forwards is None or self._live.forwards.known(resource) is None:
            if time.monotonic() >= deadline:
                return False
            await self.wait(LOOK)
        return True

    async def wait(self, seconds: float) -> None:
        """Waits for news, as long as that; raises what has ended the watching."""
        assert self._task is not None  # noqa: S101 (entered)
        self._news.clear()
        news = asyncio.ensure_future(self._news.wait())
        try:
            done, _ = await asyncio.wait((news, self._task), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
        if self._task in done:
            self._task.result()

    def wake(self) -> None:
        """There is news from elsewhere."""
        self._news.set()

    @property
    def late(self) -> list[str]:
        """The resources that have not come yet, as RBAC spells them, with how far they are."""
        feeds = self._live.cluster.feeds.values() if self._live.cluster is not None else ()
        return [f"{feed.resource.rbac} ({feed.phase.value})" for feed in feeds if not feed.settled]

    def tell_connection(self) -> None:
        """Says on stderr when the connection has come into another state."""
        connection = self._live.cluster.connection if self._live.cluster else None
        if connection is None or connection.state == self._state:
            return
        reason = f": {connection.problem}" if connection.problem and connection.state != "live" else ""
        note(f"the connection is {connection.state}{reason}")
        self._state = connection.state

    def _hear(self, update: Update) -> None:
        # Not `live.complete`: the objects are there a moment before the workloads are made of them.
        self._complete = self._complete or update.complete
        self._news.set()

    def _refuse(self) -> None:
        """Raises when what is known already says that no answer will come."""
        if self._live.problem is not None:
            raise ProblemError(self._live.problem)
        cluster = self._live.cluster
        if cluster is None:
            return
        connection = cluster.connection
        if connection.state != "failed" or connection.problem is None:
            self._failing_since = None
        elif connection.problem.cause in _FINAL or self._failed_for(STUBBORN):
            raise ProblemError(connection.problem)
        essential = [feed for feed in cluster.feeds.values() if feed.resource.plural in _ESSENTIAL]
        refused = [feed for feed in essential if feed.phase is Phase.FORBIDDEN and feed.problem is not None]
        if cluster.complete and essential and len(refused) == len(essential):
            evidence = refused[0].problem.evidence if refused[0].problem else ""
            raise ProblemError(_nothing_allowed(evidence, cluster.scope.text))

    def _failed_for(self, seconds: float) -> bool:
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        return now - self._failing_since >= seconds

    def _give_up(self) -> None:
        """The time is over: raises when nothing at all has come."""
        cluster = self._live.cluster
        if cluster is not None and any(feed.settled for feed in cluster.feeds.values()):
            return
        problem = cluster.connection.problem if cluster is not None else None
        where = self._live.context.server if self._live.context else "the cluster"
        raise ProblemError(
            Problem(
                Cause.TIMEOUT,
                f"{where} gave no answer within {self._timeout:g} s",
                str(problem or ""),
                "`statetui doctor` looks at each step.",
            )
        )


def _nothing_allowed(evidence: str, scope: str) -> Problem:
    return Problem(
        Cause.FORBIDDEN,
        f"this user may read no workloads in {scope}",
        evidence,
        "Name a namespace that you may read with -n, or ask for the rights that `statetui doctor` lists.",
    )


async def tell_nowhere(live: Live) -> bool:
    """Says where the namespace that was asked for does not exist, or may not. Returns whether that is certain."""
    api, cluster = live.api, live.cluster
    namespace = live.options.namespace
    if api is None or cluster is None or cluster.lookout is None or namespace is None:
        return False
    try:
        presence = cluster.lookout.presence or await look_for(api, namespace)
    except ProblemError as error:
        log.info("the namespace: %s", error.problem)
        return False
    if presence.exists is None:
        note(f"or there is no namespace {presence.namespace}: namespaces may not be read ({presence.reason})")
    elif not presence.exists:
        near = f"; did you mean {' or '.join(presence.near)}?" if presence.near else ""
        note(f"there is no namespace {presence.namespace}{near}")
    return presence.exists is False
