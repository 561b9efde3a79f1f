"""Who waits for whom, as a tree: whoever blocks others and waits for nobody is at the root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tui.services.sql.operations.model import Activity


@dataclass(frozen=True, slots=True)
class Placed:
    """A session in the tree.

    Attributes:
        activity: the session.
        depth: 0 for one that waits for nobody else's sake.
        blocks: how many wait for it, directly or through others.
        last: whether it is the last one below its blocker, at each depth from 1 to its own.
        circle: it waits for itself through others: a deadlock that the server has not broken yet.
    """

    activity: Activity
    depth: int
    blocks: int
    last: tuple[bool, ...] = ()
    circle: bool = False


def arrange(activities: Sequence[Activity]) -> list[Placed]:
    """Sessions in the order in which they want attention: blocking chains, then what runs, then what rests.

    A session that waits for several is there once, below the one that is nearest to the root: whoever queues behind
    others for a lock names all of them, and a queue drawn as a staircase says no more.
    """
    by_id = {activity.id: activity for activity in activities}
    waiting: dict[str, list[str]] = {}
    for activity in activities:
        for blocker in activity.blocked_by:
            if blocker in by_id and blocker != activity.id:
                waiting.setdefault(blocker, []).append(activity.id)
    roots = [key for key in waiting if not any(blocker in by_id for blocker in by_id[key].blocked_by)]
    seen: set[str] = set(roots)
    below: dict[str, list[str]] = {}
    _hang(roots, waiting, below, seen)
    circles: set[str] = set()
    # What is left of the chains has no beginning: sessions that wait for one another in a circle.
    for key in by_id:
        if key in waiting and key not in seen and _waits_for_itself(key, waiting):
            seen.add(key)
            roots.append(key)
            _hang([key], waiting, below, seen)
            circles.add(key)
    counts = _counts(roots, below)
    roots.sort(key=lambda key: -counts[key])
    placed: list[Placed] = []
    for root in roots:
        left: list[tuple[str, tuple[bool, ...]]] = [(root, ())]
        while left:
            key, last = left.pop()
            placed.append(Placed(by_id[key], len(last), counts[key], last, root in circles))
            own = below.get(key, [])
            left += [(one, (*last, one == own[-1])) for one in reversed(own)]
    rest = [one for one in activities if one.id not in seen]
    rest.sort(key=lambda one: (one.system, not one.busy, -(one.transaction or 0.0), -(one.seconds or 0.0), one.id))
    return placed + [Placed(one, 0, 0) for one in rest]


def _hang(starts: Sequence[str], waiting: Mapping[str, list[str]], below: dict[str, list[str]], seen: set[str]) -> None:
    """Hangs each that waits below the nearest one that it waits for."""
    level = list(starts)
    while level:
        deeper = []
        for key in level:
            for one in waiting.get(key, ()):
                if one not in seen:
                    seen.add(one)
                    below.setdefault(key, []).append(one)
                    deeper.append(one)
        level = deeper


def _waits_for_itself(start: str, waiting: Mapping[str, list[str]]) -> bool:
    left, met = [start], set[str]()
    while left:
        for one in waiting.get(left.pop(), ()):
            if one == start:
                return True
            if one not in met:
                met.add(one)
                left.append(one)
    return False


def _counts(roots: Sequence[str], below: Mapping[str, list[str]]) -> dict[str, int]:
    """How many hang below each."""
    order: list[str] = list(roots)
    for key in order:
        order += below.get(key, ())
    counts: dict[str, int] = {}
    for key in reversed(order):
        counts[key] = sum(counts[one] + 1 for one in below.get(key, ()))
    return counts
