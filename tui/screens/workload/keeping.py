"""How Kubernetes keeps a workload: the rules of its sets, what becomes of its claims, how many members it may lose."""

from __future__ import annotations

from collections.abc import Iterator

from tui.kube.objects import LabelSelector, Pod, PodDisruptionBudget, StatefulSet
from tui.kube.resources import BUDGETS, STATEFULSETS
from tui.screens.workload.view import View, fact, heading
from tui.widgets.ink import Piece
from tui.widgets.lines import Line


def keeping(view: View) -> Iterator[Line]:
    """The section on the rules that hold for a workload; nothing when no rule is known."""
    lines = [*_sets(view), *_budgets(view)]
    if lines:
        yield from heading("How it is kept")
        yield from lines


def _sets(view: View) -> Iterator[Line]:
    if view.store is None:
        return
    for reference in view.workload.objects:
        if reference.resource == STATEFULSETS.key:
            found = view.store.named(STATEFULSETS.key, reference.namespace, reference.name, StatefulSet)
            if found is not None:
                yield from _set(found)


def _set(found: StatefulSet) -> Iterator[Line]:
    spec, status = found.spec, found.status
    order = "one after the other" if spec.pod_management_policy == "OrderedReady" else "all at once"
    yield fact(
        "set",
        (
            (found.name, "strong"),
            (f"  {spec.replicas} {'replica' if spec.replicas == 1 else 'replicas'}, started {order}", ""),
        ),
    )
    revision = status.update_revision or status.current_revision
    if revision:
        settled = not status.update_revision or status.update_revision == status.current_revision
        note = "" if settled else f"  coming from {status.current_revision}"
        yield fact("revision", ((revision, ""), (note, "warn")))
    yield fact("updates", _updates(found))
    if spec.volume_claim_templates:
        kept = spec.persistent_volume_claim_retention_policy
        scaled, deleted = (kept.when_scaled, kept.when_deleted) if kept else ("Retain", "Retain")
        yield fact(
            "claims",
            (
                ("kept" if scaled == "Retain" else "deleted", "" if scaled == "Retain" else "failing"),
                (" when scaled down, ", "dim"),
                ("kept" if deleted == "Retain" else "deleted", "" if deleted == "Retain" else "failing"),
                (" when the set is deleted", "dim"),
            ),
        )


def _updates(found: StatefulSet) -> tuple[Piece, ...]:
    strategy = found.spec.update_strategy
    if strategy.type == "OnDelete":
        return (("only when a pod is deleted by hand (OnDelete)", "warn"),)
    partition = strategy.rolling_update.partition if strategy.rolling_update else 0
    text = "one member at a time, the highest ordinal first"
    return ((text, ""), (f"; ordinals below {partition} are held back", "warn")) if partition else ((text, ""),)


def _budgets(view: View) -> Iterator[Line]:
    """The disruption budgets that guard members, and what they allow now."""
    store = view.store
    if store is None or not view.workload.members:
        return
    pods = [pod for member in view.workload.members if (pod := view.pod(member)) is not None]
    found = False
    for budget in store.in_namespace(BUDGETS.key, view.workload.namespace, PodDisruptionBudget):
        if not any(_guards(budget, pod) for pod in pods):
            continue
        found = True
        allowed = budget.status.disruptions_allowed
        text = f"may lose {allowed} more" if allowed else "may lose none now: evictions are refused"
        counts = f"{budget.status.current_healthy} healthy, {budget.status.desired_healthy} wanted"
        yield fact(
            "budget", ((budget.name, "strong"), (f"  {text}", "" if allowed else "warn"), (f"  {counts}", "dim"))
        )
    if refusal := view.refusal(BUDGETS.key):
        yield fact("budget", ((f"not to be seen: {refusal}", "dim"),))
    elif not found and pods:
        yield fact("budget", (("none: a drain may evict all members at once", "dim"),))


def _guards(budget: PodDisruptionBudget, pod: Pod) -> bool:
    selector = budget.spec.selector or LabelSelector()
    wanted = selector.match_labels
    return bool(wanted) and wanted.items() <= pod.metadata.labels.items()
