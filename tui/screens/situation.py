"""What the whole of it looks like from outside: the status line, and the words for when there are no panes to show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tui.kube.times import clock
from tui.problem import Cause, Problem
from tui.screens.overview.order import faulty
from tui.systems.model import Workload
from tui.text import one_line
from tui.widgets.ink import Piece
from tui.widgets.notice import Text
from tui.widgets.statusline import Status

if TYPE_CHECKING:
    from tui.kube.cluster import Cluster
    from tui.kube.presence import Presence
    from tui.kube.scope import Scope
    from tui.systems.live import Live

#: Keys that help in most situations.
_RETRY, _CONTEXT, _NAMESPACE, _HELP, _QUIT = (
    ("r", "try again now"),
    ("c", "another context"),
    ("n", "another namespace"),
    ("?", "help"),
    ("q", "quit"),
)


@dataclass(frozen=True, slots=True)
class Situation:
    """How things stand.

    Attributes:
        status: for the first line.
        notice: what to show in place of the panes; None when there are workloads to show.
        stale: whether the workloads may be out of date.
    """

    status: Status
    notice: Text | None
    stale: bool = False


class Tally:
    """Counts of workloads, pods, claims and faults, kept up to date workload by workload."""

    def __init__(self) -> None:
        self._each: dict[str, tuple[Workload, tuple[int, int, int]]] = {}
        self._sum = [0, 0, 0]

    def take(self, workloads: Iterable[Workload], gone: Iterable[str] = ()) -> None:
        """Counts these anew."""
        for key in gone:
            if (known := self._each.pop(key, None)) is not None:
                self._add(known[1], -1)
        for workload in workloads:
            if (known := self._each.get(workload.key)) is not None:
                self._add(known[1], -1)
            counts = (
                sum(1 for member in workload.members if member.uid),
                sum(len(member.claims) for member in workload.members) + len(workload.spare_claims),
                int(faulty(workload)),
            )
            self._each[workload.key] = (workload, counts)
            self._add(counts, 1)

    def clear(self) -> None:
        """Forgets all."""
        self._each.clear()
        self._sum = [0, 0, 0]

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Workloads, pods, claims, workloads that want attention."""
        return (len(self._each), *self._sum)  # type: ignore[return-value]

    def _add(self, counts: tuple[int, int, int], factor: int) -> None:
        for index, count in enumerate(counts):
            self._sum[index] += factor * count


def opening(context: str, problem: Problem | None = None) -> Situation:
    """Before there is anything to ask: the program's parts are being loaded, or could not be."""
    if problem is not None:
        return failed(problem, context)
    status = Status(context, state="connecting…")
    return Situation(status, Text("◌", "starting", "Connecting…"))


def failed(problem: Problem, context: str, scope: str = "") -> Situation:
    """Nothing could be opened or read; the whole problem is shown."""
    status = Status(context, scope, "✗", "failing", _word(problem), one_line(problem.evidence or problem.what))
    return Situation(status, explain(problem))


def explain(problem: Problem) -> Text:
    """A problem as a notice: what, the other side's words verbatim, and what to do."""
    paragraphs: list[Piece] = []
    if problem.evidence:
        paragraphs += [(problem.evidence.strip(), "dim"), ("", "")]
    if problem.remedy:
        paragraphs.append((problem.remedy, ""))
    if paragraphs and not paragraphs[-1][0]:
        paragraphs.pop()
    keys = (
        (_RETRY, _CONTEXT, _NAMESPACE, _QUIT) if problem.cause is Cause.FORBIDDEN else (_RETRY, _CONTEXT, _HELP, _QUIT)
    )
    return Text("✗", "failing", one_line(problem.what).rstrip(".") + ".", tuple(paragraphs), keys)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the app knows besides the opened context.

    Attributes:
        wanted: the context's name as far as it is known without reading anything.
        counts: of workloads, pods, claims and faults.
        shown: how many workloads pass the filter.
        view: filter and sort, for the status line.
        protected: whether the settings keep this context from being changed.
    """

    wanted: str
    counts: tuple[int, int, int, int]
    shown: int
    view: str = ""
    protected: bool = False


def judge(live: Live, seen: Seen) -> Situation:
    """How an opened context stands.

    Args:
        live: what is watched.
        seen: what the app knows besides.
    """
    context, counts, view = live.context, seen.counts, seen.view
    name = context.name if context is not None else seen.wanted
    if live.problem is not None:
        return failed(live.problem, name)
    cluster = live.cluster
    if cluster is None:
        return opening(name)
    connection, scope = cluster.connection, cluster.scope
    status = _status(name, live, cluster, seen)
    if connection.state == "failed" and not counts[0]:
        problem = connection.problem or Problem(Cause.INTERNAL, "The cluster cannot be read", connection.detail)
        return Situation(status, explain(_without_rights(problem, scope)))
    if not live.complete:
        return Situation(status, _listing(live, cluster, name))
    if not counts[0]:
        presence = cluster.lookout.presence if cluster.lookout is not None else None
        if presence is not None and presence.exists is False:
            return Situation(status, _nowhere(presence), connection.state == "stale")
        return Situation(status, _empty(scope, connection.detail, presence), connection.state == "stale")
    if not seen.shown:
        text = Text(
            "○", "dim", f"None of {counts[0]} workloads passes the filter.", ((view, "accent"),), (("esc", "show all"),)
        )
        return Situation(status, text, connection.state == "stale")
    return Situation(status, None, connection.state in ("stale", "failed"))


def _without_rights(problem: Problem, scope: Scope) -> Problem:
    """A refused request, told as what it means here. The server's own words stay."""
    if problem.cause is not Cause.FORBIDDEN:
        return problem
    return replace(
        problem,
        what=f"No right to read anything in {scope.text or 'this cluster'}",
        remedy="Choose a namespace that you may read, or ask whoever runs the cluster for the right to list and watch "
        "pods, statefulsets and persistentvolumeclaims. `statetui doctor` tells what each right is for.",
    )


def _status(name: str, live: Live, cluster: Cluster, seen: Seen) -> Status:
    connection = cluster.connection
    problem = connection.problem
    detail = one_line((problem.evidence or problem.what) if problem is not None else connection.detail)
    sign, ink, state = {
        "connecting": ("◌", "starting", "listing…" if cluster.feeds else "connecting…"),
        "live": ("●", "ready", "live"),
        "stale": ("◌", "warn", f"stale since {clock(connection.since)}"),
        "failed": ("✗", "failing", _word(problem) if problem is not None else "failed"),
    }[connection.state]
    return Status(
        name,
        cluster.scope.text,
        sign,
        ink,
        state,
        detail,
        _flags(live, seen.protected),
        seen.counts if live.complete and (seen.counts[0] or connection.state != "failed") else None,
        seen.view,
    )


def _flags(live: Live, protected: bool) -> tuple[str, ...]:
    flags = []
    if protected:
        flags.append("read-only")
    if live.context is not None and live.context.insecure:
        flags.append("TLS unverified")
    if live.context is not None and live.context.impersonation is not None and live.context.impersonation.user:
        flags.append(f"as {live.context.impersonation.user}")
    if left_out := len(live.catalogue.problems):
        flags.append(f"{left_out} system file{'s' if left_out > 1 else ''} left out")
    return tuple(flags)


def _word(problem: Problem) -> str:
    return {
        Cause.FORBIDDEN: "forbidden",
        Cause.CREDENTIALS: "no credentials",
        Cause.UNREACHABLE: "unreachable",
        Cause.TIMEOUT: "no answer",
        Cause.CONFIG: "not connected",
    }.get(problem.cause, "failed")


def _listing(live: Live, cluster: Cluster, name: str) -> Text:
    """Reading what there is: one line for each resource, with what has arrived."""
    server = live.context.server if live.context is not None else ""
    totals: dict[str, tuple[str, int, str]] = {}
    for feed in cluster.feeds.values():
        key = feed.resource.plural
        phase, count = feed.phase.value, feed.count
        before = totals.get(key)
        refused = one_line(feed.problem.what) if feed.problem is not None and phase != "live" else ""
        totals[key] = (phase, count + (before[1] if before else 0), refused or (before[2] if before else ""))
    width = max((len(key) for key in totals), default=0)
    lines: list[Piece] = [(f"{server}", "dim"), ("", "")] if server else []
    if waiting := live.api.waiting_for if live.api is not None else "":
        lines += [(f"Waiting for {one_line(waiting)}…", "warn"), ("", "")]
    for key, (phase, count, problem) in list(totals.items())[:8]:
        ink = "" if phase in ("live", "polling") else "dim"
        lines.append((f"{key:<{width}}  {count:>7}  {problem or phase}", ink))
    return Text("◌", "starting", f"Reading {one_line(name)}…", tuple(lines), (_CONTEXT, _HELP, _QUIT))


def _nowhere(presence: Presence) -> Text:
    """The namespace that was asked for does not exist."""
    paragraphs: list[Piece] = []
    if presence.near:
        paragraphs += [(f"Did you mean {' or '.join(presence.near)}?", "accent"), ("", "")]
    paragraphs.append(("Once it is created, what it holds is shown at once.", ""))
    keys = (_NAMESPACE, _CONTEXT, _HELP, _QUIT)
    return Text("✗", "failing", f"There is no namespace {presence.namespace}.", tuple(paragraphs), keys)


def _empty(scope: Scope, detail: str, presence: Presence | None) -> Text:
    where = "this cluster" if scope.namespaces is None else scope.text
    paragraphs: list[Piece] = [
        ("Nothing here holds claims or belongs to a system that statetui knows. What appears is shown at once.", "")
    ]
    if presence is not None and presence.exists is None:
        paragraphs += [("", ""), ("Or it does not exist: namespaces may not be read here.", "warn")]
        paragraphs += [(presence.reason, "dim")] if presence.reason else []
    if scope.reason:
        paragraphs += [("", ""), (f"Not the whole cluster can be seen: {scope.reason}", "dim")]
    if detail:
        paragraphs += [("", ""), (detail, "dim")]
    return Text(
        "○", "dim", f"No stateful workload in {where}.", tuple(paragraphs), (_NAMESPACE, _CONTEXT, _HELP, _QUIT)
    )
