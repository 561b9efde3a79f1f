"""Messages from a template: `{n}` counts, `{n:06}` with zeros before it, `{uuid}` and `{time}` differ each time.

Nothing else in braces is touched, because JSON is full of them; `{{n}}` stands for `{n}` itself.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from tui.services.queue.model import Properties
from tui.services.queue.publishing import Outgoing

_PLACE = re.compile(rb"\{(\{)?(n(?::0?(\d{1,2}))?|uuid|time)\}(?(1)\})")


@dataclass(frozen=True, slots=True)
class Filled:
    """What a template says this time."""

    n: int
    uuid: str
    time: str

    @classmethod
    def of(cls, n: int, wanted: frozenset[bytes] = frozenset((b"uuid", b"time"))) -> Filled:
        """For the message of that number; what is not wanted is not made, it takes as long as all the rest."""
        now = ""
        if b"time" in wanted:
            now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return cls(n, str(uuid.uuid4()) if b"uuid" in wanted else "", now)

    def fill(self, template: bytes) -> bytes:
        """The template with what its places stand for."""

        def value(found: re.Match[bytes]) -> bytes:
            if found[1]:
                return found[0][1:-1]
            if found[2] == b"uuid":
                return self.uuid.encode()
            if found[2] == b"time":
                return self.time.encode()
            return b"%0*d" % (int(found[3] or 0), self.n)

        return _PLACE.sub(value, template)


def has_places(template: bytes) -> bool:
    """Whether anything in it would differ from message to message, or loses a pair of braces."""
    return _PLACE.search(template) is not None


def messages(
    body: bytes, routing_key: str, *, exchange: str = "", properties: Properties | None = None, count: int = 1,
    first: int = 1,
) -> Iterator[Outgoing]:  # fmt: skip
    """Many messages from one.

    Args:
        body: with places or without.
        routing_key: with places or without.
        exchange: empty for the one that leads to the queue of the routing key's name.
        properties: of each; places in its message identifier and correlation identifier are filled as well.
        count: how many.
        first: the number of the first one.
    """
    properties = properties or Properties()
    marks = {name: getattr(properties, name).encode() for name in ("message_id", "correlation_id")}
    marks = {name: text for name, text in marks.items() if has_places(text)}
    key = routing_key.encode()
    if not (marks or has_places(body) or has_places(key)):
        for _ in range(count):
            yield Outgoing(body, routing_key, exchange, properties)
        return
    wanted = frozenset(found[2] for text in (body, key, *marks.values()) for found in _PLACE.finditer(text))
    for n in range(first, first + count):
        filled = Filled.of(n, wanted)
        told = properties
        if marks:
            told = dataclasses.replace(
                properties, **{name: filled.fill(text).decode() for name, text in marks.items()}  # type: ignore[arg-type]
            )  # fmt: skip
        yield Outgoing(filled.fill(body), filled.fill(key).decode(), exchange, told)
