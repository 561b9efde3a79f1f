"""`statetui sql WORKLOAD --status`: what its servers say of replication, sessions, locks, sizes and health, once."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from tui.commands import exits
from tui.commands.table import paper
from tui.kube.quantity import text as size
from tui.services.sql.model import Login
from tui.services.sql.operations.blocking import arrange
from tui.services.sql.operations.model import Answer, Report, Silence, Unknown, Verdict
from tui.systems import sqlwords
from tui.systems.live import Live
from tui.systems.sqloperations import Operations
from tui.text import one_line

_SIGNS = {Verdict.GOOD: "●", Verdict.NOTE: "·", Verdict.WARN: "⚠", Verdict.BAD: "✗"}
_ASCII = {Verdict.GOOD: "+", Verdict.NOTE: ".", Verdict.WARN: "!", Verdict.BAD: "x"}


async def run(live: Live, key: str, form: str, login: Login | None = None) -> int:
    """Asks once, and prints it. Returns OK when all members answered, FAILED when not.

    Args:
        live: an opened context.
        key: the workload's key.
        form: `table` or `json`.
        login: in place of the packaging's.

    Raises:
        ProblemError: it is no SQL workload.
    """
    operations = Operations(live, key, login)
    answers = await operations.look()
    if form == "json":
        json.dump(document(operations, answers), sys.stdout, indent=2)
        print()
    else:
        on = paper()
        for line in lines(operations, answers, _SIGNS if on.unicode else _ASCII):
            print(on.plain(line))
    return exits.OK if answers and not any(isinstance(one, Silence) for one in answers) else exits.FAILED


def document(operations: Operations, answers: Sequence[Answer]) -> dict[str, Any]:
    """All of it for programs. What is unknown is an object `{"unknown": why}`."""
    workload = operations.workload
    return {
        "workload": workload.name if workload is not None else "",
        "namespace": workload.namespace if workload is not None else "",
        "topology": [
            {"name": place.name, "depth": place.depth, "role": sqlwords.place_role(place),
             "verdict": place.verdict.value, "lag": plain(place.lag), "missingTransactions": place.missing,
             "errantTransactions": place.errant}
            for place in operations.places()
        ],
        "members": [plain(answer) for answer in answers],
    }  # fmt: skip


def plain(value: object) -> Any:  # noqa: ANN401 (JSON)
    """A value as JSON has it."""
    if isinstance(value, Unknown):
        return {"unknown": value.because}
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {_camel(one.name): plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, (tuple, list)):
        return [plain(one) for one in value]
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def lines(operations: Operations, answers: Sequence[Answer], signs: dict[Verdict, str]) -> Iterable[str]:
    """All of it for people."""
    yield "Topology"
    for place in operations.places():
        said = [
            sqlwords.place_role(place),
            f"lag {lag}" if (lag := sqlwords.lag(place)) else "",
            sqlwords.stream(place),
        ]
        yield _line(f"  {signs[place.verdict]} {sqlwords.branch(place.last)}{place.name}", said)
        if place.verdict is not Verdict.GOOD:
            for title, text in sqlwords.facts(place)[:4]:
                yield f"      {title}: {one_line(text)}"
    for answer in answers:
        if isinstance(answer, Report):
            yield from _report(answer, signs)


def _line(start: str, parts: Iterable[str]) -> str:
    return one_line_kept(start) + "".join(f"   {one_line(part)}" for part in parts if part)


def one_line_kept(text: str) -> str:
    """As `one_line`, with the blanks that a tree is drawn with."""
    return text[: len(text) - len(text.lstrip())] + text.strip().replace("\n", " ")


def _report(answer: Report, signs: dict[Verdict, str]) -> Iterable[str]:
    yield ""
    yield f"{answer.member}   {answer.engine} {answer.version}   TLS {answer.tls}"
    for check in answer.checks:
        says = sqlwords.says(check)
        yield f"  {signs[check.verdict]} {check.title}: {sqlwords.value(check)}{f'   {one_line(says)}' if says else ''}"
    if isinstance(answer.sessions, Unknown):
        yield f"  ? Sessions: unknown, because {one_line(answer.sessions.because)}"
    else:
        placed = arrange(answer.sessions)
        busy = [one for one in placed if one.blocks or (one.activity.busy and not one.activity.system)]
        yield f"  Sessions: {len(answer.sessions)}, {len(busy)} busy"
        for one in busy:
            each = one.activity
            for_ = sqlwords.lasts(each.seconds) if each.seconds is not None else ""
            waits = f"waits for {', '.join(each.blocked_by)}" if each.blocked_by else ""
            start = f"    {sqlwords.branch(one.last)}{each.id}"
            yield _line(start, (each.user, each.database, each.state, for_, waits, each.statement[:80]))
    if isinstance(answer.locks, Unknown):
        yield f"  ? Locks: unknown, because {one_line(answer.locks.because)}"
    for lock in () if isinstance(answer.locks, Unknown) else answer.locks:
        held_by = ", ".join(lock.holding) or "unknown, because the server does not tell it"
        yield f"  Lock: {lock.waiting} waits for {one_line(lock.object)} ({lock.mode}), held by {held_by}"
    if isinstance(answer.sizes, Unknown):
        yield f"  ? Sizes: unknown, because {one_line(answer.sizes.because)}"
    for each_size in () if isinstance(answer.sizes, Unknown) else answer.sizes[:8]:
        held = each_size.bytes
        text = size(held) if isinstance(held, int) else f"unknown, because {one_line(held.because)}"
        yield f"  Size: {each_size.kind} {one_line(each_size.name)}: {text}"
