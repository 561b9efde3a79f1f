"""Asking a session questions whose refusal is an answer too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tui.services.sql.model import Cell, Columns, Rows, ServerError, Session
from tui.services.sql.operations.model import Unknown

#: One row by its columns' names in lower case; NULL is None.
Record: TypeAlias = Mapping[str, str | None]
Records: TypeAlias = list[Record]

#: More rows than these are not taken: so many sessions are more than anybody reads, and they come every few seconds.
MOST = 10_000

#: SQLSTATEs and MySQL's numbers of a right that is missing.
_NO_RIGHT = ("42501", "/1044", "/1045", "/1142", "/1143", "/1227", "/1370")
#: … of something that this version does not know: syntax, table, column, function, variable.
_NO_SUCH = (
    "42601", "42P01", "42703", "42883", "42704", "0A000",
    "/1064", "/1054", "/1109", "/1146", "/1193", "/1235", "/1305", "/1049",
)  # fmt: skip


async def ask(session: Session, statement: str) -> Records:
    """The rows of one statement.

    Raises:
        ServerError: the server refused it.
        Lost: the connection went.
    """
    names: tuple[str, ...] = ()
    records: Records = []
    async for event in session.run(statement):
        if isinstance(event, Columns):
            names = tuple(column.name.lower() for column in event.columns)
        elif isinstance(event, Rows):
            room = MOST - len(records)
            records += [_record(names, row) for row in event.rows[:room]]
    return records


async def try_ask(session: Session, statement: str) -> Records | Unknown:
    """The rows of one statement, or why there are none.

    Raises:
        Lost: the connection went.
    """
    try:
        return await ask(session, statement)
    except ServerError as error:
        return Unknown(reason(error))


async def first_of(session: Session, statements: Sequence[str]) -> Records | Unknown:
    """The rows of the first statement that this version knows; a right that is missing ends the search.

    Raises:
        Lost: the connection went.
    """
    why = Unknown("nothing was asked")
    for statement in statements:
        try:
            return await ask(session, statement)
        except ServerError as error:
            why = Unknown(reason(error))
            if not unknown_here(error):
                break
    return why


def reason(error: ServerError) -> str:
    """Why a question was not answered."""
    said = f"{error.message} ({error.code})" if error.code else error.message
    if error.cancelled or error.code.startswith("57014") or error.code.endswith(("/1969", "/3024", "/1317")):
        return f"it took too long: {said}"
    if any(error.code == code or error.code.endswith(code) for code in _NO_RIGHT):
        return f"the right to see it is missing: {said}"
    if unknown_here(error):
        return f"this version has it not: {said}"
    return said


def unknown_here(error: ServerError) -> bool:
    """Whether the server does not know what was asked, so that older words may serve."""
    return any(error.code == code or error.code.endswith(code) for code in _NO_SUCH)


def _record(names: Sequence[str], row: Sequence[Cell]) -> Record:
    return {name: _text(cell) for name, cell in zip(names, row, strict=False)}


def _text(cell: Cell) -> str | None:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell


def text(record: Record, *names: str) -> str:
    """The first of these columns that there is and that is not NULL; empty for none."""
    for name in names:
        if (value := record.get(name)) is not None:
            return value
    return ""


def number(record: Record, *names: str) -> float | None:
    """The number in the first of these columns that there is and that holds one."""
    for name in names:
        value = record.get(name)
        if value is not None:
            try:
                return float(value)
            except ValueError:
                continue
    return None


def whole(record: Record, *names: str) -> int | None:
    """The whole number in the first of these columns that holds one; exact beyond what a float holds."""
    for name in names:
        value = record.get(name)
        if value is not None:
            try:
                return int(value)
            except ValueError:
                found = number(record, name)
                if found is not None:
                    return int(found)
    return None
