"""What the screens need of a broker: facts, changes, messages. Whatever fails raises one of `ERRORS`."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from tui.problem import Cause, Problem, ProblemError
from tui.services.queue import facts as topology
from tui.services.queue.model import Login, Lost, Message, Properties, Refused, Returned
from tui.systems.queuesession import Half, Lack

#: What a call of a client may raise.
ERRORS = (ProblemError, Refused, Lost, OSError, TimeoutError)


def problem_of(error: BaseException) -> Problem:
    """What a person is told of an error."""
    if isinstance(error, ProblemError | Refused | Lost):
        return error.problem
    return Problem(Cause.UNREACHABLE, "The broker gave no answer", str(error) or type(error).__name__)


@dataclass(frozen=True, slots=True)
class Facts:
    """Of the broker and the connection, for the first line.

    Attributes:
        product: with its version, as the broker says it.
        user: who one is.
        vhost: the virtual host that messages go to unless another is meant.
        tls: how, or `off`.
        member: the pod that answers.
        cluster: what the broker calls its cluster.
        lacks: what is missing, and why.
    """

    product: str
    user: str
    vhost: str
    tls: str
    member: str
    cluster: str = ""
    lacks: tuple[Lack, ...] = ()

    def lack(self, half: Half) -> Problem | None:
        """Why something is missing, None when it is there."""
        return next((one.problem for one in self.lacks if one.half is half), None)


@dataclass(frozen=True, slots=True)
class Place:
    """Something that has a name in a virtual host."""

    vhost: str
    name: str

    @property
    def key(self) -> str:
        """A key for rows; neither part can hold the separator of the other."""
        return f"{self.vhost}\0{self.name}"


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """A client's connection to the broker.

    Attributes:
        name: the broker's own (`127.0.0.1:4711 -> 10.0.0.3:5672`), by which it is closed.
        label: what the client calls itself.
        state: `running`, `blocked` (publishes, and the broker takes nothing), `blocking`, `flow`.
        rates: bytes a second from the client and to it, None while unknown.
    """

    name: str
    label: str = ""
    user: str = ""
    vhost: str = ""
    node: str = ""
    state: str = ""
    tls: bool = False
    channels: int | None = None
    product: str = ""
    since: dt.datetime | None = None
    rates: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """A channel of a connection."""

    name: str
    connection: str = ""
    user: str = ""
    vhost: str = ""
    state: str = ""
    consumers: int | None = None
    prefetch: int | None = None
    unacknowledged: int | None = None
    unconfirmed: int | None = None
    confirms: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy; the one of the highest priority that matches holds."""

    place: Place
    pattern: str
    applies: str
    priority: int
    definition: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Permission:
    """What a user may configure, write and read in a virtual host, as patterns; an empty one allows nothing."""

    user: str
    vhost: str
    configure: str
    write: str
    read: str


@dataclass(frozen=True, slots=True)
class User:
    """A user and where he may do what."""

    name: str
    tags: tuple[str, ...] = ()
    permissions: tuple[Permission, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A node with what only some servers tell.

    Attributes:
        facts: what all tell.
        critical: whether queues lose their quorum with it; None while unknown.
        note: what could not be asked.
    """

    facts: topology.Node
    critical: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Consumer:
    """Who takes messages of a queue."""

    tag: str
    channel: str
    prefetch: int
    acknowledges: bool
    active: bool


@dataclass(frozen=True, slots=True)
class Detail:
    """One queue with what leads to it and who takes from it."""

    queue: topology.Queue
    bindings: Sequence[topology.Binding]
    consumers: Sequence[Consumer] = ()


@dataclass(frozen=True, slots=True)
class QueueWish:
    """A queue that is to be declared."""

    place: Place
    durable: bool = True
    auto_delete: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Publication:
    """What is to be published.

    Attributes:
        vhost: the virtual host.
        exchange: empty for the one that leads to the queue of the routing key's name.
        count: how many.
        rate: messages a second at most, None for as fast as the broker confirms.
        template: whether `{n}` in body and routing key becomes the message's number, counted from 1.
    """

    vhost: str
    exchange: str
    routing_key: str
    body: bytes
    properties: Properties = field(default_factory=Properties)
    count: int = 1
    rate: float | None = None
    template: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """Messages that are to go from a queue to another, or to an exchange.

    Attributes:
        exchange: empty for the queue that `routing_key` names.
        routing_key: empty for the one that each message has.
        count: how many at most; None for all that are there at the beginning.
        copy: whether they stay where they are as well.
        stream: whether the source is a stream, which can only be copied from.
    """

    source: Place
    exchange: str
    routing_key: str
    count: int | None = None
    copy: bool = False
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Far:
    """How far something is.

    Attributes:
        total: None while unknown.
        returned: how many no queue took.
        rejected: how many the broker refused.
        waits: what it waits for (`blocked: low on memory`), empty while it goes on.
    """

    done: int
    total: int | None = None
    returned: int = 0
    rejected: int = 0
    waits: str = ""


#: Is told how far something is.
Told: TypeAlias = Callable[[Far], None]


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a publication or a move.

    Attributes:
        done: messages that the broker has.
        undeliverable: the last of those that no queue took.
        doubled: how many may be there twice, or may not have arrived, because the connection went before the answer.
    """

    done: int
    returned: int = 0
    rejected: int = 0
    undeliverable: Sequence[Returned] = ()
    doubled: int = 0


class Settle(StrEnum):
    """What becomes of a message that was taken."""

    ACKNOWLEDGE = "acknowledge"
    REQUEUE = "requeue"
    REJECT = "reject"


class Held(Protocol):
    """Messages that were taken from a queue and are not settled: the broker keeps them for us until then."""

    @property
    def messages(self) -> Sequence[Message]:
        """All that were taken."""
        ...

    @property
    def open(self) -> int:
        """How many are not settled."""
        ...

    def is_open(self, message: Message) -> bool:
        """Whether a message is not settled."""
        ...

    def lost(self) -> Problem | None:
        """Why they went back without us, None while they are ours."""
        ...

    async def settle(self, messages: Sequence[Message], how: Settle) -> int:
        """Acknowledges them (they are gone), puts them back, or rejects them (dead-lettered, or dropped).

        Returns:
            How many were settled by this.
        """
        ...

    async def close(self) -> None:
        """Gives back what is not settled."""
        ...


class Client(Protocol):
    """A broker that one is connected to."""

    @property
    def facts(self) -> Facts:
        """Of the broker and the connection, as they are now."""
        ...

    def blocked(self) -> str:
        """Why the broker takes nothing from publishers now; empty when it does, or when that is not known."""
        ...

    async def overview(self) -> topology.Overview:
        """The cluster as a whole."""
        ...

    async def nodes(self) -> Sequence[Node]:
        """All nodes."""
        ...

    async def queues(self, *, vhost: str, name: str, regex: bool, page: int, size: int) -> topology.QueuePage:
        """A page of queues in the server's order."""
        ...

    async def queue(self, place: Place) -> Detail:
        """One queue."""
        ...

    async def exchanges(self, vhost: str = "") -> Sequence[topology.Exchange]:
        """The exchanges of a virtual host, or of all."""
        ...

    async def bindings(self, vhost: str) -> Sequence[topology.Binding]:
        """The bindings of a virtual host."""
        ...

    async def connections(self) -> Sequence[OpenConnection]:
        """Who is connected."""
        ...

    async def channels(self) -> Sequence[OpenChannel]:
        """Their channels."""
        ...

    async def close_connection(self, name: str, reason: str) -> None:
        """Ends somebody's connection; the client is told the reason."""
        ...

    async def policies(self) -> Sequence[Policy]:
        """All policies."""
        ...

    async def vhosts(self) -> Sequence[topology.Vhost]:
        """The virtual hosts that this user may see."""
        ...

    async def users(self) -> Sequence[User]:
        """Users with their permissions."""
        ...

    async def declare_queue(self, wish: QueueWish) -> None:
        """Makes a queue; one that is there and alike stays."""
        ...

    async def delete_queue(self, place: Place, *, if_empty: bool, if_unused: bool) -> None:
        """Deletes a queue with its messages."""
        ...

    async def purge_queue(self, place: Place) -> None:
        """Deletes the messages that are ready."""
        ...

    async def declare_exchange(self, place: Place, kind: str, arguments: Mapping[str, Any]) -> None:
        """Makes an exchange."""
        ...

    async def delete_exchange(self, place: Place, *, if_unused: bool) -> None:
        """Deletes an exchange."""
        ...

    async def bind(self, exchange: Place, to: str, kind: str, key: str, arguments: Mapping[str, Any]) -> None:
        """Leads messages from an exchange to a `queue` or an `exchange`."""
        ...

    async def unbind(self, binding: topology.Binding) -> None:
        """Ends a binding."""
        ...

    async def set_policy(self, policy: Policy) -> None:
        """Makes a policy, or changes it."""
        ...

    async def delete_policy(self, place: Place) -> None:
        """Deletes a policy."""
        ...

    async def publish(self, publication: Publication, told: Told) -> Came:
        """Publishes with confirms; each message is sent once."""
        ...

    async def take(self, place: Place, count: int) -> Held:
        """Takes up to so many messages and keeps them unacknowledged."""
        ...

    async def browse(self, place: Place, offset: int | str | dt.datetime, count: int) -> Sequence[Message]:
        """Reads a stream from an offset, from `first`, `last` or `next`, or from a time; nothing is consumed."""
        ...

    def tail(self, vhost: str, exchange: str, key: str, queue: str) -> AsyncIterator[Sequence[Message]]:
        """Copies of what comes through an exchange, or of what comes into a stream, as it comes.

        Args:
            vhost: the virtual host.
            exchange: listened to with a queue of our own that ends with us; empty for a queue.
            key: the binding's.
            queue: of a stream, which is read from its end; of another queue those exchanges are listened to that lead
                to it, with the keys of their bindings.
        """
        ...

    async def move(self, move: Move, told: Told) -> Came:
        """Moves or copies messages: each is acknowledged only once its copy was confirmed."""
        ...

    async def definitions(self, vhost: str, *, secrets: bool) -> Mapping[str, Any]:
        """The topology of a virtual host, or of all; password hashes only if `secrets`."""
        ...

    async def put_definitions(self, definitions: Mapping[str, Any], vhost: str) -> None:
        """Makes what is not there; nothing is deleted."""
        ...

    async def close(self) -> None:
        """Ends the connections."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A broker that answers, and who one is to it."""

    client: Client
    login: Login
