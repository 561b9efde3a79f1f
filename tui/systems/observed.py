"""What the servers themselves said: roles and lag, which labels and ordinals only promise.

A small store of facts that age: whoever asks the servers (a console, a command) puts them here, the recogniser reads
them when it assembles a workload, and after `STALE` seconds they are as if they had never been.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from tui.systems.model import Health, Member, Role, Warning

#: Seconds for which an answer is believed: some rounds of asking. A failover takes no longer to be seen by labels.
STALE = 45.0
#: How a role is known that a server told itself.
SOURCE = "asked the server"


@dataclass(frozen=True, slots=True)
class Observation:
    """What one server said of itself.

    Attributes:
        uid: the pod's, so that nothing is said of the one that takes its name.
        replica: whether it follows another; None where there is no such thing.
        writes: whether it takes writes from clients; None when it did not say.
        lag: as shown ("0 s behind"); empty for one that follows nobody.
        trouble: what is wrong with its replication, in a sentence; empty for nothing.
        at: when it was asked, seconds of the wall clock.
    """

    uid: str
    replica: bool | None
    writes: bool | None
    lag: str = ""
    trouble: str = ""
    at: float = 0.0


class Observed:
    """The observations that still count.

    Args:
        clock: seconds of the wall clock.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._facts: dict[str, Observation] = {}
        self._changed: set[str] = set()
        self._news = asyncio.Event()

    def put(self, observations: Iterable[Observation]) -> None:
        """Takes new facts; what is the same as before only grows younger."""
        for fact in observations:
            before = self._facts.get(fact.uid)
            self._facts[fact.uid] = fact
            if before is None or replace(before, at=fact.at) != fact:
                self._changed.add(fact.uid)
        if self._changed:
            self._news.set()

    def of(self, uid: str) -> Observation | None:
        """What counts of a pod now."""
        fact = self._facts.get(uid)
        return fact if fact is not None and self._clock() - fact.at < STALE else None

    async def changed(self) -> None:
        """Waits for a fact that is new, or one that became stale."""
        while not self._news.is_set() and not self._stale():
            oldest = min((fact.at for fact in self._facts.values()), default=None)
            left = None if oldest is None else max(0.05, oldest + STALE - self._clock())
            try:
                async with asyncio.timeout(left):
                    await self._news.wait()
            except TimeoutError:
                continue

    def drain(self) -> Collection[str]:
        """The uids of pods of which something else is known than at the last call; drops what is stale."""
        for uid in self._stale():
            del self._facts[uid]
            self._changed.add(uid)
        changed, self._changed = self._changed, set()
        self._news.clear()
        return changed

    def _stale(self) -> list[str]:
        now = self._clock()
        return [uid for uid, fact in self._facts.items() if now - fact.at >= STALE]

    def apply(self, members: Sequence[Member]) -> tuple[tuple[Member, ...], tuple[Warning, ...]]:
        """Members with what their servers said, and where that contradicts what was told of them."""
        if not self._facts:
            return tuple(members), ()
        told = []
        warnings: list[Warning] = []
        for member in members:
            fact = self.of(member.uid) if member.uid else None
            if fact is None:
                told.append(member)
                continue
            told.append(replace(member, role=role(member.role, fact), lag=fact.lag))
            warnings += _warnings(member, fact)
        return tuple(told), tuple(warnings)


def role(before: Role | None, fact: Observation) -> Role | None:
    """The role that a server told; where that is what was known, in the words of before.

    A system whose members are alike keeps its own word for them (`node`): there a server that follows nobody is no
    primary, and says nothing new.
    """
    alike = before is not None and before.writes is None and not before.source.startswith("label ")
    if fact.replica is None or alike:
        return before
    # What follows another is a replica even where it lets somebody write; what follows none and refuses is none.
    writes = not fact.replica and fact.writes is not False
    if before is not None and before.writes is writes:
        return replace(before, source=SOURCE)
    if fact.replica:
        return Role("replica", False, SOURCE)
    return Role("primary", True, SOURCE) if writes else Role("read-only", False, SOURCE)


def _warnings(member: Member, fact: Observation) -> list[Warning]:
    told: list[Warning] = []
    before = member.role
    if before is not None and before.writes is not None and fact.replica is not None:
        by = "labels say" if before.source.startswith("label ") else "its place says"
        said = f"{by} {member.pod} is {before.name}"
        evidence = f"{before.source or 'its packaging'}: {before.name}; the server, asked, said otherwise"
        if before.writes is False and not fact.replica and fact.writes:
            told.append(Warning(f"{said}, the server takes writes and follows nobody", evidence, Health.RUNNING))
        elif before.writes and fact.replica:
            told.append(Warning(f"{said}, the server follows another one", evidence, Health.RUNNING))
        elif before.writes and fact.writes is False:
            told.append(Warning(f"{said}, the server refuses writes", evidence, Health.RUNNING))
    if fact.trouble:
        told.append(Warning(f"{member.pod}: {fact.trouble}", SOURCE, Health.RUNNING))
    return told


def short_lag(member: Member) -> str:
    """Its lag where there is little room: `0 s`, `lag ?`; empty when nobody asked it."""
    return "lag ?" if member.lag.startswith("lag unknown") else member.lag.removesuffix(" behind")
