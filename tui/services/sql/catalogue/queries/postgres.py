"""PostgreSQL from 12 on, and YugabyteDB, which has PostgreSQL's catalogue (of 11 before its release 2.25)."""

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
from tui.services.sql.catalogue.queries import postgres_ddl
from tui.services.sql.catalogue.queries.query import Query, Rows, firsts, optional, parts, sizes, text, whole
from tui.services.sql.language.quoting import literal
from tui.services.sql.model import Wire

_KINDS = {
    "r": RelationKind.TABLE,
    "p": RelationKind.PARTITIONED,
    "v": RelationKind.VIEW,
    "m": RelationKind.MATERIALIZED,
    "f": RelationKind.FOREIGN,
}
_KEYS = {
    "p": KeyKind.PRIMARY,
    "u": KeyKind.UNIQUE,
    "f": KeyKind.FOREIGN,
    "c": KeyKind.CHECK,
    "x": KeyKind.EXCLUSION,
    "n": KeyKind.NOT_NULL,
}
_PROCS = {"f": "function", "p": "procedure", "a": "aggregate", "w": "window"}


def value(name: str) -> str:
    """A name as a value."""
    return literal(name, Wire.POSTGRES)


def oid(schema: str, relation: str) -> str:
    """An expression for a relation's oid; NULL when there is none (no error, unlike `regclass`)."""
    return (
        "(SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname = {value(schema)} AND c.relname = {value(relation)})"
    )


def _namespace(schema: str) -> str:
    """An expression for a schema's oid; NULL when there is none."""
    return f"(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = {value(schema)})"


class PostgresQueries:
    """PostgreSQL's statements; `generated` tells whether the server has generated columns (from 12 on)."""

    def __init__(self, number: tuple[int, ...]) -> None:
        self._generated = not number or number[0] >= 12

    def path(self) -> Query[tuple[str, ...]]:
        """`pg_catalog` is in it, as the server looks there too."""
        return Query("SELECT pg_catalog.unnest(pg_catalog.current_schemas(true))", firsts)

    def databases(self) -> Query[tuple[Database, ...]]:
        """Without templates."""
        statement = (
            "SELECT datname, pg_catalog.pg_get_userbyid(datdba), pg_catalog.pg_encoding_to_char(encoding)"
            " FROM pg_catalog.pg_database WHERE NOT datistemplate AND datallowconn ORDER BY 1"
        )
        return Query(
            statement,
            lambda rows: tuple(Database(text(n), text(o), text(e), text(n) == "postgres") for n, o, e in rows),
        )

    def database_sizes(self) -> Query[Mapping[str, int]] | None:
        """Of those that one may connect to: the function refuses the others."""
        statement = (
            "SELECT datname, pg_catalog.pg_database_size(oid) FROM pg_catalog.pg_database"
            " WHERE NOT datistemplate AND pg_catalog.has_database_privilege(oid, 'CONNECT')"
        )
        return Query(statement, sizes)

    def schemas(self) -> Query[tuple[Schema, ...]]:
        """Without those of TOAST and of other sessions' temporary tables."""
        statement = (
            "SELECT nspname, pg_catalog.pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace"
            " WHERE nspname !~ '^pg_(toast|temp_|toast_temp_)' ORDER BY nspname"
        )
        return Query(statement, _schemas)

    def relations(self, schema: str, after: str, limit: int) -> Query[tuple[Relation, ...]]:
        """One walk over an index of names, with the estimates that stand beside them. No file is looked at."""
        statement = (
            "SELECT c.relname, c.relkind, CASE WHEN c.relispartition THEN 1 ELSE 0 END, c.reltuples::bigint,"
            " c.relpages::bigint * pg_catalog.current_setting('block_size')::bigint,"
            " pg_catalog.obj_description(c.oid, 'pg_class') FROM pg_catalog.pg_class c"
            f" WHERE c.relnamespace = {_namespace(schema)}"
            f" AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname > {value(after)}"
            f" ORDER BY c.relname LIMIT {limit}"
        )
        return Query(statement, lambda rows: tuple(_relation(schema, *row) for row in rows))

    def estimates(self, schema: str) -> None:
        """They come with the relations."""
        del schema

    def columns(self, schema: str, relation: str) -> Query[tuple[Column, ...]]:
        """With defaults in the words of `pg_get_expr`."""
        generated = "a.attgenerated" if self._generated else "''"
        statement = (
            "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),"
            " CASE WHEN a.attnotnull THEN 1 ELSE 0 END, pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attidentity,"
            f" {generated}, CASE WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid"
            " AND i.indisprimary AND a.attnum = ANY (i.indkey)) THEN 1 ELSE 0 END,"
            " pg_catalog.col_description(a.attrelid, a.attnum),"
            f" {postgres_ddl.COLLATION} FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d"
            " ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
            f" WHERE a.attrelid = {oid(schema, relation)} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        )
        return Query(statement, columns)

    def indexes(self, schema: str, relation: str) -> Query[tuple[Index, ...]]:
        """With their sizes: one look at the files of each."""
        statement = (
            "SELECT c.relname, CASE WHEN i.indisunique THEN 1 ELSE 0 END, CASE WHEN i.indisprimary THEN 1 ELSE 0 END,"
            " CASE WHEN i.indisvalid AND i.indisready THEN 1 ELSE 0 END, m.amname,"
            " pg_catalog.pg_get_indexdef(i.indexrelid), pg_catalog.pg_relation_size(i.indexrelid),"
            " pg_catalog.array_to_string(ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid, k + 1, true)"
            " FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) k ORDER BY k), pg_catalog.chr(31))"
            " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
            " JOIN pg_catalog.pg_am m ON m.oid = c.relam"
            f" WHERE i.indrelid = {oid(schema, relation)} ORDER BY NOT i.indisprimary, c.relname"
        )
        return Query(statement, lambda rows: tuple(_index(*row) for row in rows))

    def keys(self, schema: str, relation: str) -> Query[tuple[Key, ...]]:
        """Constraints, primary key first; those of triggers are none."""
        statement = (
            "SELECT k.conname, k.contype, pg_catalog.pg_get_constraintdef(k.oid),"
            " CASE WHEN k.confrelid <> 0 THEN k.confrelid::pg_catalog.regclass::text END,"
            " pg_catalog.array_to_string(ARRAY(SELECT a.attname FROM pg_catalog.unnest(k.conkey)"
            " WITH ORDINALITY u(num, at) JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid"
            " AND a.attnum = u.num ORDER BY u.at), pg_catalog.chr(31)) FROM pg_catalog.pg_constraint k"
            f" WHERE k.conrelid = {oid(schema, relation)} AND k.contype <> 't' ORDER BY k.contype <> 'p', k.conname"
        )
        return Query(
            statement,
            lambda rows: tuple(
                Key(text(name), _KEYS.get(text(kind), KeyKind.CHECK), parts(of), text(to), text(definition))
                for name, kind, definition, to, of in rows
            ),
        )

    def sequences(self, schema: str) -> Query[tuple[Sequence, ...]]:
        """`last` needs the right to use the sequence."""
        statement = (
            "SELECT sequencename, last_value, increment_by FROM pg_catalog.pg_sequences"
            f" WHERE schemaname = {value(schema)} ORDER BY 1"
        )
        return Query(
            statement, lambda rows: tuple(Sequence(schema, text(n), whole(last), whole(by)) for n, last, by in rows)
        )

    def functions(self, schema: str) -> Query[tuple[Function, ...]]:
        """One row for each signature."""
        statement = (
            "SELECT p.proname, p.prokind, pg_catalog.pg_get_function_identity_arguments(p.oid),"
            " pg_catalog.pg_get_function_result(p.oid), l.lanname FROM pg_catalog.pg_proc p"
            " JOIN pg_catalog.pg_language l ON l.oid = p.prolang"
            f" WHERE p.pronamespace = {_namespace(schema)} ORDER BY 1, 3"
        )
        return Query(statement, lambda rows: tuple(_function(schema, *row) for row in rows))

    def roles(self) -> Query[tuple[Role, ...]]:
        """All roles without the server's own (`pg_…`)."""
        attributes = ", ".join(
            f"CASE WHEN r.{column} THEN '{name}' END"
            for column, name in (
                ("rolsuper", "superuser"),
                ("rolcreatedb", "create databases"),
                ("rolcreaterole", "create roles"),
                ("rolreplication", "replication"),
                ("rolbypassrls", "bypasses row security"),
                ("rolcanlogin", "login"),
            )
        )
        statement = (
            f"SELECT r.rolname, pg_catalog.concat_ws(pg_catalog.chr(31), {attributes}),"
            " pg_catalog.array_to_string(ARRAY(SELECT g.rolname FROM pg_catalog.pg_auth_members m"
            " JOIN pg_catalog.pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid ORDER BY 1), pg_catalog.chr(31))"
            " FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1"
        )
        return Query(statement, lambda rows: tuple(Role(text(n), parts(a), parts(g)) for n, a, g in rows))

    def definition(self, relation: Relation) -> Query[str]:
        """PostgreSQL has no SHOW CREATE: it is put together from the catalogue, by the server itself."""
        return Query(
            postgres_ddl.statement(relation, oid(relation.schema, relation.name), generated=self._generated),
            postgres_ddl.read,
        )


def _schemas(rows: Rows) -> tuple[Schema, ...]:
    return tuple(
        Schema(name, text(owner), name.startswith("pg_") or name in ("information_schema", "crdb_internal"))
        for name, owner in ((text(row[0]), row[1]) for row in rows)
    )


def _relation(schema: str, *row: str | bytes | None) -> Relation:
    name, kind, partition, rows, size, comment = row
    sort = _KINDS.get(text(kind), RelationKind.TABLE)
    if whole(partition) and sort is RelationKind.TABLE:
        sort = RelationKind.PARTITION
    number, pages = whole(rows), whole(size)
    # -1 is "never counted" from 14 on; before, it was 0 rows on 0 pages.
    unknown = number is None or number < 0 or (number == 0 and not pages) or not sort.stores
    return Relation(
        schema, text(name), sort, None if unknown else number, pages if sort.stores else None, text(comment)
    )


def columns(rows: Rows) -> tuple[Column, ...]:
    """The rows of `PostgresQueries.columns`."""
    found = list[Column]()
    for name, type_, not_null, default, identity, stored, primary, comment, collation in rows:
        generated, expression = "", optional(default)
        if identity:
            generated = "always as identity" if text(identity) == "a" else "by default as identity"
        elif stored:
            generated, expression = f"{'stored' if text(stored) == 's' else 'virtual'} ({expression})", None
        found.append(
            Column(
                text(name), text(type_), not whole(not_null), expression, generated, bool(whole(primary)),
                text(comment), text(collation),
            )
        )  # fmt: skip
    return tuple(found)


def _index(*row: str | bytes | None) -> Index:
    name, unique, primary, valid, method, definition, size, of = row
    return Index(
        text(name), parts(of), bool(whole(unique)), bool(whole(primary)), text(method), bool(whole(valid)),
        whole(size), text(definition),
    )  # fmt: skip


def _function(schema: str, *row: str | bytes | None) -> Function:
    name, kind, arguments, returns, language = row
    result = text(returns)
    sort = "trigger" if result == "trigger" else _PROCS.get(text(kind), "function")
    return Function(schema, text(name), sort, text(arguments), result, text(language))
