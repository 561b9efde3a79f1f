"""The visible state of each watched resource: a feed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from tui.kube.resources import Resource
from tui.problem import Problem


class Phase(StrEnum):
    """How current a feed's objects are."""

    WAITING = "waiting"  # nothing asked yet
    LISTING = "listing"  # the first list is arriving; `count` grows
    LIVE = "live"  # a watch is open and complete
    POLLING = "polling"  # list is allowed, watch is not: listed again every few seconds
    STALE = "stale"  # was live; `problem` says what broke; the objects stay
    FORBIDDEN = "forbidden"  # 403; asked again slowly and on demand
    ABSENT = "absent"  # the server does not have this resource type


@dataclass(frozen=True, slots=True)
class Feed:
    """The state of one resource in one scope.

    Attributes:
        resource: what is watched.
        namespace: one namespace, or None for the whole cluster.
        phase: how current it is.
        since: when that phase began, seconds of the wall clock.
        count: objects held now.
        problem: why it is stale or forbidden; while LISTING, the last failure if there was one.
    """

    resource: Resource
    namespace: str | None
    phase: Phase = Phase.WAITING
    since: float = 0.0
    count: int = 0
    problem: Problem | None = None

    @property
    def settled(self) -> bool:
        """Whether waiting longer would not complete it: complete, or known to be impossible."""
        return self.phase in (Phase.LIVE, Phase.POLLING, Phase.FORBIDDEN, Phase.ABSENT)


def held_whole(feeds: Iterable[Feed], resource: str) -> bool | None:
    """Whether a whole list of a resource has arrived wherever it is watched, so that what is not held is not there.

    Returns:
        None while it is still on its way; False where it will not come.
    """
    phases = [feed.phase for feed in feeds if feed.resource.key == resource]
    if not phases or any(phase in (Phase.WAITING, Phase.LISTING) for phase in phases):
        return None
    return all(phase in (Phase.LIVE, Phase.POLLING, Phase.STALE) for phase in phases)
