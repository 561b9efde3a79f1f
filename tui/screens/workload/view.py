"""What the tabs are given to draw: one workload at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tui.kube.feeds import Feed, Phase
from tui.kube.objects import Pod
from tui.kube.resources import PODS
from tui.kube.store import Store
from tui.kube.times import age
from tui.systems.model import Member, Workload
from tui.widgets.ink import Cell, Piece
from tui.widgets.lines import Line

#: Cells before the value of a labelled fact.
LABEL = 10


@dataclass(frozen=True, slots=True)
class View:
    """One workload, and where to look for the objects behind it.

    Attributes:
        workload: as last known.
        store: the cluster's objects, None before anything is connected.
        now: the moment that ages are counted to.
        gone_at: when the workload was seen to be deleted, None while it lives.
        feeds: the state of what is watched, by resource key and namespace (None: the whole cluster).
        forwards: those that lead to it, for the headline.
    """

    workload: Workload
    store: Store | None
    now: float
    gone_at: float | None = None
    feeds: Mapping[tuple[str, str | None], Feed] = field(default_factory=dict)
    forwards: tuple[Piece, ...] = ()

    def refusal(self, resource: str) -> str:
        """Why objects of a resource cannot be seen, in the API server's words; empty when they can, or nobody knows."""
        ours = [self.feeds[key] for key in ((resource, None), (resource, self.workload.namespace)) if key in self.feeds]
        if not ours or any(feed.phase not in (Phase.FORBIDDEN, Phase.ABSENT) for feed in ours):
            return ""
        problem = ours[-1].problem
        return (problem.evidence or problem.what) if problem else f"{resource} may not be read"

    def pod(self, member: Member) -> Pod | None:
        """The pod of a member, None while there is none (or once it is gone)."""
        return self.store.by_uid(PODS.key, member.uid, Pod) if self.store and member.uid else None

    def member(self, pod: str) -> Member | None:
        """The member whose pod has this name."""
        return next((member for member in self.workload.members if member.pod == pod), None)

    def holders(self) -> dict[str, Member]:
        """The member that holds each claim, by the claim's name; spare ones are not among them."""
        return {claim.name: member for member in self.workload.members for claim in member.claims}

    def age(self, since: float | None) -> str:
        """An age as tables show it, empty when there is no such time."""
        return "" if since is None else age(self.now - since)


def fact(label: str, value: Cell) -> Line:
    """A labelled line of a facts pane."""
    pieces: tuple[Piece, ...] = ((value, ""),) if isinstance(value, str) else value
    return Line(((f"{label:<{LABEL}}", "dim"), *pieces), hang=LABEL)


def heading(title: str) -> tuple[Line, Line]:
    """A blank line and a section's title."""
    return Line(), Line(((title, "title"),))


def listed(pieces: list[Piece], separator: str = "  ") -> tuple[Piece, ...]:
    """The pieces that are not empty, with something between them."""
    full = [piece for piece in pieces if piece[0]]
    return tuple(part for at, piece in enumerate(full) for part in ((separator, "dim"), piece)[0 if at else 1 :])
