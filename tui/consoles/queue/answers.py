"""Answers of the management API that the console alone asks for, as its values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec

from tui.consoles.queue.values import Consumer, OpenChannel, OpenConnection, Permission, Place, Policy, User
from tui.problem import Cause, Problem, ProblemError

#: There is none, and nobody said why.
NO_API = Problem(Cause.ABSENT, "There is no management API", "", "Enable the plugin rabbitmq_management.")


def _list(content: bytes) -> list[dict[str, Any]]:
    try:
        return msgspec.json.decode(content, type=list[dict[str, Any]])
    except msgspec.DecodeError as error:
        said = content[:200].decode("utf-8", "replace")
        raise ProblemError(
            Problem(Cause.PROTOCOL, "An answer of the management API is not understood", said)
        ) from error


def failed(content: bytes) -> bool | None:
    """Whether a health check failed; None when that is not told."""
    try:
        told = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return None
    state = told.get("status") if isinstance(told, dict) else None
    return {"ok": False, "failed": True}.get(str(state))


def _text(value: Any) -> str:  # noqa: ANN401  (of an answer)
    return "" if value is None else str(value)


def _rate(one: dict[str, Any], name: str) -> float | None:
    found = one.get(name)
    rate = found.get("rate") if isinstance(found, dict) else None
    return float(rate) if isinstance(rate, int | float) else None


def connections(content: bytes) -> Sequence[OpenConnection]:
    """Who is connected; one that is being set up has little more than a name."""
    found = []
    for one in _list(content):
        told = one.get("client_properties")
        client = told if isinstance(told, dict) else {}
        at = one.get("connected_at")
        since = dt.datetime.fromtimestamp(at / 1000, dt.UTC) if isinstance(at, int) else None
        label = _text(one.get("user_provided_name") or client.get("connection_name"))
        product = f"{_text(client.get('product'))} {_text(client.get('version'))}".strip()
        channels = one.get("channels")
        found.append(OpenConnection(
            _text(one.get("name")), label, _text(one.get("user")), _text(one.get("vhost")), _text(one.get("node")),
            _text(one.get("state")), bool(one.get("ssl")), channels if isinstance(channels, int) else None, product,
            since, (_rate(one, "recv_oct_details"), _rate(one, "send_oct_details")),
        ))  # fmt: skip
    return found


def channels(content: bytes) -> Sequence[OpenChannel]:
    """Channels."""
    found = []
    for one in _list(content):
        details = one.get("connection_details")
        connection = _text(details.get("name")) if isinstance(details, dict) else ""
        found.append(OpenChannel(
            _text(one.get("name")), connection, _text(one.get("user")), _text(one.get("vhost")),
            _text(one.get("state")), one.get("consumer_count"), one.get("prefetch_count"),
            one.get("messages_unacknowledged"), one.get("messages_unconfirmed"), bool(one.get("confirm")),
        ))  # fmt: skip
    return found


def policies(content: bytes) -> Sequence[Policy]:
    """Policies."""
    return [
        Policy(Place(_text(one.get("vhost")), _text(one.get("name"))), _text(one.get("pattern")),
               _text(one.get("apply-to")), int(one.get("priority") or 0), one.get("definition") or {})
        for one in _list(content)
    ]  # fmt: skip


def users(content: bytes, permissions: bytes) -> Sequence[User]:
    """Users, each with what he may do where. Tags are a list since 3.9, and were a text with commas before."""
    of: dict[str, list[Permission]] = {}
    for one in _list(permissions):
        told = Permission(*(_text(one.get(name)) for name in ("user", "vhost", "configure", "write", "read")))
        of.setdefault(told.user, []).append(told)
    found = []
    for one in _list(content):
        name, tags = _text(one.get("name")), one.get("tags") or []
        words = tags.split(",") if isinstance(tags, str) else [str(tag) for tag in tags]
        found.append(User(name, tuple(word.strip() for word in words if word), tuple(of.get(name, ()))))
    return found


def consumers(content: bytes) -> Sequence[Consumer]:
    """Who takes messages of a queue."""
    told = msgspec.json.decode(content)
    listed = told.get("consumer_details") if isinstance(told, dict) else None
    found = []
    for one in listed if isinstance(listed, list) else []:
        details = one.get("channel_details")
        channel = _text(details.get("name")) if isinstance(details, dict) else ""
        found.append(Consumer(
            _text(one.get("consumer_tag")), channel, int(one.get("prefetch_count") or 0), bool(one.get("ack_required")),
            bool(one.get("active", True)),
        ))  # fmt: skip
    return found
