"""Everything known of one forward, as lines to read."""

from __future__ import annotations

from tui.kube.forward.views import ForwardView, TunnelView
from tui.kube.quantity import text as size
from tui.kube.times import age, clock
from tui.problem import Problem
from tui.screens.forwards.signs import spark, state_sign
from tui.widgets.ink import Piece
from tui.widgets.lines import Line

#: Cells before the value of a labelled fact.
LABEL = 10
#: Cells of a sparkline, each of `STEP` seconds.
SPARK, STEP = 15, 4
_OVER = ("draining", "stopped")


def details(view: ForwardView, now: float, *, sticky: bool, narrow: bool) -> list[Line]:
    """The facts, the troubles first.

    Args:
        view: the forward.
        now: seconds of the wall clock.
        sticky: whether a connection goes where the one before went.
        narrow: whether the lines stand in a column that is higher than wide.
    """
    glyph, ink = state_sign(view.state.value)
    over = view.state.value in _OVER
    since: Piece = (f"  since {clock(view.since)}, {age(now - view.since)}   ", "dim")
    lines = [Line(((f"{glyph} ", ink), (view.state.value, ink), since, ("s", "key"), (" restart", "dim")), hang=2)]
    if view.reason:
        lines.append(Line(((view.reason, "warn" if view.state.value in ("degraded", "waiting") else "dim"),)))
    if view.evidence:
        lines.append(_fact("evidence", ((view.evidence, ""),)))
    if view.remedy:
        lines.append(_fact("remedy", ((view.remedy, "strong"),)))
    lines.append(_fact("address", _address(view)))
    if view.pod is not None and not over:
        label = "led to" if view.state.value == "waiting" else "leads to"
        uid = ((f"  uid {view.pod.uid}", "dim"),) if not narrow else ()
        lines.append(_fact(label, ((str(view.pod), ""), *uid)))
        lines += [_fact("pod uid", ((view.pod.uid, ""),))] if narrow else []
    kept = "the same pod while it is ready" if sticky else "each connection to the next ready pod"
    change: tuple[Piece, ...] = () if over else (("   e", "key"), (" change", "dim"))
    lines += [
        *_moved(view, now),
        _fact("so far", _count(view)),
        _fact("target", ((f"{view.namespace}/{view.target}:{view.port}", ""), *change)),
        _fact("choice", ((kept, ""),)),
        _fact("protocol", ((view.protocol, ""),) if view.protocol else (("chosen with the first connection", "dim"),)),
    ]
    return lines


def _count(view: ForwardView) -> tuple[Piece, ...]:
    text = "1 connection" if view.connections == 1 else f"{view.connections} connections"
    pieces: list[Piece] = [(text, ""), (f", {len(view.tunnels)} open", "")]
    if view.failures:
        pieces.append((f", {view.failures} broken", "warn"))
    return tuple(pieces)


def _moved(view: ForwardView, now: float) -> list[Line]:
    lines = []
    for label, total, at in (("sent", view.sent, 0), ("received", view.received, 1)):
        amounts = [pair[at] for pair in view.rates]
        peak = max(amounts[-SPARK * STEP :], default=0)
        drawn = spark(amounts, SPARK, STEP, now) if view.state.value not in _OVER else ()
        told = f"  peak {size(peak)}/s" if peak else ""
        lines.append(_fact(label, ((f"{size(total):<7}", ""), *drawn, (told, "dim"))))
    return lines


def _address(view: ForwardView) -> tuple[Piece, ...]:
    if view.state.value in _OVER:
        return ((f"{view.address}, closed", "dim"),) if view.address else (("none", "dim"),)
    if not view.address:
        return (("none for other programs   ", "dim"), ("a", "key"), (" opens one", "dim"))
    return (
        (f"{view.address}   ", "accent"),
        ("y", "key"),
        (" copy  ", "dim"),
        ("a", "key"),
        (" close", "dim"),
    )


def _fact(label: str, value: tuple[Piece, ...]) -> Line:
    return Line(((f"{label:<{LABEL}}", "dim"), *value), hang=LABEL)


def tunnel_details(tunnel: TunnelView, now: float) -> list[Line]:
    """The facts of one connection, with all that was said when it ended.

    Args:
        tunnel: the connection.
        now: seconds of the wall clock.
    """
    over = tunnel.closed is not None
    told = ("closed in order" if tunnel.clean else "broken: it did not end in order") if over else tunnel.phase.value
    ink = "" if tunnel.clean or not over else "failing"
    lines = [Line(((f"connection {tunnel.number}", "strong"), ("  ", ""), (told, ink)))]
    if tunnel.why:
        lines.append(Line(((tunnel.why, "warn" if ink else ""),)))
    if tunnel.stalled:
        lines.append(Line(((f"the {tunnel.stalled} does not read", "warn"),)))
    if tunnel.pod is not None:
        lines += [_fact("pod", ((str(tunnel.pod), ""),)), _fact("pod uid", ((tunnel.pod.uid, ""),))]
    lines.append(_fact("protocol", ((tunnel.protocol or "none yet", ""),)))
    moments = (("opened", tunnel.opened), ("last byte", tunnel.last_byte), ("closed", tunnel.closed))
    for label, at in moments:
        if at is not None:
            lines.append(_fact(label, ((clock(at), ""), (f"  {age(now - at)} ago", "dim"))))
    lines.append(_fact("sent", ((f"{tunnel.sent} bytes", ""),)))
    lines.append(_fact("received", ((f"{tunnel.received} bytes", ""),)))
    return lines


def defined_details(name: str, target: str, address: str, problem: Problem | None) -> list[Line]:
    """What the settings say of a forward that nobody has started, and why it could not be."""
    wrong = []
    if problem is not None:
        wrong = [Line((("✗ ", "failing"), (problem.what, "failing")), hang=2)]
        wrong += [_fact("evidence", ((problem.evidence, ""),))] if problem.evidence else []
        wrong += [_fact("remedy", ((problem.remedy, "strong"),))] if problem.remedy else []
    return [
        Line((("· ", "dim"), ("defined in the settings, not started", ""))),
        *wrong,
        _fact("name", ((name, "strong"),)),
        _fact("target", ((target, ""),)),
        _fact("address", ((address, ""),)),
        _fact("start", (("⏎", "key"), (" starts it", "dim"))),
    ]
