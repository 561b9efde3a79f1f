"""The first line of a console, where one is, and the line above the keys, what goes on. Pieces only."""

from __future__ import annotations

from tui.consoles.headparts import Part, laid, pieces_width, standing
from tui.consoles.sql.connecting import Connection, Phase
from tui.consoles.sql.desk import Desk
from tui.consoles.sql.exports import Exports
from tui.consoles.sql.resultset import State, seconds
from tui.consoles.sql.running import Outcome
from tui.services.sql.history import Status
from tui.services.sql.model import Lost, ServerError, Transaction
from tui.systems.model import Member, Workload
from tui.systems.observed import SOURCE, short_lag
from tui.text import one_line
from tui.widgets.columns import fit
from tui.widgets.ink import Piece

_SIGNS = {
    Phase.LOOKING: ("◌", "starting"), Phase.ASKING: ("?", "warn"), Phase.CONNECTING: ("◌", "starting"),
    Phase.OPEN: ("●", "ready"), Phase.LOST: ("◍", "warn"), Phase.FAILED: ("✗", "failing"), Phase.CLOSED: ("○", "dim"),
    Phase.RESTING: ("○", "warn"),
}  # fmt: skip


def headline(desk: Desk, workload: Workload | None, name: str, width: int) -> list[Piece]:
    """Workload, version, member, role, TLS, database, transaction, read-only; at the right since when it stands.

    Args:
        desk: what it is about.
        workload: as it is now; None when it is gone.
        name: the workload's.
        width: cells.
    """
    connection, facts = desk.connection, desk.connection.facts
    sign, ink = _SIGNS[connection.phase]
    right = standing(sign, ink, str(connection.phase), connection.since, stands=connection.phase is Phase.OPEN)
    title: list[Piece] = [(f" {one_line(name)}", "title")]
    parts: list[Part] = []
    if facts is not None:
        version = f" · {facts.engine} {one_line(facts.version)}"
        parts.append(Part(((version, ""),), ((f" {one_line(facts.version)}", ""),), 3))
        parts += _place(facts.member, facts.replica, name, workload)
        plain = facts.tls == "off"
        tls = f"   {facts.tls}" if facts.tls.startswith("TLS") else f"   TLS {facts.tls}"
        short = "  no TLS" if plain else ("  TLS" if "not" not in facts.tls else "  TLS unverified")
        parts.append(Part(((tls, "warn" if plain or "not" in facts.tls else ""),), ((short, "dim"),), 4))
        who = f"{facts.database or 'no database'} as {facts.user}"
        parts.append(Part(((f"   {one_line(who)}", ""),), ((f"  {one_line(facts.database)}".rstrip(), ""),), 5))
    else:
        title.append((f" · {workload.title}" if workload is not None else "", ""))
        parts.append(Part(((f"   {connection.way.text}", ""),), ((f"  {connection.way.text}", ""),), 2))
    parts.append(_transaction(desk))
    if why := read_only(connection, workload):
        parts.append(Part(((f"   read-only: {why}", "warn"),), (("  read-only", "warn"),), 0))
    if desk.guard.protected:
        parts.append(Part((("   protected context", "warn"),), (("  protected", "warn"),), 1))
    return laid(title, parts, *right, width)


def _place(member: str, replica: bool | None, name: str, workload: Workload | None) -> list[Part]:
    role, ink = {True: ("replica", ""), False: ("primary ▲", ""), None: ("", "")}[replica]
    known = next((each for each in workload.members if each.pod == member), None) if workload is not None else None
    if known is not None and known.role is not None and (replica is None or known.role.source == SOURCE):
        # What the server said not long ago goes before what it said when the session began.
        role = f"{known.role.name}{' ▲' if known.role.writes else ''}"
    lag = f", {one_line(known.lag)}" if known is not None and known.lag else ""
    ink = "warn" if "unknown" in lag else ink
    short = member.removeprefix(f"{name}-") if not member.removeprefix(f"{name}-").isdigit() else member
    return [
        Part((("   on ", "dim"), (one_line(member), "strong"), (f" {role}{lag}".rstrip(), ink)),
              (("  ", ""), (one_line(short), "strong"), (f" {role.removesuffix(' ▲')}{_short_lag(known)}", ink)), 0)
    ]  # fmt: skip


def _short_lag(known: Member | None) -> str:
    """`, 3 s`: a member's lag where there is little room."""
    said = short_lag(known) if known is not None and known.lag else ""
    return f", {said}" if said else ""


def _transaction(desk: Desk) -> Part:
    manual = " (begun by itself)" if desk.manual else ""
    match desk.connection.transaction:
        case Transaction.OPEN:
            return Part(((f"   ▶ transaction open{manual}", "accent"),), (("  ▶ transaction", "accent"),), 0)
        case Transaction.FAILED:
            return Part(
                (("   ✗ transaction failed: roll back", "failing"),), (("  ✗ transaction failed", "failing"),), 0
            )
        case Transaction.LOST:
            return Part((("   ✗ transaction lost", "failing"),), (("  ✗ transaction lost", "failing"),), 0)
    word = "manual commit" if desk.manual else "autocommit"
    return Part(((f"   {word}", ""),), ((f"  {word.removesuffix(' commit')}", ""),), 2)


def read_only(connection: Connection, workload: Workload | None = None) -> str:
    """Why the session takes no writes; empty when it does."""
    facts = connection.facts
    if facts is not None and facts.read_only:
        return one_line(facts.read_only)
    known = next((one for one in workload.members if facts and one.pod == facts.member), None) if workload else None
    if known is not None and known.role is not None and known.role.source == SOURCE and known.role.writes is False:
        return "the server takes no writes now"  # it did when the session began: somebody has turned it
    return "asked for" if connection.options.read_only else ""


def activity(desk: Desk, now: float, width: int, exports: Exports) -> list[Piece]:
    """What runs and for how long, or what came of the last run; and the key for what can be done about it.

    Args:
        desk: what it is about.
        now: seconds of the desk's clock.
        width: cells.
        exports: what is being written to a file.
    """
    export = exports.current
    if export is not None and (desk.running is None or export.reads(desk.results.current)):
        left, keys = list(exports.progress), [("ctrl+c", "key"), (" cancel", "dim")]
    elif exports.said and not desk.busy:  # how much of the result is here stands below its grid as well
        left, keys = list(exports.said), _KEYS
    else:
        left, keys = _running(desk, now) if desk.running is not None else _rested(desk)
    # What went wrong is worth more than keys that help tells as well.
    if keys is _KEYS and pieces_width(left) + pieces_width(keys) + 4 > width:
        keys = []
    room = max(0, width - pieces_width(keys) - 2)
    return fit(((" ", ""), *fit(tuple(left), room), *keys, (" ", "")), width)


def _running(desk: Desk, now: float) -> tuple[list[Piece], list[Piece]]:
    running = desk.running
    assert running is not None  # noqa: S101  (asked before)
    count = f"statement {running.number:,}: " if running.number > 1 or not running.last else ""
    elapsed = f"{max(0.0, now - running.began):.0f} s"
    current = desk.results.current
    rows = f" · {current.read:,} row{'' if current.read == 1 else 's'}" if current is not None else ""
    cancel: list[Piece] = [("ctrl+c", "key"), (" cancel", "dim")]
    if running.asking:
        return [("? ", "warn"), (f"{count}waits for your yes", "warn")], []
    if running.cancelling is not None:
        waited = f"{max(0.0, now - running.cancelling):.0f} s"
        again: list[Piece] = [("ctrl+c", "key"), (" again gives the connection up", "dim")]
        return [("◍ ", "warn"), (f"{count}cancelling on the server for {waited}", "")], again
    if desk.paused and current is not None:
        memory = current.state is State.FULL
        why = "memory for rows is spent" if memory else "paused: the cursor is held open"
        more: list[Piece] = [("end", "key"), (" reads on  ", "dim"), *cancel]
        return [("‖ ", "warn" if memory else "accent"), (f"{current.read:,} rows of more · {why}", "")], more
    if desk.connection.phase is Phase.CONNECTING:
        return [("◌ ", "starting"), (f"opening a new session with {desk.connection.way.text}: {elapsed}", "")], cancel
    return [("◐ ", "running"), (f"{count}running {elapsed}{rows}", "")], cancel


#: What the keys' own line has no room for beside those of the editor.
_KEYS: list[Piece] = [
    ("f2", "key"), (" member  ", "dim"), ("f8", "key"), (" catalogue  ", "dim"), ("f9", "key"),
    (" transaction  ", "dim"), ("f12", "key"), (" pane", "dim"),
]  # fmt: skip


def _rested(desk: Desk) -> tuple[list[Piece], list[Piece]]:
    connection = desk.connection
    if connection.phase in (Phase.LOST, Phase.RESTING) and connection.problem is not None:
        problem = connection.problem
        why = f" ({one_line(problem.evidence)})" if problem.evidence else ""
        return [(f"{_SIGNS[connection.phase][0]} ", "warn"), (f"{one_line(problem.what)}{why}", "warn")], [
            ("  f5", "key"), (" opens a new one", "dim"),
        ]  # fmt: skip
    outcome = desk.outcome
    if outcome is None:
        source = one_line(connection.source)
        said = [("login: ", "dim"), (source, "dim")] if source and connection.phase is Phase.OPEN else []
        return said, _KEYS
    return result_of(outcome), _KEYS


def result_of(outcome: Outcome) -> list[Piece]:
    """What came of a run, in a line."""
    said: list[Piece] = [(f" · {one_line(outcome.said)}", "warn")] if outcome.said else []
    if outcome.warnings:
        said.insert(0, (f" · ⚠ {outcome.warnings:,} warning{'' if outcome.warnings == 1 else 's'}", "warn"))
    took = f" · {seconds(outcome.seconds)}"
    if isinstance(outcome.error, ServerError) and outcome.status is not Status.CANCELLED:
        code = f" ({one_line(outcome.error.code)})" if outcome.error.code else ""
        return [("✗ ", "failing"), (f"{one_line(outcome.error.message)}{code}", "failing"), *said]
    if isinstance(outcome.error, Lost):
        unsure = " · whether it was carried out is not known; it is not sent again" if outcome.error.unsure else ""
        return [("✗ ", "failing"), (f"{one_line(str(outcome.error.problem.what))}{unsure}", "failing"), *said]
    if outcome.status is Status.CANCELLED:
        return [("■ ", "stopped"), (f"cancelled{took}", ""), *said]
    if outcome.status is Status.DECLINED:
        return [("■ ", "stopped"), ("not sent", "strong"), *said]
    if outcome.status is not Status.OK:
        return [("✗ ", "failing"), ("it did not work", "failing"), *said]
    many = f"{outcome.done:,} statements · last: " if outcome.done > 1 else ""
    tag, count = one_line(outcome.tag), ""
    if (
        outcome.count is not None and str(outcome.count) not in tag.replace(",", "").split()
    ):  # most tags have it in them
        count = f" · {outcome.count:,} row{'' if outcome.count == 1 else 's'}"
    return [("✓ ", "ready"), (f"{many}{tag or 'done'}{count}{took}", ""), *said]
