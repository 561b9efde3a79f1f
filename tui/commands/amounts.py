"""Bytes and time spans as commands print them: in full, where screens have columns to save (`tui.text`)."""

from __future__ import annotations

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size(count: float) -> str:
    """Bytes for people (`1.5 MiB`)."""
    step = 0
    while count >= 1024 and step < len(_UNITS) - 1:
        count /= 1024
        step += 1
    return f"{count:.0f} {_UNITS[step]}" if step == 0 or count >= 100 else f"{count:.1f} {_UNITS[step]}"


def clock(seconds: float) -> str:
    """A time span for people (`1:05`, `2:00:00`)."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
