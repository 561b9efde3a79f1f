"""How forwards and their traffic are written: signs, rates, sparklines, badges. Plain data, without the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tui.kube.quantity import text as size
from tui.text import SIGNS
from tui.widgets.ink import Cell, Piece

#: State of a forward → the health whose sign and ink it has: shape first, then colour, and the word beside them.
_LIKE: Final[Mapping[str, str]] = {
    "resolving": "starting",
    "waiting": "waiting",
    "ready": "ready",
    "degraded": "running",
    "draining": "terminating",
    "stopped": "stopped",
}
#: How bad a state is, the worst first, for several forwards in one badge.
_WORST: Final = ("degraded", "waiting", "resolving", "draining", "ready")
#: Eighths of a cell, from one byte to the most of the time shown. Nothing at all is a dot.
_LEVELS: Final = "▁▂▃▄▅▆▇█"
_NOTHING: Final = "·"


def state_sign(state: str) -> Piece:
    """The sign of a forward's state in its ink."""
    like = _LIKE[state]
    return SIGNS[like], like


def state_cell(state: str) -> Cell:
    """Sign and word."""
    glyph, ink = state_sign(state)
    return ((f"{glyph} ", ink), (state, ink if state != "ready" else ""))


def traffic(count: int) -> Cell:
    """Bytes of a direction; nothing is dim."""
    return size(count) if count else (("0", "dim"),)


def rate(sent: int, received: int) -> Cell:
    """Bytes of the last second, each way; empty while nothing flows."""
    parts = [f"{arrow}{size(count)}/s" for arrow, count in (("↑", sent), ("↓", received)) if count]
    return ((" ".join(parts), "accent"),) if parts else ""


def spark(amounts: Sequence[int], cells: int, step: int, now: float) -> tuple[Piece, ...]:
    """What was moved in the last `cells * step` seconds, newest at the right.

    Cells begin at whole multiples of `step` of the clock, so that only the last one changes with each second and the
    others move once in `step` seconds.

    Args:
        amounts: bytes of each of the last seconds, oldest first.
        cells: how many cells wide.
        step: seconds in one cell.
        now: seconds of the wall clock.
    """
    last = int(now) % step + 1
    sums: list[int] = []
    end = len(amounts)
    while len(sums) < cells and end > 0:
        start = max(0, end - (last if not sums else step))
        sums.append(sum(amounts[start:end]))
        end = start
    top = max(sums, default=0)
    drawn = "".join(_level(amount, top) for amount in reversed(sums))
    return ((" " * (cells - len(drawn)), ""), (drawn, "bar" if top else "bar-rest"))


def _level(amount: int, top: int) -> str:
    return _LEVELS[min(7, amount * 8 // (top + 1))] if amount else _NOTHING


def short_uid(uid: str) -> str:
    """Enough of a uid to tell a pod from its successor of the same name."""
    return uid[:6]


def badge(forwards: Sequence[tuple[str, str]]) -> tuple[Piece, ...]:
    """What stands on a workload that forwards lead to: `⇄ 3306`, `⇄ ◐ 3306`, `⇄ 2`; empty without any.

    Args:
        forwards: state and address of each; stopped ones do not count.
    """
    told = [(state, address) for state, address in forwards if state != "stopped"]
    if not told:
        return ()
    worst = min((state for state, _ in told), key=_WORST.index)
    glyph, ink = state_sign(worst)
    text = str(len(told)) if len(told) > 1 else _place(told[0][1])
    if worst == "ready":
        return ((f"⇄ {text}".rstrip(), "accent"),)
    return ((f"⇄ {glyph} {text}".rstrip(), ink),)


def _place(address: str) -> str:
    """An address in few cells: the port alone, which is what one types."""
    return "unix" if address.startswith("unix:") else address.rpartition(":")[2]
