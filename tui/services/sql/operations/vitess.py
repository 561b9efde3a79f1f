"""What a gateway of Vitess (vtgate) is asked: its tablets, shards and their replication.

All of it is the gateway's own view, from its health checks of the tablets; tablets are not asked themselves, because
their mysqld has other users. What MySQL's statements would tell through a gateway is that of one tablet which it
chooses, and is not asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tui.services.sql.model import Session
from tui.services.sql.operations.asking import Record, Records, text, try_ask
from tui.services.sql.operations.limits import LATE
from tui.services.sql.operations.model import Activity, Check, Lock, Peer, Size, Standing, Unit, Unknown, Verdict

TABLETS = "SHOW VITESS_TABLETS"
SHARDS = "SHOW VITESS_SHARDS"
REPLICATION = "SHOW VITESS_REPLICATION_STATUS"
#: What a tablet is called that takes writes; before Vitess 11 it was MASTER.
_PRIMARY = frozenset(("PRIMARY", "MASTER"))
_FOLLOWERS = frozenset(("REPLICA", "RDONLY"))
# It looks like JSON, and is none when the error holds a quotation mark: the gateway does not escape it.
_HEALTH = re.compile(r'\{"EventStreamRunning":"(.*?)","EventApplierRunning":"(.*?)","LastError":"(.*)"\}', re.DOTALL)


async def standing(session: Session) -> Standing:
    """Gateways are alike: none follows another, and each takes writes as long as a primary serves.

    Raises:
        Lost: the connection went.
    """
    found = await try_ask(session, TABLETS)
    if isinstance(found, Unknown):
        return Standing(None, None, peers=found)
    status = await try_ask(session, REPLICATION)
    peers = tablets(found, status)
    writes = any(peer.role == "PRIMARY" and peer.state == "SERVING" for peer in peers)
    return Standing(None, writes, "" if writes else "no primary tablet serves", peers=peers)


def tablets(found: Records, status: Records | Unknown) -> tuple[Peer, ...]:
    """The tablets, each below the primary of its shard.

    Args:
        found: rows of `SHOW VITESS_TABLETS`.
        status: rows of `SHOW VITESS_REPLICATION_STATUS`, of replicas alone.
    """
    by_alias = {} if isinstance(status, Unknown) else {text(one, "alias"): one for one in status}
    primaries = {_part(one): text(one, "alias") for one in found if _role(one) == "PRIMARY"}
    peers = []
    for one in found:
        role, alias = _role(one), text(one, "alias")
        follows = primaries.get(_part(one), "") if role in _FOLLOWERS else ""
        lag, stopped = (None, "")
        if role in _FOLLOWERS:
            lag, stopped = (status, "") if isinstance(status, Unknown) else _replication(by_alias.get(alias))
        trouble = "it does not serve" if text(one, "state") != "SERVING" else ""
        peers.append(
            Peer(alias, text(one, "state"), role, part=_part(one), source=follows, lag=lag,
                 address=text(one, "hostname") or alias, trouble=trouble or stopped)
        )  # fmt: skip
    return tuple(sorted(peers, key=lambda peer: (peer.part, peer.role != "PRIMARY", peer.name)))


def _part(record: Record) -> str:
    return f"{text(record, 'keyspace')}/{text(record, 'shard')}"


def _role(record: Record) -> str:
    kind = text(record, "tablettype").upper()
    return "PRIMARY" if kind in _PRIMARY else kind


def _replication(record: Record | None) -> tuple[float | Unknown, str]:
    """How far a replica is behind, and why its replication has stopped (empty when it runs).

    The gateway asks any replica of the shard, not the tablet itself, for the state of its threads (vtgate's
    executor.go); the lag is the tablet's own as long as it is above zero.
    """
    if record is None:
        return Unknown("the gateway tells nothing of its replication"), ""
    told = text(record, "replicationlag")
    health = _HEALTH.fullmatch(text(record, "replicationhealth"))
    stream, applier, error = health.groups() if health is not None else ("", "", "")
    stopped = ""
    if (stream and stream != "Yes") or (applier and applier != "Yes"):
        stopped = f"replication has stopped (receiving: {stream}, applying: {applier})"
        stopped += f": {error}" if error else ""
    try:
        seconds = float(told)
    except ValueError:
        return Unknown(f"the gateway gives none ({told or 'empty'})"), stopped
    if seconds < 0:
        return Unknown("the gateway had no answer from the tablet"), stopped
    # Nothing is behind that receives nothing: the source goes on without it.
    return (Unknown(stopped) if stopped and not seconds else seconds), stopped


def sessions() -> tuple[Activity, ...] | Unknown:
    """No statement tells a gateway's sessions."""
    return Unknown("a gateway has no list of its sessions: SHOW PROCESSLIST is answered by one tablet's mysqld")


def locks() -> tuple[Lock, ...] | Unknown:
    """Each tablet's mysqld has its own."""
    return Unknown("each tablet's mysqld has its own, and a gateway asks one alone")


def sizes() -> tuple[Size, ...] | Unknown:
    """Each shard has its own."""
    return Unknown("each shard has its own, and a gateway asks one alone")


async def checks(session: Session, standing_: Standing) -> tuple[Check, ...]:
    """Shards without a primary, tablets that do not serve, and the replica that is most behind.

    Raises:
        Lost: the connection went.
    """
    peers = standing_.peers
    if isinstance(peers, Unknown):
        return (Check("tablets", "Tablets", peers),)
    found = await try_ask(session, SHARDS)
    told = [Check("shards", "Shards", found)] if isinstance(found, Unknown) else [_shards(found, peers)]
    serving = [peer for peer in peers if peer.state == "SERVING"]
    idle = [f"{peer.name} ({peer.part}, {peer.role.lower()})" for peer in peers if peer.state != "SERVING"]
    told.append(
        Check("tablets", "Tablets serving", float(len(serving)), limit=float(len(peers)),
              verdict=Verdict.WARN if idle else Verdict.GOOD, says=f"not serving: {', '.join(idle)}" if idle else "")
    )  # fmt: skip
    return (*told, *_lags(peers))


def _shards(found: Records, peers: tuple[Peer, ...]) -> Check:
    names = [next(iter(one.values()), None) or "" for one in found]
    primaries: Mapping[str, list[Peer]] = {
        name: [peer for peer in peers if peer.part == name and peer.role == "PRIMARY"] for name in names
    }
    without = [name for name, held in primaries.items() if not any(peer.state == "SERVING" for peer in held)]
    several = [name for name, held in primaries.items() if len(held) > 1]
    says = []
    if without:
        says.append(f"no primary serves {', '.join(without)}: they take no writes")
    if several:
        says.append(f"several tablets call themselves primary of {', '.join(several)}")
    verdict = Verdict.BAD if without else Verdict.WARN if several else Verdict.GOOD
    good = "each has a primary that serves" if names else ""
    return Check("shards", "Shards", float(len(names)), verdict=verdict, says="; ".join(says) or good)


def _lags(peers: tuple[Peer, ...]) -> list[Check]:
    stopped = [peer for peer in peers if peer.trouble and peer.role != "PRIMARY" and peer.state == "SERVING"]
    told = [
        Check(f"replication:{peer.name}", f"Replication of {peer.name}", "stopped", verdict=Verdict.BAD,
              says=f"{peer.part}: {peer.trouble}")
        for peer in stopped
    ]  # fmt: skip
    known = [(peer.lag, peer) for peer in peers if isinstance(peer.lag, float)]
    if known:
        lag, peer = max(known, key=lambda pair: pair[0])
        verdict = Verdict.WARN if lag >= LATE else Verdict.GOOD
        told.append(Check("lag", "Most behind", lag, Unit.SECONDS, verdict=verdict, says=f"{peer.name} of {peer.part}"))
    return told
