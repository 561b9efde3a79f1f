"""The Conditions tab: why the workload is not ready, from the effect to its cause, each step with its evidence."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.widget import Widget

from tui.kube.store import Store
from tui.kube.times import clock, parse
from tui.screens.workload.keeping import keeping
from tui.screens.workload.panel import Tab
from tui.screens.workload.view import View
from tui.systems.diagnose import Reason, diagnose
from tui.systems.model import Health, Member, Workload
from tui.widgets.lines import Line, Lines
from tui.widgets.signs import sign

log = logging.getLogger(__name__)


class ConditionsTab(Tab):
    """Chains of causes, of the workload and of each member that is not ready."""

    HELP: ClassVar[str] = """Conditions
Why the workload, or a member of it, is not ready: from what is seen to what causes it, one step a line. Under each step
stands the evidence in the words of whoever said it (the scheduler, the kubelet, a container), and → what you can do.
What an operator says of its workload is shown as its claim; what contradicts it stands under the warnings."""

    def compose(self) -> ComposeResult:
        """One text."""
        yield Lines()

    def main(self) -> Widget:
        """The text."""
        return self.query_one(Lines)

    def show(self, view: View) -> None:
        """Writes the chains anew; only lines that differ are repainted."""
        self.query_one(Lines).set_lines(list(conditions(view)))


def conditions(view: View) -> Iterator[Line]:
    """All there is to say about how the workload is."""
    workload = view.workload
    store = view.store or Store()
    whole = _diagnosed(store, workload, None)
    unwell = [member for member in workload.members if member.health is not Health.READY]
    yield _summary(view, unwell)
    yield from _chain(view, whole, "")
    for member in unwell:
        yield Line()
        yield Line(
            (sign(member.health), (f" {member.pod}", "strong"), ("  ", ""), (member.phase, member.health.value)), hang=2
        )
        yield from _chain(view, _diagnosed(store, workload, member), member.note or "no cause is known")
    if not unwell:
        yield from _ready(view)
    if workload.warnings:
        yield Line()
        yield Line((("Warnings", "title"),))
        for warning in workload.warnings:
            yield Line((("⚠ ", warning.health.value) if warning.alarms else ("· ", "dim"), (warning.text, "")), hang=2)
            yield from _evidence(warning.evidence, 2)
    for rollout in workload.rollouts:
        yield Line()
        yield Line((("Rollout", "title"),))
        held = f", ordinals below {rollout.partition} held back by the partition" if rollout.partition else ""
        yield Line(
            ((f"{rollout.set_name}: {rollout.updated} of {rollout.total} on {rollout.to_revision}{held}", ""),), hang=2
        )
        if rollout.stuck:
            yield Line((("⚠ ", "warn"), (f"it does not move: {rollout.stuck}", "")), hang=2)
    yield from keeping(view)
    if workload.operator_status:
        yield Line()
        yield Line((("Its operator says", "title"), ("  its own claim, which statetui does not vouch for", "dim")))
        yield from _evidence(workload.operator_status, 2)


def _diagnosed(store: Store, workload: Workload, member: Member | None) -> tuple[Reason, ...]:
    """The chain, or, when working it out fails, that it did: one odd object must not take the screen away."""
    try:
        return diagnose(store, workload, member)
    except Exception as error:
        log.exception("no diagnosis of %s", workload.key)
        return (Reason(0, "statetui could not work out why", repr(error), "The log file has the details."),)


def _summary(view: View, unwell: list[Member]) -> Line:
    workload = view.workload
    count = len(workload.members)
    if view.gone_at is not None:
        return Line((("deleted; ", "warn"), ("what follows was so when it was last seen", "")))
    if not unwell and workload.ready >= workload.desired and count:
        text = f"all {count} members are ready" if count > 1 else "its one member is ready"
        return Line((sign(workload.health), (f" {text}", "ready" if workload.health is Health.READY else "")), hang=2)
    if not count:
        return Line((sign(workload.health), (" it has no members", "")), hang=2)
    text = f" {workload.ready} of {workload.desired} members are ready" if count > 1 else " its one member is not ready"
    return Line((sign(workload.health), (text, "strong")), hang=2)


def _ready(view: View) -> Iterator[Line]:
    """Since when each member has been ready."""
    for member in view.workload.members:
        pod = view.pod(member)
        condition = next((each for each in pod.status.conditions if each.type == "Ready"), None) if pod else None
        since = parse(condition.last_transition_time) if condition else None
        told = "" if since is None else f"  ready since {clock(since)}, {view.age(since)}"
        yield Line((("  ", ""), sign(member.health), (f" {member.pod}", ""), (told, "dim")), hang=4)


def _chain(view: View, reasons: tuple[Reason, ...], otherwise: str) -> Iterator[Line]:
    if not reasons and otherwise:
        yield Line(((f"  {otherwise}", "dim"),), hang=2)
    for reason in reasons:
        indent = 2 + 2 * min(reason.depth, 8)
        branch = " " * (indent - 2) + ("└ " if reason.depth else "· ")
        when = "" if reason.at is None else f"  since {clock(reason.at)}, {view.age(reason.at)} ago"
        yield Line(((branch, "frame"), (reason.text, ""), (when, "dim")), hang=indent)
        yield from _evidence(reason.evidence, indent)
        if reason.remedy:
            yield Line(((" " * indent + "→ ", "accent"), (reason.remedy, "accent")), hang=indent + 2)


def _evidence(text: str, indent: int) -> Iterator[Line]:
    edge = (" " * indent + "│ ", "frame")
    for part in text.strip().splitlines():
        yield Line((edge, (part, "dim")), hang=indent + 2, lead=(edge,))
