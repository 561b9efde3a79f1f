"""What operators look at beside queues: who is connected, who may what, which features are on, and how well it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tui.services.queue.facts import Queue, Rate


class Client(msgspec.Struct):
    """What a client says of itself when it connects."""

    connection_name: str | None = None
    product: str | None = None
    version: str | None = None
    platform: str | None = None


class Connection(msgspec.Struct):
    """A client's connection; one that is being set up has little more than a name. `connected_at`: milliseconds."""

    name: str = ""
    user: str | None = None
    vhost: str | None = None
    node: str | None = None
    state: str | None = None
    ssl: bool | None = None
    channels: int | None = None
    connected_at: int | None = None
    peer_host: str | None = None
    peer_port: int | str | None = None
    protocol: str | None = None
    user_provided_name: str | None = None
    client_properties: Client | list[Any] | None = None
    recv_oct_details: Rate | None = None
    send_oct_details: Rate | None = None

    @property
    def client(self) -> Client:
        """What the client says of itself; an empty list stands for nothing in JSON that Erlang made."""
        return self.client_properties if isinstance(self.client_properties, Client) else Client()

    @property
    def label(self) -> str:
        """What the client calls itself."""
        return self.user_provided_name or self.client.connection_name or ""


class Owner(msgspec.Struct):
    """The connection of a channel, the channel of a consumer."""

    name: str = ""
    connection_name: str | None = None


class Channel(msgspec.Struct):
    """A channel of a connection."""

    name: str = ""
    user: str | None = None
    vhost: str | None = None
    node: str | None = None
    state: str | None = None
    connection_details: Owner | list[Any] | None = None
    consumer_count: int | None = None
    prefetch_count: int | None = None
    messages_unacknowledged: int | None = None
    messages_unconfirmed: int | None = None
    confirm: bool | None = None
    transactional: bool | None = None

    @property
    def connection(self) -> str:
        """Whose it is."""
        return self.connection_details.name if isinstance(self.connection_details, Owner) else ""


class Place(msgspec.Struct):
    """A queue that is consumed."""

    name: str = ""
    vhost: str = "/"


class Consumer(msgspec.Struct):
    """Who takes messages of a queue."""

    consumer_tag: str = ""
    queue: Place | None = None
    channel_details: Owner | list[Any] | None = None
    prefetch_count: int | None = None
    ack_required: bool | None = None
    exclusive: bool | None = None
    active: bool | None = None
    activity_status: str | None = None
    arguments: dict[str, Any] | list[Any] = {}

    @property
    def channel(self) -> str:
        """On which channel."""
        return self.channel_details.name if isinstance(self.channel_details, Owner) else ""


class QueueDetail(Queue):
    """A queue that was asked for by its name. `consumer_details`: None where the server collects no statistics."""

    consumer_details: list[Consumer] | None = None


class Policy(msgspec.Struct, rename={"applies": "apply-to"}):
    """A policy; of those that match, the one of the highest priority holds."""

    name: str
    vhost: str = "/"
    pattern: str = ""
    applies: str = "all"
    priority: int = 0
    definition: dict[str, Any] = {}


class User(msgspec.Struct):
    """A user; its password's hash is not even read. Tags were one text with commas before 3.9."""

    name: str
    tags: list[str] | str = []

    @property
    def all_tags(self) -> list[str]:
        """As a list."""
        return [one for one in self.tags.split(",") if one] if isinstance(self.tags, str) else list(self.tags)


class Permission(msgspec.Struct):
    """What a user may configure, write and read in a virtual host, as patterns; an empty one allows nothing."""

    user: str
    vhost: str
    configure: str = ""
    write: str = ""
    read: str = ""


class FeatureFlag(msgspec.Struct):
    """A feature that may be on (`enabled`) or off (`disabled`, `unavailable`) for the whole cluster."""

    name: str
    state: str = ""
    stability: str = ""
    desc: str = ""


class DeprecatedFeature(msgspec.Struct):
    """A feature that is in use, and will go."""

    name: str
    deprecation_phase: str = ""
    desc: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """What came of a question of health.

    Attributes:
        name: `alarms`, `node-is-quorum-critical` …
        well: None while unknown.
        says: the server's words, or why it is unknown.
    """

    name: str
    well: bool | None
    says: str = ""
