"""A forward, and a tunnel, as a line of a table."""

from __future__ import annotations

from typing import Final

from tui.kube.forward.targets import PodPort
from tui.kube.forward.views import ForwardView, Phase, TunnelView
from tui.kube.times import age
from tui.screens.forwards.signs import rate, short_uid, spark, state_cell, traffic
from tui.widgets.columns import Column
from tui.widgets.ink import Cell, Piece
from tui.widgets.row import Row

#: Cells and seconds of each of the sparkline in the list: a minute.
SPARK, STEP = 12, 5
#: What the keys of definitions begin with; those of forwards are numbers.
DEFINED: Final = "defined "

COLUMNS: Final = (
    Column("state", "STATE", 11, 11),
    Column("name", "FORWARD", 14, 36, cut=True),
    Column("address", "ADDRESS", 15, 34, cut=True, keep="end"),
    Column("pod", "LEADS TO", 20, 44, priority=2, cut=True, keep="end"),
    Column("open", "OPEN", 4, 5, align="right", priority=3),
    Column("sent", "SENT", 6, 6, align="right", priority=5),
    Column("received", "RECEIVED", 8, 8, align="right", priority=6),
    Column("spark", "LAST MINUTE", SPARK, SPARK, priority=7),
    Column("rate", "RATE", 12, 19, priority=8),
    Column("since", "SINCE", 5, 5, align="right", priority=4),
    Column("reason", "REASON", 16, optional=True, grow=1, priority=1),
)
TUNNELS: Final = (
    Column("number", "#", 3, 6, align="right"),
    Column("phase", "STATE", 8, 13),
    Column("pod", "POD", 14, 44, cut=True, keep="end"),
    Column("sent", "SENT", 6, 6, align="right"),
    Column("received", "RECEIVED", 8, 8, align="right"),
    Column("opened", "OPENED", 6, 6, align="right", priority=2),
    Column("idle", "IDLE", 5, 5, align="right", priority=1),
    Column("why", "WHY", 16, grow=1),
)


def name_cell(view: ForwardView) -> Cell:
    """What it is called, and what it leads to where that is something else."""
    plain = f"{view.target}:{view.port}"
    if view.name == plain:
        return ((view.target, "strong"), (f":{view.port}", ""))
    return ((view.name, "strong"), (f"  {plain}", "dim"))


def pod_cell(at: PodPort | None, now: str = "") -> Cell:
    """A pod's port with the beginning of its uid, which tells it from the one that bore the name before.

    Args:
        at: the port.
        now: the uid that counts; another one stands out, empty for any.
    """
    if at is None:
        return (("–", "dim"),)
    return ((str(at), ""), (f" {short_uid(at.uid)}", "warn" if now and at.uid != now else "dim"))


def forward_row(view: ForwardView, now: float) -> Row:
    """A forward; its key is its number."""
    recent = view.rates[-1] if view.rates else (0, 0)
    amounts = [sent + received for sent, received in view.rates]
    over = view.state.value in ("draining", "stopped")
    return Row(
        str(view.number),
        (
            state_cell(view.state.value),
            name_cell(view),
            ((view.address or "–", "dim" if over or not view.address else "accent"),),
            pod_cell(None if over or view.state.value == "waiting" else view.pod),
            str(len(view.tunnels)) if view.tunnels else (("0", "dim"),),
            traffic(view.sent),
            traffic(view.received),
            "" if over else spark(amounts, SPARK, STEP, now),
            "" if over else rate(*recent),
            ((age(now - view.since), "dim"),),
            ((view.reason, "warn"),) if view.reason and not over else "",
        ),
        "dim" if over else "",
    )


def defined_row(name: str, target: str, address: str, why: str = "") -> Row:
    """A forward that the settings define and nobody has started.

    Args:
        name: its name there.
        target: what it leads to.
        address: where it will listen.
        why: it could not be started.
    """
    return Row(
        DEFINED + name,
        (
            (("· defined", "dim"),),
            ((name, ""), (f"  {target}", "dim")),
            ((address, "dim"),),
            (("⏎", "key"), (" starts it", "dim")),
            *([""] * 6),
            ((why, "warn"),) if why else "",
        ),
        "dim",
    )


_PHASES: Final = {
    Phase.CONNECTING: ("◌ connecting", "starting"),
    Phase.OPEN: ("● open", "ready"),
    Phase.LINGERING: ("◐ half-closed", "running"),
}


def tunnel_row(tunnel: TunnelView, now: float, uid: str = "") -> Row:
    """A tunnel; its key is its number.

    Args:
        tunnel: what it shows.
        now: seconds of the wall clock, for ages.
        uid: of the pod that connections lead to now; another one stands out.
    """
    closed = tunnel.phase is Phase.CLOSED
    ended = ("■ closed", "stopped") if tunnel.clean else ("✗ broken", "failing")
    text, ink = ended if closed else _PHASES[tunnel.phase]
    glyph, _, word = text.partition(" ")
    return Row(
        str(tunnel.number),
        (
            ((str(tunnel.number), "dim"),),
            ((f"{glyph} ", ink), (word, ink if ink != "ready" else "")),
            pod_cell(tunnel.pod, uid),
            traffic(tunnel.sent),
            traffic(tunnel.received),
            ((age(now - tunnel.opened), "dim"),),
            ((age(now - tunnel.last_byte), ""),) if tunnel.last_byte is not None else (("none", "dim"),),
            _why(tunnel),
        ),
        "dim" if closed else "",
    )


def _why(tunnel: TunnelView) -> Cell:
    pieces: list[Piece] = []
    if tunnel.stalled:
        pieces.append((f"the {tunnel.stalled} does not read  ", "warn"))
    if tunnel.why:
        pieces.append((tunnel.why, "" if tunnel.clean or tunnel.phase is not Phase.CLOSED else "warn"))
    return tuple(pieces)
