"""`statetui demo --check`: waits until all of the demo is ready, asks each server a question, prints a table."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tui import paths
from tui.commands import demo_questions, exits
from tui.commands.demo_questions import FAILURES, PATIENCE
from tui.commands.opening import Opening
from tui.commands.remarks import note
from tui.kube.options import ConnectOptions
from tui.problem import ProblemError
from tui.sandbox.scene import NAMESPACE
from tui.systems.catalogue import load_catalogue
from tui.systems.diagnose import diagnose
from tui.systems.forwarding import Definition, address_of, target_of
from tui.systems.live import Live
from tui.systems.model import Member
from tui.text import one_line

#: Seconds until all must be ready; half of it is enough on two processors.
READY = 120.0
#: Restarts after which a server that dies is not waited for: some wait for others by ending, but not half a minute.
_ENOUGH = 6


@dataclass(frozen=True, slots=True)
class _Service:
    """What is asked of a workload's members: their number, the port, and the question."""

    members: int
    port: int
    ask: Callable[[int, str], Awaitable[str]]


_SERVICES: Mapping[str, _Service] = {
    "cdb": _Service(3, 26257, demo_questions.cockroach),
    "my-tenant": _Service(2, 9000, demo_questions.minio),
    "mysql": _Service(3, 3306, demo_questions.mysql),
    "rabbitmq": _Service(3, 15672, demo_questions.rabbitmq),
}


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the table."""

    workload: str
    member: str
    role: str
    good: bool
    answer: str


def run(options: ConnectOptions) -> int:
    """Checks, prints, and returns 0 when every server gave the right answer, else 1.

    Raises:
        ProblemError: the cluster cannot be reached.
    """
    return asyncio.run(_check(options))


async def _check(options: ConnectOptions) -> int:
    begun = time.monotonic()
    live = Live(options, load_catalogue([paths.config_dir() / "systems"]), usage=False)
    opening = Opening(live, 30.0)
    async with opening:
        await opening.arrive()
        while not all(_missing(live, name) == "" for name in _SERVICES) and time.monotonic() - begun < READY:
            await opening.wait(0.5)
            if time.monotonic() - begun > 10 and all(
                _hopeless(live, name) for name in _SERVICES if _missing(live, name)
            ):
                break
        waited = time.monotonic() - begun
        rows = [row for name, service in _SERVICES.items() for row in await _ask_all(live, name, service)]
    _print(rows)
    failed = sum(not row.good for row in rows)
    note(f"after {waited:.0f} s: {len(rows) - failed} of {len(rows)} servers answer as they should")
    return exits.FAILED if failed else exits.OK


def _members(live: Live, name: str) -> list[Member]:
    found = (one for one in live.workloads.values() if (one.namespace, one.name) == (NAMESPACE, name))
    return [member for workload in found for member in workload.members]


def _missing(live: Live, name: str) -> str:
    """What a workload waits for, empty when it is ready."""
    members = _members(live, name)
    waiting = [member for member in members if member.health.value != "ready"]
    if waiting:
        return waiting[0].note or waiting[0].phase
    return "" if len(members) >= _SERVICES[name].members else "not all of its pods are there"


def _hopeless(live: Live, name: str) -> bool:
    """Whether waiting is in vain: a server is not on this machine, or dies at every start."""
    return any(
        "ImagePull" in member.phase or ("CrashLoop" in member.phase and member.restarts >= _ENOUGH)
        for member in _members(live, name)
    )


async def _ask_all(live: Live, name: str, service: _Service) -> list[_Row]:
    members = _members(live, name)
    if not members:
        return [_Row(name, "", "", good=False, answer="it is not there")]
    return [await _ask(live, name, service, member) for member in members]


async def _ask(live: Live, name: str, service: _Service, member: Member) -> _Row:
    role = member.role.name if member.role else ""
    if member.health.value != "ready":
        return _Row(name, member.pod, role, good=False, answer=_why(live, name, member))
    assert live.forwards is not None  # noqa: S101 (it has arrived)
    try:
        wanted = Definition(f"{NAMESPACE}/pod/{member.pod}", service.port, local=0)
        target = target_of(wanted, live)
        forward = live.forwards.add(target)
        await forward.listen(address_of(wanted, target, live))
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await service.ask(int(forward.view().address.rpartition(":")[2]), role)
        finally:
            await live.forwards.remove(forward, drain=0)
    except ProblemError as error:
        return _Row(name, member.pod, role, good=False, answer=str(error.problem))
    except FAILURES as error:
        return _Row(name, member.pod, role, good=False, answer=str(error) or f"no answer within {PATIENCE:g} s")
    return _Row(name, member.pod, role, good=True, answer=answer)


def _why(live: Live, name: str, member: Member) -> str:
    """Why a member is not ready: what, the evidence, what to do."""
    assert live.cluster is not None  # noqa: S101 (it has arrived)
    found = (one for one in live.workloads.values() if (one.namespace, one.name) == (NAMESPACE, name))
    reasons = [reason for workload in found for reason in diagnose(live.cluster.store, workload, member)]
    told = max(reasons, key=lambda reason: (bool(reason.evidence), reason.depth), default=None)
    if told is None:
        return f"{member.phase}: {member.note}".rstrip(": ")
    # Of a log it is the end that tells.
    lines = [line for line in told.evidence.splitlines() if line.strip()][-2:]
    parts = [told.text, " / ".join(lines), told.remedy]
    return f"{member.phase}: {'; '.join(part for part in parts if part)}"


def _print(rows: list[_Row]) -> None:
    signs = ("●", "✗") if (sys.stdout.encoding or "").lower().startswith("utf") else ("+", "x")
    table = [("WORKLOAD", "  MEMBER", "ROLE", "ANSWER")]
    table += [(row.workload, f"{signs[not row.good]} {row.member}", row.role, one_line(row.answer)) for row in rows]
    widths = [max(len(line[column]) for line in table) for column in range(4)]
    for line in table:
        print("   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
