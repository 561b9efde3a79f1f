"""What SQL servers answered, as rows of the operations panel and as lines of details."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tui.kube.quantity import text as size
from tui.services.sql.operations.blocking import Placed, arrange
from tui.services.sql.operations.model import (
    Activity,
    Answer,
    Check,
    Lock,
    Report,
    Silence,
    Size,
    Unknown,
    Verdict,
)
from tui.services.sql.operations.topology import Place
from tui.systems import sqlwords
from tui.widgets.columns import Column
from tui.widgets.ink import Cell, Piece
from tui.widgets.lines import Line
from tui.widgets.row import Row
from tui.widgets.signs import bar

#: Shape first: what a fact is worth a look.
SIGNS: Mapping[Verdict, Piece] = {
    Verdict.GOOD: ("●", "ready"),
    Verdict.NOTE: ("·", "dim"),
    Verdict.WARN: ("⚠", "warn"),
    Verdict.BAD: ("✗", "failing"),
}
_WORST = (Verdict.BAD, Verdict.WARN, Verdict.NOTE, Verdict.GOOD)

TOPOLOGY = (
    Column("server", "SERVER", min_width=30, max_width=60, cut=True),
    Column("role", "ROLE", min_width=7, max_width=12),
    Column("lag", "BEHIND", min_width=7, max_width=28, cut=True),
    Column("stream", "REPLICATION", min_width=12, grow=1, cut=True),
    Column("sessions", "SESSIONS", min_width=3, align="right", priority=2),
    Column("version", "VERSION", min_width=6, max_width=24, priority=1),
)
SESSIONS = (
    Column("member", "MEMBER", min_width=2, max_width=16, optional=True, cut=True),
    Column("session", "SESSION", min_width=6, max_width=24, cut=True),
    Column("user", "USER", min_width=4, max_width=16, cut=True),
    Column("database", "DATABASE", min_width=4, max_width=16, optional=True, priority=2),
    Column("state", "STATE", min_width=6, max_width=20, cut=True),
    Column("for", "FOR", min_width=4, max_width=14, align="right"),
    Column("transaction", "TXN", min_width=4, max_width=14, align="right", optional=True, priority=1),
    Column("statement", "WAITS, STATEMENT", min_width=30, grow=1, cut=True),
)
LOCKS = (
    Column("member", "MEMBER", min_width=2, max_width=16, optional=True, cut=True),
    Column("waiting", "WAITS", min_width=5, max_width=14),
    Column("for", "FOR", min_width=4, max_width=12, align="right"),
    Column("holding", "HELD BY", min_width=6, max_width=24, cut=True),
    Column("object", "OBJECT", min_width=12, grow=1, cut=True),
    Column("mode", "WANTED", min_width=6, max_width=30, cut=True),
    Column("held", "HELD", min_width=4, max_width=24, optional=True, priority=1),
)
SIZES = (
    Column("member", "MEMBER", min_width=2, max_width=16, optional=True, cut=True),
    Column("kind", "KIND", min_width=6, max_width=12),
    Column("name", "NAME", min_width=12, grow=1, cut=True),
    Column("size", "SIZE", min_width=6, max_width=9, align="right"),
    Column("share", "", min_width=8, max_width=12, priority=1),
    Column("rows", "ROWS", min_width=5, max_width=14, align="right", optional=True, priority=2),
)
HEALTH = (
    Column("member", "MEMBER", min_width=2, max_width=16, optional=True, cut=True),
    Column("fact", "FACT", min_width=16, max_width=30, cut=True),
    Column("value", "VALUE", min_width=8, max_width=24, cut=True),
    Column("says", "", min_width=12, grow=1, cut=True),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row, and what there is to know of it.

    Attributes:
        row: as the table has it.
        tell: its details.
        member: whose it is.
        activity: the session that it is of, if it is one that could be ended.
    """

    row: Row
    tell: Callable[[], list[Line]]
    member: str = ""
    activity: Activity | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What the panel shows.

    Attributes:
        answers: the last of each member.
        places: who follows whom.
        labels: how a pane calls each member; empty where there is one alone.
    """

    answers: Sequence[Answer]
    places: Sequence[Place]
    labels: Mapping[str, str]

    def label(self, member: str) -> Cell:
        """What stands in a member's column."""
        return ((self.labels.get(member, ""), "accent"),) if self.labels.get(member) else ""


def fact_lines(facts: Sequence[tuple[str, str]]) -> list[Line]:
    """Titles and texts below one another."""
    width = max((len(title) for title, _ in facts), default=0)
    return [Line(((f"{title:<{width}}  ", "dim"), (text, "")), hang=width + 2) for title, text in facts]


def _unknown(scene: Scene, member: str, because: str, columns: Sequence[Column], what: str) -> Entry:
    """The row in place of what cannot be known; the column that grows has room for the reason."""
    cells: list[Cell] = [""] * len(columns)
    cells[0] = scene.label(member)
    cells[1] = (("? unknown", "unknown"),)
    cells[_room(columns)] = ((f"because {because}", "dim"),)
    return Entry(Row(f"{member}/?", tuple(cells)), lambda: fact_lines([(what, f"unknown, because {because}")]), member)


def _silent(scene: Scene, answer: Silence, columns: Sequence[Column]) -> Entry:
    cells: list[Cell] = [""] * len(columns)
    cells[0] = scene.label(answer.member)
    cells[1] = (("✗ silent", "failing"),)
    cells[_room(columns)] = ((answer.problem.what, "dim"),)
    problem = answer.problem
    told = [("happened", problem.what), ("evidence", problem.evidence), ("next", problem.remedy)]
    return Entry(
        Row(f"{answer.member}/!", tuple(cells)), lambda: fact_lines([one for one in told if one[1]]), answer.member
    )


def _room(columns: Sequence[Column]) -> int:
    return next(at for at, column in enumerate(columns) if column.grow)


# --- the tabs


def topology(scene: Scene) -> list[Entry]:
    """The tree of servers."""
    return [_place(place) for place in scene.places]


def _place(place: Place) -> Entry:
    answer = place.answer
    sign = SIGNS[place.verdict]
    role = sqlwords.place_role(place)
    lag = sqlwords.lag(place)
    late = place.verdict in (Verdict.WARN, Verdict.BAD)
    sessions = version = ""
    if isinstance(answer, Report):
        version = f"{answer.engine} {answer.version}"
        people = answer.sessions
        sessions = "?" if isinstance(people, Unknown) else str(sum(1 for one in people if not one.system))
    cells: tuple[Cell, ...] = (
        ((sqlwords.branch(place.last), "frame"), sign, (f" {place.name}", "strong" if not place.depth else "")),
        ((f"{role} ▲", "accent"),) if role == "primary" else role,
        ((lag, "warn" if late or lag.startswith("unknown") else "ready"),) if lag else "",
        ((sqlwords.stream(place), "failing" if place.verdict is Verdict.BAD else "dim"),),
        sessions, version,
    )  # fmt: skip
    return Entry(Row(place.name, cells), lambda: fact_lines(sqlwords.facts(place)), place.name)


def sessions(scene: Scene) -> list[Entry]:
    """All sessions: blocking chains first, of all members, then what runs, then what rests."""
    chains: list[Entry] = []
    rest: list[tuple[tuple[bool, bool, float], Entry]] = []
    troubles: list[Entry] = []
    for answer in scene.answers:
        if isinstance(answer, Silence):
            troubles.append(_silent(scene, answer, SESSIONS))
        elif isinstance(answer.sessions, Unknown):
            troubles.append(_unknown(scene, answer.member, answer.sessions.because, SESSIONS, "sessions"))
        else:
            for placed in arrange(answer.sessions):
                entry = _session(scene, answer, placed)
                one = placed.activity
                if placed.blocks or placed.depth:
                    chains.append(entry)
                else:
                    rest.append(((one.system, not one.busy, -(one.transaction or one.seconds or 0.0)), entry))
    rest.sort(key=lambda pair: pair[0])
    return [*troubles, *chains, *(entry for _, entry in rest)]


def _session(scene: Scene, answer: Report, placed: Placed) -> Entry:
    one = placed.activity
    ink = "dim" if one.system or not one.busy else ""
    mark: tuple[Piece, ...] = ()
    if placed.circle:
        mark = (("⚠ ", "failing"),)
    elif placed.blocks and not placed.depth:
        mark = (("⚠ ", "warn"),)
    told: list[Piece] = []
    if placed.blocks and not placed.depth:
        told.append((f"blocks {placed.blocks}  ", "warn"))
    if one.blocked_by:
        told.append((f"waits for {', '.join(one.blocked_by)}  ", "failing"))
    elif one.waits:
        told.append((f"{one.waits}  ", "dim"))
    told.append((" ".join(one.statement[:400].split()), ink))
    long = (one.transaction or 0.0) >= 300 and not one.system
    cells: tuple[Cell, ...] = (
        scene.label(answer.member),
        ((sqlwords.branch(placed.last), "frame"), *mark, (one.id, "strong" if placed.blocks else ink)),
        ((one.user or one.application, ink),), ((one.database, ink),), ((one.state, ink),),
        ((sqlwords.lasts(one.seconds), ink),) if one.seconds is not None else "",
        ((sqlwords.lasts(one.transaction), "warn" if long else ink),) if one.transaction is not None else "",
        tuple(told),
    )  # fmt: skip
    return Entry(
        Row(f"{answer.member}/{one.id}", cells), lambda: _session_lines(answer, placed), answer.member, one
    )  # fmt: skip


def _session_lines(answer: Report, placed: Placed) -> list[Line]:
    one = placed.activity
    facts = [
        ("session", " ".join(part for part in (f"{one.id} of {answer.member}, {one.user or 'nobody'}",
                    f"from {one.client}" if one.client else "", f"({one.application})" if one.application else "")
                    if part)),
        ("state", f"{one.state}{f' for {sqlwords.lasts(one.seconds)}' if one.seconds is not None else ''}"),
    ]  # fmt: skip
    if placed.circle:
        facts.append(("deadlock", "it waits for itself through others"))
    if one.transaction is not None:
        facts.append(("transaction", f"open for {sqlwords.lasts(one.transaction)}"))
    if one.blocked_by:
        facts.append(("waits for", f"{', '.join(one.blocked_by)}{f' ({one.waits})' if one.waits else ''}"))
    elif one.waits:
        facts.append(("waits", one.waits))
    if placed.blocks:
        facts.append(("blocks", f"{placed.blocks} session{'s' if placed.blocks > 1 else ''}"))
    lines = fact_lines(facts)
    return [*lines, *(Line(((text, ""),), hang=2) for text in one.statement.splitlines())]


def locks(scene: Scene) -> list[Entry]:
    """Locks that are waited for."""
    entries: list[Entry] = []
    for answer in scene.answers:
        if isinstance(answer, Silence):
            entries.append(_silent(scene, answer, LOCKS))
        elif isinstance(answer.locks, Unknown):
            entries.append(_unknown(scene, answer.member, answer.locks.because, LOCKS, "locks"))
        else:
            # MySQL may name one lock several times over: one row for each that differs.
            keys: dict[str, int] = {}
            for lock in answer.locks:
                key = f"{answer.member}/{lock.waiting}/{lock.object}/{'+'.join(lock.holding)}/{lock.mode}"
                keys[key] = keys.get(key, 0) + 1
                entries.append(_lock(scene, answer, lock, f"{key}/{keys[key]}"))
    return entries


def _lock(scene: Scene, answer: Report, lock: Lock, key: str) -> Entry:
    waits = sqlwords.lasts(lock.seconds) if lock.seconds is not None else "?"
    held = ", ".join(lock.holding)
    cells: tuple[Cell, ...] = (
        scene.label(answer.member), ((lock.waiting, "failing"),), waits,
        ((held, "warn"),) if held else (("? not told", "unknown"),), lock.object, lock.mode, lock.held,
    )  # fmt: skip
    by_id = {} if isinstance(answer.sessions, Unknown) else {one.id: one for one in answer.sessions}

    def tell() -> list[Line]:
        facts = [("waits", _who(lock.waiting, by_id)), ("for", f"{lock.object} ({lock.mode})")]
        facts += [("held by", _who(one, by_id)) for one in lock.holding] or [
            ("held by", "unknown, because the server does not tell who holds it")
        ]
        return fact_lines(facts)

    # x and X are for the one that holds it: that is what sets the others free.
    holder = by_id.get(lock.holding[0]) if lock.holding else None
    return Entry(Row(key, cells), tell, answer.member, holder)


def _who(id_: str, by_id: Mapping[str, Activity]) -> str:
    one = by_id.get(id_)
    if one is None:
        return id_
    for_ = f", transaction open for {sqlwords.lasts(one.transaction)}" if one.transaction is not None else ""
    return f"{id_} {one.user} {one.state}{for_}: {' '.join(one.statement.split())}"


def sizes(scene: Scene) -> list[Entry]:
    """How large things are: of each member, the one that takes writes first."""
    entries: list[Entry] = []
    ordered = sorted(scene.answers, key=lambda one: not (isinstance(one, Report) and sqlwords.role(one) == "primary"))
    for answer in ordered:
        if isinstance(answer, Silence):
            entries.append(_silent(scene, answer, SIZES))
        elif isinstance(answer.sizes, Unknown):
            entries.append(_unknown(scene, answer.member, answer.sizes.because, SIZES, "sizes"))
        else:
            most: dict[str, int] = {}
            for each in answer.sizes:
                if isinstance(each.bytes, int):
                    most[each.kind] = max(most.get(each.kind, 1), each.bytes)
            entries += [_size(scene, answer.member, each, most.get(each.kind, 1)) for each in answer.sizes]
    return entries


def _size(scene: Scene, member: str, each: Size, most: int) -> Entry:
    held = each.bytes
    share: Cell = ""
    facts = [(each.kind, each.name)]
    if isinstance(held, Unknown):
        shown: Cell = (("?", "unknown"),)
        facts.append(("size", f"unknown, because {held.because}"))
    else:
        shown = size(held)
        if each.of:
            share = bar(held / each.of)
        elif held < most or each.kind in ("database", "schema", "table"):
            # The longest bar is the largest thing, which is no reason for alarm.
            share = tuple((text, ink if ink == "bar-rest" else "bar") for text, ink in bar(held / max(most, 1)))
        facts.append(("size", f"{size(held)} ({held:,} bytes)" + (f" of {size(each.of)}" if each.of else "")))
    if each.rows is not None:
        facts.append(("rows", f"about {each.rows:,}, as the server estimates"))
    rows = f"~{each.rows:,}" if each.rows is not None else ""
    cells: tuple[Cell, ...] = (scene.label(member), ((each.kind, "dim"),), each.name, shown, share, rows)
    return Entry(Row(f"{member}/{each.kind}/{each.name}", cells), lambda: fact_lines(facts), member)


def health(scene: Scene) -> list[Entry]:
    """All checks, the worst first."""
    entries: list[tuple[int, Entry]] = []
    for answer in scene.answers:
        if isinstance(answer, Silence):
            entries.append((0, _silent(scene, answer, HEALTH)))
        for check in answer.checks:
            at = 2 if isinstance(check.value, Unknown) else _WORST.index(check.verdict)
            entries.append((at, _check(scene, answer.member, check)))
    return [entry for _, entry in sorted(entries, key=lambda pair: pair[0])]


def _check(scene: Scene, member: str, check: Check) -> Entry:
    unknown = isinstance(check.value, Unknown)
    sign = ("?", "unknown") if unknown else SIGNS[check.verdict]
    ink = {Verdict.BAD: "failing", Verdict.WARN: "warn"}.get(check.verdict, "")
    value, says = sqlwords.value(check), sqlwords.says(check)
    cells: tuple[Cell, ...] = (
        scene.label(member), (sign, (f" {check.title}", "")),
        ((value, "unknown" if unknown else ink),), ((says, "dim"),),
    )  # fmt: skip
    facts = [("fact", f"{check.title} of {member}"), ("value", value), ("says", says)]
    return Entry(Row(f"{member}/{check.key}", cells), lambda: fact_lines([one for one in facts if one[1]]), member)


def worst(answers: Sequence[Answer]) -> tuple[int, int]:
    """How many facts are bad, and how many want a look."""
    checks = [check for answer in answers for check in answer.checks]
    silent = sum(1 for answer in answers if isinstance(answer, Silence))
    bad = sum(1 for check in checks if check.verdict is Verdict.BAD) + silent
    return bad, sum(1 for check in checks if check.verdict is Verdict.WARN)
