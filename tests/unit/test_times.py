import time
from datetime import UTC, datetime

import pytest

from tui.kube import times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T15:09:26Z", datetime(2026, 11, 23, 15, 9, 26, tzinfo=UTC).timestamp()),
        ("1970-01-01T00:00:00Z", 0.0),
        ("2024-02-29T23:59:59Z", datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC).timestamp()),
        ("2026-11-23T15:09:26.123456Z", datetime(2026, 11, 23, 15, 9, 26, 123456, tzinfo=UTC).timestamp()),
        ("2026-11-23T15:09:26.5Z", datetime(2026, 11, 23, 15, 9, 26, 500000, tzinfo=UTC).timestamp()),
        ("2026-11-23T17:09:26+02:00", datetime(2026, 11, 23, 15, 9, 26, tzinfo=UTC).timestamp()),
        ("2026-11-23T15:09:26", datetime(2026, 11, 23, 15, 9, 26, tzinfo=UTC).timestamp()),
    ],
)
def test_parses_what_servers_write(text, expected):
    assert times.parse(text) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "text", [None, "", "soon", "2026-13-45T00:00:00Z", "2026-11-23T15:09:2xZ", "2026-11-23T15:09:26.Z7", "Z"]
)
def test_unreadable_is_none(text):
    assert times.parse(text) is None


def test_parsing_is_cheap():
    texts = [f"2026-11-{day:02d}T15:09:{second:02d}Z" for day in range(1, 29) for second in range(60)] * 6
    began = time.thread_time()
    for text in texts:
        times.parse(text)
    assert (time.thread_time() - began) / len(texts) < 20e-6


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-3600, "0s"),
        (0, "0s"),
        (4.9, "0s"),
        (59, "55s"),
        (60, "1m"),
        (7199, "119m"),
        (7200, "2h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (729 * 86400, "729d"),
        (730 * 86400, "2y"),
    ],
)
def test_age(seconds, expected):
    assert times.age(seconds) == expected


@pytest.mark.parametrize("seconds", [-7.5, 0, 3.2, 5, 59.9, 61, 3599, 7199, 7201, 100_000, 172_801, 70_000_000])
def test_step_is_exactly_when_the_age_changes(seconds):
    step = times.step(seconds)
    assert step > 0
    assert times.age(seconds + step - 0.01) == times.age(seconds)
    assert times.age(seconds + step + 0.01) != times.age(seconds)
