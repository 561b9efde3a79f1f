"""Events: when each was last seen, and many of a kind merged to one line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tui.kube import times
from tui.kube.objects import Event


@dataclass(frozen=True, slots=True)
class EventLine:
    """Events that say the same of one object, as one line.

    Attributes:
        kind, name: the object that they are about.
        type: Normal or Warning.
        reason: the event's reason.
        message: the newest message, verbatim.
        count: how often it was said.
        first: when it was said first, None when unknown.
        last: when it was said last, None when unknown.
        source: the component that said it.
    """

    kind: str
    name: str
    type: str
    reason: str
    message: str
    count: int
    first: float | None
    last: float | None
    source: str


def last_seen(event: Event) -> float | None:
    """When an event was last seen, in seconds; each of its times may be null, so the best one that is there."""
    series = event.series
    return (
        (times.parse(series.last_observed_time) if series is not None else None)
        or times.parse(event.last_timestamp)
        or times.parse(event.event_time)
        or times.parse(event.first_timestamp)
        or times.parse(event.metadata.creation_timestamp)
    )


def first_seen(event: Event) -> float | None:
    """When an event was first seen, in seconds."""
    return (
        times.parse(event.first_timestamp)
        or times.parse(event.event_time)
        or times.parse(event.metadata.creation_timestamp)
        or last_seen(event)
    )


def times_seen(event: Event) -> int:
    """How often an event was said, at least once."""
    return max(event.series.count if event.series is not None else 0, event.count or 0, 1)


def newest(events: Iterable[Event], *reasons: str, since: float = 0.0) -> Event | None:
    """The newest event with one of these reasons (any, if none is given) that was seen since then."""
    best: Event | None = None
    best_at = -1.0
    for event in events:
        if not reasons or event.reason in reasons:
            at = last_seen(event) or 0.0
            if at >= since and at > best_at:
                best, best_at = event, at
    return best


def merge(events: Iterable[Event]) -> list[EventLine]:
    """Merges the events that differ in nothing but their time, newest first.

    What is merged has the same object, type, reason, message and source: a message with a counter or an address in
    it stays a line of its own, since those differences are often the point.
    """
    merged: dict[tuple[str, ...], EventLine] = {}
    for event in events:
        about = event.involved_object
        source = event.reporting_component or event.source.component
        key = (about.kind, about.namespace, about.name, event.type, event.reason, event.message, source)
        line = EventLine(
            about.kind, about.name, event.type, event.reason, event.message, times_seen(event), first_seen(event),
            last_seen(event), source,
        )  # fmt: skip
        former = merged.get(key)
        merged[key] = line if former is None else _join(former, line)
    return sorted(merged.values(), key=lambda line: (-(line.last or 0.0), line.kind, line.name, line.reason))


def _join(one: EventLine, other: EventLine) -> EventLine:
    firsts = [at for at in (one.first, other.first) if at is not None]
    lasts = [at for at in (one.last, other.last) if at is not None]
    return EventLine(
        one.kind, one.name, one.type, one.reason, one.message, one.count + other.count,
        min(firsts, default=None), max(lasts, default=None), one.source,
    )  # fmt: skip
