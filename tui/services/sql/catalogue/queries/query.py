"""What the statements of all engines have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar

from tui.services.sql.catalogue.model import (
    Column,
    Database,
    Estimate,
    Function,
    Index,
    Key,
    KeyKind,
    Relation,
    Role,
    Schema,
)
from tui.services.sql.catalogue.model import Sequence as SqlSequence
from tui.services.sql.model import Cell, Row

T = TypeVar("T")
Rows: TypeAlias = Sequence[Row]

#: The kinds of constraints, in the words of the SQL standard's information_schema.
KEYS = {
    "PRIMARY KEY": KeyKind.PRIMARY,
    "UNIQUE": KeyKind.UNIQUE,
    "FOREIGN KEY": KeyKind.FOREIGN,
    "CHECK": KeyKind.CHECK,
}
#: Between the parts of a list in one cell: a control character, which no name has for good reasons.
UNIT = "\x1f"


@dataclass(frozen=True, slots=True)
class Query(Generic[T]):
    """A statement, and how its rows are read."""

    statement: str
    read: Callable[[Rows], T]


class Queries(Protocol):
    """One engine's statements. Names are given and returned as they are, never quoted."""

    def path(self) -> Query[tuple[str, ...]]:
        """Schemas in which a name without one is looked for, in that order."""
        ...

    def databases(self) -> Query[tuple[Database, ...]]:
        """Databases that can be connected to."""
        ...

    def database_sizes(self) -> Query[Mapping[str, int]] | None:
        """Their sizes in bytes, where it can be read; may take seconds. None where the engine does not tell."""
        ...

    def schemas(self) -> Query[tuple[Schema, ...]]:
        """Schemas of the current database; in MySQL all databases."""
        ...

    def relations(self, schema: str, after: str, limit: int) -> Query[tuple[Relation, ...]]:
        """At most `limit` relations whose names come after one, ordered by the bytes of their names."""
        ...

    def estimates(self, schema: str) -> Query[Mapping[str, Estimate]] | None:
        """Rows and sizes by relation, where `relations` does not tell them; None where it does, or nobody knows."""
        ...

    def columns(self, schema: str, relation: str) -> Query[tuple[Column, ...]]:
        """A relation's columns, in their order."""
        ...

    def indexes(self, schema: str, relation: str) -> Query[tuple[Index, ...]]:
        """Its indexes."""
        ...

    def keys(self, schema: str, relation: str) -> Query[tuple[Key, ...]]:
        """Its constraints."""
        ...

    def sequences(self, schema: str) -> Query[tuple[SqlSequence, ...]] | None:
        """Sequences of a schema; None where the engine has none."""
        ...

    def functions(self, schema: str) -> Query[tuple[Function, ...]]:
        """Functions and procedures of a schema."""
        ...

    def roles(self) -> Query[tuple[Role, ...]]:
        """Users and roles; may need rights."""
        ...

    def definition(self, relation: Relation) -> Query[str]:
        """The statements that would make the relation anew."""
        ...


def text(cell: Cell) -> str:
    """A cell as text, empty for NULL; bytes (a server with SQL_ASCII) are decoded as far as they can be."""
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    return cell or ""


def optional(cell: Cell) -> str | None:
    """A cell as text, or None for NULL."""
    return None if cell is None else text(cell)


def whole(cell: Cell) -> int | None:
    """A cell as a whole number; None when it is none."""
    try:
        return int(text(cell))
    except ValueError:
        return None


def firsts(rows: Rows) -> tuple[str, ...]:
    """The first cells as texts, without those that are NULL."""
    return tuple(text(row[0]) for row in rows if row[0] is not None)


def sizes(rows: Rows) -> dict[str, int]:
    """Rows of a name and a number of bytes; NULL counts as none."""
    return {text(name): whole(size) or 0 for name, size in rows}


def shown(rows: Rows) -> str:
    """What SHOW CREATE answers, as a statement: the second cell of its only row; empty when there is none."""
    return f"{text(rows[0][1])};\n" if rows else ""


def parts(cell: Cell) -> tuple[str, ...]:
    """The parts of a list in one cell."""
    return tuple(text(cell).split(UNIT)) if cell else ()
