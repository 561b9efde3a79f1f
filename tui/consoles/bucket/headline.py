"""What a store tells of itself in the first line, and the line above the keys, what moves. Pieces only."""

from __future__ import annotations

from collections.abc import Sequence

from tui.consoles.bucket.client import Stage, Transfer
from tui.consoles.bucket.words import duration, rate, size
from tui.consoles.headline import of_tls
from tui.consoles.headparts import Part, pieces_width
from tui.services.bucket.model import Facts
from tui.text import one_line
from tui.widgets.columns import fit
from tui.widgets.ink import Piece

STAGES = {
    Stage.WAITING: ("○", "waiting"), Stage.RUNNING: ("◐", "running"), Stage.PAUSED: ("‖", "warn"),
    Stage.DONE: ("✓", "ready"), Stage.FAILED: ("✗", "failing"), Stage.CANCELLED: ("■", "stopped"),
}  # fmt: skip
#: Cells of a transfer's bar, of one where there is little room, and of what it is called at least.
BAR, SHORT_BAR, TITLE = 10, 5, 14


def of_store(facts: Facts) -> list[Part]:
    """Product and version, TLS, the access key, the clock where it is wrong."""
    version = one_line(facts.version)
    parts = [Part(((f" · {facts.product} {version}".rstrip(), ""),), ((f" · {facts.product}", ""),), 3)]
    parts.append(of_tls(facts.tls))
    who = one_line(facts.access)
    parts.append(Part((("   as ", "dim"), (who, "strong")), ((f"  {who}", ""),), 2))
    if facts.clock:
        ahead = "ahead" if facts.skew > 0 else "behind"
        skew = f"   ⚠ its clock is {duration(abs(facts.skew))} {ahead}"
        parts.append(Part(((skew, "warn"),), (("  ⚠ clock", "warn"),), 1))
    return parts


def bar(done: int, total: int | None, cells: int = BAR) -> str:
    """`▕███▏    ▏`; of an unknown whole dots."""
    if total is None:
        return f"▕{'·' * cells}▏"
    full = cells if not total else min(cells, done * cells // total)
    return f"▕{'█' * full}{' ' * (cells - full)}▏"


def share(transfer: Transfer) -> str:
    """`43%`, or what is done of what is not known."""
    if transfer.total is None:
        return size(transfer.done)
    return "100%" if not transfer.total else f"{min(100, transfer.done * 100 // transfer.total)}%"


def progress(transfer: Transfer, room: int) -> list[Piece]:
    """One transfer as it goes on. What it is gives way to how far it is, where both do not fit.

    Args:
        transfer: the transfer.
        room: cells.
    """
    sign, ink = STAGES[transfer.stage]
    told: list[Piece] = []
    if transfer.stage in (Stage.RUNNING, Stage.PAUSED, Stage.WAITING):
        told = next((one for one in _ways(transfer) if pieces_width(one) <= room - 2 - TITLE), _ways(transfer)[-1])
    elif transfer.stage is Stage.FAILED and transfer.problem is not None:
        told.append((f": {one_line(transfer.problem.what)}", "failing"))
    else:
        done, files = transfer.files
        many = f", {done:,} files" if (files or 0) > 1 else ""
        told.append((f": {transfer.stage}, {size(transfer.done)}{many}", ""))
    title: list[Piece] = [(one_line(transfer.title), "")]
    if pieces_width(title) > (left_over := max(TITLE, room - 2 - pieces_width(told))):
        title = fit(tuple(title), left_over)
    return [(f"{sign} ", ink), *title, *told]


def _ways(transfer: Transfer) -> list[list[Piece]]:
    """How far it is, in ever fewer words."""
    part: Piece = (f" {share(transfer)}", "strong")
    bars = [(f" {bar(transfer.done, transfer.total, cells)}", "bar") for cells in (BAR, SHORT_BAR)]
    if transfer.stage is not Stage.RUNNING:
        state: Piece = (f" {transfer.stage}", "warn")
        return [[bars[0], part, state], [bars[1], part, state], [part, state]]
    speed: Piece = (f" {rate(transfer.rate)}", "")
    left: Piece = (f" {duration(transfer.remaining)} left" if transfer.remaining is not None else "", "")
    return [[bars[0], part, speed, left], [bars[1], part, speed, left], [bars[1], part, left], [part, left]]


def activity(transfers: Sequence[Transfer], said: list[Piece], width: int) -> list[Piece]:
    """What moves, or what came of what moved last; with the keys for it.

    Args:
        transfers: all of them.
        said: what is told where nothing ever moved.
        width: cells.
    """
    going = [one for one in transfers if one.stage in (Stage.RUNNING, Stage.PAUSED, Stage.WAITING)]
    keys: list[Piece] = []
    many: list[Piece] = []
    shown: Transfer | None = None
    if going:
        shown = next((one for one in going if one.stage is Stage.RUNNING), going[0])
        if len(going) > 1:
            many = [(f"{len(going)} transfers  ", "strong")]
        pause = " go on " if shown.stage is Stage.PAUSED else " pause "
        keys = [("P", "key"), (pause, "dim"), ("X", "key"), (" cancel ", "dim"), ("f6", "key"), (" all", "dim")]
    elif transfers:
        failed = next((one for one in reversed(transfers) if one.stage is Stage.FAILED), None)
        shown = failed or transfers[-1]
        keys = [("f6", "key"), (" transfers", "dim")]
        if failed is not None:
            keys = [("Y", "key"), (" retry  ", "dim"), *keys]
    if keys:
        keys = [(" ", ""), *keys]  # what is told may be cut right before them
    room = max(0, width - pieces_width(keys) - 2)
    left = said if shown is None else [*many, *progress(shown, room - pieces_width(many) - 1)]
    return fit(((" ", ""), *fit(tuple(left), room), *keys, (" ", "")), width)
