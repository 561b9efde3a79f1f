"""The vocabulary of message brokers. Values only; no client is loaded by importing this."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from tui.problem import Problem

#: What a header or an argument may hold; tables and lists nest.
Value: TypeAlias = "bool | int | float | str | bytes | dt.datetime | list[Value] | dict[str, Value] | None"
Table: TypeAlias = Mapping[str, Value]


class Kind(StrEnum):
    """What a queue is."""

    CLASSIC = "classic"
    QUORUM = "quorum"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What one shows to a broker that lets nobody in without (`ssl_options.fail_if_no_peer_cert`).

    Attributes:
        chain: PEM of the certificate, and of what stands between it and the broker's authority.
        key: PEM of its private key, without a passphrase. Never printed, logged or stored.
        secret: the Secret of the workload's namespace that holds both and has yet to be read; empty otherwise.
    """

    chain: str = ""
    key: str = field(default="", repr=False)
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """Who one is to a broker. Never printed, logged or stored.

    Attributes:
        vhost: the virtual host.
        source: where it comes from, in words for the header and for errors (`Secret stateful/rabbitmq, key
            rabbitmq-password`).
        certificate: what is shown to a broker that wants to see one; None for nothing.
    """

    user: str
    password: str = field(default="", repr=False)
    vhost: str = "/"
    source: str = ""
    certificate: ClientCertificate | None = None


@dataclass(eq=False)
class Refused(Exception):
    """The broker refused something, in its own words. It closed the channel or the connection for it.

    Attributes:
        code: AMQP's reply code (404 no such queue, 406 declared otherwise, 403 no permission), 0 for none.
    """

    code: int
    problem: Problem

    def __str__(self) -> str:
        """The problem."""
        return str(self.problem)


@dataclass(eq=False)
class Lost(Exception):
    """The connection went away.

    Attributes:
        unconfirmed: how many messages were sent for which no confirmation came: the broker may have them or not.
    """

    problem: Problem
    unconfirmed: int = 0

    def __str__(self) -> str:
        """The problem."""
        return str(self.problem)


@dataclass(frozen=True, slots=True)
class Properties:
    """What a message says of itself. None and empty texts are not sent.

    Attributes:
        delivery_mode: 2 for persistent, 1 for transient; None counts as transient to the broker.
        expiration: milliseconds, as a text, as the protocol has it.
    """

    content_type: str = ""
    content_encoding: str = ""
    headers: Table = field(default_factory=dict)
    delivery_mode: int | None = None
    priority: int | None = None
    correlation_id: str = ""
    reply_to: str = ""
    expiration: str = ""
    message_id: str = ""
    timestamp: dt.datetime | None = None
    type: str = ""
    user_id: str = ""
    app_id: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it came.

    Attributes:
        tag: the delivery's number on its channel.
        redelivered: whether it was delivered before.
    """

    body: bytes
    properties: Properties
    exchange: str
    routing_key: str
    tag: int = 0
    redelivered: bool = False


@dataclass(frozen=True, slots=True)
class Returned:
    """A message that no queue took.

    Attributes:
        why: the broker's words (`NO_ROUTE`).
    """

    message: Message
    why: str


class Settle(StrEnum):
    """What becomes of a message that was taken."""

    ACKNOWLEDGE = "acknowledge"
    REQUEUE = "requeue"
    REJECT = "reject"
