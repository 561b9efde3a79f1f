"""A broker that keeps its queues in memory, and a queue console in front of it."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fakes import FakeLive, app_for, claim, member, sample, workload
from textual.pilot import Pilot

from tui.consoles.guard import Guard
from tui.consoles.queue.client import Opened
from tui.consoles.queue.screen import QueueConsole
from tui.consoles.queue.values import (
    Came,
    Cluster,
    Consumer,
    Detail,
    Facts,
    Far,
    Move,
    Node,
    OpenChannel,
    OpenConnection,
    Permission,
    Place,
    Policy,
    Publication,
    QueueWish,
    Told,
    User,
)
from tui.problem import Cause, Problem, ProblemError
from tui.services.queue import facts
from tui.services.queue.model import Login, Message, Properties, Refused, Returned, Settle
from tui.systems.credentialsearch import Looked, Outcome
from tui.systems.model import Kind, Role
from tui.systems.queuekeys import FoundLogins
from tui.systems.queuesession import Half, Lack

SIZES = [(80, 24), (140, 40)]
WHEN = dt.datetime(2026, 11, 27, 12, 3, 7, tzinfo=dt.UTC)
LOGIN = Login("user", "hunter2-hunter2", "/", "Secret stateful/rabbitmq, key rabbitmq-password")
OTHER = Login("monitor", "swordfish", "/", "Secret stateful/rabbitmq-monitor, key password")
FOUND = FoundLogins((LOGIN, OTHER))
FORBIDDEN = FoundLogins(
    (),
    looked=(
        Looked("Secret stateful/rabbitmq, key rabbitmq-password", Outcome.FORBIDDEN, 'secrets "rabbitmq" is forbidden',
               "get secrets/rabbitmq in namespace stateful"),
    ),
    user="user",
)  # fmt: skip
FACTS = Facts("RabbitMQ 4.0.5", "user", "/", "off", "rabbitmq-0", "rabbit@rabbitmq-0")
EVIL = "a\x1b[31mred\n\u202eevil[b]x[/b]"
NODES = [f"rabbit@rabbitmq-{at}.rabbitmq-headless.stateful.svc.cluster.local" for at in range(3)]
Mi, Gi = 2**20, 2**30


def refused(code: int, words: str) -> Refused:
    """As the clients raise it."""
    return Refused(code, Problem(Cause.REJECTED, "The broker refused it", words, "Another name would do."))


def rabbit() -> Any:
    """The workload."""
    return workload(
        "rabbitmq", kind=Kind.QUEUE, system="rabbitmq", title="RabbitMQ", key="stateful/rabbitmq/rabbitmq",
        members=[
            member(f"rabbitmq-{at}", role=Role("node"), claims=(claim(f"data-rabbitmq-{at}", 0.31, size=Gi),))
            for at in range(3)
        ],
    )  # fmt: skip


def node(at: int, **changes: Any) -> Node:
    """A node that is well."""
    critical = changes.pop("critical", None)
    told = {
        "name": NODES[at], "running": True, "uptime": 3 * 3600_000 + 7 * 60_000, "mem_used": 106 * Mi,
        "mem_limit": 400 * Mi, "mem_alarm": False, "disk_free": 700 * Mi, "disk_free_limit": 48 * Mi,
        "disk_free_alarm": False, "fd_used": 45, "fd_total": 20000, "proc_used": 421, "proc_total": 1048576,
        "being_drained": False, "applications": [{"name": "rabbit", "version": "4.0.5"}],
    }  # fmt: skip
    return Node(facts.Node(**(told | changes)), critical)


def queue(name: str, ready: int | None = 0, vhost: str = "/", **changes: Any) -> facts.Queue:
    """A queue with its statistics."""
    held = changes.pop("unacked", 0 if ready is not None else None)
    into, out = changes.pop("rates", (0.0, 0.0))
    stats = facts.MessageStats(facts.Rate(into), facts.Rate(out), facts.Rate(out)) if into is not None else None
    told: dict[str, Any] = {
        "type": "classic", "state": "running", "messages_ready": ready, "messages_unacknowledged": held,
        "messages": None if ready is None else ready + (held or 0), "consumers": 1, "memory": 50_000,
        "leader": NODES[0], "message_stats": stats,
    }  # fmt: skip
    return facts.Queue(name, vhost, **(told | changes))


def message(body: bytes, key: str = "orders", **more: Any) -> Message:
    """One as it came."""
    told = more.pop("properties", Properties(content_type="application/json", delivery_mode=2))
    return Message(body, told, more.pop("exchange", ""), key, more.pop("tag", 1), more.pop("redelivered", False))


class FakeHeld:
    """Messages that were taken."""

    def __init__(self, broker: FakeBroker, place: Place, messages: list[Message]) -> None:
        self.broker, self.place, self.messages = broker, place, messages
        self._open = {id(one) for one in messages}
        self.problem: Problem | None = None

    @property
    def open(self) -> int:
        return len(self._open)

    def is_open(self, message: Message) -> bool:
        return id(message) in self._open

    def lost(self) -> Problem | None:
        return self.problem

    async def settle(self, messages: Sequence[Message], how: Settle) -> int:
        self.broker._ask("settle", how.value, [one.body for one in messages])
        mine = [one for one in messages if id(one) in self._open]
        self._open -= {id(one) for one in mine}
        if how is not Settle.REQUEUE:
            gone = {id(one) for one in mine}
            kept = [one for one in self.broker.messages[self.place.name] if id(one) not in gone]
            self.broker.messages[self.place.name] = kept
        return len(mine)

    async def close(self) -> None:
        self.broker._ask("back", self.place.name, self.open)
        self._open = set()


class FakeBroker:
    """As a connected broker.

    Attributes:
        asked: what was asked, in order.
        problem: raised by everything.
        gate: publications and moves wait for it; told before is what they tell.
        pages: pages of queues wait for it.
        whole: raised by the question for all queues.
    """

    def __init__(self) -> None:
        self.facts = FACTS
        self.stored: list[facts.Queue] = []
        self.node_list = [node(0), node(1), node(2)]
        self.exchange_list: list[facts.Exchange] = []
        self.binding_list: list[facts.Binding] = []
        self.connection_list: list[OpenConnection] = []
        self.channel_list: list[OpenChannel] = []
        self.policy_list: list[Policy] = []
        self.vhost_list = [facts.Vhost("/", 12, "classic"), facts.Vhost("shop", 3, "quorum")]
        self.user_list: list[User] = []
        self.messages: dict[str, list[Message]] = {}
        self.consumers: list[Consumer] = []
        self.defined: dict[str, Any] = {"queues": [], "exchanges": []}
        self.asked: list[tuple[Any, ...]] = []
        self.problem: Exception | None = None
        self.tails: asyncio.Queue[Sequence[Message] | Exception | None] = asyncio.Queue()
        self.gate: asyncio.Event | None = None
        self.pages: asyncio.Event | None = None
        self.whole: Exception | None = None
        self.before = Far(0)
        self.came: Came | Exception | None = None
        self.waits = ""
        self.closed = False
        self.held: list[FakeHeld] = []
        self.other_brokers: dict[str, str] = {}
        self.out_of_reach: Exception | None = None

    def _ask(self, *what: Any) -> None:
        self.asked.append(what)
        if self.problem is not None:
            raise self.problem

    def all(self, what: str) -> list[tuple[Any, ...]]:
        """What was asked of one kind."""
        return [one for one in self.asked if one[0] == what]

    def blocked(self) -> str:
        return self.waits

    async def cluster(self) -> Cluster:
        self._ask("cluster")
        overview = facts.Overview("4.0.5", "rabbit@rabbitmq-0", NODES[0], facts.Totals(12, 10, 2),
                              facts.Objects(2, 3, 8, len(self.stored), 4))  # fmt: skip
        checks = (("alarms", True, ""), ("node-is-quorum-critical", False, "1 queue: orders"))
        return Cluster(overview, ("khepri_db",), ("transient_nonexcl_queues",), checks)

    async def learn(self) -> None:
        self._ask("learn")

    async def nodes(self) -> Sequence[Node]:
        self._ask("nodes")
        return self.node_list

    async def queues(self, *, vhost: str, name: str, regex: bool, page: int, size: int) -> facts.QueuePage:
        self._ask("queues", vhost, name, page)
        if self.pages is not None:
            await self.pages.wait()
        found = [one for one in self.stored if (not vhost or one.vhost == vhost) and name in one.name]
        start = (page - 1) * size
        return facts.QueuePage(found[start : start + size], page, -(-len(found) // size), len(found), len(self.stored))

    async def all_queues(self, *, vhost: str, name: str, regex: bool) -> AsyncIterator[Sequence[facts.Queue]]:
        self._ask("all-queues", vhost, name)
        if self.whole is not None:
            raise self.whole
        found = [one for one in self.stored if (not vhost or one.vhost == vhost) and name in one.name]
        yield found[:500]
        yield found[500:]

    async def queue(self, place: Place) -> Detail:
        self._ask("queue", place.name)
        found = [one for one in self.stored if (one.vhost, one.name) == (place.vhost, place.name)]
        if not found:
            raise refused(404, f"no queue '{place.name}' in vhost '{place.vhost}'")
        leads = [one for one in self.binding_list if one.destination == place.name and one.destination_type == "queue"]
        return Detail(found[0], [facts.Binding("", place.name, place.vhost, routing_key=place.name), *leads],
                      self.consumers)  # fmt: skip

    async def exchanges(self, vhost: str = "") -> Sequence[facts.Exchange]:
        self._ask("exchanges")
        return self.exchange_list

    async def bindings(self, vhost: str) -> Sequence[facts.Binding]:
        self._ask("bindings", vhost)
        return self.binding_list

    async def connections(self) -> Sequence[OpenConnection]:
        self._ask("connections")
        return self.connection_list

    async def channels(self) -> Sequence[OpenChannel]:
        self._ask("channels")
        return self.channel_list

    async def close_connection(self, name: str, reason: str) -> None:
        self._ask("close-connection", name, reason)
        self.connection_list = [one for one in self.connection_list if one.name != name]

    async def policies(self) -> Sequence[Policy]:
        self._ask("policies")
        return self.policy_list

    async def vhosts(self) -> Sequence[facts.Vhost]:
        self._ask("vhosts")
        return self.vhost_list

    async def users(self) -> Sequence[User]:
        self._ask("users")
        return self.user_list

    async def declare_queue(self, wish: QueueWish) -> None:
        self._ask("declare", wish)
        kind = wish.arguments.get("x-queue-type", "classic")
        for one in self.stored:
            if one.name == wish.place.name and one.type != kind:
                raise refused(406, f"inequivalent arg 'x-queue-type' for queue '{one.name}': received '{kind}' but "
                                   f"current is '{one.type}'")  # fmt: skip
        self.stored.append(queue(wish.place.name, 0, wish.place.vhost, type=kind, arguments=dict(wish.arguments)))

    async def delete_queue(self, place: Place, *, if_empty: bool, if_unused: bool) -> None:
        self._ask("delete", place.name, if_empty, if_unused)
        self.stored = [one for one in self.stored if one.name != place.name]

    async def purge_queue(self, place: Place) -> None:
        self._ask("purge", place.name)
        self.stored = [queue(one.name, 0, one.vhost) if one.name == place.name else one for one in self.stored]

    async def declare_exchange(self, place: Place, kind: str, arguments: Mapping[str, Any]) -> None:
        self._ask("exchange", place.name, kind, dict(arguments))
        self.exchange_list = [*self.exchange_list, facts.Exchange(place.name, place.vhost, kind)]

    async def delete_exchange(self, place: Place, *, if_unused: bool) -> None:
        self._ask("delete-exchange", place.name)
        self.exchange_list = [one for one in self.exchange_list if one.name != place.name]

    async def bind(self, exchange: Place, to: str, kind: str, key: str, arguments: Mapping[str, Any]) -> None:
        self._ask("bind", exchange.name, to, kind, key)
        self.binding_list = [*self.binding_list, facts.Binding(exchange.name, to, exchange.vhost, kind, key)]

    async def unbind(self, binding: facts.Binding) -> None:
        self._ask("unbind", binding.source, binding.destination)
        self.binding_list = [one for one in self.binding_list if one != binding]

    async def set_policy(self, policy: Policy) -> None:
        self._ask("policy", policy)
        self.policy_list = [*self.policy_list, policy]

    async def delete_policy(self, place: Place) -> None:
        self._ask("delete-policy", place.name)
        self.policy_list = [one for one in self.policy_list if one.place != place]

    async def declare_vhost(self, name: str, kind: str) -> None:
        self._ask("vhost", name, kind)
        self.vhost_list = [*self.vhost_list, facts.Vhost(name, 0, kind or None)]

    async def delete_vhost(self, name: str) -> None:
        self._ask("delete-vhost", name)
        self.vhost_list = [one for one in self.vhost_list if one.name != name]

    async def set_user(self, name: str, password: str | None, tags: Sequence[str]) -> None:
        self._ask("user", name, password, tuple(tags))
        if name not in [one.name for one in self.user_list]:
            self.user_list = [*self.user_list, User(name, tuple(tags))]

    async def delete_user(self, name: str) -> None:
        self._ask("delete-user", name)
        self.user_list = [one for one in self.user_list if one.name != name]

    async def set_permission(self, permission: Permission) -> None:
        self._ask("permission", permission)

    async def delete_permission(self, vhost: str, user: str) -> None:
        self._ask("delete-permission", vhost, user)

    async def _job(self, told: Told) -> Came:
        told(self.before)
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.came, Exception):
            raise self.came
        return self.came or Came(self.before.total or 1)

    async def publish(self, publication: Publication, told: Told) -> Came:
        self._ask("publish", publication)
        return await self._job(told)

    def others(self) -> Mapping[str, str]:
        return self.other_brokers

    async def reach(self, move: Move) -> None:
        self._ask("reach", move)
        if isinstance(self.out_of_reach, Exception):
            raise self.out_of_reach

    async def move(self, move: Move, told: Told) -> Came:
        self._ask("move", move)
        return await self._job(told)

    async def take(self, place: Place, count: int) -> FakeHeld:
        self._ask("take", place.name, count)
        taken = {id(one) for held in self.held for one in held.messages if held.is_open(one)}
        free = [one for one in self.messages.get(place.name, []) if id(one) not in taken]
        held = FakeHeld(self, place, free[:count])
        self.held.append(held)
        return held

    async def browse(self, place: Place, offset: int | str | dt.datetime, count: int) -> Sequence[Message]:
        self._ask("browse", place.name, offset)
        start = offset if isinstance(offset, int) else 0
        return self.messages.get(place.name, [])[start : start + count]

    async def tail(self, vhost: str, exchange: str, key: str, queue: str) -> AsyncIterator[Sequence[Message]]:
        self._ask("tail", exchange, key, queue)
        while (came := await self.tails.get()) is not None:
            if isinstance(came, Exception):
                raise came
            yield came

    async def definitions(self, vhost: str, *, secrets: bool) -> Mapping[str, Any]:
        self._ask("definitions", vhost, secrets)
        return self.defined

    async def put_definitions(self, definitions: Mapping[str, Any], vhost: str) -> None:
        self._ask("import", vhost, definitions)

    async def close(self) -> None:
        self.closed = True


class FakeAccess:
    """As `LiveAccess`."""

    def __init__(self, broker: FakeBroker, found: FoundLogins = FOUND) -> None:
        self.context = "real-cluster"
        self.broker = broker
        self.found = found
        self.opened: list[tuple[Login, bool]] = []
        self.problem: Problem | None = None
        self.gate: asyncio.Event | None = None
        self.pages: asyncio.Event | None = None

    @property
    def workload(self) -> Any:
        return rabbit()

    async def look(self) -> FoundLogins:
        return self.found

    async def open(self, login: Login, found: FoundLogins, *, read_only: bool) -> Opened:
        self.opened.append((login, read_only))
        if self.gate is not None:
            await self.gate.wait()
        if self.problem is not None:
            raise ProblemError(self.problem)
        self.broker.facts = replace(self.broker.facts, user=login.user, vhost=login.vhost)
        return Opened(self.broker, login)


def without(half: Half, what: str, remedy: str = "") -> Facts:
    """The facts of a broker that lacks something."""
    return replace(FACTS, lacks=(Lack(half, Problem(Cause.UNREACHABLE, what, "connection refused", remedy)),))


def full_broker() -> FakeBroker:
    """Queues of every kind and state, and everything around them."""
    broker = FakeBroker()
    broker.stored = [
        queue("orders", 1204, type="quorum", members=NODES, online=NODES, rates=(12.4, 11.8), unacked=20, consumers=3,
              policy="limits", arguments={"x-queue-type": "quorum", "x-dead-letter-exchange": "dlx",
                                          "x-dead-letter-routing-key": "orders"}),
        queue("orders.dead", 7, consumers=0), queue("events", 3, type="stream", members=NODES, online=NODES[:2]),
        queue("growing", 50_000, rates=(3400.0, 10.0)),
        queue("shop.carts", 3, "shop", type="quorum", members=NODES, online=NODES[:1], state="minority", consumers=0),
        queue("silent", None, consumers=None, memory=None, rates=(None, None), state=None),
    ]  # fmt: skip
    broker.exchange_list = [
        facts.Exchange("", type="direct"), facts.Exchange("amq.topic", type="topic"),
        facts.Exchange("dlx", type="fanout"),
        facts.Exchange("shop", type="topic", arguments={"alternate-exchange": "unrouted"}),
    ]  # fmt: skip
    broker.binding_list = [
        facts.Binding("shop", "orders", routing_key="order.#", properties_key="order.%23"),
        facts.Binding("shop", "dlx", destination_type="exchange", routing_key="void"),
        facts.Binding("dlx", "orders.dead"),
    ]  # fmt: skip
    broker.connection_list = [
        OpenConnection("10.1.0.7:51244 -> 10.1.0.9:5672", "billing", "billing", "/", NODES[0], "blocked", False, 2,
                       "aio-pika 9.5", WHEN, (1200.0, 300.0)),
        OpenConnection("10.1.0.8:51245 -> 10.1.0.9:5672", "", "user", "shop", NODES[1], "running", True, 1),
    ]  # fmt: skip
    broker.channel_list = [
        OpenChannel("10.1.0.7:51244 -> 10.1.0.9:5672 (1)", "10.1.0.7:51244 -> 10.1.0.9:5672", "billing", "/", "flow",
                    3, 0, 20, 4, True),
    ]  # fmt: skip
    broker.policy_list = [Policy(Place("/", "limits"), "^orders", "queues", 5, {"max-length": 10000})]
    broker.user_list = [
        User("user", ("administrator",), (Permission("user", "/", ".*", ".*", ".*"),
             Permission("user", "shop", "", "", "^c"))),
        User("nobody"),
    ]  # fmt: skip
    broker.consumers = [Consumer("ctag1.1", "10.1.0.7:51244 -> 10.1.0.9:5672 (1)", 10, True, True)]
    headers = {"x-delivery-count": 3, "tenant": "a\x1b[2J", "nested": {"deep": [1, 2]}}
    broker.messages = {
        "orders": [
            message(b'{"id": 1, "total": 1.10, "text": "Gr\xc3\xbc\xc3\x9fe"}'),
            message(b"plain text\nof two lines", redelivered=True,
                    properties=Properties("text/plain", headers=headers)),
            message(bytes(range(256)), "binary", properties=Properties()),
            message(b"\x83\xa2id\x07\xa5items\x92\x01\x02\xa4text\xa5hello", "packed"),
            message(EVIL.encode(), EVIL), message(b""),
        ],
        "events": [
            message(f"event {at}".encode(), "e", properties=Properties(headers={"x-stream-offset": at}))
            for at in range(120)
        ],
    }  # fmt: skip
    return broker


def many(count: int = 20_000) -> FakeBroker:
    """A broker with many queues."""
    broker = FakeBroker()
    broker.stored = [queue(f"queue-{at:05}", at % 7, consumers=at % 3) for at in range(count)]
    return broker


def undeliverable() -> Came:
    """What came of a publication that no queue took in part."""
    return Came(2, 1, undeliverable=(Returned(message(b"lost", "nowhere"), "NO_ROUTE"),))


def console(access: FakeAccess, **guard: Any) -> QueueConsole:
    """A console in front of a broker; `guard` as for `Guard`."""
    return QueueConsole(access, "rabbitmq", Guard(**guard))


def app(**more: Any) -> Any:
    """The app with the workloads that a console belongs to; `more` as for `app_for`."""
    return app_for(FakeLive(sample()), **more)


async def until(pilot: Pilot[Any], met: Callable[[], object], seconds: float = 60.0) -> None:
    """Waits until something holds."""
    end = asyncio.get_running_loop().time() + seconds
    while not met():
        assert asyncio.get_running_loop().time() < end, "it did not come about"
        await pilot.pause(0.02)


async def opened(pilot: Pilot[Any], broker: FakeBroker, **guard: Any) -> QueueConsole:
    """The console, connected and with its queues read."""
    screen = console(FakeAccess(broker), **guard)
    await pilot.app.push_screen(screen)
    await until(pilot, lambda: screen.queues is not None and screen.queues.begun and len(screen.vhosts))
    await until(pilot, lambda: len(screen.listed.rows) >= min(len(broker.stored), 1))
    return screen


async def turn(pilot: Pilot[Any], screen: QueueConsole, key: str) -> None:
    """Opens a tab by its key."""
    await pilot.press(key)
    at = int(key) - 1
    await until(pilot, lambda: screen.tab == at and (at == 0 or at in screen.items))
    await pilot.pause()
