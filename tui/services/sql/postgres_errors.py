"""asyncpg's exceptions in the words of sessions."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from tui.services.sql.model import Notice, ServerError

#: SQLSTATE of a statement that was ended from outside, or by its time-out.
CANCELED = "57014"


def is_fatal(error: BaseException) -> bool:
    """Whether the connection ends with this error of the server's."""
    return _severity(error) in ("FATAL", "PANIC")


def _severity(error: Any) -> str:  # noqa: ANN401 (its fields come and go with the server's)
    return str(getattr(error, "severity_en", None) or getattr(error, "severity", None) or "ERROR")


def server_error(error: BaseException, statement: str, *, ours: bool, bytewise: bool) -> ServerError:
    """The refusal, with its position as an index of the statement's characters.

    Args:
        error: asyncpg's.
        statement: what was sent.
        ours: whether a cancellation was asked for by us.
        bytewise: whether the server counts bytes where it says characters (SQL_ASCII).
    """
    if isinstance(error, asyncpg.InterfaceError) and "argument" in str(error):
        return ServerError(
            "the statement has parameters ($1 …), and there are no values for them", "42P02",
            hint="Write the values into the statement, or PREPARE it and EXECUTE it with them.",
        )  # fmt: skip
    # A server may refuse with a warning's SQLSTATE: CockroachDB does (01000) where sql_safe_updates is on.
    if not isinstance(error, asyncpg.PostgresError | asyncpg.PostgresLogMessage):
        return ServerError(f"the server's answer cannot be shown: {error}", hint="The log file has the details.")

    def field(name: str) -> str:
        value = getattr(error, name, None)
        return str(value) if value else ""

    code = str(getattr(error, "sqlstate", "") or "")
    message = field("message") or str(error)
    timed_out = code == CANCELED and not is_canceled_by_hand(error)
    place = field("position")
    return ServerError(
        message, code, _severity(error), field("detail"), field("hint"),
        position=_index(int(place), statement, bytewise=bytewise) if place.isdecimal() else None,
        cancelled=code == CANCELED and (ours or timed_out),
    )  # fmt: skip


def is_canceled_by_hand(error: BaseException) -> bool:
    """Whether a statement was ended because somebody asked for it, not by its time-out."""
    return getattr(error, "sqlstate", "") == CANCELED and "timeout" not in str(error)


def _index(place: int, statement: str, *, bytewise: bool) -> int | None:
    """An index from 0 of a place counted from 1."""
    index = place - 1
    if bytewise:
        index = len(statement.encode("utf-8", "surrogateescape")[:index].decode("utf-8", "replace"))
    return index if 0 <= index <= len(statement) else None


def canceled_by_us() -> ServerError:
    """A cancellation that took effect between two answers of the server."""
    return ServerError("canceling statement due to user request", CANCELED, cancelled=True)


def notice_of(message: Any) -> Notice:  # noqa: ANN401 (asyncpg's log message)
    """A notice, also a warning or what LISTEN and others say."""

    def field(name: str) -> str:
        value = getattr(message, name, None)
        return str(value) if value else ""

    return Notice(_severity(message), field("message"), field("sqlstate"), field("detail"), field("hint"))


def connection_errors() -> tuple[type[BaseException], ...]:
    """What asyncpg raises for a connection that is no more."""
    return (asyncpg.PostgresConnectionError, OSError, asyncio.IncompleteReadError)
