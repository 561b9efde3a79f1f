"""How numbers, rates and bars are written in the console."""

from __future__ import annotations

from collections.abc import Sequence

from tui.text import size
from tui.widgets.ink import Piece
from tui.widgets.signs import bar

__all__ = ["amount", "counted", "duration", "mark_of", "rate", "size", "spark", "use"]

_STEPS = "▁▂▃▄▅▆▇█"


def amount(count: int | None) -> str:
    """`1,204`; `?` for what the server does not tell."""
    return "?" if count is None else f"{count:,}"


def counted(count: int, what: str) -> str:
    """`1 message`, `3 messages`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def rate(events: float | None) -> str:
    """Events a second: `0`, `0.4`, `12`, `3.4k`; `?` while unknown."""
    if events is None:
        return "?"
    if events >= 99_950:
        return f"{events / 1000:,.0f}k"
    if events >= 999.5:
        return f"{events / 1000:.1f}k"
    return f"{events:.1f}" if 0 < events < 9.95 else f"{events:.0f}"


def spark(samples: Sequence[float | None], cells: int) -> str:
    """The last samples as a line of blocks from nothing to the highest of them; blanks for what was before."""
    last = list(samples)[-cells:]
    if not any(last) and None not in last:  # of many queues almost all are silent
        return (_STEPS[0] * len(last)).rjust(cells)
    most = max((one for one in last if one is not None), default=0.0)
    drawn = "".join(
        "·" if one is None else _STEPS[0 if not most else min(7, int(one / most * 7.999))] for one in last
    )  # fmt: skip
    return drawn.rjust(cells)


def use(used: int | None, limit: int | None, alarm: bool | None, width: int = 6) -> tuple[Piece, ...]:
    """What is used of a limit: a bar, both figures, and the alarm in words."""
    if used is None:
        return (("?", "unknown"),)
    if not limit:
        return ((size(used), ""),)
    told: tuple[Piece, ...] = (*bar(used / limit, width), (f" {size(used)}/{size(limit)}", ""))
    return (*told, (" ALARM", "failing")) if alarm else told


def duration(seconds: float | None) -> str:
    """`12s`, `3m`, `2h 5m`, `3d 4h`; `?` for none."""
    if seconds is None:
        return "?"
    whole = int(seconds)
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m" if minutes else f"{rest}s"


def mark_of(good: bool | None) -> Piece:
    """A sign before a state."""
    return ("? ", "unknown") if good is None else ("● ", "ready") if good else ("✗ ", "failing")
