"""What is typed to find queues, and which of it the server answers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.facts import Queue

#: What `is:` may be followed by, and what it means.
STATES = {
    "empty": "holds no message", "filled": "holds messages", "idle": "has no consumer",
    "growing": "gets more than it gives", "minority": "too few members online", "down": "its state is not running",
}  # fmt: skip
HINT = "name, ~pattern, vhost:NAME, type:quorum, is:empty is:idle is:growing is:minority"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which queues are wanted.

    Attributes:
        name: what the name holds, or a regular expression. The server answers this, and the virtual host.
        states: keys of `STATES`; these, and the type, are looked for among the queues that were read.
    """

    name: str = ""
    regex: bool = False
    vhost: str = ""
    type: str = ""
    states: frozenset[str] = frozenset()

    @property
    def local(self) -> bool:
        """Whether part of it can only be answered by reading queues."""
        return bool(self.type or self.states)

    @property
    def asked(self) -> tuple[str, str, bool]:
        """The part that the server answers."""
        return self.vhost, self.name, self.regex


def parse(text: str) -> Filter:
    """What was typed.

    Raises:
        ProblemError: a word that is none, or a pattern that is no regular expression.
    """
    name, regex, vhost, kind = "", False, "", ""
    states = set[str]()
    for word in text.split():
        before, colon, after = word.partition(":")
        if colon and before == "vhost" and after:
            vhost = after
        elif colon and before == "type" and after:
            kind = after
        elif colon and before == "is":
            if after not in STATES:
                raise _wrong(f"“is:{after}” is no state of a queue", f"There are: {', '.join(STATES)}.")
            states.add(after)
        elif word.startswith("~"):
            name, regex = word[1:], True
            try:
                re.compile(name)
            except re.error as error:
                raise _wrong(f"“{name}” is no regular expression", str(error)) from error
        else:
            name = word if not name or regex else f"{name} {word}"
            regex = False
    return Filter(name, regex and bool(name), vhost, kind, frozenset(states))


def _wrong(what: str, remedy: str) -> ProblemError:
    return ProblemError(Problem(Cause.CONFIG, what, "", remedy))


def growing(queue: Queue, first: int | None) -> bool:
    """Whether a queue gets more than it gives, by its rates, or by what it held when it was first seen."""
    into, out = queue.rate("publish"), queue.rate("deliver_get")
    if into or out:
        return (into or 0.0) > (out or 0.0)
    return first is not None and queue.messages is not None and queue.messages > first


def holds(wanted: Filter, queue: Queue, first: int | None) -> bool:
    """Whether a queue is wanted, as far as the server was not asked.

    Args:
        wanted: what is wanted.
        queue: as it is now.
        first: messages that it held when it was first seen.
    """
    if wanted.type and not queue.kind.startswith(wanted.type):
        return False
    for state in wanted.states:
        if state == "empty" and queue.messages != 0:
            return False
        if state == "filled" and not queue.messages:
            return False
        if state == "idle" and queue.consumers != 0:
            return False
        if state == "growing" and not growing(queue, first):
            return False
        if state == "minority" and not queue.minority:
            return False
        if state == "down" and queue.state in (None, "running", "idle"):
            return False
    return True
