"""What can be done about a refusal, where the server does not say it itself. Nothing here is done by us."""

from __future__ import annotations

from tui.services.sql.model import Engine, Facts, ServerError

#: Codes of refusals to write: PostgreSQL and a read-only transaction of MySQL; `--read-only`; a read-only table space.
_READ_ONLY = ("25006", "HY000/1290", "HY000/1836")

_AGAIN = "Nothing is repeated by itself: run it again from its beginning."
#: By the code's beginning: within a transaction, and outside of one.
_RETRIES: dict[str, tuple[str, str]] = {
    # InnoDB rolls the whole transaction back, and the session with it is out of it.
    "40001/1213": (f"The server has rolled the whole transaction back. {_AGAIN}",
                   "The server has undone the statement. It may be run again."),
    # … but here the statement alone, unless innodb_rollback_on_timeout is on; the session says which.
    "HY000/1205": ("The statement was undone, the transaction stands. Run the statement again, or roll back.",
                   "The statement was undone. It may be run again once the lock is free."),
    "40001": (f"Others changed what the transaction read. Roll back: nothing of it stays. {_AGAIN}",
              "Others changed what it read, and it was undone. It may be run again."),
    "40P01": (f"The server chose this one to end the deadlock. Roll back: nothing of it stays. {_AGAIN}",
              "The server chose this one to end the deadlock, and it was undone. It may be run again."),
}  # fmt: skip


def with_way_out(error: ServerError, facts: Facts | None, *, transaction: bool = False) -> ServerError:
    """A refusal with what can be done about it.

    Args:
        error: the server's; its own hint stays, and goes first.
        facts: of the session, None before they are known.
        transaction: whether it came within a transaction of the user's.
    """
    ours = _read_only(error, facts) or _retry(error, transaction) or _safe(error, facts) or _failed(error)
    if ours:
        error.hint = f"{error.hint}\n{ours}" if error.hint else ours
    return error


def _read_only(error: ServerError, facts: Facts | None) -> str:
    """Where writes are taken."""
    if facts is None or error.hint or not error.code.startswith(_READ_ONLY):
        return ""
    if facts.replica or facts.read_only not in ("", "asked for"):
        return f"{facts.member} only reads ({facts.read_only or 'it is a replica'}); connect to the primary."
    return "The session was asked to be read-only; open one that may write." if facts.read_only else ""


def _retry(error: ServerError, transaction: bool) -> str:
    told = next((words for code, words in _RETRIES.items() if error.code.startswith(code)), None)
    return told[0 if transaction else 1] if told is not None else ""


def _failed(error: ServerError) -> str:
    """PostgreSQL takes nothing more in a transaction after a statement of it was refused."""
    return "Roll back: what it did before the refusal is undone with it." if error.code == "25P02" else ""


def _safe(error: ServerError, facts: Facts | None) -> str:
    """CockroachDB's guard, which its own shell turns on; it refuses with a warning's SQLSTATE, 01000."""
    if facts is None or facts.engine is not Engine.COCKROACHDB or "sql_safe_updates" not in error.message:
        return ""
    return "Give it a WHERE or a LIMIT; or SET sql_safe_updates = false, for this session."
