"""The Events tab: what Kubernetes said of the workload's objects, newest first, repetitions merged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import ClassVar

from tui.kube.events import EventLine, merge
from tui.kube.objects import Event
from tui.kube.resources import BUILT_IN, EVENTS
from tui.kube.times import clock
from tui.screens.workload.panel import ListTab
from tui.screens.workload.view import View, fact
from tui.text import one_line
from tui.widgets.columns import Column
from tui.widgets.ink import Cell
from tui.widgets.lines import Line
from tui.widgets.row import Row
from tui.widgets.rows import RowTable

_KINDS = {resource.key: resource.kind for resource in BUILT_IN}
_RESOURCES = {resource.kind: resource.key for resource in BUILT_IN}


class EventsTab(ListTab):
    """Events of the workload's sets, pods (those that are gone too) and claims."""

    HELP: ClassVar[str] = """Events
What Kubernetes reported of the workload's objects, newest first; the API server forgets it after an hour or so.
⚠ marks warnings, ×n how often the same was said of the same object. Pods that no longer exist are among them.
enter goes to the whole message (esc comes back), y shows the object as YAML."""
    COLUMNS = (
        Column("last", "LAST", min_width=4, align="right"),
        Column("reason", "REASON", min_width=12, max_width=16, cut=True),
        Column("object", "OBJECT", min_width=18, max_width=40, priority=1, cut=True, keep="end"),
        Column("count", "×", min_width=3, align="right", priority=3),
        Column("message", "MESSAGE", min_width=30, priority=1, grow=1),
    )
    EMPTY = "no events: nothing was reported in the last hour"
    RESOURCE = EVENTS.key

    def __init__(self) -> None:
        super().__init__()
        self._lines: dict[str, EventLine] = {}

    def rows(self, view: View) -> list[Row]:
        """One row for each thing that was said."""
        self._lines = {_key(line): line for line in events_of(view)}
        return [event_row(view, key, line) for key, line in self._lines.items()]

    def facts(self, view: View, key: str, compact: bool) -> list[Line]:
        """The whole message, and when it was said."""
        line = self._lines.get(key)
        return event_facts(view, line) if line else []

    def selected(self) -> tuple[str, str] | None:
        """The object of the event under the cursor."""
        line = self._lines.get(self.query_one(RowTable).cursor_key or "")
        return (_RESOURCES[line.kind], line.name) if line and line.kind in _RESOURCES else None


def _key(line: EventLine) -> str:
    return "\0".join((line.kind, line.name, line.type, line.reason, line.message, line.source))


def events_of(view: View) -> list[EventLine]:
    """The events of a workload's objects, merged, newest first.

    Pods are matched by name, so that those which are gone are found; those of a set by the set's naming, since a
    scaled-down or replaced pod is no member any more.
    """
    if view.store is None:
        return []
    belongs = _belongs(view)
    return merge(
        event
        for event in view.store.in_namespace(EVENTS.key, view.workload.namespace, Event)
        if belongs(event.involved_object.kind, event.involved_object.name, event.involved_object.uid)
    )


def _belongs(view: View) -> Callable[[str, str, str], bool]:
    """Whether an object, by kind, name and uid, is one of the workload's."""
    workload = view.workload
    names = {("Pod", member.pod) for member in workload.members}
    names |= {("PersistentVolumeClaim", claim.name) for claim in workload.claims}
    uids = {reference.uid for reference in workload.objects if reference.uid}
    sets = [reference.name for reference in workload.objects if reference.resource == "statefulsets"]
    deployments = [reference.name for reference in workload.objects if reference.resource == "deployments"]
    names |= {
        (_KINDS[reference.resource], reference.name) for reference in workload.objects if reference.resource in _KINDS
    }
    patterns = [re.escape(name) + r"-\d+" for name in sets]
    patterns += [re.escape(name) + r"-[a-z0-9]{1,10}(-[a-z0-9]{5})?" for name in deployments]
    pods = re.compile("|".join(patterns)) if patterns else None

    def belongs(kind: str, name: str, uid: str) -> bool:
        if (kind, name) in names or uid in uids:
            return True
        return pods is not None and kind in ("Pod", "ReplicaSet") and pods.fullmatch(name) is not None

    return belongs


def event_row(view: View, key: str, line: EventLine) -> Row:
    """An event as a row."""
    warning = line.type == "Warning"
    reason: Cell = (("⚠ " if warning else "  ", "warn"), (line.reason, "warn" if warning else ""))
    return Row(
        key,
        (
            ((view.age(line.last) or "?", "dim"),),
            reason,
            ((f"{_short(line.kind)}/", "dim"), (line.name, "")),
            f"×{line.count}" if line.count > 1 else "",
            one_line(line.message),
        ),
    )


_SHORT = {
    "PersistentVolumeClaim": "pvc",
    "StatefulSet": "sts",
    "Deployment": "deploy",
    "ReplicaSet": "rs",
    "Pod": "pod",
}


def _short(kind: str) -> str:
    return _SHORT.get(kind, kind.lower())


def event_facts(view: View, line: EventLine) -> list[Line]:
    """An event in full."""
    warning = line.type == "Warning"
    lines = [Line((("⚠ " if warning else "", "warn"), (line.reason, "warn" if warning else "strong")))]
    lines += [Line(((part, ""),)) for part in _message(line)]
    lines.append(fact("object", f"{line.kind} {line.name}"))
    lines.append(fact("said", tuple(_span(view, line))))
    if line.source:
        lines.append(fact("by", line.source))
    return lines


def _message(line: EventLine) -> Iterator[str]:
    yield from line.message.strip().splitlines() or ("(no message)",)


def _span(view: View, line: EventLine) -> Iterator[tuple[str, str]]:
    if line.last is None:
        yield ("at an unknown time", "dim")
        return
    yield (f"{clock(line.last)}, {view.age(line.last)} ago", "")
    if line.count > 1:
        yield (f"  ×{line.count}", "strong")
        if line.first is not None:
            yield (f" since {clock(line.first)}", "dim")
