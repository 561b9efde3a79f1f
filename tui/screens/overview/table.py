"""A workload as one line of the dense table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tui.kube.times import age
from tui.screens.overview.order import restarts
from tui.systems.model import Health, Workload, brief
from tui.text import one_line
from tui.widgets.columns import Column
from tui.widgets.ink import Cell, Piece
from tui.widgets.signs import bar, sign

if TYPE_CHECKING:
    from tui.widgets.row import Row

#: Signs of members that stand one by one; of more members the states are counted.
RUN: Final = 9

COLUMNS: Final = (
    Column("sign", "", 1, 1),
    Column("name", "WORKLOAD", 12, 36, cut=True, keep="end"),
    Column("system", "SYSTEM", 11, 16, priority=5, cut=True),
    Column("namespace", "NAMESPACE", 9, 20, priority=1, cut=True),
    Column("ready", "READY", 5, 9, align="right"),
    Column("members", "MEMBERS", 7, 16),
    Column("use", "USE", 4, 5, align="right", priority=2),
    Column("bar", "", 8, 8, priority=7),
    Column("restarts", "↻", 3, 6, align="right", priority=3),
    Column("age", "AGE", 4, 5, align="right", priority=6),
    Column("forwards", "⇄", 3, 10, optional=True),
    Column("why", "WHY", 16, grow=1),
)


def row(workload: Workload, now: float, *, stale: bool = False, letter: str = "", badge: tuple[Piece, ...] = ()) -> Row:
    """The table's line for a workload.

    Args:
        workload: what it shows.
        now: seconds of the wall clock, for the age.
        stale: whether it may be out of date; it steps back then.
        letter: for jumping; it takes the sign's place.
        badge: of the forwards that lead to it; the column's title has their sign already.
    """
    from tui.widgets.row import Row  # noqa: PLC0415 - the first frame has no rows, and need not load what they are

    fullest = workload.fullest
    use, drawn = _use(workload)
    again = restarts(workload)
    health = workload.health.value
    cells: tuple[Cell, ...] = (
        ((letter, "match"),) if letter else (sign(workload.health),),
        ((workload.name, "strong"),),
        workload.title,
        ((workload.namespace, "dim"),),
        ((f"{workload.ready}/{workload.desired}", "" if workload.ready == workload.desired else health),),
        _run(workload),
        use,
        drawn if fullest is not None else "",
        ((str(again), "warn"),) if again else "",
        ((age(max(0.0, now - workload.created)), "dim"),) if workload.created is not None else "",
        tuple((text.removeprefix("⇄ "), ink) for text, ink in badge),
        _why(workload),
    )
    if stale:
        cells = tuple(_faded(cell) for cell in cells)
    return Row(workload.key, cells, "dim" if stale else "")


def _use(workload: Workload) -> tuple[Cell, Cell]:
    fullest = workload.fullest
    if fullest is not None:
        return f"{fullest.fraction * 100:.0f}%", bar(fullest.fraction, 6)
    return ((("?", "unknown"),) if workload.claims else "", "")


def _run(workload: Workload) -> Cell:
    """Members as signs, `●●◌`; of many members how many are in which state, `●48 ✗2`."""
    if len(workload.members) <= RUN:
        return tuple(sign(member.health) for member in workload.members)
    counts: dict[Health, int] = {}
    for member in workload.members:
        counts[member.health] = counts.get(member.health, 0) + 1
    pieces: list[Piece] = []
    for health, count in sorted(counts.items(), key=lambda item: -item[1]):
        glyph, ink = sign(health)
        pieces.append((f"{glyph}{count} ", ink))
    return tuple(pieces)


def _why(workload: Workload) -> Cell:
    pieces: list[Piece] = []
    if workload.why:
        pieces.append((one_line(workload.why), ""))
    for warning in sorted(workload.warnings, key=lambda warning: not warning.alarms):
        text = one_line(warning.text)
        if text not in workload.why:
            mark, ink = ("⚠ ", "warn") if warning.alarms else ("· ", "dim")
            pieces.append((("  " if pieces else "") + mark + text, ink))
    if not pieces and workload.rollouts:
        rollout = workload.rollouts[0]
        pieces.append((f"⇡ rolling out, {rollout.updated}/{rollout.total}", "starting"))
    if not pieces and workload.stands_in:
        pieces.append((one_line(brief(workload.stands_in)), "dim"))
    return tuple(pieces)


def _faded(cell: Cell) -> Cell:
    return cell if isinstance(cell, str) else tuple((text, "dim") for text, _ in cell)
