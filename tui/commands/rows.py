"""Workloads and members as rows of `get`'s tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tui.commands.table import Cell, Paper, Piece
from tui.kube import quantity, times
from tui.systems.model import SEVERITY, Claim, Member, Workload, brief

NONE = "-"
#: More signs than this in a row are counted instead.
MOST_SIGNS = 12

WORKLOADS = ("NAMESPACE", "NAME", "SYSTEM", "READY", "MEMBERS", "CLAIMS", "USE", "AGE", "WHY")
WORKLOADS_WIDE = (*WORKLOADS[:3], "PACKAGING", "VERSION", "OWNER", "STAND-IN", "ROLES", "NODES", *WORKLOADS[3:])
MEMBERS = ("POD", "ROLE", "STATUS", "READY", "RESTARTS", "AGE", "CLAIM", "PHASE", "SIZE", "CLASS", "USE")
MEMBERS_WIDE = (
    *MEMBERS[:6],
    "NODE",
    "IP",
    "REVISION",
    "LAST RESTART",
    "IMAGES",
    "STAND-IN",
    *MEMBERS[6:10],
    "VOLUME",
    "USE",
)


def workload_row(item: Workload, on: Paper, now: float, *, wide: bool) -> list[Cell]:
    """One workload as one row of `WORKLOADS` or `WORKLOADS_WIDE`."""
    short = item.ready < item.desired
    ready = [(f"{item.ready}/{item.desired}", item.health.value if short else "")]
    facts: list[Cell] = [
        ready,
        _signs(item, on),
        _claims(item),
        _use(item),
        _age(item.created, now),
        _why(item, on, wide=wide),
    ]
    head: list[Cell] = [item.namespace, item.name, item.title]
    if not wide:
        return [*head, *facts]
    roles = Counter(member.role.name for member in item.members if member.role)
    nodes = dict.fromkeys(member.node for member in item.members if member.node)
    more = [
        item.packaging,
        item.version,
        item.owner.text,
        brief(item.stands_in),
        ",".join(f"{count} {name}" for name, count in roles.items()),
        ",".join(nodes),
    ]
    return [*head, *(text or NONE for text in more), *facts]


def member_rows(item: Workload, on: Paper, now: float, *, wide: bool) -> list[list[Cell]]:
    """The members of a workload, one row for each claim; then the claims that no member uses."""
    rows: list[list[Cell]] = []
    for member in item.members:
        facts = _member(member, on, now, wide=wide)
        blank: list[Cell] = [""] * len(facts)
        for index, claim in enumerate(member.claims or (None,)):
            rows.append([*(blank if index else facts), *_claim(claim, wide=wide)])
    for claim in item.spare_claims:
        unused: list[Cell] = [[("(no member)", "dim")], *[""] * ((12 if wide else 6) - 1)]
        rows.append([*unused, *_claim(claim, wide=wide)])
    return rows


def remarks(item: Workload) -> list[str]:
    """What is to be said of a workload besides its rows: rollouts, warnings, its operator's words, what stands in."""
    lines = [
        f"{one.set_name}: rolling to {one.to_revision}, {one.updated} of {one.total} updated"
        + (f", held back below ordinal {one.partition}" if one.partition else "")
        + (f"; stuck: {one.stuck}" if one.stuck else "")
        for one in item.rollouts
    ]
    lines += [f"{one.text} ({one.evidence})" if one.evidence else one.text for one in item.warnings]
    if item.operator_status:
        lines.append(f"its operator says: {item.operator_status}")
    if item.stands_in:
        lines.append(item.stands_in)
    return lines


def _member(member: Member, on: Paper, now: float, *, wide: bool) -> list[Cell]:
    sign = on.sign(member.health.value)
    role = member.role
    writes = (" ▲" if on.unicode else " *") if role and role.writes else ""
    phase = (member.phase or NONE, "" if member.health.value == "ready" else member.health.value)
    facts: list[Cell] = [
        [sign, (f" {member.pod}", "")],
        (role.name if role else NONE) + writes,
        [phase],
        member.ready or NONE,
        str(member.restarts),
        _age(member.created, now),
    ]
    if not wide:
        return facts
    images = ",".join(member.images)
    more = (member.node, member.ip, member.revision, member.last_restart, images, brief(member.stands_in))
    return [*facts, *(text or NONE for text in more)]


def _claim(claim: Claim | None, *, wide: bool) -> list[Cell]:
    if claim is None:
        return [NONE] * (6 if wide else 5)
    size = claim.capacity if claim.capacity is not None else claim.requested
    phase = (claim.phase, "" if claim.health.value == "ready" else claim.health.value)
    facts: list[Cell] = [
        claim.name,
        [phase],
        quantity.text(size) if size is not None else NONE,
        claim.storage_class or NONE,
    ]
    if wide:
        facts.append(" ".join(filter(None, (claim.volume, claim.volume_source))) or NONE)
    return [*facts, _claim_use(claim)]


def _claim_use(claim: Claim) -> Cell:
    usage = claim.usage
    if usage is None:
        return [("?", "unknown"), (f" {claim.usage_unknown or 'not known'}", "dim")]
    text = f"{usage.fraction:.0%} {quantity.text(usage.used)}"
    if usage.shared:
        return [(f"~{text}", "dim"), (" of a file system that others share", "dim")]
    return [(text, _fullness(usage.fraction))]


def _fullness(fraction: float) -> str:
    return "failing" if fraction >= 0.95 else "running" if fraction >= 0.80 else ""


def _signs(item: Workload, on: Paper) -> Cell:
    if not item.members:
        return NONE
    if len(item.members) <= MOST_SIGNS:
        return [on.sign(member.health.value) for member in item.members]
    counts = Counter(member.health for member in item.members)
    pieces: list[Piece] = []
    for health in SEVERITY:
        if counts[health]:
            sign, ink = on.sign(health.value)
            pieces.append((f"{' ' if pieces else ''}{sign}{counts[health]}", ink))
    return pieces


def _claims(item: Workload) -> str:
    claims = item.claims
    if not claims:
        return NONE
    bound = sum(claim.phase == "Bound" for claim in claims)
    return f"{bound}/{len(claims)} {quantity.text(sum(claim.capacity or 0 for claim in claims))}"


def _use(item: Workload) -> Cell:
    if not item.claims:
        return NONE
    fullest = item.fullest
    return [(f"{fullest.fraction:.0%}", _fullness(fullest.fraction))] if fullest else [("?", "unknown")]


def _why(item: Workload, on: Paper, *, wide: bool) -> Cell:
    if item.why:
        return [(item.why, "" if item.health.value == "ready" else item.health.value)]
    if item.warnings:
        worst = min(item.warnings, key=lambda warning: not warning.alarms)
        mark = ("⚠ " if on.unicode else "! ", "running") if worst.alarms else ("", "")
        return [mark, (worst.text, "" if worst.alarms else "dim")]
    # Where there is nothing else to tell; `-o wide` has a column for it.
    return [(brief(item.stands_in), "dim")] if item.stands_in and not wide else ""


def _age(created: float | None, now: float) -> str:
    return times.age(now - created) if created is not None else NONE


def essence(rows: Sequence[Sequence[Cell]], headings: Sequence[str]) -> tuple[str, ...]:
    """What a row says apart from ages, to tell whether it is news."""
    ages = {index for index, heading in enumerate(headings) if heading == "AGE"}
    return tuple(str(cell) for row in rows for index, cell in enumerate(row) if index not in ages)
