"""Runs the statements of `statetui sql` one after the other, and says what became of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import cast

from tui.commands import exits
from tui.commands.remarks import note
from tui.commands.sql_output import Narration, Output
from tui.commands.sql_statements import Script, Statement
from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.formats import FormatError
from tui.services.sql.gate import enforces, refusal
from tui.services.sql.gridded import SHORTENED
from tui.services.sql.language.classify import classify
from tui.services.sql.language.facts import Hold
from tui.services.sql.model import (
    Columns,
    Done,
    Event,
    Lost,
    Notice,
    ServerError,
    Session,
    Transaction,
    Wire,
)
from tui.text import one_line

#: Seconds for a cancellation to reach the server, when we are to end.
CANCELLING = 5.0


@dataclass(frozen=True, slots=True)
class Rules:
    """How statements are run.

    Attributes:
        protected: whether the gate is closed: what changes something is not sent.
        follows: whether the session is read-only because its member follows another one.
        stop: whether a refused statement ends it.
        single: whether all is one transaction.
        hold: what is held back, as nobody is here to confirm it; it counts as refused.
        long: whether there may be so many statements that the first one's failure wants a word on the rest.
    """

    protected: bool = False
    follows: bool = False
    stop: bool = True
    single: bool = False
    hold: Hold = Hold.OFF
    long: bool = True


class Runner:
    """Runs a script on a session; no statement is ever sent twice."""

    def __init__(self, session: Session, output: Output, narration: Narration, rules: Rules) -> None:
        self._session = session
        self._output = output
        self._narration = narration
        self._rules = rules
        self._done = self._refused = 0

    async def run(self, script: Script) -> int:
        """Runs a script, and returns the exit code; what was refused has been told.

        Raises:
            ProblemError: the script cannot be read, the connection went, or the output cannot be written.
            FormatError: the format cannot hold a result.
            BrokenPipeError: nobody reads the results any more.
        """
        if self._rules.single:
            await self._plain("BEGIN" if self._session.wire is Wire.POSTGRES else "START TRANSACTION")
        async for statement in script:
            if why := self._not_sent(statement):
                await self._output.flush()
                note(f"{statement.place}: {why}")
                self._refused += 1
            elif not await self._one(statement):
                self._refused += 1
            else:
                self._done += 1
            if self._refused and (self._rules.stop or self._rules.single):
                break
        return await self._end()

    def _not_sent(self, statement: Statement) -> str:
        """Why a statement is not sent, for a person; empty when it is."""
        wire = self._session.wire
        if self._rules.protected and (why := refusal(statement.text, wire, enforced=enforces(self._session.facts))):
            return f"{why}. It was not sent"
        if self._rules.hold is not Hold.OFF and (dangers := classify(statement.text, wire).held(self._rules.hold)):
            does = ", and ".join(one_line(one.sentence) for one in dangers)
            return f"it {does}, so it was not sent; if that is meant, say --yes"
        return ""

    async def _end(self) -> int:
        if not self._refused:
            if self._rules.single:
                await self._plain("COMMIT")
            elif self._session.transaction in (Transaction.OPEN, Transaction.FAILED):
                note("the last transaction was not committed: the server has rolled it back")
            await self._output.finish()
            return exits.OK
        if self._rules.stop or self._rules.single:
            rolled_back = ""
            if self._rules.single:
                rolled_back = "; they are rolled back"
                if self._session.wire is Wire.MYSQL:
                    rolled_back += ", except definitions and what stood before them: those MySQL commits by itself"
            if self._rules.single:
                await self._plain("ROLLBACK")
            if self._done or self._rules.long:
                self.say_how_far(f"nothing after it was sent{rolled_back}")
        else:
            await self._output.finish()
            note(f"{self._done:,} statements were done, {self._refused:,} were refused")
        return exits.FAILED

    async def _one(self, statement: Statement) -> bool:
        """Runs a statement. Returns whether the server did; what it refused has been told.

        Raises:
            ProblemError: the connection went.
            FormatError: the format cannot hold the result, or a value is too long to be taken whole.
            BrokenPipeError: nobody reads the results any more.
        """
        rows = False
        # Closing the generator ends the statement on the server, whatever ends us here.
        events = cast("AsyncGenerator[Event, None]", self._session.run(statement.text))
        try:
            async with contextlib.aclosing(events):
                async for event in events:
                    if isinstance(event, Notice):
                        if event.code == SHORTENED and self._output.keeps:
                            await self._output.flush()
                            raise FormatError(_too_long(event, statement))
                        self._narration.notice(event)
                        continue
                    await self._output.take(event, statement)
                    if isinstance(event, Columns):
                        rows = True
                    elif isinstance(event, Done):
                        await self._output.flush()
                        self._narration.done(event, rows=rows)
                        rows = False
                    elif not self._output.to_terminal:
                        self._narration.progress(self._output.rows)
        except ServerError as error:
            await self._output.flush()
            self._narration.error(error, statement, self._session.wire)
            if self._rules.follows and error.code.startswith("25006"):
                note(
                    f"{self._session.facts.member} follows another member, so this session is read-only: what is "
                    "written here would exist here alone. Leave out --role and --member to write to the primary"
                )
            return False
        except Lost as loss:
            await self._output.flush()
            raise ProblemError(self._lost(loss, statement)) from loss
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CANCELLING):
                    await self._session.cancel()
            raise
        return True

    async def _plain(self, statement: str) -> None:
        """One of our own statements.

        Raises:
            ProblemError: it was refused, or the connection went.
        """
        try:
            async for _ in self._session.run(statement):
                pass
        except ServerError as error:
            raise ProblemError(
                Problem(Cause.REJECTED, f"{statement} was refused", error.message, error.hint)
            ) from error
        except Lost as loss:
            raise ProblemError(self._lost(loss, Statement(statement, self._done + 1, statement))) from loss

    def _lost(self, loss: Lost, statement: Statement) -> Problem:
        told = [f"{self._done:,} statements were done before {statement.place}"]
        if loss.unsure:
            told.append("whether that one was carried out is not known; it is not sent again")
        if loss.transaction:
            told.append("the open transaction is lost")
        evidence = "\n".join(part for part in (loss.problem.evidence, "; ".join(told)) if part)
        return replace(loss.problem, evidence=evidence)

    def say_how_far(self, more: str) -> None:
        """Tells how many statements were done, and what more is to say."""
        done = f"{self._done:,} statement{' was' if self._done == 1 else 's were'} done"
        note(f"{done}{'; ' if more else ''}{more}")


def _too_long(notice: Notice, statement: Statement) -> str:
    """Why a result is not written; `notice` names the value that would lose its end."""
    said = notice.message.replace("is shown shortened", "would lose its end")
    return f"{statement.place}: {said}, so the result is not written. {notice.detail} {notice.hint}"
