"""What a bucket or queue console tells of its connection: in the first line, and in place of everything without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from tui.consoles.connecting import Connection, Phase
from tui.consoles.guard import Guard
from tui.consoles.headparts import Part, laid, standing
from tui.problem import Problem
from tui.systems.model import Workload
from tui.text import one_line
from tui.widgets.ink import Piece
from tui.widgets.notice import Text

#: A connection to whatever it is.
Link: TypeAlias = Connection[Any, Any, Any]
_SIGNS = {
    Phase.LOOKING: ("◌", "starting"), Phase.ASKING: ("?", "warn"), Phase.CONNECTING: ("◌", "starting"),
    Phase.OPEN: ("●", "ready"), Phase.LOST: ("◐", "running"), Phase.FAILED: ("✗", "failing"),
    Phase.CLOSED: ("○", "dim"),
}  # fmt: skip


def headline(
    connection: Link, guard: Guard, workload: Workload | None, name: str, told: Sequence[Part], width: int
) -> list[Piece]:
    """Workload, what the service tells of itself, read-only; at the right since when it stands.

    Args:
        connection: the way to the service.
        guard: what may be changed.
        workload: as it is now; None when it is gone.
        name: the workload's.
        told: by the service; empty while there is none.
        width: cells.
    """
    sign, ink = _SIGNS[connection.phase]
    right = standing(sign, ink, connection.state, connection.since, stands=connection.phase is Phase.OPEN)
    title: list[Piece] = [(f" {one_line(name)}", "title")]
    parts = [*told]
    if not told and workload is not None:
        title.append((f" · {workload.title}", ""))
    if guard.read_only:
        parts.append(Part(((f"   read-only: {guard.read_only}", "warn"),), (("  read-only", "warn"),), 0))
    elif guard.protected:
        parts.append(Part((("   protected context, open for changes", "warn"),), (("  protected", "warn"),), 1))
    return laid(title, parts, *right, width)


def of_tls(told: str) -> Part:
    """How a service is spoken to.

    Args:
        told: `TLSv1.3, verified`, `TLSv1.3, not verified`, or `off`.
    """
    plain = told == "off"
    short = "  no TLS" if plain else "  TLS" if "not" not in told else "  TLS unverified"
    long = "   no TLS" if plain else f"   {told}"
    return Part(((long, "warn" if plain or "not" in told else ""),), ((short, "dim"),), 4)


def login_of(connection: Link) -> list[Piece]:
    """Where the login comes from; nothing while there is no connection."""
    source = connection.source if connection.usable else ""
    return [(f"{connection.terms.name}: ", "dim"), (one_line(source), "dim")] if source else []


def words(connection: Link, problem: Problem | None) -> Text:
    """What is said in the place of everything while there is no service, or while what it has cannot be listed.

    Args:
        connection: the way to the service.
        problem: why nothing can be listed; None for the connection's own problem.
    """
    problem, terms = problem or connection.problem, connection.terms
    match connection.phase:
        case Phase.LOOKING:
            told = f"Reading what the pod's own definition says of {terms.whose}, then the Secrets that it names."
            return Text("◌", "starting", f"Looking for {terms.one}…", ((told, "dim"),), (("esc", "give up"),))
        case Phase.CONNECTING:
            source = f"{terms.name.capitalize()}: {connection.source}." if connection.source else ""
            return Text("◌", "starting", "Connecting…", ((source, ""),), (("esc", "give up"),))
        case Phase.ASKING:
            return Text("?", "warn", f"Waiting for {terms.any}", ((problem.what if problem is not None else "", ""),))
        case _ if problem is not None:
            keys = (("r", "try again"), ("f2", terms.other), ("esc", "back"))
            more = [*([(problem.evidence, "dim")] if problem.evidence else []), ("", ""), (problem.remedy, "")]
            return Text("✗", "failing", one_line(problem.what), tuple(more), keys)
    return Text("○", "dim", "Not connected")
