"""Checks that all engines share."""

from __future__ import annotations

from tui.services.sql.operations.model import Check, Standing, Unit, Unknown, Verdict

#: Seconds of a transaction that make it a long one, and a very long one: vacuum and purge cannot pass it.
LONG, VERY_LONG = 300.0, 3600.0
#: Seconds behind from which a replica is worth a look.
LATE = 30.0


def of_limit(used: float, limit: float | None) -> Verdict:
    """What it means to have used so much of a limit."""
    if not limit or limit <= 0:
        return Verdict.GOOD
    return Verdict.BAD if used >= 0.95 * limit else Verdict.WARN if used >= 0.8 * limit else Verdict.GOOD


def transaction(longest: float | None, says: str = "") -> Check:
    """The longest open transaction; None when there is none."""
    if longest is None:
        return Check("longest-transaction", "Longest transaction", "none is open", says=says)
    verdict = Verdict.BAD if longest >= VERY_LONG else Verdict.WARN if longest >= LONG else Verdict.GOOD
    return Check("longest-transaction", "Longest transaction", longest, Unit.SECONDS, verdict=verdict, says=says)


def replication(standing: Standing) -> list[Check]:
    """What is wrong with a replica: halves that stand, and writes that it would take."""
    if isinstance(standing.upstreams, Unknown):
        return [Check("replication", "Replication", standing.upstreams)]
    told = []
    for one in standing.upstreams:
        key = f"replication:{one.channel}" if one.channel else "replication"
        value = "works" if one.works else "stopped"
        source = f"from {one.source}; " if one.source else ""
        says = f"{source}receiving: {one.receiving or 'no'}, applying: {one.applying or 'no'}"
        if one.error:
            says += f"; {one.error}"
        told.append(Check(key, "Replication", value, verdict=Verdict.GOOD if one.works else Verdict.BAD, says=says))
    if standing.upstreams and standing.writes:
        told.append(
            Check("read-only", "Takes writes", "yes", verdict=Verdict.WARN,
                  says="it follows another server and read_only is off: what is written here exists here alone")
        )  # fmt: skip
    return told
