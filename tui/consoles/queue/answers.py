"""Answers of the management API as the console's values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from tui.consoles.queue.values import Consumer, OpenChannel, OpenConnection, Permission, Place, Policy, User
from tui.problem import Cause, Problem
from tui.services.queue import operations
from tui.services.queue.facts import Rate

#: There is none, and nobody said why.
NO_API = Problem(Cause.ABSENT, "There is no management API", "", "Enable the plugin rabbitmq_management.")


def _rate(rate: Rate | None) -> float | None:
    return rate.rate if rate is not None else None


def connection(one: operations.Connection) -> OpenConnection:
    """A connection; one that is being set up has little more than a name."""
    client = one.client
    since = dt.datetime.fromtimestamp(one.connected_at / 1000, dt.UTC) if one.connected_at else None
    label = one.label if one.label != one.name else ""
    return OpenConnection(
        one.name, label, one.user or "", one.vhost or "", one.node or "", one.state or "", bool(one.ssl), one.channels,
        f"{client.product or ''} {client.version or ''}".strip(), since,
        (_rate(one.recv_oct_details), _rate(one.send_oct_details)),
    )  # fmt: skip


def channel(one: operations.Channel) -> OpenChannel:
    """A channel."""
    return OpenChannel(
        one.name, one.connection, one.user or "", one.vhost or "", one.state or "", one.consumer_count,
        one.prefetch_count, one.messages_unacknowledged, one.messages_unconfirmed, bool(one.confirm),
    )  # fmt: skip


def policy(one: operations.Policy) -> Policy:
    """A policy."""
    return Policy(Place(one.vhost, one.name), one.pattern, one.applies, one.priority, one.definition)


def users(found: Sequence[operations.User], permissions: Sequence[operations.Permission]) -> Sequence[User]:
    """Users, each with what he may do where."""
    of: dict[str, list[Permission]] = {}
    for one in permissions:
        of.setdefault(one.user, []).append(Permission(one.user, one.vhost, one.configure, one.write, one.read))
    return [User(one.name, tuple(one.all_tags), tuple(of.get(one.name, ()))) for one in found]


def consumer(one: operations.Consumer) -> Consumer:
    """Who takes messages of a queue."""
    active = one.active is not False
    return Consumer(one.consumer_tag, one.channel, one.prefetch_count or 0, one.ack_required is not False, active)
