"""Properties of messages, to the protocol's frames and back."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from tui.services.queue.model import Message, Properties

if TYPE_CHECKING:
    from aiormq.abc import DeliveredMessage
    from pamqp.commands import Basic

#: Ours, and what the library calls them where it differs.
_NAMES = {
    "type": "message_type",
}


def to_frame(properties: Properties) -> Basic.Properties:
    """As the library sends them."""
    from pamqp.commands import Basic  # noqa: PLC0415  (not needed to start)

    given: dict[str, Any] = {}
    for field in dataclasses.fields(properties):
        value = getattr(properties, field.name)
        if value not in (None, "", {}):
            given[_NAMES.get(field.name, field.name)] = value
    if "headers" in given:
        given["headers"] = dict(given["headers"])
    return Basic.Properties(**given)


def from_frame(frame: Basic.Properties) -> Properties:
    """As they came."""
    given: dict[str, Any] = {}
    for field in dataclasses.fields(Properties):
        value = getattr(frame, _NAMES.get(field.name, field.name))
        if value is not None:
            given[field.name] = value
    return Properties(**given)


def from_incoming(found: DeliveredMessage) -> Message:
    """A message that was got, as ours. aio-pika's own form of it invents a priority where none was sent."""
    got = found.delivery
    return Message(
        bytes(found.body), from_frame(found.header.properties), getattr(got, "exchange", "") or "",
        getattr(got, "routing_key", "") or "", getattr(got, "delivery_tag", 0) or 0,
        bool(getattr(got, "redelivered", False)),
    )  # fmt: skip


def text_of(message: Message) -> str | None:
    """The body as text, None when it is none."""
    try:
        return message.body.decode("utf-8")
    except UnicodeDecodeError:
        return None
