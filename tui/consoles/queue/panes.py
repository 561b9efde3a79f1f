"""The console's tabs: what each lists, how it is asked for, and what is told of the line under the cursor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tui.consoles.queue import details, rows
from tui.consoles.queue.client import Client
from tui.consoles.queue.values import Cluster, Node
from tui.systems.model import Workload
from tui.widgets.columns import Column
from tui.widgets.lines import Line, Lines
from tui.widgets.row import Row
from tui.widgets.rows import RowTable


class QueueTable(RowTable):
    """The queues."""

    HELP: ClassVar[str] = """Queues
READY waits for a consumer, UNACK is with one that has not acknowledged it. Rates are messages a second, averaged by
the server; the blocks beside them are what was seen here. enter looks at messages, p publishes, t tails, m moves or
copies, B walks along bindings and dead letters; n declares, P purges, D deletes. / finds: part of a name, ~pattern,
vhost:NAME, type:quorum, is:empty, is:idle (no consumer), is:growing, is:minority. The server answers name and virtual
host; the rest, and what o sorts by, holds for the queues that were read, and the line above says how many those are."""


class NodeTable(RowTable):
    """The nodes."""

    HELP: ClassVar[str] = """Nodes
A node, its pod and its claim in one line. Memory is shown against its watermark, from which on the broker takes
nothing from publishers (an alarm), as it does when the disk has less free than its limit. Quorum-critical: with this
node queues would lose their majority. A partition is told by each node that does not see another."""


class ExchangeTable(RowTable):
    """The exchanges."""

    HELP: ClassVar[str] = """Exchanges
enter walks along the bindings: from an exchange to queues and other exchanges, from a queue to where its dead letters
go; backspace goes back. n declares one, b binds, p publishes to it, t listens to a copy of what comes through, D
deletes it with its bindings. Those in grey are the broker's own."""


class ConnectionTable(RowTable):
    """Who is connected."""

    HELP: ClassVar[str] = """Connections
What clients call themselves, and what they do. blocked: it publishes, and the broker takes nothing because of an alarm;
flow: it is slowed down. D closes a connection: the client is told your reason, and what it had unacknowledged goes back
to the queues; most clients connect anew by themselves."""


class ChannelTable(RowTable):
    """Their channels."""

    HELP: ClassVar[str] = """Channels
UNACK are messages with a consumer of the channel that has not acknowledged them, UNCONF messages that were published
and not confirmed yet; C has publisher confirms. A prefetch without limit lets one consumer take a whole queue."""


class PolicyTable(RowTable):
    """The policies."""

    HELP: ClassVar[str] = """Policies
Of those whose pattern matches a queue's or an exchange's name the one of the highest priority holds, and no other. n
makes one or, with the name of one that is there, changes it; D deletes one."""


class VhostTable(RowTable):
    """The virtual hosts."""

    HELP: ClassVar[str] = """Virtual hosts
Each has queues, exchanges and permissions of its own. enter shows the queues of the one under the cursor, n makes one,
D deletes one with all that is in it, once its name is typed."""


class UserTable(RowTable):
    """Users and permissions."""

    HELP: ClassVar[str] = """Users and permissions
What a user may declare and delete (configure), publish to (write) and consume from (read), as patterns that the names
must match; an empty pattern allows nothing. Tags give rights in the management API alone. Passwords are not shown: the
broker keeps only their hashes. n makes one or changes the one under the cursor, x says what he may where, D deletes
one."""


class Facts(Lines):
    """What is known of what the cursor is on."""

    HELP: ClassVar[str] = """Facts
What the broker tells of the line under the cursor. A question mark is what it does not tell, not a zero."""


@dataclass(frozen=True, slots=True)
class Around:
    """What rows and facts need beside the thing itself."""

    workload: Workload | None = None
    cluster: Cluster | None = None


@dataclass(frozen=True, slots=True)
class Tab:
    """One of them.

    Attributes:
        name: what it is called; `short` where there is little room.
        load: asks for what it lists.
        row: one of them as a row.
        told: one of them as facts.
        empty: said when there is none.
    """

    name: str
    short: str
    columns: Sequence[Column]
    table: type[RowTable]
    load: Callable[[Client], Awaitable[Sequence[Any]]]
    row: Callable[[Any, Around], Row]
    told: Callable[[Any, Around], list[Line]]
    empty: str


async def _nothing(_: Client) -> Sequence[Any]:
    """Queues are read page by page."""
    return ()


def _node_row(node: Node, around: Around) -> Row:
    return rows.node_row(node, around.workload)


TABS = (
    Tab("Queues", "Queues", rows.QUEUES, QueueTable, _nothing, lambda one, _: rows.queue_row(one, None),
        lambda one, _: details.of_queue(one, None), "no queues: n declares one"),
    Tab("Nodes", "Nodes", rows.NODES, NodeTable, lambda client: client.nodes(), _node_row,
        lambda one, around: details.of_node(one, around.workload, around.cluster), "no nodes"),
    Tab("Exchanges", "Exch", rows.EXCHANGES, ExchangeTable, lambda client: client.exchanges(),
        lambda one, _: rows.exchange_row(one), lambda one, _: details.of_exchange(one), "no exchanges"),
    Tab("Connections", "Conn", rows.CONNECTIONS, ConnectionTable, lambda client: client.connections(),
        lambda one, _: rows.connection_row(one), lambda one, _: details.of_connection(one), "nobody is connected"),
    Tab("Channels", "Chan", rows.CHANNELS, ChannelTable, lambda client: client.channels(),
        lambda one, _: rows.channel_row(one), lambda one, _: details.of_channel(one), "no channels"),
    Tab("Policies", "Pol", rows.POLICIES, PolicyTable, lambda client: client.policies(),
        lambda one, _: rows.policy_row(one), lambda one, _: details.of_policy(one), "no policies: n makes one"),
    Tab("Vhosts", "Vhost", rows.VHOSTS, VhostTable, lambda client: client.vhosts(),
        lambda one, _: rows.vhost_row(one), lambda one, _: details.of_vhost(one), "no virtual hosts"),
    Tab("Users", "User", rows.USERS, UserTable, lambda client: client.users(),
        lambda one, _: rows.user_row(one), lambda one, _: details.of_user(one), "no users"),
)  # fmt: skip
QUEUES, NODES, EXCHANGES, CONNECTIONS, CHANNELS, POLICIES, VHOSTS, USERS = range(len(TABS))
