"""How numbers, times and keys are written in the console."""

from __future__ import annotations

import datetime as dt

from tui.kube.quantity import text as size
from tui.text import safe

__all__ = ["duration", "moment", "name_below", "rate", "size"]


def moment(when: dt.datetime | None) -> str:
    """`2026-11-27 12:03:07`, in UTC as S3 has it; empty for none."""
    if when is None:
        return ""
    return when.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float | None) -> str:
    """`0:08`, `1:02:03`, or `?`."""
    if seconds is None:
        return "?"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def rate(bytes_a_second: float) -> str:
    """`12Mi/s`."""
    return f"{size(bytes_a_second)}/s"


def name_below(key: str, prefix: str) -> str:
    """A key as it is shown below a prefix; a name that is empty, or begins or ends with a blank, in quotation marks."""
    name = key.removeprefix(prefix)
    if name != name.strip() or not name:
        return f"“{safe(name)}”"
    return safe(name)
