"""Who follows whom, from what each server says of itself and of the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tui.services.sql.model import Engine
from tui.services.sql.operations.gtid import gap_mariadb, gap_mysql
from tui.services.sql.operations.limits import LATE
from tui.services.sql.operations.model import (
    Answer,
    Downstream,
    Peer,
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
        peer: what its group says of it; None for one that is in none.
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
    peer: Peer | None = None

    @property
    def verdict(self) -> Verdict:
        """How it is with its replication."""
        if isinstance(self.answer, Silence):
            return Verdict.BAD
        if self.upstream is not None and not self.upstream.works:
            return Verdict.BAD
        if self.peer is not None and self.peer.trouble:
            return Verdict.BAD
        if isinstance(self.answer, Report) and self.answer.standing.trouble:
            return Verdict.BAD
        if self.errant:
            return Verdict.WARN
        if isinstance(self.lag, Unknown):
            return Verdict.NOTE
        return Verdict.WARN if self.lag is not None and self.lag >= LATE else Verdict.GOOD


def topology(answers: Sequence[Answer], addresses: Mapping[str, str]) -> list[Place]:
    """The tree: each member once, below the member that it follows.

    Args:
        answers: of all members, in their order.
        addresses: member → its address, by which the servers know one another.
    """
    by_name = {answer.member: answer for answer in answers}
    names = {address: member for member, address in addresses.items() if address}
    peers = _peers(answers, names, {*addresses, *by_name})
    above: dict[str, tuple[str, Upstream | None]] = {}
    for answer in answers:
        if isinstance(answer, Report) and isinstance(answer.standing.upstreams, tuple):
            for upstream in answer.standing.upstreams[:1]:
                above[answer.member] = (_source(answer, upstream, by_name, names), upstream)
    called = {peer.name: key for key, peer in peers.items()}
    for key, peer in peers.items():
        if key not in by_name and peer.source:
            above[key] = (called.get(peer.source, peer.source), None)
    strangers = dict.fromkeys(source for source, _ in above.values() if source not in by_name and source not in peers)
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
        placed.append(
            _place(
                name, last, by_name.get(name), by_name.get(source), upstream, addresses.get(name, ""), peers.get(name)
            )
        )
        own = [one for one in below.get(name, ()) if one not in seen]
        for at, one in enumerate(own):
            put(one, (*last, at == len(own) - 1))

    roots = [name for name in (*by_name, *peers) if name not in above]
    for name in (*strangers, *roots, *by_name, *peers):  # the last: circles
        put(name, ())
    return placed


def _peers(answers: Sequence[Answer], names: Mapping[str, str], members: Collection[str]) -> dict[str, Peer]:
    """The peers that the members know of one another, by member, or by their own name where they are no members.

    Each counts as it says itself, if it was asked. One that nobody names (a node without an address) is passed over.
    """
    found: dict[str, Peer] = {}
    for answer in answers:
        if not isinstance(answer, Report) or not isinstance(answer.standing.peers, tuple):
            continue
        for peer in answer.standing.peers:
            if peer.here:
                found[answer.member] = peer
            elif peer.address:
                key = member_of(peer, names, members)
                if not (key in found and found[key].here):
                    found[key] = _worse(found.get(key), peer)
    return found


def _worse(before: Peer | None, peer: Peer) -> Peer:
    return peer if before is None or (peer.trouble and not before.trouble) else before


def member_of(peer: Peer, names: Mapping[str, str], members: Collection[str]) -> str:
    """The member that a peer is; its own name when it is none.

    Args:
        peer: as another one names it.
        names: address → member.
        members: all members' names; a name may hold the peer's, as the pods of Vitess' tablets do.
    """
    host = peer.address.rpartition(":")[0] if peer.address.count(":") == 1 else peer.address
    if host in names:
        return names[host]
    if (short := host.split(".")[0]) in members:
        return short
    return next((name for name in members if f"-{peer.name}-" in name), peer.name)


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
    address: str, peer: Peer | None,
) -> Place:  # fmt: skip
    row = _row(source, name, address) if isinstance(source, Report) else None
    lag = upstream.lag if upstream is not None else peer.lag if peer is not None else None
    missing = errant = None
    if isinstance(answer, Report) and isinstance(source, Report):
        gap = None
        here, there = answer.standing.position, source.standing.position
        if answer.engine is Engine.MYSQL and here and there:
            gap = gap_mysql(here, there, source.standing.origin or source.standing.identity)
        elif answer.engine is Engine.MARIADB and here and there and upstream is not None:
            gap = gap_mariadb(here, there)
        if gap is not None:
            missing, errant = gap.missing, gap.errant
    if isinstance(lag, float) and row is not None and isinstance(row.lag, float):
        # A replica tells the age of the last transaction it applied, its source the last delay it measured, which stays
        # as it was while the replica's replay is paused: the later one counts.
        lag = max(lag, row.lag)
    return Place(name, len(last), last, answer, upstream, row, lag, missing, errant, peer)
