"""The faults that are possible, and what is said of those that go on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from tui.sandbox import problems
from tui.sandbox.faultnode import TOLERATED
from tui.sandbox.model import ApiError, Json

Value = str | int | bool
Undo = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Sort:
    """A fault that is possible.

    Attributes:
        summary: what it does, in a few words.
        target: what it is done to: `pod`, `claim` (or the pod whose claim it is), `resource`, or nothing.
        lasts: whether it goes on until it is ended.
        options: what can be said of it, with what holds when nothing is.
    """

    summary: str
    target: str = ""
    lasts: bool = True
    options: Mapping[str, Value] = field(default_factory=dict)


SORTS: dict[str, Sort] = {
    "kill-pod": Sort("kills the processes of a pod, as running out of memory does", "pod", lasts=False),
    "crash-loop": Sort("lets each start of a pod's containers fail", "pod", options={"exitCode": 1}),
    "fill-volume": Sort("fills a claim's volume up to its size", "claim", options={"percent": 100}),
    "freeze-node": Sort(
        "freezes the machine: no kubelet, and its pods' processes stand still",
        options={"processes": True, "evictAfter": TOLERATED},
    ),
    "cut-watches": Sort("cuts the connections of all watches", lasts=False),
    "expire-history": Sort(
        "forgets all changes so far: watches begin anew (410)", lasts=False, options={"cut": True}
    ),
    "refuse-right": Sort(
        "refuses users a right that they have (403)", "resource", options={"user": "*", "verb": "*", "cut": True}
    ),
    "slow-network": Sort("delays all that the API sends, in watches and forwards too", options={"milliseconds": 500}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """A fault that somebody wants: to what, in which namespace where the target names none, and how."""

    target: str = ""
    namespace: str = "default"
    options: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Active:
    """A fault that goes on.

    Attributes:
        target: what it is done to, with its namespace where it has one.
        asked: what its maker called that; a volume is filled by the name of its pod as well.
        said: what it does, in a sentence.
        since: RFC 3339.
        undo: ends it.
    """

    name: str
    target: str
    asked: str
    options: Mapping[str, Value]
    said: str
    since: str
    undo: Undo

    def is_of(self, target: str, namespace: str) -> bool:
        """Whether this is what somebody means by a target; an empty one is any."""
        return not target or bool({target, f"{namespace}/{target}"} & {self.target, self.asked})


def sort_of(name: str) -> Sort:
    """The fault of a name; ApiError 404 when there is none."""
    if name not in SORTS:
        raise ApiError(404, "NotFound", f"there is no fault {name!r}; there are {', '.join(SORTS)}")
    return SORTS[name]


def options_of(name: str, sort: Sort, given: Mapping[str, Value]) -> dict[str, Value]:
    """All options; ApiError 400 for those given that do not exist or are of another type."""
    for key, value in given.items():
        if key not in sort.options:
            there = f"it has {', '.join(sort.options)}" if sort.options else "it has none"
            raise problems.bad(f"{name} has no option {key!r}; {there}")
        if type(value) is not type(sort.options[key]):
            raise problems.bad(f"option {key} of {name} is a {type(sort.options[key]).__name__}")
    return {**sort.options, **given}


def within(key: str, options: Mapping[str, Value], least: int, most: int) -> int:
    """A number among the options; ApiError 400 when it is out of bounds."""
    value = int(options[key])
    if not least <= value <= most:
        raise problems.bad(f"{key} is a number from {least} to {most}")
    return value


def place_of(wish: Wish) -> tuple[str, str]:
    """Namespace and name of the target."""
    namespace, slash, name = wish.target.partition("/")
    return (namespace, name) if slash else (wish.namespace, wish.target)


def told(fault: Active) -> Json:
    """A fault as it is sent."""
    return {
        "name": fault.name,
        "target": fault.target,
        "options": dict(fault.options),
        "said": fault.said,
        "since": fault.since,
    }
