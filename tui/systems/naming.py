"""Which workloads a person means by a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tui.systems.model import Workload


def select(workloads: Iterable[Workload], names: Sequence[str]) -> tuple[list[Workload], list[str]]:
    """The named workloads (all without names) by namespace and name, and the names that nothing bears."""
    ordered = sorted(workloads, key=lambda item: (item.namespace, item.name, item.system))
    if not names:
        return ordered, []
    chosen: dict[str, Workload] = {}
    missing: list[str] = []
    for name in names:
        # A workload's own name goes before the name of a set, which may be another workload's.
        found = [item for item in ordered if name in (item.name, f"{item.namespace}/{item.name}", item.key)]
        found = found or [
            item for item in ordered if any(name in (one.name, f"{one.namespace}/{one.name}") for one in item.objects)
        ]
        chosen.update({item.key: item for item in found})
        if not found:
            missing.append(name)
    return [item for item in ordered if item.key in chosen], missing
