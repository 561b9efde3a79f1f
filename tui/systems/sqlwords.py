"""What SQL servers answered, in words: for the console's panel and for `statetui sql --status` alike."""

from __future__ import annotations

from collections.abc import Sequence

from tui.kube.quantity import text as size
from tui.services.sql.model import Engine
from tui.services.sql.operations.model import Answer, Check, Report, Silence, Unit, Unknown
from tui.services.sql.operations.topology import Place

MINUTE, HOUR, DAY = 60, 3600, 86_400


def lasts(seconds: float) -> str:
    """A duration in at most two units: `0.4 s`, `12 s`, `4 min 10 s`, `3 h 12 min`, `5 d 3 h`."""
    if seconds < 0:
        return f"-{lasts(-seconds)}"
    if seconds < 1:
        return f"{seconds:.1f} s" if seconds >= 0.05 else "0 s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    for big, name, small, lesser in ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "min"), (MINUTE, "min", 1, "s")):
        if whole >= big:
            rest = whole % big // small
            return f"{whole // big} {name} {rest} {lesser}" if rest else f"{whole // big} {name}"
    return f"{whole} s"


def value(check: Check) -> str:
    """A check's value with its unit and limit: `3 of 151`, `12 MiB`, `unknown`."""
    found = check.value
    if isinstance(found, Unknown):
        return "unknown"
    if isinstance(found, str):
        return found
    if check.unit is Unit.BYTES:
        return size(found)
    if check.unit is Unit.SECONDS:
        return lasts(found)
    if check.unit is Unit.PERCENT:
        return f"{found:.1f} %"
    return f"{found:,.0f}" + (f" of {check.limit:,.0f}" if check.limit is not None else "")


def says(check: Check) -> str:
    """What is to know of it; why it is unknown."""
    return f"unknown, because {check.value.because}" if isinstance(check.value, Unknown) else check.says


def role(answer: Answer | None) -> str:
    """What a server is, as it says."""
    if not isinstance(answer, Report):
        return ""
    standing = answer.standing
    mine = next((one for one in standing.peers if one.here), None) if isinstance(standing.peers, tuple) else None
    if mine is not None and mine.role:
        return mine.role.lower()
    if answer.engine is Engine.VITESS:
        return "gateway"
    if standing.replica is None:
        return "node" if standing.writes else ""
    return "replica" if standing.replica else "primary" if standing.writes else "read-only"


def place_role(place: Place) -> str:
    """What a server is: as it says, else as its group says."""
    if isinstance(place.answer, Report) or place.peer is None:
        return role(place.answer)
    return place.peer.role.lower()


def lag(place: Place) -> str:
    """`0 s`, `12 s, 3.4Mi, 15 transactions`, `4 to apply` or `unknown`; empty for one that follows nobody."""
    if place.lag is None:
        waiting = place.peer.behind if place.peer is not None else None
        return f"{waiting:,} to apply" if waiting else ""
    parts = ["unknown" if isinstance(place.lag, Unknown) else lasts(place.lag)]
    held = place.downstream.lag_bytes if place.downstream is not None else None
    if isinstance(held, int) and held > 0:
        parts.append(size(held))
    if place.missing:
        parts.append(f"{place.missing:,} transaction{'s' if place.missing != 1 else ''}")
    return ", ".join(parts)


def stream(place: Place) -> str:
    """How its replication goes: the words of both halves."""
    answer, peer = place.answer, place.peer
    if isinstance(answer, Silence):
        return f"does not answer; its group says {peer.state}" if peer is not None else "does not answer"
    if answer is None:
        if peer is None:
            return "no member of this workload"
        return ", ".join(part for part in (peer.part, peer.state, peer.trouble) if part)
    if answer.standing.trouble:
        return answer.standing.trouble
    upstream = place.upstream
    if upstream is None:
        held = answer.standing.upstreams
        return f"unknown, because {held.because}" if isinstance(held, Unknown) else peers(answer)
    halves = f"receiving: {upstream.receiving or 'no'}, applying: {upstream.applying or 'no'}"
    return "works" if upstream.works else f"stopped ({halves})"


def peers(answer: Report) -> str:
    """The group that a server sees: `3 in its group: 3 ONLINE`."""
    found = answer.standing.peers
    if isinstance(found, Unknown):
        return f"group unknown, because {found.because}"
    if not found:
        followers = answer.standing.downstreams
        if isinstance(followers, Unknown) or not followers:
            return ""
        return f"{len(followers)} follow{'s' if len(followers) == 1 else ''}"
    if len(found) == 1:
        return found[0].state
    states: dict[str, int] = {}
    for peer in found:
        states[peer.state] = states.get(peer.state, 0) + 1
    return f"{len(found)} in its group: " + ", ".join(f"{count} {state}" for state, count in states.items())


def facts(place: Place) -> list[tuple[str, str]]:
    """All that is known of a place in the tree, as titles and texts."""
    answer, told = place.answer, []
    if isinstance(answer, Silence):
        said = [("its group says", place.peer.state)] if place.peer is not None else []
        return [("does not answer", str(answer.problem)), *said]
    if answer is None and place.peer is not None:
        return _peer(place)
    if place.upstream is not None:
        up = place.upstream
        told.append(("follows", f"{up.source or 'unknown'}{f', channel {up.channel}' if up.channel else ''}"))
        told.append(("stream", f"receiving: {up.receiving or 'no'}, applying: {up.applying or 'no'}"))
        if up.error:
            told.append(("says", up.error))
    if isinstance(place.lag, Unknown):
        told.append(("lag", f"unknown, because {place.lag.because}"))
    elif place.lag is not None:
        told.append(("lag", f"{lag(place)} behind"))
    if place.errant:
        told.append(("errant", f"{place.errant:,} transactions that its source has not: they were written here"))
    if answer is not None:
        standing = answer.standing
        if standing.trouble:
            told.append(("trouble", standing.trouble))
        told.append(("takes writes", "yes" if standing.writes else f"no: {standing.refuses or 'it did not say'}"))
        told += _group(answer)
        told.append(("server", f"{answer.engine} {answer.version}, TLS {answer.tls}, answered in {lasts(answer.took)}"))
        if standing.position:
            told.append(("position", standing.position))
    return told


def _peer(place: Place) -> list[tuple[str, str]]:
    """A member of a group that was not asked itself."""
    peer = place.peer
    assert peer is not None  # noqa: S101 (asked before)
    told = [("called", f"{peer.name}{f' at {peer.address}' if peer.address else ''}"), ("holds", peer.part),
            ("state", peer.state), ("role", peer.role.lower()), ("follows", peer.source), ("says", peer.trouble),
            ("version", peer.version)]  # fmt: skip
    if isinstance(place.lag, Unknown):
        told.append(("lag", f"unknown, because {place.lag.because}"))
    elif place.lag is not None:
        told.append(("lag", f"{lag(place)} behind"))
    return [(title, text) for title, text in told if text]


def _group(answer: Report) -> list[tuple[str, str]]:
    told = []
    standing = answer.standing
    for title, found in (("followers", standing.downstreams), ("group", standing.peers)):
        if isinstance(found, Unknown):
            told.append((title, f"unknown, because {found.because}"))
    if isinstance(standing.downstreams, tuple):
        told += [
            ("follower", ", ".join(part for part in (one.name, one.address, one.state, one.sync) if part))
            for one in standing.downstreams
        ]
    if isinstance(standing.peers, tuple):
        told += [
            ("peer", ", ".join(part for part in (
                one.part, one.name, one.state, one.role, one.version,
                f"{one.behind} to apply" if one.behind is not None else "", one.trouble,
            ) if part))
            for one in standing.peers
        ]  # fmt: skip
    return told


def branch(last: Sequence[bool]) -> str:
    """The lines of a tree before a name: `│  └─ `."""
    if not last:
        return ""
    return "".join("   " if done else "│  " for done in last[:-1]) + ("└─ " if last[-1] else "├─ ")
