"""MySQL 5.7 to 9, MariaDB 10 to 11, and Vitess, which answers MySQL's questions.

Before MySQL 8.0 and in MariaDB each row of `information_schema.TABLES` with a figure opens its table. So names and
kinds are asked for alone, and figures later, when somebody wants them.
"""

from __future__ import annotations

from collections.abc import Mapping

from tui.services.sql.catalogue.model import (
    Column,
    Database,
    Estimate,
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
from tui.services.sql.catalogue.queries.query import KEYS, Query, Rows, firsts, optional, shown, sizes, text, whole
from tui.services.sql.language.quoting import identifier_if_needed, literal, qualified
from tui.services.sql.model import Engine, Row, Wire

_SYSTEM = ("information_schema", "mysql", "performance_schema", "sys")
_KINDS = {
    "BASE TABLE": RelationKind.TABLE,
    "SYSTEM VERSIONED": RelationKind.TABLE,
    "VIEW": RelationKind.VIEW,
    "SYSTEM VIEW": RelationKind.SYSTEM_VIEW,
}


def value(name: str) -> str:
    """A name as a value."""
    return literal(name, Wire.MYSQL)


def _of(schema: str, relation: str, table: str = "") -> str:
    """The condition for what belongs to a relation; `table` is an alias with its dot."""
    return f"{table}TABLE_SCHEMA = {value(schema)} AND {table}TABLE_NAME = {value(relation)}"


class MysqlQueries:
    """MySQL's statements, by engine and version."""

    def __init__(self, engine: Engine, number: tuple[int, ...]) -> None:
        mariadb = engine is Engine.MARIADB
        self._mariadb = mariadb
        self._generated = number >= ((10, 2) if mariadb else (5, 7))
        self._expressions = not mariadb and number >= (8, 0, 13)
        self._visible = number >= ((10, 6) if mariadb else (8,))
        self._checks = number >= ((10, 2, 22) if mariadb else (8, 0, 16))

    def path(self) -> Query[tuple[str, ...]]:
        """The current database, if one was chosen."""
        return Query("SELECT DATABASE()", firsts)

    def databases(self) -> Query[tuple[Database, ...]]:
        """Those that one has a right in."""
        statement = "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME FROM information_schema.SCHEMATA ORDER BY 1"
        return Query(
            statement,
            lambda rows: tuple(
                Database(text(name), encoding=text(encoding), system=text(name).lower() in _SYSTEM)
                for name, encoding in rows
            ),
        )

    def database_sizes(self) -> Query[Mapping[str, int]] | None:
        """Data and indexes of all tables, by the engine's estimates."""
        statement = (
            "SELECT TABLE_SCHEMA, SUM(COALESCE(DATA_LENGTH, 0) + COALESCE(INDEX_LENGTH, 0))"
            " FROM information_schema.TABLES GROUP BY 1"
        )
        return Query(statement, sizes)

    def schemas(self) -> Query[tuple[Schema, ...]]:
        """Databases are what other servers call schemas."""
        databases = self.databases()
        return Query(
            databases.statement,
            lambda rows: tuple(Schema(one.name, one.owner, one.system) for one in databases.read(rows)),
        )

    def relations(self, schema: str, after: str, limit: int) -> Query[tuple[Relation, ...]]:
        """Names and kinds only. Compared by their bytes: names that differ in case only may stand side by side."""
        statement = (
            "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES"
            f" WHERE TABLE_SCHEMA = {value(schema)} AND TABLE_TYPE <> 'SEQUENCE'"
            f" AND CAST(TABLE_NAME AS BINARY) > CAST({value(after)} AS BINARY)"
            f" ORDER BY CAST(TABLE_NAME AS BINARY) LIMIT {limit}"
        )
        return Query(
            statement,
            lambda rows: tuple(
                Relation(schema, text(name), _KINDS.get(text(kind), RelationKind.TABLE)) for name, kind in rows
            ),
        )

    def estimates(self, schema: str) -> Query[Mapping[str, Estimate]]:
        """InnoDB's row counts are samples: off by half is usual."""
        statement = (
            "SELECT TABLE_NAME, TABLE_ROWS, DATA_LENGTH + INDEX_LENGTH FROM information_schema.TABLES"
            f" WHERE TABLE_SCHEMA = {value(schema)} AND TABLE_TYPE NOT IN ('VIEW', 'SYSTEM VIEW')"
        )
        return Query(
            statement,
            lambda rows: {text(name): Estimate(whole(count), whole(size)) for name, count, size in rows},
        )

    def columns(self, schema: str, relation: str) -> Query[tuple[Column, ...]]:
        """With defaults as the server tells them: MariaDB's are expressions, MySQL's bare values."""
        generated = "GENERATION_EXPRESSION" if self._generated else "''"
        statement = (
            f"SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, {generated}, COLUMN_KEY,"
            " COLUMN_COMMENT, COLLATION_NAME FROM information_schema.COLUMNS"
            f" WHERE {_of(schema, relation)} ORDER BY ORDINAL_POSITION"
        )
        return Query(statement, self._columns)

    def _columns(self, rows: Rows) -> tuple[Column, ...]:
        found = list[Column]()
        for name, kind, nullable, default, extra, expression, key, comment, collation in rows:
            made = text(extra).replace("DEFAULT_GENERATED", "").strip()
            if text(expression):
                made = f"{made.replace('GENERATED', '').strip().lower()} ({text(expression)})".strip()
            shown = optional(default)
            # MariaDB says NULL as an expression where nothing was given.
            if shown == "NULL" and self._mariadb and text(nullable) == "YES":
                shown = None
            found.append(
                Column(
                    text(name), text(kind), text(nullable) == "YES", shown, made, text(key) == "PRI", text(comment),
                    text(collation),
                )
            )  # fmt: skip
        return tuple(found)

    def indexes(self, schema: str, relation: str) -> Query[tuple[Index, ...]]:
        """One row for each column of an index."""
        column = "COALESCE(COLUMN_NAME, CONCAT('(', EXPRESSION, ')'))" if self._expressions else "COLUMN_NAME"
        visible = "'YES'"
        if self._visible:
            visible = "IF(IGNORED = 'YES', 'NO', 'YES')" if self._mariadb else "IS_VISIBLE"
        statement = (
            f"SELECT INDEX_NAME, NON_UNIQUE, INDEX_TYPE, {visible}, {column}, SUB_PART"
            f" FROM information_schema.STATISTICS WHERE {_of(schema, relation)}"
            " ORDER BY INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX"
        )
        return Query(statement, _indexes)

    def keys(self, schema: str, relation: str) -> Query[tuple[Key, ...]]:
        """Constraints; a foreign key's columns and what they point to, one row for each pair."""
        check = (
            "(SELECT MAX(k.CHECK_CLAUSE) FROM information_schema.CHECK_CONSTRAINTS k"
            " WHERE k.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND k.CONSTRAINT_NAME = c.CONSTRAINT_NAME"
            f"{' AND k.TABLE_NAME = c.TABLE_NAME' if self._mariadb else ''})"
            if self._checks
            else "NULL"
        )
        statement = (
            "SELECT c.CONSTRAINT_NAME, c.CONSTRAINT_TYPE, u.COLUMN_NAME, u.REFERENCED_TABLE_SCHEMA,"
            f" u.REFERENCED_TABLE_NAME, u.REFERENCED_COLUMN_NAME, {check}"
            " FROM information_schema.TABLE_CONSTRAINTS c LEFT JOIN information_schema.KEY_COLUMN_USAGE u"
            " ON u.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND u.TABLE_SCHEMA = c.TABLE_SCHEMA"
            " AND u.TABLE_NAME = c.TABLE_NAME AND u.CONSTRAINT_NAME = c.CONSTRAINT_NAME"
            f" WHERE {_of(schema, relation, 'c.')}"
            " ORDER BY c.CONSTRAINT_TYPE <> 'PRIMARY KEY', c.CONSTRAINT_NAME, u.ORDINAL_POSITION"
        )
        return Query(statement, _keys)

    def sequences(self, schema: str) -> Query[tuple[Sequence, ...]] | None:
        """MariaDB's only. Where one stands is told by a query on the sequence itself, so not here."""
        if not self._mariadb:
            return None
        statement = (
            "SELECT TABLE_NAME FROM information_schema.TABLES"
            f" WHERE TABLE_SCHEMA = {value(schema)} AND TABLE_TYPE = 'SEQUENCE' ORDER BY 1"
        )
        return Query(statement, lambda rows: tuple(Sequence(schema, name) for name in firsts(rows)))

    def functions(self, schema: str) -> Query[tuple[Function, ...]]:
        """Functions and procedures with their parameters."""
        statement = (
            "SELECT r.ROUTINE_NAME, r.ROUTINE_TYPE, r.DTD_IDENTIFIER, (SELECT GROUP_CONCAT("
            "CONCAT_WS(' ', IF(p.PARAMETER_MODE = 'IN', NULL, p.PARAMETER_MODE), p.PARAMETER_NAME, p.DTD_IDENTIFIER)"
            " ORDER BY p.ORDINAL_POSITION SEPARATOR ', ') FROM information_schema.PARAMETERS p"
            " WHERE p.SPECIFIC_SCHEMA = r.ROUTINE_SCHEMA AND p.SPECIFIC_NAME = r.SPECIFIC_NAME"
            " AND p.ROUTINE_TYPE = r.ROUTINE_TYPE AND p.ORDINAL_POSITION > 0) FROM information_schema.ROUTINES r"
            f" WHERE r.ROUTINE_SCHEMA = {value(schema)} ORDER BY 1, 2"
        )
        return Query(
            statement,
            lambda rows: tuple(
                Function(schema, text(name), text(kind).lower(), text(arguments), text(returns), "SQL")
                for name, kind, returns, arguments in rows
            ),
        )

    def roles(self) -> Query[tuple[Role, ...]]:
        """Accounts; needs the right to read `mysql.user`."""
        statement = (
            "SELECT User, Host, IF(Super_priv = 'Y', 'SUPER', NULL), IF(Repl_slave_priv = 'Y', 'REPLICATION', NULL)"
            " FROM mysql.user ORDER BY 1, 2"
        )
        return Query(
            statement,
            lambda rows: tuple(
                Role(f"{text(user)}@{text(host)}" if host else text(user), tuple(text(one) for one in rights if one))
                for user, host, *rights in rows
            ),
        )

    def definition(self, relation: Relation) -> Query[str]:
        """In the server's own words."""
        what = "VIEW" if relation.kind in (RelationKind.VIEW, RelationKind.SYSTEM_VIEW) else "TABLE"
        statement = f"SHOW CREATE {what} {qualified(relation.schema, relation.name, Wire.MYSQL)}"
        return Query(statement, shown)


def _indexes(rows: Rows) -> tuple[Index, ...]:
    found: dict[str, tuple[Row, list[str]]] = {}
    for row in rows:
        column = text(row[4]) + (f"({text(row[5])})" if row[5] else "")
        found.setdefault(text(row[0]), (row, []))[1].append(column)
    return tuple(
        Index(name, tuple(columns), not whole(row[1]), name == "PRIMARY", text(row[2]), text(row[3]) == "YES")
        for name, (row, columns) in found.items()
    )


def _keys(rows: Rows) -> tuple[Key, ...]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((text(row[0]), text(row[1])), []).append(row)
    return tuple(_key(name, kind, of) for (name, kind), of in found.items())


def _key(name: str, kind: str, rows: list[Row]) -> Key:
    def listed(at: int) -> str:
        return ", ".join(identifier_if_needed(text(row[at]), Wire.MYSQL) for row in rows if row[at])

    sort, columns, references = KEYS.get(kind, KeyKind.CHECK), tuple(text(row[2]) for row in rows if row[2]), ""
    definition = f"{kind} ({listed(2)})"
    if sort is KeyKind.FOREIGN:
        references = ".".join(identifier_if_needed(text(rows[0][at]), Wire.MYSQL) for at in (3, 4))
        definition += f" REFERENCES {references} ({listed(5)})"
    elif sort is KeyKind.CHECK:
        definition = f"CHECK ({text(rows[0][6])})" if rows[0][6] else "CHECK"
    return Key(name, sort, columns, references, definition)
