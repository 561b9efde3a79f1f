"""Who follows whom, from what each server says of itself and of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tui.services.sql.model import Engine
from tui.services.sql.operations.gtid import gap_mariadb, gap_mysql
from tui.services.sql.operations.model import (
    Answer,
    Downstream,
    Report,
    Silence,
    Unknown,
    Upstream,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Place:
    """A server in the tree.

    Attributes:
        name: the member, or the address of a source that is no member.
        depth: 0 for a server that follows none of the others.
        last: whether it is the last one below its source, at each depth from 1 to its own.
        answer: what it said; None for one that is no member.
        upstream: the stream by which it stands here; None at the root.
        downstream: what its source says of it; None when the source does not tell it.
        lag: seconds behind; None for one that follows nobody.
        missing: transactions that its source has and it has not, when both tell GTIDs.
        errant: transactions that were written to it directly.
    """

    name: str
    depth: int
    last: tuple[bool, ...]
    answer: Answer | None
    upstream: Upstream | None = None
    downstream: Downstream | None = None
    lag: float | Unknown | None = None
    missing: int | None = None
    errant: int | None = None

    @property
    def verdict(self) -> Verdict:
        """How it is with its replication."""
        if isinstance(self.answer, Silence):
            return Verdict.BAD
        if self.upstream is not None and not self.upstream.works:
            return Verdict.BAD
        if self.errant:
            return Verdict.WARN
        if isinstance(self.lag, Unknown):
            return Verdict.NOTE
        return Verdict.WARN if self.lag is not None and self.lag >= LATE else Verdict.GOOD


#: Seconds behind from which a replica is worth a look.
LATE = 30.0


def topology(answers: Sequence[Answer], addresses: Mapping[str, str]) -> list[Place]:
    """The tree: each member once, below the member that it follows.

    Args:
        answers: of all members, in their order.
        addresses: member → its address, by which the servers know one another.
    """
    by_name = {answer.member: answer for answer in answers}
    names = {address: member for member, address in addresses.items() if address}
    above: dict[str, tuple[str, Upstream]] = {}
    for answer in answers:
        if isinstance(answer, Report) and isinstance(answer.standing.upstreams, tuple):
            for upstream in answer.standing.upstreams[:1]:
                above[answer.member] = (_source(answer, upstream, by_name, names), upstream)
    strangers = dict.fromkeys(source for source, _ in above.values() if source not in by_name)
    below: dict[str, list[str]] = {}
    for member, (source, _) in above.items():
        below.setdefault(source, []).append(member)
    placed: list[Place] = []
    seen: set[str] = set()

    def put(name: str, last: tuple[bool, ...]) -> None:
        if name in seen:
            return
        seen.add(name)
        source, upstream = above.get(name, ("", None))
        placed.append(_place(name, last, by_name.get(name), by_name.get(source), upstream, addresses.get(name, "")))
        own = [one for one in below.get(name, ()) if one not in seen]
        for at, one in enumerate(own):
            put(one, (*last, at == len(own) - 1))

    for name in (*strangers, *(name for name in by_name if name not in above), *by_name):  # the last: circles
        put(name, ())
    return placed


def _source(answer: Report, upstream: Upstream, by_name: Mapping[str, Answer], names: Mapping[str, str]) -> str:
    """Which member a server follows, or the address of a stranger; empty host for a standby that receives nothing."""
    host = upstream.source.rpartition(":")[0] or upstream.source
    for candidate in (host, host.split(".")[0]):
        if candidate in by_name:
            return candidate
    if host in names:
        return names[host]
    # A Service's name, or none at all: then the source knows who fetches from it.
    for other in by_name.values():
        if other is not answer and isinstance(other, Report) and _served(other, answer.member, names):
            return other.member
    return upstream.source or "unknown source"


def _served(source: Report, member: str, names: Mapping[str, str]) -> bool:
    return _row(source, member, next((address for address, name in names.items() if name == member), "")) is not None


def _row(source: Report, member: str, address: str) -> Downstream | None:
    """What a source says of a replica."""
    rows = source.standing.downstreams
    if isinstance(rows, Unknown):
        return None
    named = (one for one in rows if one.name == member or (address and one.address in (address, f"[{address}]")))
    return next(named, None)


def _place(
    name: str, last: tuple[bool, ...], answer: Answer | None, source: Answer | None, upstream: Upstream | None,
    address: str,
) -> Place:  # fmt: skip
    row = _row(source, name, address) if isinstance(source, Report) else None
    lag = upstream.lag if upstream is not None else None
    missing = errant = None
    if isinstance(answer, Report) and isinstance(source, Report):
        gap = None
        here, there = answer.standing.position, source.standing.position
        if answer.engine is Engine.MYSQL and here and there:
            gap = gap_mysql(here, there, source.standing.identity)
        elif answer.engine is Engine.MARIADB and here and there and upstream is not None:
            gap = gap_mariadb(here, there)
        if gap is not None:
            missing, errant = gap.missing, gap.errant
    if isinstance(lag, float) and row is not None and isinstance(row.lag, float):
        # A replica tells the age of the last transaction it applied, its source the last delay it measured, which stays
        # as it was while the replica's replay is paused: the later one counts.
        lag = max(lag, row.lag)
    return Place(name, len(last), last, answer, upstream, row, lag, missing, errant)
