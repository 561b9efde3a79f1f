"""The catalogue's vocabulary. Immutable values; figures are the server's own estimates, None where it has none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RelationKind(StrEnum):
    """What a relation is."""

    TABLE = "table"
    PARTITIONED = "partitioned table"
    PARTITION = "partition"
    VIEW = "view"
    MATERIALIZED = "materialized view"
    FOREIGN = "foreign table"
    SYSTEM_VIEW = "system view"

    @property
    def stores(self) -> bool:
        """Whether rows of its own lie in it."""
        return self not in (RelationKind.VIEW, RelationKind.SYSTEM_VIEW, RelationKind.FOREIGN)


@dataclass(frozen=True, slots=True)
class Database:
    """A database of the server.

    Attributes:
        system: whether it came with the server.
        owner: empty where databases have none (MySQL).
    """

    name: str
    owner: str = ""
    encoding: str = ""
    system: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """A namespace of relations. MySQL has one for each database, of its name."""

    name: str
    owner: str = ""
    system: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """Something with rows.

    Attributes:
        rows: estimated number; None when the server never counted.
        size: estimated bytes, of the table alone in PostgreSQL (as of the last VACUUM), with its indexes in MySQL.
    """

    schema: str
    name: str
    kind: RelationKind = RelationKind.TABLE
    rows: int | None = None
    size: int | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a relation is estimated to hold: rows, and bytes with its indexes."""

    rows: int | None
    size: int | None


@dataclass(frozen=True, slots=True)
class Column:
    """A relation's column.

    Attributes:
        type: as the server writes it, with its length.
        default: the expression as the server writes it; None for none.
        generated: how the server makes its values (`always as identity`, `auto_increment`, `stored (a + b)`).
        primary: whether it is part of the primary key.
    """

    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    generated: str = ""
    primary: bool = False
    comment: str = ""
    collation: str = ""


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a relation.

    Attributes:
        columns: names or expressions, in the index's order.
        method: btree, gin, FULLTEXT …
        valid: False for one that is not used by the server (a build that failed; invisible).
        size: bytes; None where only an estimate for all indexes is known.
        definition: the statement that makes it; empty where the server does not tell.
    """

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    primary: bool = False
    method: str = ""
    valid: bool = True
    size: int | None = None
    definition: str = ""


class KeyKind(StrEnum):
    """What a constraint demands."""

    PRIMARY = "primary key"
    UNIQUE = "unique"
    FOREIGN = "foreign key"
    CHECK = "check"
    EXCLUSION = "exclusion"
    NOT_NULL = "not null"


@dataclass(frozen=True, slots=True)
class Key:
    """A constraint of a relation.

    Attributes:
        references: the relation that a foreign key points to, qualified.
        definition: in the server's words, or in the same form.
    """

    name: str
    kind: KeyKind
    columns: tuple[str, ...] = ()
    references: str = ""
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence; `last` is None when it was never used or may not be read."""

    schema: str
    name: str
    last: int | None = None
    increment: int | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """A function or procedure.

    Attributes:
        kind: function, procedure, aggregate, window, trigger.
        arguments: as the server writes them, without parentheses.
        returns: type of its result, empty for none.
    """

    schema: str
    name: str
    kind: str = "function"
    arguments: str = ""
    returns: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Role:
    """A user or role.

    Attributes:
        attributes: what it may beyond grants (superuser, login, replication …), in the server's words.
        groups: roles that it is a member of.
    """

    name: str
    attributes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
