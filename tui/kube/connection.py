"""How a cluster is doing as a whole, judged from its feeds."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from tui.kube.feeds import Feed, Phase
from tui.kube.resources import Resource
from tui.problem import Problem

State = Literal["connecting", "live", "stale", "failed"]


@dataclass(frozen=True, slots=True)
class Connection:
    """The state of the whole, for the header.

    Attributes:
        state: connecting (the first lists arrive), live, stale (was live; what is shown may be outdated), or failed
            (nothing could ever be read).
        since: when that began, seconds of the wall clock.
        problem: why it is stale or has failed; while connecting, what went wrong at the last try.
        detail: what is arriving, or what cannot be seen with these rights; may be empty.
    """

    state: State
    since: float
    problem: Problem | None = None
    detail: str = ""


def judge(
    before: Connection,
    core: Sequence[Feed],
    *,
    complete: bool,
    synced: bool,
    silence: Problem | None,
    blind: str,
) -> Connection:
    """Judges anew; `since` is kept while the state stays.

    Args:
        before: the former judgement.
        core: the feeds that workloads are derived from.
        complete: whether all of them have settled once.
        synced: whether any feed ever was complete.
        silence: why the server cannot be heard at all, None while it answers.
        blind: what cannot be seen with these rights, in a line.
    """
    trouble = silence or next((feed.problem for feed in core if feed.problem is not None and not feed.settled), None)
    stale = min((feed for feed in core if feed.phase is Phase.STALE), key=lambda feed: feed.since, default=None)
    since = time.time()
    state: State
    if stale is not None:
        state, problem, detail, since = "stale", stale.problem or trouble, blind, stale.since
    elif synced and complete:
        state, problem, detail = "live", None, blind
    elif complete:
        # Everything has settled, and nothing of it may be read.
        problem = next((feed.problem for feed in core if feed.phase is Phase.FORBIDDEN), None)
        state, detail = ("failed" if problem else "live"), blind
    elif trouble is not None and not synced:
        state, problem, detail = "failed", trouble, ""
    else:
        state, problem, detail = "connecting", trouble, _arriving(core)
    if state == before.state:
        since = before.since
    return Connection(state, since, problem, detail)


def blind_spots(
    feeds: Sequence[Feed],
    needed: Sequence[Resource],
    refused: Sequence[Resource],
    scope: str,
    *,
    missing: Sequence[Feed] = (),
) -> list[str]:
    """What is not seen, and why, in a line each.

    Args:
        feeds: all of them.
        needed: what workloads are derived from.
        refused: what may not be listed in the whole cluster, and is watched in single namespaces.
        scope: what is watched instead.
        missing: the feeds among which those that do not get through are to be named.
    """
    said = []
    if refused:
        plurals = [resource.plural for resource in refused]
        what = "anything" if set(needed) <= set(refused) else ", ".join(plurals)
        said.append(f"no right to list {what} in all namespaces; showing {scope}")
    forbidden = {feed.resource.plural for feed in feeds if feed.phase is Phase.FORBIDDEN}
    if forbidden.issuperset(resource.plural for resource in needed):
        said.append("no right to list anything there" if said else "no right to list anything")
    elif forbidden:
        said.append(f"no right to list {', '.join(sorted(forbidden))}")
    for feed in missing:
        if feed.phase is Phase.LISTING:
            why = (feed.problem.evidence or feed.problem.what)[:120] if feed.problem else "no answer yet"
            said.append(f"{feed.resource.rbac} cannot be read: {why}")
    return said


def _arriving(core: Collection[Feed]) -> str:
    """What the first table still waits for."""
    largest = max((feed for feed in core if not feed.settled), key=lambda feed: feed.count, default=None)
    if largest is None:
        return ""
    return f"listing {largest.resource.plural}" + (f" {largest.count:,}" if largest.count else "")
