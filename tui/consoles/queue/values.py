"""What the console knows of a broker beside the management API's own facts, and what it asks of it. Values only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tui.problem import Problem
from tui.services.queue import facts as topology
from tui.services.queue.model import Properties, Returned
from tui.systems.queuesession import Half, Lack


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
class Cluster:
    """All nodes together.

    Attributes:
        overview: version, totals, rates.
        disabled: feature flags that are off: an upgrade may wait for them.
        deprecated: features in use that will go.
        checks: questions of health: name, whether it is well (None while unknown), and the server's words.
    """

    overview: topology.Overview
    disabled: tuple[str, ...] = ()
    deprecated: tuple[str, ...] = ()
    checks: tuple[tuple[str, bool | None, str], ...] = ()


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
        workload: the key of the broker that they go to; empty for the one that they are in.
        vhost: the virtual host that they go to; empty for the source's, or for the login's of another broker.
    """

    source: Place
    exchange: str
    routing_key: str
    count: int | None = None
    copy: bool = False
    stream: bool = False
    workload: str = ""
    vhost: str = ""

    @property
    def far(self) -> bool:
        """Whether they leave their virtual host."""
        return bool(self.workload) or self.vhost not in ("", self.source.vhost)


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
