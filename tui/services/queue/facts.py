"""What the management API says, with the fields that are shown. What a server may leave out has a default of None."""

from __future__ import annotations

from typing import Any

import msgspec

#: What is asked of queues, so that 20,000 of them are quick.
QUEUE_COLUMNS = (
    "vhost", "name", "type", "state", "durable", "auto_delete", "exclusive", "arguments", "policy", "messages_ready",
    "messages_unacknowledged", "messages", "message_bytes", "consumers", "memory", "leader", "node", "members",
    "online", "message_stats.publish_details.rate", "message_stats.deliver_get_details.rate",
    "message_stats.ack_details.rate",
)  # fmt: skip


class Rate(msgspec.Struct, gc=False):
    """Events a second, averaged by the server."""

    rate: float = 0.0


class MessageStats(msgspec.Struct, gc=False):
    """Rates of messages; what never happened is not there."""

    publish_details: Rate | None = None
    deliver_get_details: Rate | None = None
    ack_details: Rate | None = None


class Queue(msgspec.Struct, gc=False):
    """A queue. Sizes are bytes; counts are None while the server has no statistics.

    It holds nothing that could hold it again: the collector of cycles need not look at 20,000 of them.
    """

    name: str
    vhost: str = "/"
    type: str | None = None
    state: str | None = None
    durable: bool | None = True
    auto_delete: bool | None = False
    exclusive: bool | None = False  # null of quorum queues without statistics (seen with 3.10)
    arguments: dict[str, Any] = {}
    policy: str | None = None
    messages: int | None = None
    messages_ready: int | None = None
    messages_unacknowledged: int | None = None
    message_bytes: int | None = None
    consumers: int | None = None
    memory: int | None = None
    leader: str | None = None
    node: str | None = None
    members: list[str] | None = None
    online: list[str] | None = None
    message_stats: MessageStats | None = None

    @property
    def kind(self) -> str:
        """Its type, also of servers that tell it among the arguments only."""
        return self.type or str(self.arguments.get("x-queue-type", "classic"))

    @property
    def at(self) -> str:
        """The node that leads it."""
        return self.leader or self.node or ""

    @property
    def minority(self) -> bool:
        """Whether too few of its members are there to go on."""
        return bool(self.members) and len(self.online or ()) <= len(self.members or ()) // 2

    def rate(self, what: str) -> float | None:
        """Messages a second: `publish`, `deliver_get` or `ack`; None while unknown."""
        if self.message_stats is None:
            return None
        found: Rate | None = getattr(self.message_stats, f"{what}_details")
        return found.rate if found is not None else 0.0


class QueuePage(msgspec.Struct):
    """A page of queues."""

    items: list[Queue]
    page: int = 1
    page_count: int = 1
    filtered_count: int = 0
    total_count: int = 0


class Node(msgspec.Struct):
    """A node. Sizes are bytes, uptime milliseconds."""

    name: str
    running: bool = False
    type: str | None = None
    uptime: int | None = None
    mem_used: int | None = None
    mem_limit: int | None = None
    mem_alarm: bool | None = None
    disk_free: int | None = None
    disk_free_limit: int | None = None
    disk_free_alarm: bool | None = None
    fd_used: int | None = None
    fd_total: int | None = None
    sockets_used: int | None = None
    sockets_total: int | None = None
    proc_used: int | None = None
    proc_total: int | None = None
    partitions: list[str] = []
    being_drained: bool | None = None
    applications: list[dict[str, Any]] = []

    @property
    def version(self) -> str:
        """RabbitMQ's version on it; empty while unknown."""
        return next((str(one.get("version", "")) for one in self.applications if one.get("name") == "rabbit"), "")

    @property
    def pod(self) -> str:
        """The first label of its host, which is the pod's name where nodes are called after pods."""
        return self.name.partition("@")[2].partition(".")[0]


class Totals(msgspec.Struct):
    """Messages of all queues."""

    messages: int | None = None
    messages_ready: int | None = None
    messages_unacknowledged: int | None = None


class Objects(msgspec.Struct):
    """How many there are."""

    connections: int = 0
    channels: int = 0
    exchanges: int = 0
    queues: int = 0
    consumers: int = 0


class Overview(msgspec.Struct):
    """The cluster."""

    rabbitmq_version: str = ""
    cluster_name: str = ""
    node: str = ""
    queue_totals: Totals | None = None
    object_totals: Objects | None = None
    message_stats: MessageStats | None = None
    disable_stats: bool = False


class Exchange(msgspec.Struct):
    """An exchange."""

    name: str
    vhost: str = "/"
    type: str = ""
    durable: bool = True
    auto_delete: bool = False
    internal: bool = False
    arguments: dict[str, Any] = {}
    policy: str | None = None


class Binding(msgspec.Struct):
    """What leads from an exchange to a queue or to another exchange; an empty source is the default exchange."""

    source: str
    destination: str
    vhost: str = "/"
    destination_type: str = "queue"
    routing_key: str = ""
    arguments: dict[str, Any] = {}
    properties_key: str = ""


class Vhost(msgspec.Struct):
    """A virtual host."""

    name: str
    messages: int | None = None
    default_queue_type: str | None = None
    description: str | None = None
    protected_from_deletion: bool | None = None

    @property
    def kind(self) -> str:
        """The type of queues that do not say theirs; servers before 3.12 say `undefined` where none was set."""
        return self.default_queue_type if self.default_queue_type not in (None, "undefined") else "classic"
