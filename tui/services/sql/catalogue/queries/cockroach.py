"""CockroachDB, by its documented SHOW statements and information_schema.

`pg_catalog` is there too, but has no estimates, and is slow with many tables; `crdb_internal` is closed by default from
26.1 on. `[SHOW …]` as a source of rows is CockroachDB's own syntax. Written after the documentation of 23.1 to 26.2:
no CockroachDB was at hand.
"""

from __future__ import annotations

from collections.abc import Mapping

from tui.services.sql.catalogue.model import (
    Column,
    Database,
    Function,
    Index,
    Key,
    KeyKind,
    Relation,
    RelationKind,
    Role,
    Schema,
    Sequence,
)
from tui.services.sql.catalogue.queries.postgres import value
from tui.services.sql.catalogue.queries.query import KEYS, Query, Rows, firsts, optional, shown, text, whole
from tui.services.sql.language.quoting import identifier, qualified
from tui.services.sql.model import Wire

_KINDS = {
    "table": RelationKind.TABLE,
    "view": RelationKind.VIEW,
    "materialized view": RelationKind.MATERIALIZED,
}
_SYSTEM = ("crdb_internal", "information_schema", "pg_catalog", "pg_extension")


class CockroachQueries:
    """CockroachDB's statements."""

    def path(self) -> Query[tuple[str, ...]]:
        """As PostgreSQL has it."""
        return Query("SELECT unnest(current_schemas(true))", firsts)

    def databases(self) -> Query[tuple[Database, ...]]:
        """`system` is the cluster's own."""
        statement = "SELECT database_name, owner FROM [SHOW DATABASES] ORDER BY 1"
        return Query(
            statement,
            lambda rows: tuple(
                Database(text(name), text(owner), "UTF8", text(name) == "system") for name, owner in rows
            ),
        )

    def database_sizes(self) -> Query[Mapping[str, int]] | None:
        """Only by SHOW RANGES WITH DETAILS, which asks every range: nothing to do in the background."""
        return None

    def schemas(self) -> Query[tuple[Schema, ...]]:
        """Of the current database."""
        return Query(
            "SELECT schema_name, owner FROM [SHOW SCHEMAS] ORDER BY 1",
            lambda rows: tuple(Schema(text(name), text(owner), text(name) in _SYSTEM) for name, owner in rows),
        )

    def relations(self, schema: str, after: str, limit: int) -> Query[tuple[Relation, ...]]:
        """With the row counts of the table statistics."""
        statement = (
            f"SELECT table_name, type, estimated_row_count FROM [SHOW TABLES FROM {identifier(schema, Wire.POSTGRES)}]"
            f" WHERE type <> 'sequence' AND table_name > {value(after)} ORDER BY table_name LIMIT {limit}"
        )
        return Query(
            statement,
            lambda rows: tuple(
                Relation(schema, text(name), _KINDS.get(text(kind), RelationKind.TABLE), whole(count))
                for name, kind, count in rows
            ),
        )

    def estimates(self, schema: str) -> None:
        """Rows come with the relations; sizes are not told."""
        del schema

    def columns(self, schema: str, relation: str) -> Query[tuple[Column, ...]]:
        """Without the hidden ones (`rowid`)."""
        statement = (
            "SELECT column_name, data_type, is_nullable, column_default, generation_expression"
            f" FROM [SHOW COLUMNS FROM {qualified(schema, relation, Wire.POSTGRES)}] WHERE NOT is_hidden"
        )
        return Query(statement, _columns)

    def indexes(self, schema: str, relation: str) -> Query[tuple[Index, ...]]:
        """One row for each column; stored and implicit ones are left out."""
        statement = (
            "SELECT index_name, CASE WHEN non_unique THEN 0 ELSE 1 END, column_name, direction"
            f" FROM [SHOW INDEXES FROM {qualified(schema, relation, Wire.POSTGRES)}]"
            " WHERE NOT storing AND NOT implicit ORDER BY index_name, seq_in_index"
        )
        return Query(statement, lambda rows: _indexes(relation, rows))

    def keys(self, schema: str, relation: str) -> Query[tuple[Key, ...]]:
        """In the server's words."""
        statement = (
            "SELECT constraint_name, constraint_type, details"
            f" FROM [SHOW CONSTRAINTS FROM {qualified(schema, relation, Wire.POSTGRES)}] ORDER BY 1"
        )
        return Query(statement, lambda rows: tuple(_key(text(n), text(k), text(d)) for n, k, d in rows))

    def sequences(self, schema: str) -> Query[tuple[Sequence, ...]] | None:
        """Names only: what a sequence stands at is told by reading it."""
        statement = f"SELECT sequence_name FROM [SHOW SEQUENCES] WHERE sequence_schema = {value(schema)} ORDER BY 1"
        return Query(statement, lambda rows: tuple(Sequence(schema, name) for name in firsts(rows)))

    def functions(self, schema: str) -> Query[tuple[Function, ...]]:
        """Of users; built-in ones have no schema of theirs."""
        statement = (
            "SELECT function_name, argument_data_types, result_data_type, function_type"
            f" FROM [SHOW FUNCTIONS FROM {identifier(schema, Wire.POSTGRES)}] ORDER BY 1"
        )
        return Query(
            statement,
            lambda rows: tuple(
                Function(schema, text(name), text(kind) or "function", text(arguments), text(returns))
                for name, arguments, returns, kind in rows
            ),
        )

    def roles(self) -> Query[tuple[Role, ...]]:
        """`options` and `member_of` are lists; their text is taken apart here."""
        statement = "SELECT username, options::STRING, member_of::STRING FROM [SHOW USERS] ORDER BY 1"
        return Query(
            statement,
            lambda rows: tuple(Role(text(n), _list(text(options)), _list(text(of))) for n, options, of in rows),
        )

    def definition(self, relation: Relation) -> Query[str]:
        """In the server's words; SHOW CREATE takes tables, views and sequences."""
        statement = f"SHOW CREATE {qualified(relation.schema, relation.name, Wire.POSTGRES)}"
        return Query(statement, shown)


def _list(cell: str) -> tuple[str, ...]:
    return tuple(part.strip().strip('"') for part in cell.strip("{}").split(",") if part.strip())


def _is_primary(relation: str, index: str) -> bool:
    # `primary` until 21.2, TABLE_pkey since.
    return index in ("primary", f"{relation}_pkey")


def _columns(rows: Rows) -> tuple[Column, ...]:
    # Which make up the primary key is told by `keys`: here every column belongs to the primary index.
    return tuple(
        Column(
            text(name),
            text(kind),
            text(nullable) in ("t", "true", "YES"),
            None if text(expression) else optional(default),
            f"stored ({text(expression)})" if text(expression) else "",
        )
        for name, kind, nullable, default, expression in rows
    )


def _indexes(relation: str, rows: Rows) -> tuple[Index, ...]:
    found: dict[str, tuple[bool, list[str]]] = {}
    for name, unique, column, direction in rows:
        of = found.setdefault(text(name), (bool(whole(unique)), []))[1]
        of.append(text(column) + (" DESC" if text(direction) == "DESC" else ""))
    return tuple(
        Index(name, tuple(columns), unique, _is_primary(relation, name)) for name, (unique, columns) in found.items()
    )


def _key(name: str, kind: str, details: str) -> Key:
    sort = KEYS.get(kind, KeyKind.CHECK)
    inner = details[details.find("(") + 1 : details.find(")")] if "(" in details and sort is not KeyKind.CHECK else ""
    columns = tuple(
        part.strip().removesuffix(" ASC").removesuffix(" DESC") for part in inner.split(",") if part.strip()
    )
    _, _, target = details.partition(" REFERENCES ")
    return Key(name, sort, columns, target.partition("(")[0].strip(), details)
