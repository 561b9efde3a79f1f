"""The console's lists to choose from: the member, the transaction, the session, the plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tui.consoles.prompts import Prompt
from tui.consoles.sql.access import Offer, offers
from tui.consoles.sql.guard import Held
from tui.problem import Cause, Problem, ProblemError
from tui.screens.chooser import Choice, Chooser
from tui.services.sql.language.facts import Hold
from tui.services.sql.model import Transaction
from tui.systems.reach import follows

if TYPE_CHECKING:
    from tui.consoles.sql.screen import SqlConsole

_LEVELS = {
    Hold.ALL: ("Hold back all that destroys", "changes of every row, DROP, TRUNCATE"),
    Hold.UNCONDITIONAL: ("Hold back only changes of every row", "DROP is sent at once"),
    Hold.OFF: ("Hold nothing back", "every statement is sent at once"),
}


def connection(console: SqlConsole) -> None:
    """The member or the role, and how the session is to be."""
    desk = console.desk
    found: list[Offer] = offers(console.access.members)
    way, facts, link = desk.connection.way, desk.connection.facts, desk.connection

    def told(offer: Offer) -> str:
        here = facts is not None and offer.way.member == facts.member
        return f"{offer.detail}  ← here" if here else offer.detail

    choices = [Choice(f"to {at}", offer.text, told(offer), offer.way == way) for at, offer in enumerate(found)]
    limit, reading = link.options.statement_timeout, link.asked_read_only
    choices += [
        Choice("again", "Connect anew", "a new session with the same member"),
        Choice("login", "Log in as somebody else", link.source),
        Choice("end", "Disconnect", "ends the session and closes the console; its results go"),
        Choice("write" if reading else "read", "Take changes" if reading else "Read-only",
               "the server refuses changes now" if reading else "the server refuses changes"),
        Choice("limit", "Time-out of statements", f"{limit:g} s" if limit else "none"),
    ]  # fmt: skip
    if not desk.guard.protected:
        choices += [Choice(f"hold {level.value}", *words) for level, words in _LEVELS.items()
                    if level is not desk.guard.level]  # fmt: skip

    def chosen(value: str | None) -> None:
        what, _, rest = (value or "").partition(" ")
        if what == "to":
            console.reconnect(found[int(rest)].way)
        elif what == "hold":
            desk.guard.level = Hold(rest)
            console.tell(f"{_LEVELS[desk.guard.level][0]}, until the console is left; the setting is sql.confirm")
        elif what == "limit":
            console.app.push_screen(Prompt("Time-out of statements, in seconds", f"{limit:g}",
                                           lambda text: _limit(console, text), word="0 for none"))  # fmt: skip
        elif what == "again":
            console.reconnect()
        elif what == "login":
            console.reconnect(as_other=True)
        elif what == "end":
            console.close_for_good()
        elif what in ("read", "write"):
            console.run_worker(_read_only(console, wanted=what == "read"), exit_on_error=False)

    console.app.push_screen(Chooser("Connection", choices), chosen)


def transaction(console: SqlConsole) -> None:
    """Begin, commit, roll back, and whether transactions begin by themselves."""
    desk = console.desk
    is_open = desk.connection.transaction in (Transaction.OPEN, Transaction.FAILED)
    failed = desk.connection.transaction is Transaction.FAILED
    choices = [] if is_open else [Choice("BEGIN", "Begin", "a transaction that stays open until COMMIT or ROLLBACK")]
    if is_open:
        rollback = Choice("ROLLBACK", "Roll back", "undoes all since it began")
        commit = Choice("COMMIT", "Commit", "rolls back: a statement in it has failed" if failed else "makes it final")
        choices = [rollback, commit] if failed else [commit, rollback]
    # No mark for the mode in use: what enter does first is the first line.
    mode = {True: ("", ", in use"), False: (", in use", "")}[desk.manual]
    choices.append(Choice("auto", "Autocommit", f"each statement is final by itself{mode[0]}"))
    choices.append(Choice("manual", "Manual commit", f"a transaction begins by itself, COMMIT ends it{mode[1]}"))

    def chosen(value: str | None) -> None:
        if value in ("auto", "manual"):
            desk.manual = value == "manual"
            console.look()
        elif value is not None:
            console.control(value)

    console.app.push_screen(Chooser("Transaction", choices), chosen)


def _limit(console: SqlConsole, text: str) -> None:
    try:
        seconds = float(text.strip() or "0")
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise ProblemError(Problem(Cause.CONFIG, f"“{text}” is no number of seconds", "", "0 to 86400; 0 for none"))
    connection = console.desk.connection
    connection.options = replace(connection.options, statement_timeout=seconds)
    console.reconnect()


async def _read_only(console: SqlConsole, *, wanted: bool) -> None:
    connection, guard = console.desk.connection, console.desk.guard
    if not wanted and guard.locked:
        console.tell("The settings say read_only: no console of this program takes changes", "warn")
        return
    if not wanted and follows(console.access.workload, connection.way.role, connection.way.member):
        console.tell(f"{connection.way.text} follows another member: what is written there would exist there alone",
                     "warn")  # fmt: skip
        return
    if not wanted and guard.protected:
        does = f"opens this session for changes in the protected context {console.access.context}"
        if not await console.confirm(Held("", (does,), console.access.context)):
            return
    connection.asked_read_only = wanted
    console.reconnect()


def plan(console: SqlConsole) -> None:
    """The plan of the statement at the cursor: as the server expects it, or measured while it runs."""
    choices = [
        Choice("plan", "Plan", "what the server would do; nothing is run"),
        Choice("analyze", "Plan, measured", "the statement IS RUN, with all that it does"),
    ]

    def chosen(value: str | None) -> None:
        if value is not None:
            console.explain(analyze=value == "analyze")

    console.app.push_screen(Chooser("Explain", choices), chosen)
