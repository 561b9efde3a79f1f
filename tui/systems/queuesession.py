"""A session with a broker: AMQP for messages, the management API for the rest, and which half is missing."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tui.kube.forward.forward import PATIENCE
from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.facts import Node, Overview
from tui.services.queue.model import Login, Refused
from tui.services.queue.operations import Check
from tui.services.queue.tls import Security
from tui.systems.live import Live
from tui.systems.queuelacks import Half, Lack, Spoken, lacking
from tui.systems.queueroutes import Port, QueueFinder, choices

if TYPE_CHECKING:
    from tui.services.queue.amqp import Broker
    from tui.services.queue.byname import Topology
    from tui.services.queue.management import Management

__all__ = ["Half", "Lack", "QueueSession", "Spoken", "Wish", "open_queue"]
T = TypeVar("T")
E = TypeVar("E", ProblemError, "ProblemError | Refused")

#: The question of health that each node answers for itself, and seconds to wait for one that hangs.
CRITICAL, PATIENCE_NODE = "node-is-quorum-critical", 2.0
#: Seconds for the login, beside those for the way to a ready pod; and for which a session waits for AMQP once the API
#: is there, where it need not have both from the first.
_PATIENCE_LOGIN, GRACE = 10.0, 1.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What a session is to be.

    Attributes:
        member: a pod's name, for that node and no other, ready or not; empty for any that is ready.
        patience: seconds to wait for a ready pod.
        writes: whether anything may be changed.
        amqp: whether messages are wanted; what is not wanted is no lack.
        management: whether the API is wanted.
        quick: whether the API will do at first, as soon as it lets one in: AMQP may come later, and `learn` tells what
            is missing of the API. With many queues the server takes a while for that.
    """

    member: str = ""
    patience: float = PATIENCE
    writes: bool = True
    amqp: bool = True
    management: bool = True
    quick: bool = False


class QueueSession:
    """What a console or a command has of a broker. At least one half is there.

    Attributes:
        login: who one is.
        broker: the first connection of AMQP, None without it.
        management: the API, None without it.
        overview: what it said first; None without it.
        lacks: what is missing, and why.
        amqp: how AMQP is reached, None without it.
        http: how the API is reached, None without it.
        writes: whether anything may be changed; the API refuses it otherwise, and so do those who send messages.
    """

    def __init__(self, live: Live, key: str, login: Login, security: Security, wish: Wish) -> None:
        """Is made by `open_queue`."""
        self.login = login
        self.writes = wish.writes
        self.broker: Broker | None = None
        self.management: Management | None = None
        self.overview: Overview | None = None
        self.lacks: list[Lack] = []
        self.amqp: Spoken | None = None
        self.http: Spoken | None = None
        self._live = live
        self._key = key
        self._security = security
        self._wish = wish
        self._nodes: dict[str, Management] = {}
        self._late: asyncio.Task[Broker] | None = None

    @property
    def version(self) -> str:
        """RabbitMQ's version; empty while unknown."""
        told = self.overview.rabbitmq_version if self.overview is not None else ""
        return told or (self.broker.version.rpartition(" ")[2] if self.broker is not None else "")

    def topology(self) -> Topology:
        """Who changes queues and exchanges whose names are known: the API, or AMQP in the login's virtual host."""
        if self.management is not None:
            return self.management
        from tui.services.queue.byname import ByName  # noqa: PLC0415  (loads the client)

        assert self.broker is not None  # noqa: S101 (one half is always there)
        return ByName(self.broker, writes=self.writes)

    async def dial(self, name: str = "statetui", *, member: str = "") -> Broker:
        """Another connection of AMQP: for a transfer of its own, or in place of one that is gone. The caller closes it.

        Args:
            name: as the broker's list of connections shows it.
            member: a pod's name, for that node and no other; empty for any that is ready.

        Raises:
            ProblemError: no node can be reached, or it does not let this user in.
        """
        from tui.services.queue.amqp import open_broker  # noqa: PLC0415  (loads the client)

        ports = (self.amqp.port,) if self.amqp is not None else self._choices(Port.AMQP, Port.AMQPS)
        remark = self.amqp.remark if self.amqp is not None else ""
        failed: list[ProblemError] = []
        for port in ports:
            try:
                context = self._context(port)
                way = await self._finder(port, member)()
                broker = await open_broker(
                    way, self.login, context=context, name=name, patience=_PATIENCE_LOGIN + self._wish.patience
                )
            except ProblemError as error:
                if error.problem.cause is Cause.CREDENTIALS:
                    raise
                remark = _remark(port, error.problem)
                failed.append(error)
                continue
            self.amqp = Spoken(port, _tls(context), remark)
            return broker
        raise _telling(failed)

    async def reconnect(self) -> Broker:
        """Puts another connection in the place of `broker`, which is gone or was never there.

        Raises:
            ProblemError: as `dial`; `broker` is None then, and what is missing is told by `lacks`.
        """
        old, self.broker = self.broker, None
        if self._late is not asyncio.current_task():
            self._give_up()
        if old is not None:
            await old.close()
        self._lack(Half.AMQP, None)
        try:
            self.broker = await self.dial()
        except ProblemError as error:
            self._lack(Half.AMQP, error.problem)
            raise
        self._lack(Half.AMQP, None)
        return self.broker

    def wait_for(self, amqp: asyncio.Task[Broker]) -> None:
        """Goes on without AMQP, which is missing until the task that connects it has ended."""
        self._late = amqp
        amqp.add_done_callback(lambda task: task.cancelled() or task.exception())  # `lacks` has it
        self._lack(Half.AMQP, Problem(
            Cause.TIMEOUT, "it has not answered yet", f"no login within {GRACE:.0f} s of the management API's",
            "It is waited for.",
        ))  # fmt: skip

    def _give_up(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            late.cancel()

    async def ask_management(self) -> None:
        """Reaches the API for the first time, or tries again. What is missing then is told by `lacks`.

        Raises:
            ProblemError: there is no API.
        """
        from tui.services.queue.management import Management  # noqa: PLC0415  (loads the client)

        old, self.management, self.overview, self.http = self.management, None, None, None
        if old is not None:
            await old.close()
        for half in (Half.MANAGEMENT, Half.STATISTICS, Half.NODES):
            self._lack(half, None)
        remark = ""
        failed: list[ProblemError | Refused] = []
        for port in self._choices(Port.MANAGEMENT, Port.MANAGEMENT_TLS):
            try:
                context = self._context(port)
            except ProblemError as error:
                failed.append(error)
                remark = _remark(port, error.problem)
                continue
            asked = Management(self._finder(port, ""), self.login, context=context, writes=self.writes,
                               connecting=self._wish.patience)  # fmt: skip
            self.management = asked
            try:
                if self._wish.quick:
                    self.overview = await asked.about()
                else:  # at once: with many queues the overview alone takes the server a while
                    told, nodes = await asyncio.gather(self.learn(), self.nodes(), return_exceptions=True)
                    _or_raise(told)
                    if not isinstance(nodes, ProblemError | Refused):
                        _or_raise(nodes)
            except (ProblemError, Refused) as error:
                self.management = None
                self._lack(Half.NODES, None)  # without the API that goes without saying
                await asked.close()
                failed.append(error)
                if error.problem.cause is Cause.CREDENTIALS:
                    break
                remark = _remark(port, error.problem)
                continue
            except BaseException:
                self.management = None
                await asked.close()
                raise
            self.http = Spoken(port, _tls(context), remark)
            return
        problem = _without_api(_telling(failed).problem)
        self._lack(Half.MANAGEMENT, problem)
        raise ProblemError(problem)

    async def learn(self) -> None:
        """Asks the API for the cluster as a whole, and with it whether there are statistics (`lacks`).

        Raises:
            ProblemError, Refused: it does not tell.
        """
        self.overview = found = await self._api.overview()
        none = Problem(
            Cause.CONFIG, "the server collects none", "management_agent.disable_metrics_collector",
            "Prometheus has them, where rabbitmq_prometheus is enabled.",
        )  # fmt: skip
        self._lack(Half.STATISTICS, none if found.disable_stats else None)

    async def nodes(self) -> list[Node]:
        """All nodes; where they are not told, `lacks` says so.

        Raises:
            ProblemError, Refused: they are not told.
        """
        try:
            found = await self._api.nodes()
        except (ProblemError, Refused) as error:
            self._lack(Half.NODES, error.problem)
            raise
        self._lack(Half.NODES, None)
        return found

    @property
    def _api(self) -> Management:
        assert self.management is not None  # noqa: S101 (who asks knows that it is there)
        return self.management

    def _lack(self, half: Half, problem: Problem | None) -> None:
        """Takes note that something is missing, or is not."""
        self.lacks = lacking(self.lacks, half, problem)

    async def critical(self, pods: Sequence[str]) -> dict[str, Check]:
        """Whether queues would lose their majority with a node. Each node knows it of itself alone.

        Args:
            pods: those whose nodes run.

        Returns:
            What each said; `well` is None for one that did not say within two seconds.
        """

        async def ask(pod: str) -> Check:
            try:
                async with asyncio.timeout(PATIENCE_NODE):
                    return await self._node(pod).check(CRITICAL)
            except TimeoutError:
                return Check(CRITICAL, None, f"{pod} did not answer in {PATIENCE_NODE:.0f} s")

        return dict(zip(pods, await asyncio.gather(*map(ask, pods)), strict=True))

    def _node(self, pod: str) -> Management:
        from tui.services.queue.management import Management  # noqa: PLC0415  (loads the client)

        api = self.management
        if api is not None and api.way is not None and api.way.member == pod:
            return api
        if pod not in self._nodes:
            port = self.http.port if self.http is not None else Port.MANAGEMENT
            finder = self._finder(port, pod)
            self._nodes[pod] = Management(finder, self.login, context=self._context(port), writes=False)
        return self._nodes[pod]

    async def close(self) -> None:
        """Ends all connections, and the ways."""
        self._give_up()
        for half in (self.broker, self.management, *self._nodes.values()):
            if half is not None:
                with contextlib.suppress(ProblemError, OSError, TimeoutError):
                    await half.close()
        self._nodes.clear()
        self.broker = self.management = None

    def _finder(self, port: Port, member: str) -> QueueFinder:
        name = self._security.name if port.tls else ""
        return QueueFinder(self._live, self._key, port, name, member or self._wish.member, self._wish.patience)

    def _choices(self, plain: Port, encrypted: Port) -> Sequence[Port]:
        shown = self.login.certificate is not None
        return choices(self._live, self._key, plain, encrypted, self._security, shown=shown)

    def _context(self, port: Port) -> ssl.SSLContext | None:
        return self._security.context(self.login.certificate) if port.tls else None


async def open_queue(
    live: Live, key: str, login: Login, security: Security, wish: Wish | None = None,
    *, reached: Callable[[Management], None] = lambda _: None,
) -> QueueSession:  # fmt: skip
    """Opens both halves at once; one will do.

    Args:
        live: the context.
        key: the workload's.
        login: who one is, and the virtual host.
        security: how the broker is spoken to.
        wish: what the session is to be.
        reached: told of the API as soon as it lets one in; AMQP may still be on its way.

    Raises:
        ProblemError: neither can be had: credentials that are refused are told before all else.
    """
    wish = wish or Wish()
    session = QueueSession(live, key, login, security, wish)

    async def management() -> None:
        await session.ask_management()
        assert session.management is not None  # noqa: S101 (it would have raised)
        reached(session.management)

    amqp = asyncio.create_task(session.reconnect()) if wish.amqp else None
    api = asyncio.create_task(management()) if wish.management else None
    wanted: list[asyncio.Task[Any]] = [task for task in (amqp, api) if task is not None]
    try:
        if wish.quick and api is not None and amqp is not None:
            await asyncio.wait([api])
            if api.exception() is None and not (await asyncio.wait([amqp], timeout=GRACE))[0]:
                session.wait_for(amqp)
                return session
        came = await asyncio.gather(*wanted, return_exceptions=True)
    except BaseException:
        for task in wanted:
            task.cancel()
        await session.close()
        raise
    failed = [one for one in came if isinstance(one, BaseException)]
    for error in failed:
        if not isinstance(error, ProblemError):
            await session.close()
            raise error
    if len(failed) == len(wanted):
        problems = [error.problem for error in failed if isinstance(error, ProblemError)]
        await session.close()
        raise ProblemError(next((one for one in problems if one.cause is Cause.CREDENTIALS), problems[0]))
    return session


def _or_raise(came: T | BaseException) -> T:
    if isinstance(came, BaseException):
        raise came
    return came


def _tls(context: ssl.SSLContext | None) -> str:
    if context is None:
        return "off"
    return "verified" if context.verify_mode is ssl.CERT_REQUIRED else "not verified"


def _telling(failed: Sequence[E]) -> E:
    """Of what went wrong at several ports what tells the most: an answer more than none, and then the last."""
    answers = [one for one in failed if one.problem.cause not in (Cause.UNREACHABLE, Cause.TIMEOUT)]
    return (answers or failed)[-1]


def _remark(port: Port, problem: Problem) -> str:
    """Why another port than the one that is preferred was taken."""
    return f"{port.text} on {port.number} did not do: {problem.evidence or problem.what}"


def _without_api(problem: Problem) -> Problem:
    """What helps where the port is closed."""
    if problem.cause is not Cause.UNREACHABLE:
        return problem
    return Problem(
        problem.cause, problem.what, problem.evidence,
        "`rabbitmq-plugins enable rabbitmq_management` on the nodes, or their enabled_plugins, opens it.",
    )  # fmt: skip
