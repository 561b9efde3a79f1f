"""Ending what others do: a statement, or a session."""

from __future__ import annotations

from enum import StrEnum

from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.model import Engine, ServerError, Session, Wire
from tui.services.sql.operations.asking import ask, reason
from tui.services.sql.operations.model import Activity


class Ending(StrEnum):
    """What is ended."""

    CANCEL = "cancel"  # the statement that runs; the session and its transaction stay
    TERMINATE = "terminate"  # the session; its transaction is rolled back


def statement(engine: Engine, activity: Activity, ending: Ending) -> str:
    """What is sent for it; the ids come from the server, and are numbers or hexadecimal before they go back.

    Raises:
        ProblemError: the session has no statement to cancel, or an id that is none.
    """
    cancel = ending is Ending.CANCEL
    if engine is Engine.COCKROACHDB:
        id_ = activity.query if cancel else activity.id
        if not id_:
            raise ProblemError(Problem(Cause.ABSENT, f"Session {activity.id} runs no statement to cancel"))
        if not all(char in "0123456789abcdef" for char in id_):
            raise ProblemError(Problem(Cause.PROTOCOL, f"{id_} is no id of a session"))
        return f"CANCEL {'QUERY' if cancel else 'SESSION'} '{id_}'"
    if not activity.id.isdecimal() or not activity.id.isascii():
        raise ProblemError(Problem(Cause.ABSENT, f"{activity.id} is no session that could be ended"))
    if engine in (Engine.POSTGRESQL, Engine.YUGABYTEDB):
        return f"SELECT pg_{'cancel' if cancel else 'terminate'}_backend({activity.id})::text AS done"
    return f"KILL {'QUERY' if cancel else 'CONNECTION'} {activity.id}"


async def end(session: Session, activity: Activity, ending: Ending) -> None:
    """Ends a session of somebody or its statement. That the server took it does not mean that it is over already.

    Raises:
        ProblemError: the server refused it, or there is no such session any more.
        Lost: the connection went; whether it was done is not known.
    """
    what = f"{ending} {'the statement of ' if ending is Ending.CANCEL else ''}session {activity.id}"
    try:
        found = await ask(session, statement(session.facts.engine, activity, ending))
    except ServerError as error:
        raise ProblemError(
            Problem(Cause.REJECTED, f"The server did not {what}", reason(error), _right(session, error))
        ) from error
    if session.wire is Wire.POSTGRES and found and found[0].get("done") == "false":
        raise ProblemError(Problem(Cause.ABSENT, f"The server did not {what}", "It has no such session any more"))


def _right(session: Session, error: ServerError) -> str:
    if session.facts.engine in (Engine.MYSQL, Engine.MARIADB) and error.code.endswith(("/1095", "/1227")):
        return "It takes CONNECTION_ADMIN (or SUPER) to end another user's session."
    if session.wire is Wire.POSTGRES and error.code == "42501":
        return "It takes pg_signal_backend to end another user's session, and a superuser to end a superuser's."
    return ""
