"""Times as `kubectl` tells them."""

from __future__ import annotations

from datetime import UTC, datetime


def parse(stamp: str) -> datetime | None:
    """A time of an object; None when it is none."""
    try:
        made = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def human(seconds: float) -> str:
    """How long, as Kubernetes' HumanDuration says it: `90s`, `4m30s`, `3h`, `5d2h`."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    whole = max(whole, 0)
    if whole < 120:
        return f"{whole}s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    parts = (
        (minutes < 10, minutes, "m", whole % 60, "s"),
        (minutes < 180, minutes, "m", 0, ""),
        (hours < 8, hours, "h", minutes % 60, "m"),
        (hours < 48, hours, "h", 0, ""),
        (hours < 192, days, "d", hours % 24, "h"),
        (days < 730, days, "d", 0, ""),
        (days < 2920, days // 365, "y", days % 365, "d"),
    )
    for fits, large, large_unit, small, small_unit in parts:
        if fits:
            return f"{large}{large_unit}" + (f"{small}{small_unit}" if small else "")
    return f"{days // 365}y"


def since(stamp: object) -> str:
    """How long ago a time of an object was; `<unknown>` when it has none."""
    when = parse(stamp) if isinstance(stamp, str) else None
    return "<unknown>" if when is None else human((datetime.now(UTC) - when).total_seconds())


def between(start: object, end: object) -> str:
    """How long from one time of an object to another, or to now."""
    first = parse(start) if isinstance(start, str) else None
    if first is None:
        return ""
    last = (parse(end) if isinstance(end, str) else None) or datetime.now(UTC)
    return human((last - first).total_seconds())
