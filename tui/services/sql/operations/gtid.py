"""Sets of global transaction ids, in MySQL's and MariaDB's spelling: what one server has and another has not."""

from __future__ import annotations

from dataclasses import dataclass

#: Source (`uuid`, `uuid:tag`; MariaDB: `domain`) → intervals of transaction numbers, both ends included.
Intervals = dict[str, list[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Gap:
    """How two servers' sets differ.

    Attributes:
        missing: transactions that the other one has and this one has not.
        errant: transactions that this one has from somewhere else than the other one: they were written here, and
            replication breaks once the other has to follow this one.
    """

    missing: int
    errant: int


def parse_mysql(text: str) -> Intervals | None:
    """`uuid:1-5:7,uuid:tag:1-3` as intervals; None when it is none. Tags came with MySQL 8.3."""
    found: Intervals = {}
    for part in text.replace("\n", "").split(","):
        pieces = [piece.strip() for piece in part.split(":")]
        if not pieces[0]:
            continue
        source = pieces[0].lower()
        for piece in pieces[1:]:
            first, _, last = piece.partition("-")
            if not first.isdecimal():
                source = f"{pieces[0].lower()}:{piece}"
                continue
            if last and not last.isdecimal():
                return None
            found.setdefault(source, []).append((int(first), int(last or first)))
    return {source: sorted(intervals) for source, intervals in found.items()}


def gap_mysql(here: str, there: str, origin: str) -> Gap | None:
    """How a replica's `gtid_executed` differs from its source's; None when they cannot be read.

    Args:
        here: the replica's.
        there: the source's.
        origin: the source's server_uuid: of its transactions the replica may have more, when it was asked later.
    """
    mine, theirs = parse_mysql(here), parse_mysql(there)
    if mine is None or theirs is None:
        return None
    errant = sum(
        _count(_without(intervals, theirs.get(source, [])))
        for source, intervals in mine.items()
        if source.split(":")[0] != origin.lower()
    )
    missing = sum(_count(_without(intervals, mine.get(source, []))) for source, intervals in theirs.items())
    return Gap(missing, errant)


def gap_mariadb(here: str, there: str) -> Gap | None:
    """How a replica's `gtid_slave_pos` differs from its source's `gtid_binlog_pos` (`domain-server-sequence`, one for
    each domain). Errant transactions cannot be told from positions alone.
    """
    mine, theirs = _positions(here), _positions(there)
    if mine is None or theirs is None:
        return None
    return Gap(sum(max(0, last - mine.get(domain, 0)) for domain, last in theirs.items()), 0)


def _positions(text: str) -> dict[str, int] | None:
    found: dict[str, int] = {}
    for part in text.split(","):
        if not part.strip():
            continue
        pieces = part.strip().split("-")
        if len(pieces) != 3 or not all(piece.isdecimal() for piece in pieces):
            return None
        found[pieces[0]] = max(found.get(pieces[0], 0), int(pieces[2]))
    return found


def _count(intervals: list[tuple[int, int]]) -> int:
    return sum(last - first + 1 for first, last in intervals)


def _without(intervals: list[tuple[int, int]], others: list[tuple[int, int]]) -> list[tuple[int, int]]:
    left = list(intervals)
    for low, high in others:
        rest = []
        for first, last in left:
            if high < first or low > last:
                rest.append((first, last))
                continue
            if first < low:
                rest.append((first, low - 1))
            if last > high:
                rest.append((high + 1, last))
        left = rest
    return left
