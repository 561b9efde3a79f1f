"""What came in from the store, in an order that fits, and what became of the workloads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tui.kube.store import Change
from tui.systems.model import Workload

#: Owners first, so that whoever is owned finds them; custom resources (`plural.group`) before all.
_ORDER = {
    "deployments": 1,
    "statefulsets": 1,
    "daemonsets": 1,
    "replicasets": 2,
    "pods": 3,
    "persistentvolumeclaims": 4,
}


@dataclass(frozen=True, slots=True)
class Delta:
    """What became different: workloads that are new or changed, and keys of those that are no more."""

    changed: tuple[Workload, ...] = ()
    gone: tuple[str, ...] = ()

    def then(self, later: Delta) -> Delta:
        """Both as one; the later has the last word on a key."""
        changed = {workload.key: workload for workload in (*self.changed, *later.changed)}
        for key in later.gone:
            changed.pop(key, None)
        return Delta(
            tuple(changed.values()), tuple(dict.fromkeys(k for k in (*self.gone, *later.gone) if k not in changed))
        )


def owners_first(changes: Iterable[Change]) -> list[Change]:
    """The changes in the order in which they are easiest to follow."""
    return sorted(changes, key=lambda item: _ORDER.get(item.resource, 0 if "." in item.resource else 5))
