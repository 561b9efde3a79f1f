"""Tables of `statetui queue`: what each list shows, and in which order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from tui.commands.amounts import size
from tui.commands.table import Cell
from tui.services.queue import facts, operations
from tui.services.queue.arguments import ARGUMENTS

#: Headings, and a row of cells for each thing.
Form: TypeAlias = tuple[Sequence[str], Callable[[Any], Sequence[Cell]]]


def amount(value: float | None) -> str:
    """A number, or `?` while it is unknown."""
    return "?" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def told(value: Any) -> str:  # noqa: ANN401  (JSON)
    """A table of arguments on one line."""
    return msgspec.json.encode(value).decode() if value else ""


def _queue(one: facts.Queue) -> Sequence[Cell]:
    online = f"{len(one.online or ())}/{len(one.members)}" if one.members else ""
    state: Cell = [("minority", "failing")] if one.minority else one.state or "?"
    memory = "?" if one.memory is None else size(one.memory)
    return (
        one.vhost, one.name, one.kind, state, amount(one.messages_ready), amount(one.messages_unacknowledged),
        amount(one.rate("publish")), amount(one.rate("deliver_get")), amount(one.consumers), memory, online,
        one.policy or "",
    )  # fmt: skip


def _connection(one: operations.Connection) -> Sequence[Cell]:
    since = dt.datetime.fromtimestamp((one.connected_at or 0) / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
    return (one.name, one.label, one.user or "", one.vhost or "", one.state or "?", amount(one.channels),
            "TLS" if one.ssl else "", since if one.connected_at else "?")  # fmt: skip


FORMS: Mapping[str, Form] = {
    "queues": (("VHOST", "QUEUE", "TYPE", "STATE", "READY", "UNACKED", "IN/S", "OUT/S", "CONSUMERS", "MEMORY",
                "ONLINE", "POLICY"), _queue),
    "exchanges": (("VHOST", "EXCHANGE", "TYPE", "DURABLE", "POLICY", "ARGUMENTS"), lambda one: (
        one.vhost, one.name or "(default)", one.type, "yes" if one.durable else "no", one.policy or "",
        told(one.arguments))),
    "bindings": (("VHOST", "EXCHANGE", "ROUTING KEY", "TO", "NAME", "ARGUMENTS"), lambda one: (
        one.vhost, one.source or "(default)", one.routing_key, one.destination_type, one.destination,
        told(one.arguments))),
    "connections": (("CONNECTION", "CLIENT", "USER", "VHOST", "STATE", "CHANNELS", "TLS", "SINCE"), _connection),
    "channels": (("CHANNEL", "USER", "VHOST", "STATE", "CONSUMERS", "PREFETCH", "UNACKED", "UNCONFIRMED"), lambda one: (
        one.name, one.user or "", one.vhost or "", one.state or "?", amount(one.consumer_count),
        amount(one.prefetch_count), amount(one.messages_unacknowledged), amount(one.messages_unconfirmed))),
    "consumers": (("VHOST", "QUEUE", "CONSUMER", "CHANNEL", "PREFETCH", "ACKNOWLEDGES", "ACTIVE"), lambda one: (
        one.queue.vhost if one.queue else "", one.queue.name if one.queue else "", one.consumer_tag, one.channel,
        amount(one.prefetch_count), "yes" if one.ack_required else "no", "no" if one.active is False else "yes")),
    "policies": (("VHOST", "POLICY", "PATTERN", "APPLIES TO", "PRIORITY", "DEFINITION"), lambda one: (
        one.vhost, one.name, one.pattern, one.applies, str(one.priority), told(one.definition))),
    "vhosts": (("VHOST", "MESSAGES", "DEFAULT TYPE", "DESCRIPTION"), lambda one: (
        one.name, amount(one.messages), one.kind, one.description or "")),
    "users": (("USER", "TAGS"), lambda one: (one.name, ", ".join(one.all_tags))),
    "permissions": (("USER", "VHOST", "CONFIGURE", "WRITE", "READ"), lambda one: (
        one.user, one.vhost, one.configure, one.write, one.read)),
    "features": (("FEATURE", "STATE", "STABILITY", "WHAT"), lambda one: (one.name, one.state, one.stability, one.desc)),
}  # fmt: skip

#: By what queues are sorted.
SORTS: Mapping[str, Callable[[facts.Queue], Any]] = {
    "name": lambda one: (one.name, one.vhost),
    "ready": lambda one: -(one.messages_ready or 0),
    "unacknowledged": lambda one: -(one.messages_unacknowledged or 0),
    "messages": lambda one: -(one.messages or 0),
    "consumers": lambda one: -(one.consumers or 0),
    "memory": lambda one: -(one.memory or 0),
    "in": lambda one: -(one.rate("publish") or 0.0),
    "out": lambda one: -(one.rate("deliver_get") or 0.0),
}


def argument_rows() -> tuple[Sequence[str], Sequence[Sequence[Cell]]]:
    """What queues may be declared with."""
    rows = [(one.key, ", ".join(sorted(one.kinds)), ", ".join(one.values), one.help) for one in ARGUMENTS]
    return ("ARGUMENT", "TYPES", "VALUES", "WHAT"), rows
