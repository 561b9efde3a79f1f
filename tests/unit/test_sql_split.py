"""Statements of scripts. What sqlparse 0.6.1 makes of the hard cases is recorded beside ours where they agree."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from tui.services.sql.language.pieces import Piece, Sort
from tui.services.sql.language.split import Splitter, piece_at, split
from tui.services.sql.model import Wire

P, M = Wire.POSTGRES, Wire.MYSQL

#: Split alike by sqlparse.split 0.6.1, but for the `;`, which it keeps.
CASES: list[tuple[Wire, list[str]]] = [
    (P, ["select 1", "select 2"]),
    (P, ["select $$a;b$$", "select $x$ ; $$ ; $x$"]),
    (P, ["select ';' as \"a;b\"", "select 1"]),
    (P, ["select 'it''s; fine'", "select 2"]),
    (P, ["select 1 -- a;b\n + 2", "select 3"]),
    (P, ["create function f() returns int language sql begin atomic select 1; select 2; end", "select 3"]),
    (
        P,
        ["create function f() returns int language sql begin atomic select case when true then 1 end; end", "select 3"],
    ),
    (P, ["create or replace function f() returns int as $$ begin return 1; end; $$ language plpgsql", "select 3"]),
    (P, ["do $$ begin perform 1; end $$", "select 3"]),
    (P, ["begin", "update t set a = 1", "end", "select 1"]),
    (P, ["select case when a then 1 end", "select 2"]),
    (M, ["create procedure p() begin select 1; select 2; end", "select 3"]),
    (M, ["select `a;b`", 'select "c;d"']),
    (M, ["create trigger t before insert on x for each row begin if new.a then set @b = 1; end if; end", "select 3"]),
]
#: Where we follow the servers' own clients; at ten of these sqlparse goes another way.
MORE: list[tuple[Wire, list[str]]] = [
    (P, ["/* a; /* b; */ c; */ select 1", "select 2"]),
    (P, ["select E'a\\';b'", "select 1"]),
    (P, ["select E'a''b\\';c'", "select 1"]),
    (P, ["select date'a\\'", "select 'b\\'", "select 1"]),
    (P, ["select a$b$c", "select d$b$e"]),
    (P, ["select $1", "select $1$2"]),
    (P, ["create rule r as on insert to t do also (delete from a; delete from b)", "select 1"]),
    (P, ["select (1", "select 2)"]),
    (P, ["select 1 \\ 2", "select 3"]),
    (P, ["create /* ; */ function f() returns int begin atomic select 1; end", "select 1"]),
    (M, ["select 'a\\';b'", "select 1"]),
    (M, ["select 5--1", "select 6"]),
    (M, ["select 1 # a;b\n + 2", "select 3"]),
    (M, ["/*!40101 SET NAMES utf8; */", "select '*/;'", "/*!1 select '*/;' */"]),
    (M, ["create definer=`r;t`@`%` procedure p() begin declare exit handler for sqlexception begin end; end"]),
    (M, ["create procedure p() begin while a do set b = if(c, 1, 2); end while; end", "select 1"]),
    (M, ["create procedure p() x: loop leave x; end loop", "select 1"]),
    (M, ["create procedure p() begin repeat set a = repeat('x', 3); until b end repeat; case c when 1 then set d = 1; "
         "else set d = case e when 1 then 2 end; end case; end", "select 1"]),
    (M, ["create event e on schedule every 1 day do begin delete from a; delete from b; end", "select 1"]),
    (M, ["create trigger t after insert on x for each row if new.a then set @b = 1; end if", "select 1"]),
    (M, ["create procedure p() begin /* a */ if /* b */ a then select 1; /* c */ end /* d */ if; end", "select 1"]),
    (M, ["create procedure p() begin set a = - if(b, 1, 2); set c = (if(b, 1, 2)); select 'x' if; end", "select 1"]),
    (M, ["create procedure p() begin set new.end = t.if; select case_, ifx, xend, @end; end", "select 1"]),
    (M, ["begin not atomic select 1; select 2; end", "select 3"]),
    (M, ["begin", "delete from d where a = 1", "commit"]),
]  # fmt: skip


def texts(pieces: Iterator[Piece]) -> list[str]:
    return [piece.text for piece in pieces if piece.sort is Sort.STATEMENT]


@pytest.mark.parametrize(("wire", "statements"), CASES + MORE)
def test_statements(wire: Wire, statements: list[str]) -> None:
    script = ";\n".join(statements) + ";\n"
    assert texts(split(script, wire)) == statements
    assert texts(split(script.replace(";\n", "; "), wire)) == [one.replace(";\n", "; ") for one in statements]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("wire", list(Wire))
def test_any_cut_of_a_script_gives_the_same(wire: Wire, size: int) -> None:
    script = ";\n".join(one for of, statements in CASES + MORE if of is wire for one in statements) + ";\n-- end ;\n"
    whole = list(split(script, wire))
    parts = list(split((script[at : at + size] for at in range(0, len(script), size)), wire))
    assert parts == whole
    for piece in whole:
        assert script[piece.start : piece.end] == piece.text
        assert piece.line == 1 + script.count("\n", 0, piece.start)


@pytest.mark.parametrize("wire", list(Wire))
def test_any_text_is_split_alike_however_it_is_cut(wire: Wire) -> None:
    random.seed(3)
    bits = [
        "'", '"', "`", "$$", "$a$", "$1", "/*", "*/", "--",
        "-- ", "#", "\\", "\\'", "E", "e'", " a", "b", ";", ";", "\n", "(",
        ")", "create function ", "begin ", "end ", "/*!", "date",
    ]  # fmt: skip
    for _ in range(1500):
        script = "".join(random.choices(bits, k=random.randint(1, 40)))
        whole = list(split(script, wire))
        size = random.randint(1, 9)
        parts = list(split((script[at : at + size] for at in range(0, len(script), size)), wire))
        assert parts == whole, script


def test_what_a_client_is_meant_to_do() -> None:
    script = "\\d foo\nselect 1 \\gx\nselect 2;\ncopy t (a) from stdin;\na\tb;'c\n\\.\nselect 3 \\gset x_\n\\q"
    assert [(piece.sort.name, piece.text, piece.delimiter) for piece in split(script, P)] == [
        ("COMMAND", "\\d foo", ""),
        ("STATEMENT", "select 1", "\\gx"),
        ("STATEMENT", "select 2", ";"),
        ("STATEMENT", "copy t (a) from stdin", ";"),
        ("DATA", "a\tb;'c\n", "\\."),
        ("STATEMENT", "select 3", "\\gset x_"),
        ("COMMAND", "\\q", ""),
    ]


def test_copy_data_comes_as_it_is_read() -> None:
    rows = "1\ta\\\\b\n" * 1000
    script = f"copy t from stdin;\n{rows}\\.\nselect 1;copy u from stdin;\n\\.\nselect 2;"
    pieces = list(split((script[at : at + 100] for at in range(0, len(script), 100)), P))
    data = [piece for piece in pieces if piece.sort is Sort.DATA]
    assert "".join(piece.text for piece in data) == rows
    assert len(data) > 50 and max(len(piece.text) for piece in data) < 300
    assert texts(iter(pieces)) == ["copy t from stdin", "select 1", "copy u from stdin", "select 2"]


def test_the_mysql_client_s_delimiters() -> None:
    script = (
        "DELIMITER //\ncreate procedure p() begin select 1; end//\nselect '//'; //\ndelimiter ;\nselect 1\\G\nselect 2;"
    )
    assert [(piece.sort.name, piece.text, piece.delimiter) for piece in split(script, M)] == [
        ("COMMAND", "DELIMITER //", ""),
        ("STATEMENT", "create procedure p() begin select 1; end", "//"),
        ("STATEMENT", "select '//';", "//"),
        ("COMMAND", "delimiter ;", ""),
        ("STATEMENT", "select 1", "\\G"),
        ("STATEMENT", "select 2", ";"),
    ]
    dump = "DELIMITER ;;\n/*!50003 CREATE TRIGGER t AFTER INSERT ON x FOR EACH ROW BEGIN SET @a=1; END */;;\n"
    assert [piece.text[-6:] for piece in split(dump, M) if piece.sort is Sort.STATEMENT] == ["END */"]
    routine = "create procedure p() begin if a then select 1; end if; end"
    assert texts(split(f"delimiter $$\n{routine}$$ {routine} $$", M)) == [routine, routine]
    assert texts(split("delimiter $$\nselect 1$$ select 2 $$", M)) == ["select 1", "select 2"]


def test_an_unfinished_statement_has_no_delimiter() -> None:
    splitter = Splitter(P)
    assert list(splitter.feed("select 1; select 'a; b")) == [Piece(Sort.STATEMENT, "select 1", 0, 8, 1, ";")]
    (rest,) = splitter.finish()
    assert (rest.text, rest.delimiter) == ("select 'a; b", "")


def test_nothing_and_comments_are_no_statement() -> None:
    for text in ("", "  \n", ";;;", "-- a", "/* a */ ; -- b"):
        assert list(split(text, P)) == []


@pytest.mark.parametrize(
    ("text", "offset", "expected"),
    [
        ("select 1;\nselect 2;", 0, "select 1"),
        ("select 1;\nselect 2;", 8, "select 1"),
        ("select 1;\nselect 2;", 9, "select 1"),
        ("select 1;\nselect 2;", 10, "select 2"),
        ("select 1;  \n\nselect 2;", 11, "select 1"),
        ("select 1;\n\n\nselect 2;", 11, "select 2"),
        ("select 1;\n\n", 11, "select 1"),
        ("  select 1", 0, "select 1"),
        ("select 1;select 2", 9, "select 1"),
        ("select 1;select 2", 10, "select 2"),
    ],
)
def test_the_statement_at_a_cursor(text: str, offset: int, expected: str) -> None:
    found = piece_at(text, offset, P)
    assert found is not None and found.text == expected
    assert piece_at("-- nothing", 3, P) is None


@pytest.mark.parametrize("wire", list(Wire))
def test_a_huge_statement_takes_time_by_its_length_only(wire: Wire) -> None:
    def seconds(rows: int) -> float:
        began = time.thread_time()
        chunk = "(1, 'hello', 'it''s'),\n" * 1000
        parts = ["insert into t values\n", *[chunk] * rows, "(0, '", *["long text " * 1000] * rows, "', '');"]
        (piece,) = split(parts, wire)
        assert len(piece.text) == sum(map(len, parts)) - 1
        return time.thread_time() - began

    seconds(2)
    assert seconds(160) < 60 * max(seconds(20), 0.01)  # eight times as long; were it quadratic, 64 times
