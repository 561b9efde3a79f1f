"""Which workloads are shown, and in what order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from tui.systems.model import SEVERITY, Health, Kind, Workload

#: The order of the groups.
KINDS: Final = (Kind.DATABASE, Kind.OBJECT_STORE, Kind.QUEUE, Kind.OTHER)
_RANK: Final = {kind: rank for rank, kind in enumerate(KINDS)}
_BADNESS: Final = {health: rank for rank, health in enumerate(SEVERITY)}


def _use(workload: Workload) -> float:
    fullest = workload.fullest
    return fullest.fraction if fullest is not None else -1.0


def badness(workload: Workload) -> int:
    """How ill it is: 0 for well; a warning counts as much as a member that is not ready."""
    return max((_BADNESS[workload.health], *(_BADNESS[warning.health] for warning in workload.warnings)))


def restarts(workload: Workload) -> int:
    """Of all members together."""
    return sum(member.restarts for member in workload.members)


def faulty(workload: Workload) -> bool:
    """Whether anything about it wants attention."""
    return (
        workload.health not in (Health.READY, Health.STOPPED)
        or bool(workload.why)
        or any(warning.alarms for warning in workload.warnings)
        or any(
            member.health is not Health.READY for member in workload.members if workload.health is not Health.STOPPED
        )
    )


#: Sort key → (name on screen, column of the table, value, whether it starts with the largest).
_SORTS: Final[dict[str, tuple[str, str, Callable[[Workload], Any], bool]]] = {
    "kind": ("kind", "name", lambda workload: _RANK[workload.kind], False),
    "name": ("name", "name", lambda workload: workload.name, False),
    "namespace": ("namespace", "namespace", lambda workload: workload.namespace, False),
    "health": ("health", "sign", badness, True),
    "use": ("use", "use", _use, True),
    "restarts": ("restarts", "restarts", restarts, True),
    "age": ("age", "age", lambda workload: -(workload.created or 0.0), False),
}
SORTS: Final = tuple(_SORTS)


@dataclass(frozen=True, slots=True)
class Order:
    """What is left out, and how the rest is sorted.

    Attributes:
        words: all must be found; one that starts with `!` must not be.
        faults: only what wants attention.
        sort: one of SORTS.
        reverse: against the sort's own direction (worst, fullest and most first).
    """

    words: tuple[str, ...] = ()
    faults: bool = False
    sort: str = "kind"
    reverse: bool = False

    def filtered(self, text: str) -> Order:
        """The same with another filter text."""
        return replace(self, words=tuple(text.lower().split()))

    def next_sort(self) -> Order:
        """The same with the next sort key in its own direction."""
        return replace(self, sort=SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)], reverse=False)

    def turned(self) -> Order:
        """The same, the other way round."""
        return replace(self, reverse=not self.reverse)

    @property
    def descending(self) -> bool:
        """Whether the largest stands first."""
        return _SORTS[self.sort][3] != self.reverse

    @property
    def column(self) -> str:
        """The column of the table that it sorts by."""
        return _SORTS[self.sort][1]

    @property
    def text(self) -> str:
        """For the status line: key and direction."""
        return f"{_SORTS[self.sort][0]} {'▼' if self.descending else '▲'}"

    @property
    def steady(self) -> bool:
        """Whether order and choice can change only when workloads come or go."""
        return not self.words and not self.faults and self.sort in ("kind", "name", "namespace", "age")

    def shows(self, workload: Workload) -> bool:
        """Whether a workload passes the filter."""
        if self.faults and not faulty(workload):
            return False
        if not self.words:
            return True
        text = _searched(workload)
        return all(
            (word[1:] not in text) if word.startswith("!") and len(word) > 1 else (word in text or word == "!")
            for word in self.words
        )

    def apply(self, workloads: Iterable[Workload]) -> list[Workload]:
        """Those that pass, sorted; equal ones by name and namespace."""
        shown = [workload for workload in workloads if self.shows(workload)]
        shown.sort(key=lambda workload: (workload.name, workload.namespace, workload.key))
        _, _, value, largest_first = _SORTS[self.sort]
        if self.sort != "name" or self.reverse:
            shown.sort(key=value, reverse=largest_first != self.reverse)
        return shown


def grouped(workloads: Collection[Workload]) -> list[tuple[Kind, list[Workload]]]:
    """The workloads by kind, in the order of the kinds, each group in the order given; no empty groups."""
    groups: dict[Kind, list[Workload]] = {kind: [] for kind in KINDS}
    for workload in workloads:
        groups[workload.kind].append(workload)
    return [(kind, members) for kind, members in groups.items() if members]


def _searched(workload: Workload) -> str:
    """Everything that the filter looks at, in lower case."""
    parts = [
        workload.name,
        workload.namespace,
        workload.system,
        workload.title,
        workload.packaging,
        workload.version,
        workload.health.value,
        workload.why,
        workload.owner.text,
    ]
    for member in workload.members:
        parts += (member.pod, member.phase, member.role.name if member.role else "", member.node)
    parts += [warning.text for warning in workload.warnings]
    return "\n".join(parts).lower()
