"""Events: any of their times may be null, and the same words are one line."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from worlds import recorded

from tui.kube import objects as o
from tui.kube.events import first_seen, last_seen, merge, newest, times_seen

T = 1795435200.0  # 2026-11-23T12:00:00Z


def event(number: int = 1, **fields: Any) -> o.Event:
    meta = {"name": f"e{number}", "uid": f"e{number}", **fields.pop("metadata", {})}
    body = {"type": "Warning", "reason": "Unhealthy", "message": "m", "involvedObject": {"kind": "Pod", "name": "p"}}
    return msgspec.convert({"metadata": meta, **body, **fields}, o.Event)


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        (
            {
                "series": {"count": 3, "lastObservedTime": "2026-11-23T12:00:00.000000Z"},
                "eventTime": "2026-11-23T11:00:00Z",
            },
            T,
        ),
        ({"lastTimestamp": "2026-11-23T12:00:00Z", "firstTimestamp": "2026-11-23T11:00:00Z"}, T),
        ({"eventTime": "2026-11-23T12:00:00.000000Z", "lastTimestamp": None, "firstTimestamp": None}, T),
        ({"firstTimestamp": "2026-11-23T12:00:00Z"}, T),
        ({"metadata": {"creationTimestamp": "2026-11-23T12:00:00Z"}}, T),
        ({}, None),
    ],
)
def test_when_an_event_was_last_seen(fields: dict[str, Any], at: float | None) -> None:
    assert last_seen(event(**fields)) == at


def test_the_discovery_of_rabbitmq_writes_no_first_time() -> None:
    """Recorded: events about a made-up object, firstTimestamp null."""
    world = recorded("operators/rabbitmq/ready")
    told = [item for item in world.store.all("events", o.Event) if item.reason == "NodeUp"]
    assert told and all(item.first_timestamp is None for item in told)
    assert all(last_seen(item) is not None and first_seen(item) is not None for item in told)


def test_the_same_words_are_one_line_newest_first() -> None:
    lines = merge(
        [
            event(1, count=3, firstTimestamp="2026-11-23T11:00:00Z", lastTimestamp="2026-11-23T11:30:00Z"),
            event(2, count=2, firstTimestamp="2026-11-23T11:40:00Z", lastTimestamp="2026-11-23T12:00:00Z"),
            event(3, message="other", lastTimestamp="2026-11-23T11:50:00Z"),
            event(4, reason="NoTime"),
        ]
    )
    assert [(line.message, line.count, line.last) for line in lines] == [
        ("m", 5, T),
        ("other", 1, T - 600),
        ("m", 1, None),
    ]
    assert lines[0].first == T - 3600


def test_how_often() -> None:
    assert times_seen(event(series={"count": 4})) == 4
    assert times_seen(event(count=None)) == 1


def test_the_newest_of_some_reasons() -> None:
    events = [
        event(1, lastTimestamp="2026-11-23T11:00:00Z"),
        event(2, reason="Failed", lastTimestamp="2026-11-23T12:00:00Z"),
    ]
    assert newest(events, "Unhealthy") is events[0]
    assert newest(events) is events[1]
    assert newest(events, "Unhealthy", since=T) is None
