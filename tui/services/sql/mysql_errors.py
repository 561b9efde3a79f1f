"""MySQL's and MariaDB's refusals in the words of sessions."""

from __future__ import annotations

import re

from tui.services.sql.model import ServerError
from tui.services.sql.mysql_login import number_of, words_of

#: KILL QUERY; the time-outs of MySQL and of MariaDB.
KILLED, TIMED_OUT = 1317, frozenset((3024, 1969))
CANCELED = frozenset((KILLED, *TIMED_OUT))
#: The connection is gone: the client's own numbers, a shutdown, KILL CONNECTION.
GONE = frozenset((2006, 2013, 2014, 2027, 2068, 1053, 1927, 4031))

_NEAR = re.compile(r"near '(?P<near>.*)' at line (?P<line>\d+)\Z", re.DOTALL)


def server_error(error: BaseException, statement: str, *, ours: bool) -> ServerError:
    """The refusal; its code is SQLSTATE and number (`42S02/1146`).

    Args:
        error: the driver's.
        statement: what was sent.
        ours: whether a cancellation was asked for by us.
    """
    number, said = number_of(error), words_of(error)
    state = str(getattr(error, "sqlstate", None) or "HY000")
    return ServerError(
        said, f"{state}/{number}", position=position(said, statement),
        cancelled=number in TIMED_OUT or (number == KILLED and ours),
    )  # fmt: skip


def position(said: str, statement: str) -> int | None:
    """Where a syntax error points: the server quotes what follows, 80 bytes of it, and counts lines.

    None when what it quotes stands on that line more than once, or not at all.
    """
    found = _NEAR.search(said)
    if found is None:
        return None
    near, line = found["near"], int(found["line"])
    if not near:
        return len(statement.rstrip().rstrip(";").rstrip())
    lines = statement.split("\n")
    if not 0 < line <= len(lines):
        return None
    start = sum(len(text) + 1 for text in lines[: line - 1])
    end = start + len(lines[line - 1])
    at = statement.find(near, start)
    if not start <= at <= end:
        return None
    again = statement.find(near, at + 1)
    # What goes on to the statement's end is there once only, whatever else begins alike.
    if start <= again <= end and not statement.endswith(near):
        return None
    return len(statement) - len(near) if statement.endswith(near) and len(statement) - len(near) >= start else at


def cancelled_by_us() -> ServerError:
    """A cancellation that took effect while nobody read."""
    return ServerError("Query execution was interrupted", f"70100/{KILLED}", cancelled=True)
