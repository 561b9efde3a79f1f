"""The catalogue's statements against a real PostgreSQL and MariaDB, CockroachDB's against its documented answers."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator

import catalogue_servers as servers
import pytest

from tui.services.sql.catalogue.loader import Catalogue
from tui.services.sql.catalogue.model import KeyKind, Relation, RelationKind, Role
from tui.services.sql.catalogue.queries import queries_for
from tui.services.sql.catalogue.queries.postgres import PostgresQueries
from tui.services.sql.model import Engine

POSTGRES = r"""
CREATE SCHEMA "We""ird";
CREATE TABLE "We""ird"."T 'x\" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "B c" text COLLATE "C" DEFAULT 'a''b' NOT NULL, g int GENERATED ALWAYS AS (length("B c")) STORED,
  CONSTRAINT ch CHECK ("B c" <> ''), u uuid UNIQUE);
CREATE TABLE orders (id bigserial PRIMARY KEY, t int REFERENCES "We""ird"."T 'x\" ON DELETE CASCADE, a int[], j jsonb);
CREATE INDEX ON orders USING gin (j);
CREATE INDEX orders_expr ON orders (lower(j::text), id DESC) WHERE id > 3;
COMMENT ON TABLE orders IS 'it''s';
COMMENT ON COLUMN orders.j IS 'json';
CREATE TABLE parts (a int, b date NOT NULL) PARTITION BY RANGE (b);
CREATE TABLE parts_2020 PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE UNLOGGED TABLE fast (a numeric(10, 2) DEFAULT 1.5) WITH (fillfactor = 70);
CREATE TABLE child (b int) INHERITS (fast);
CREATE TABLE empty ();
CREATE VIEW v AS SELECT id FROM orders;
CREATE MATERIALIZED VIEW mv AS SELECT 1 AS x;
CREATE UNIQUE INDEX mv_x ON mv (x);
CREATE SEQUENCE s INCREMENT 5;
SELECT nextval('s');
CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE pr() LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION tr() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE TRIGGER tt BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION tr();
CREATE ROLE alice LOGIN; CREATE ROLE team; GRANT team TO alice;
INSERT INTO orders SELECT g FROM generate_series(1, 1000) g;
ANALYZE orders;
"""
PG_NAMES = ["child", "empty", "fast", "mv", "orders", "parts", "parts_2020", "v"]
WEIRD = ('We"ird', "T 'x\\")

MARIADB = r"""
CREATE DATABASE `we``ird`;
CREATE TABLE `we``ird`.`T 'x\\` (id int AUTO_INCREMENT PRIMARY KEY, `B c` varchar(20) NOT NULL DEFAULT 'a''b'
  COMMENT 'it''s', g int GENERATED ALWAYS AS (length(`B c`)) STORED, CHECK (`B c` <> ''), UNIQUE KEY u (`B c`(5), id));
CREATE DATABASE shop;
CREATE TABLE shop.orders (id bigint PRIMARY KEY, t int, d datetime DEFAULT current_timestamp, n int NULL, x text,
  FOREIGN KEY (t) REFERENCES `we``ird`.`T 'x\\` (id) ON DELETE CASCADE, FULLTEXT KEY words (x));
CREATE TABLE shop.Orders (a int);
CREATE VIEW shop.v AS SELECT id FROM shop.orders;
CREATE SEQUENCE shop.s;
CREATE PROCEDURE shop.p(IN a int, OUT b text) SELECT 1;
CREATE FUNCTION shop.f(a int) RETURNS int DETERMINISTIC RETURN 1;
USE shop;
INSERT INTO orders (id) SELECT seq FROM seq_1_to_500;
ANALYZE TABLE shop.orders;
"""
WEIRD_MY = ("we`ird", "T 'x\\\\")


@pytest.fixture(scope="module")
def postgres() -> Iterator[servers.Fetch]:
    if servers.postgres_binaries() is None:
        pytest.skip("the extra `demo` is not installed")
    with servers.postgres() as fetch:
        yield fetch


@pytest.fixture(scope="module")
def mariadb() -> Iterator[servers.Fetch]:
    if not shutil.which("mariadb-install-db") or not shutil.which("mysql"):
        pytest.skip("MariaDB is not installed")
    with servers.mariadb() as fetch:
        yield fetch


@pytest.fixture
async def pg(postgres: servers.Fetch) -> AsyncIterator[Catalogue]:
    if not await postgres("SELECT 1 FROM pg_class WHERE relname = 'orders'"):
        await postgres(POSTGRES)
    catalogue = Catalogue(postgres, Engine.POSTGRESQL, (18,), page=3)
    yield catalogue
    await catalogue.cancel()


@pytest.fixture
async def my(mariadb: servers.Fetch) -> AsyncIterator[Catalogue]:
    if not await mariadb("SHOW DATABASES LIKE 'shop'"):
        await mariadb(MARIADB)
    catalogue = Catalogue(mariadb, Engine.MARIADB, (10, 11), page=2)
    yield catalogue
    await catalogue.cancel()


async def all_relations(catalogue: Catalogue, schema: str) -> dict[str, Relation]:
    return {one.name: one async for page in catalogue.relations(schema) for one in page}


async def test_postgresql_databases_schemas_roles(pg: Catalogue) -> None:
    assert [one.name for one in await pg.databases()] == ["postgres"]
    assert (await pg.database_sizes())["postgres"] > 1_000_000
    schemas = {one.name: one.system for one in await pg.schemas()}
    assert schemas == {'We"ird': False, "information_schema": True, "pg_catalog": True, "public": False}
    roles = {one.name: one for one in await pg.roles()}
    assert roles["alice"] == Role("alice", ("login",), ("team",)) and "superuser" in roles["postgres"].attributes


async def test_postgresql_relations_come_in_pages(pg: Catalogue) -> None:
    pages = [page async for page in pg.relations("public")]
    assert [len(page) for page in pages] == [3, 3, 2]
    found = {one.name: one for page in pages for one in page}
    assert list(found) == PG_NAMES
    assert (found["orders"].rows, found["orders"].comment, found["orders"].kind) == (1000, "it's", RelationKind.TABLE)
    assert found["orders"].size and found["empty"].rows is None
    kinds = {name: one.kind for name, one in found.items()}
    assert kinds["parts"] is RelationKind.PARTITIONED and kinds["parts_2020"] is RelationKind.PARTITION
    assert kinds["v"] is RelationKind.VIEW and kinds["mv"] is RelationKind.MATERIALIZED
    assert [page async for page in pg.relations("nowhere")] == [()]


async def test_postgresql_columns_indexes_keys(pg: Catalogue) -> None:
    columns = {one.name: one for one in await pg.columns(*WEIRD)}
    assert list(columns) == ["id", "B c", "g", "u"]
    assert columns["id"].primary and columns["id"].generated == "always as identity"
    assert (columns["B c"].nullable, columns["B c"].default, columns["B c"].collation) == (
        False, "'a''b'::text", 'pg_catalog."C"',
    )  # fmt: skip
    assert columns["g"].generated.startswith("stored (") and columns["g"].default is None
    assert (await pg.columns("public", "orders"))[3].comment == "json"
    indexes = {one.name: one for one in await pg.indexes("public", "orders")}
    assert indexes["orders_pkey"].primary and indexes["orders_j_idx"].method == "gin"
    assert indexes["orders_expr"].columns == ("lower(j::text)", "id") and indexes["orders_expr"].size
    keys = {one.kind: one for one in await pg.keys("public", "orders")}
    assert keys[KeyKind.PRIMARY].columns == ("id",)
    assert keys[KeyKind.FOREIGN].columns == ("t",) and '"We""ird"."T \'x\\"' in keys[KeyKind.FOREIGN].references
    assert "CHECK" in next(one.definition for one in await pg.keys(*WEIRD) if one.name == "ch")
    assert await pg.columns("public", "nowhere") == () == await pg.keys("nowhere", "x")


async def test_postgresql_sequences_and_functions(pg: Catalogue) -> None:
    sequences = {one.name: one for one in await pg.sequences("public")}
    assert (sequences["s"].last, sequences["s"].increment) == (1, 5)
    functions = {one.name: (one.kind, one.arguments, one.returns) for one in await pg.functions("public")}
    assert functions == {
        "f": ("function", "a integer, b text", "integer"),
        "pr": ("procedure", "", ""),
        "tr": ("trigger", "", "trigger"),
    }


async def test_postgresql_definitions_make_the_same_again(pg: Catalogue, postgres: servers.Fetch) -> None:
    """Each relation is dropped and made from its definition: the definition of that is the same."""
    relations = await all_relations(pg, "public")
    definitions = {name: await pg.definition(one) for name, one in relations.items()}
    weird = await pg.definition(Relation(*WEIRD))
    assert "GENERATED ALWAYS AS IDENTITY" in weird and '"B c" text COLLATE pg_catalog."C" DEFAULT' in weird
    assert "CREATE TRIGGER tt" in definitions["orders"] and "COMMENT ON COLUMN" in definitions["orders"]
    assert definitions["empty"] == 'CREATE TABLE "public"."empty" ();\n'
    assert await pg.definition(Relation("public", "nowhere")) == ""
    # Dependants first; in the other order they are made again.
    order = ["fast", "child", "empty", "parts", "parts_2020", "orders", "v", "mv"]
    sequence = "ALTER SEQUENCE orders_id_seq OWNED BY NONE;"
    kinds = {"mv": "MATERIALIZED VIEW", "v": "VIEW"}
    drops = "".join(f"DROP {kinds.get(name, 'TABLE')} {name};" for name in reversed(order))
    try:
        await postgres(f"BEGIN; {sequence} {drops} {''.join(definitions[name] for name in order)} COMMIT;")
        again = {name: await pg.definition(one) for name, one in relations.items()}
        assert again == definitions
    finally:
        await postgres("INSERT INTO orders SELECT g FROM generate_series(1, 1000) g; ANALYZE orders")


async def test_what_older_servers_of_the_wire_do_not_have_is_not_asked(postgres: servers.Fetch) -> None:
    queries = PostgresQueries((11, 2))
    query = queries.columns("pg_catalog", "pg_class")
    assert "attgenerated" not in query.statement
    assert query.read(await postgres(query.statement))[0].name == "oid"
    assert "attgenerated" not in queries.definition(Relation("a", "b")).statement


async def test_mariadb_databases_and_relations(my: Catalogue) -> None:
    databases = {one.name: one.system for one in await my.databases()}
    assert databases["shop"] is False and databases["mysql"] is True and databases["we`ird"] is False
    assert (await my.database_sizes())["shop"] > 0
    pages = [[one.name for one in page] async for page in my.relations("shop")]
    assert pages == [["Orders", "orders"], ["v"]]  # by bytes; both, though they differ in case only
    estimates = await my.estimates("shop")
    assert estimates["orders"].rows == 500 and estimates["orders"].size
    assert estimates["v"].kind is RelationKind.VIEW and estimates["v"].rows is None
    assert [one.name for one in await my.sequences("shop")] == ["s"]
    assert any(one.name.startswith("root@") for one in await my.roles())


async def test_mariadb_columns_indexes_keys(my: Catalogue) -> None:
    columns = {one.name: one for one in await my.columns(*WEIRD_MY)}
    assert columns["id"].primary and columns["id"].generated == "auto_increment"
    assert (columns["B c"].default, columns["B c"].comment) == ("'a''b'", "it's")
    assert columns["g"].generated.startswith("stored (")
    assert [one.name for one in await my.columns("shop", "orders")] == ["id", "t", "d", "n", "x"]
    assert [one.name for one in await my.columns("shop", "Orders")] == ["a"]
    indexes = {one.name: one for one in await my.indexes(*WEIRD_MY)}
    assert indexes["PRIMARY"].primary and indexes["u"].columns == ("B c(5)", "id") and indexes["u"].valid
    assert {one.method for one in await my.indexes("shop", "orders")} == {"BTREE", "FULLTEXT"}
    foreign = next(one for one in await my.keys("shop", "orders") if one.kind is KeyKind.FOREIGN)
    assert foreign.columns == ("t",) and foreign.references == "`we``ird`.`T 'x\\\\`"
    assert any("<>" in one.definition for one in await my.keys(*WEIRD_MY) if one.kind is KeyKind.CHECK)


async def test_mariadb_functions_and_definitions(my: Catalogue, mariadb: servers.Fetch) -> None:
    functions = {one.name: (one.kind, one.arguments, one.returns) for one in await my.functions("shop")}
    assert functions == {
        "f": ("function", "a int(11)", "int(11)"),
        "p": ("procedure", "a int(11), OUT b text", ""),
    }
    weird = await my.definition(Relation(*WEIRD_MY))
    assert weird.startswith("CREATE TABLE `T 'x\\\\` (") and weird.endswith(";\n")
    assert "VIEW" in await my.definition(Relation("shop", "v", RelationKind.VIEW))
    shown = await mariadb(my.preview(Relation("shop", "orders"), 7))
    assert len(shown) == 7


@pytest.mark.parametrize(
    ("engine", "number", "there", "absent"),
    [
        (Engine.MYSQL, (5, 7, 44), "GENERATION_EXPRESSION", "IS_VISIBLE"),
        (Engine.MYSQL, (8, 0, 12), "IS_VISIBLE", "CHECK_CONSTRAINTS"),
        (Engine.MYSQL, (8, 4, 0), "CHECK_CONSTRAINTS", "IGNORED"),
        (Engine.MARIADB, (10, 1), "COLUMN_NAME", "GENERATION_EXPRESSION"),
        (Engine.MARIADB, (11, 8), "IGNORED", "IS_VISIBLE"),
    ],
)
def test_mysql_is_asked_what_its_version_has(engine: Engine, number: tuple[int, ...], there: str, absent: str) -> None:
    queries = queries_for(engine, number)
    asked = [queries.columns("a", "b"), queries.indexes("a", "b"), queries.keys("a", "b")]
    text = "\n".join(one.statement for one in asked)
    assert there in text and absent not in text


def test_cockroachdb_by_its_documentation() -> None:
    queries = queries_for(Engine.COCKROACHDB, (25, 4))
    assert 'FROM [SHOW TABLES FROM "a""b"]' in queries.relations('a"b', "x'y", 10).statement
    assert "> 'x''y'" in queries.relations('a"b', "x'y", 10).statement
    (table, view) = queries.relations("public", "", 9).read([("users", "table", "1000"), ("v", "view", "0")])
    assert (table.rows, table.kind, view.kind) == (1000, RelationKind.TABLE, RelationKind.VIEW)
    columns = queries.columns("public", "users").read(
        [("id", "UUID", "f", "gen_random_uuid()", ""), ("g", "INT8", "t", None, "id + 1")]
    )
    assert [(one.name, one.nullable, one.default, one.generated) for one in columns] == [
        ("id", False, "gen_random_uuid()", ""),
        ("g", True, None, "stored (id + 1)"),
    ]
    indexes = queries.indexes("public", "users").read(
        [("users_pkey", "1", "id", "ASC"), ("x", "0", "a", "ASC"), ("x", "0", "b", "DESC")]
    )
    assert [(one.name, one.columns, one.primary, one.unique) for one in indexes] == [
        ("users_pkey", ("id",), True, True),
        ("x", ("a", "b DESC"), False, False),
    ]
    keys = queries.keys("public", "users").read(
        [
            ("users_pkey", "PRIMARY KEY", "PRIMARY KEY (id ASC)"),
            ("fk", "FOREIGN KEY", "FOREIGN KEY (a, b) REFERENCES other(x, y) ON DELETE CASCADE"),
            ("c", "CHECK", "CHECK ((a > 0))"),
        ]
    )
    assert [(one.columns, one.references) for one in keys] == [(("id",), ""), (("a", "b"), "other"), ((), "")]
    roles = queries.roles().read([("root", "{}", "{admin}"), ("app", '{NOLOGIN,"VALID UNTIL=2030"}', "{}")])
    assert roles == (Role("root", (), ("admin",)), Role("app", ("NOLOGIN", "VALID UNTIL=2030"), ()))
    assert queries.definition(Relation("s", "t")).read([("t", "CREATE TABLE t ()")]) == "CREATE TABLE t ();\n"
    # Closed by default from 26.1 on.
    asked = [queries.path(), queries.databases(), queries.schemas(), queries.functions("s"), queries.sequences("s")]
    assert not any(one and "crdb_internal" in one.statement for one in asked)
