"""Completion by context. A `|` is the cursor."""

from __future__ import annotations

import pytest

from tui.services.sql.catalogue.model import Column, Function, Relation
from tui.services.sql.language.complete import Completion, Offer, complete
from tui.services.sql.language.names import NameIndex, Names
from tui.services.sql.language.quoting import identifier_if_needed, literal
from tui.services.sql.model import Wire

P, M = Wire.POSTGRES, Wire.MYSQL


@pytest.fixture
def names() -> Names:
    known = Names(
        path=("pg_catalog", "public"),
        schemas=NameIndex(["public", "sales", "archive", "pg_catalog"]),
        databases=NameIndex(["shop", "defaultdb"]),
        roles=NameIndex(["alice", "bob"]),
    )
    for schema, relations in {
        "public": ["users", "orders", "order_items", "Weird Table", "user"],
        "sales": ["leads"],
        "pg_catalog": ["pg_class"],
    }.items():
        known.add_relations(schema, [Relation(schema, name) for name in relations], first=True)
    known.set_functions("public", [Function("public", "order_total", "function", "id bigint", "numeric")])
    for (schema, relation), columns in {
        ("public", "users"): "id name email Created",
        ("public", "orders"): "id user_id total",
        ("sales", "leads"): "lead_id",
    }.items():
        known.columns[schema, relation] = tuple(Column(name, "text") for name in columns.split())
    return known


def at(text: str, names: Names, wire: Wire = P) -> Completion:
    cursor = text.index("|")
    return complete(text.replace("|", "", 1), cursor, names, wire)


def offered(text: str, names: Names, offer: Offer, wire: Wire = P) -> list[str]:
    return [one.text for one in at(text, names, wire).candidates if one.offer is offer]


USERS = ["id", "name", "email", '"Created"']


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("select | from users", USERS),
        ("select u.| from users u", USERS),
        ("select u.| from users as u", USERS),
        ("select users.| from users", USERS),
        ("select U.| from users u", USERS),
        ("select sales.leads.| from sales.leads", ["lead_id"]),
        ("select * from users u join orders o on o.|", ["id", "total", "user_id"]),
        ("select * from orders, users u where u.na|", ["name"]),
        ("select * from users where em|", ["email"]),
        ("select * from users group by 1 having na|", ["name"]),
        ("select * from users order by na|", ["name"]),
        ("select (select tot| from orders) from users", ["total"]),
        ("select * from users where id in (select user_| from orders)", ["user_id"]),
        ("select * from users where exists (select 1 from orders where em|)", ["email"]),
        ("update users set na|", ["name"]),
        ("update users set name = 'x' where em|", ["email"]),
        ("delete from users where em|", ["email"]),
        ("insert into users (|", USERS),
        ("insert into users (id, na|) values (1)", ["name"]),
        ("insert into sales.leads (|", ["lead_id"]),
        ("create index on users (na|)", ["name"]),
        ("alter table users drop column em|", ["email"]),
        ("alter table sales.leads alter |", ["lead_id"]),
        ("with r(a, b) as (select 1, 2) select | from r", ["a", "b"]),
        ('select "Cr| from users', ['"Created"']),
        ('select "Cr|" from users', ['"Created"']),
        ("select /* a */ na| from users -- b", ["name"]),
        ("select total| from users", []),
    ],
)
def test_columns(names: Names, text: str, columns: list[str]) -> None:
    assert sorted(offered(text, names, Offer.COLUMN)) == sorted(columns)


@pytest.mark.parametrize(
    ("text", "relations"),
    [
        ("select * from us|", ['"user"', "users"]),
        ("select * from users, ord|", ["orders", "order_items"]),
        ("select * from users join ord|", ["orders", "order_items"]),
        ("select * from sales.|", ["leads"]),
        ("select * from oi|", ["order_items"]),
        ("select * from items|", ["order_items"]),
        ("select * from odrs|", ["orders"]),
        ("update us|", ['"user"', "users"]),
        ("insert into us|", ['"user"', "users"]),
        ("truncate us|", ['"user"', "users"]),
        ("drop table us|", ['"user"', "users"]),
        ("grant select on us|", ['"user"', "users"]),
        ('select * from "Wei|', ['"Weird Table"']),
        ("select * from wei|", ['"Weird Table"']),
        ("select * from users |", []),
        ("select 'us|", []),
        ("select 1 -- from us|", []),
        ("select 12|", []),
    ],
)
def test_relations(names: Names, text: str, relations: list[str]) -> None:
    assert offered(text, names, Offer.RELATION)[: len(relations) or 1] == relations


@pytest.mark.parametrize(
    ("text", "offer", "expected"),
    [
        ("sel|", Offer.KEYWORD, "select"),
        ("SEL|", Offer.KEYWORD, "SELECT"),
        ("SELECT * FROM users WH|", Offer.KEYWORD, "WHERE"),
        ("select * from users |", Offer.KEYWORD, ""),
        ("with recent as (select 1) select * from rec|", Offer.CTE, "recent"),
        ("select order_t|", Offer.FUNCTION, "order_total("),
        ("call ord|", Offer.FUNCTION, "order_total("),
        ("select coale|", Offer.FUNCTION, "coalesce("),
        ("select x::jso|", Offer.TYPE, "json"),
        ("select cast(a as tex|", Offer.TYPE, "text"),
        ("create table t (a int|", Offer.TYPE, "int"),
        ("set work_m|", Offer.SETTING, "work_mem"),
        ("show max_conn|", Offer.SETTING, "max_connections"),
        ("grant select on users to al|", Offer.ROLE, "alice"),
        ("drop database sh|", Offer.DATABASE, "shop"),
        ("select * from sal|", Offer.SCHEMA, "sales"),
        ("select aut| from users auth", Offer.ALIAS, "auth"),
    ],
)
def test_the_first_of_its_kind(names: Names, text: str, offer: Offer, expected: str) -> None:
    assert (offered(text, names, offer) or [""])[0] == expected


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("select na|me from users", "name"),
        ('select "Cr|" from users', '"Cr"'),
        ("select u.na| from users u", "na"),
        ("|", ""),
    ],
)
def test_what_is_replaced(names: Names, text: str, replaced: str) -> None:
    found = at(text, names)
    assert text.replace("|", "", 1)[found.start : found.end] == replaced


def test_the_likeliest_comes_first(names: Names) -> None:
    found = at("select id| from users u", names).candidates
    assert (found[0].text, found[0].offer, found[0].rank) == ("id", Offer.COLUMN, 0)
    ranks = [one.rank for one in at("select o| from users", names).candidates]
    assert ranks == sorted(ranks) and len(ranks) > 10


def test_what_is_not_known_yet_is_asked_for(names: Names) -> None:
    assert at("select | from order_items", names).missing == (("public", "order_items"),)
    assert at("select | from sales.leads, archive.old", names).missing == (("archive", "old"),)
    assert at("select * from archive.|", names).schema == "archive"
    assert at("select | from users", names).missing == ()
    assert at("select | from nowhere", names).missing == ()


def test_mysql(names: Names) -> None:
    names.path = ("shop",)
    names.add_relations("shop", [Relation("shop", "Orders"), Relation("shop", "group")], first=True)
    names.columns["shop", "Orders"] = (Column("Id", "int"), Column("order", "int"))
    assert offered("select * from o|", names, Offer.RELATION, M)[0] == "Orders"
    assert offered("select * from gr|", names, Offer.RELATION, M) == ["`group`"]
    assert offered("select o.| from Orders o", names, Offer.COLUMN, M) == ["Id", "`order`"]
    assert offered("select * from Orders where `or|", names, Offer.COLUMN, M) == ["`order`"]
    assert offered("use sh|", names, Offer.DATABASE, M) == ["shop"]
    assert offered("select sel|", names, Offer.KEYWORD, M) == ["select"]


RANKED = [(1, "ord_x"), (1, "order_items"), (2, "my_order"), (2, "o_r_d"), (3, "record"), (4, "over_bird")]


@pytest.mark.parametrize(("typed", "expected"), [("ord", RANKED), ("ORDER_ITEMS", [(0, "order_items")])])
def test_ranks(typed: str, expected: list[tuple[int, str]]) -> None:
    index = NameIndex(["record", "my_order", "order_items", "o_r_d", "ord_x", "over_bird", "zzz"])
    assert list(index.search(typed, 100)) == expected
    assert list(index.search(typed, 1)) == expected[:1]


def test_a_search_finds_what_a_plain_look_at_each_name_would() -> None:
    parts = ("user", "Order", "x", "")
    all_names = [f"{a}{sep}{b}" for a in parts for sep in ("_", "-", "\n", "") for b in ("id", "items", "é")]
    index = NameIndex(all_names)
    for typed in ("u", "ui", "id", "xe", "é", "_", "-", ".", "r_i", "zz", "["):
        letters = list(typed.lower())

        def holds(name: str, letters: list[str] = letters) -> bool:
            rest = iter(name.lower().replace("\n", " "))
            return all(letter in rest for letter in letters)

        found = [name for _, name in index.search(typed, 1000)]
        assert len(found) == len(set(found))
        if len(letters) > 1:
            assert set(found) == {name for name in all_names if holds(name)}
        else:  # one letter is looked for as it stands, which is the same
            assert set(found) == {name for name in all_names if typed in name.lower()}


@pytest.mark.parametrize(
    ("name", "wire", "written"),
    [
        ("users", P, "users"),
        ("Users", P, '"Users"'),
        ("select", P, '"select"'),
        ('a"b', P, '"a""b"'),
        ("größe", P, "größe"),
        ("1a", P, '"1a"'),
        ("Users", M, "Users"),
        ("rank", M, "`rank`"),
        ("a`b", M, "`a``b`"),
        ("", P, '""'),
    ],
)
def test_names_are_quoted_where_needed(name: str, wire: Wire, written: str) -> None:
    assert identifier_if_needed(name, wire) == written


def test_values_are_only_values() -> None:
    assert literal("it's", P) == literal("it's", M) == "'it''s'"
    assert literal("a\\'b", P) == "E'a\\\\''b'"
    assert literal("a\\'b", M) == "CONVERT(0x615c2762 USING utf8mb4)"
    with pytest.raises(ValueError, match="zero"):
        literal("\0", P)
