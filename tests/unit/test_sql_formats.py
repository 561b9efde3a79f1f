"""Results as bytes: read back by other programs' readers, with NULL, binary, large numbers and odd names told apart."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from tui.services.sql.formats import NAMES, FormatError, writer
from tui.services.sql.formats import parquet as parquet_module
from tui.services.sql.formats.base import survives_double, unique_names
from tui.services.sql.model import Column, Look, Row, Wire

COLUMNS = (
    Column("id", "bigint", Look.NUMBER), Column("", "text"), Column("id", "bytea", Look.BINARY),
    Column("ok", "boolean", Look.BOOLEAN), Column("doc", "jsonb", Look.JSON),
)  # fmt: skip
ROWS: list[Row] = [
    ("1", "plain", b"\x00\xff", "t", '{"a": 1}'),
    ("9007199254740993", 'a,"b"\r\nc\td\\e|<i>', None, "f", '["\\u001b"]'),
    (None, None, b"", None, None),
    ("-0.5", "", b"x", "t", "not json"),
    ("NaN", "NULL", b"y", "f", '{\n"x": 12345678901234567890}'),
]


def written(name: str, rows: Sequence[Row] = ROWS, columns: Sequence[Column] = COLUMNS, **options: Any) -> bytes:
    """A result in batches of two."""
    made = writer(name, **options)
    rows = [row[: len(columns)] for row in rows]
    parts = [made.start(columns)]
    parts += [made.rows(rows[at : at + 2]) for at in range(0, len(rows), 2)]
    return b"".join([*parts, made.finish()])


def random_rows(count: int) -> list[Row]:
    chance = random.Random(6)
    letters = "ab,\"\t\n\r\\|'\x1b\x00\u202e表é N"
    cell = lambda: chance.choice((None, "", "\\N", "".join(chance.choices(letters, k=chance.randrange(9)))))  # noqa: E731
    return [(str(chance.randrange(-(10**20), 10**20)), cell(), None, "t", None) for _ in range(count)]


# --- csv, tsv


def test_csv_is_rfc_4180_and_tells_null_from_empty() -> None:
    lines = written("csv").decode()
    assert lines.startswith('id,,id,ok,doc\r\n1,plain,\\x00ff,t,"{""a"": 1}"\r\n')
    assert '\r\n,,\\x,,\r\n-0.5,"",\\x78,t,not json\r\n' in lines
    assert list(csv.reader(io.StringIO(lines, newline="")))[2][:2] == ["9007199254740993", 'a,"b"\r\nc\td\\e|<i>']


def test_csv_reads_back() -> None:
    rows = random_rows(500)
    read = list(csv.reader(io.StringIO(written("csv", rows).decode(), newline="")))[1:]
    assert read == [[cell or "" for cell in row] for row in rows]


def unescaped(cell: str) -> str | None:
    if cell == "\\N":
        return None
    signs = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}
    return re.sub(r"\\(.)", lambda found: signs[found[1]], cell)


def test_tsv_reads_back() -> None:
    rows = random_rows(500)
    lines = written("tsv", rows).decode().split("\n")
    assert lines[0] == "id\t\tid\tok\tdoc"
    assert [tuple(map(unescaped, line.split("\t"))) for line in lines[1:-1]] == rows
    assert "\\\\x00ff" in written("tsv").decode(), "as COPY has it"


# --- json


def test_json_lines() -> None:
    found = [json.loads(line) for line in written("jsonl").decode().splitlines()]
    assert list(found[0]) == ["id", "column_2", "id_2", "ok", "doc"]
    assert found[0] == {"id": 1, "column_2": "plain", "id_2": "\\x00ff", "ok": True, "doc": {"a": 1}}
    assert [row["id"] for row in found] == [1, "9007199254740993", None, -0.5, "NaN"]
    assert [row["column_2"] for row in found][2:4] == [None, ""]
    assert [row["doc"] for row in found][1:] == [["\x1b"], None, "not json", {"x": 12345678901234567890}]


def test_json_is_one_array() -> None:
    assert json.loads(written("json")) == [json.loads(line) for line in written("jsonl").decode().splitlines()]
    assert json.loads(written("json", [])) == []


def test_json_holds_nothing_that_a_terminal_obeys() -> None:
    text = written("jsonl", [("1", "\x1b[2J\x9b\x7f\u202e\ud800表", None, "t", None)]).decode()
    assert all(char.isprintable() for char in text.rstrip("\n"))
    assert json.loads(text)["column_2"] == "\x1b[2J\x9b\x7f\u202e\ud800表"


def test_json_reads_back() -> None:
    rows = random_rows(500)
    found = [json.loads(line) for line in written("jsonl", rows).decode().split("\n")[:-1]]
    assert [(str(row["id"]), row["column_2"]) for row in found] == [row[:2] for row in rows]


@pytest.mark.parametrize(
    ("number", "survives"),
    [("0", True), ("123456789012345", True), ("9007199254740993", False), ("0.1", True), ("0.12345678901234567", False),
     ("1000000000000000000000", True), ("1e999", False), ("1e-999", False), ("0.000", True), ("1.50", True)],
)  # fmt: skip
def test_numbers_that_a_double_holds(number: str, survives: bool) -> None:
    assert survives_double(number) is survives


def test_names_are_made_unique() -> None:
    columns = [Column(name, "text") for name in ("a", "a", "", "a_2", "", "column_3", "a")]
    names = unique_names(columns)
    assert len(set(names)) == len(names)
    assert (names[0], names[3], names[5]) == ("a", "a_2", "column_3"), "what is unique already stays"


# --- table, markdown


def test_a_table_is_aligned() -> None:
    text = written("table", ROWS[:3], COLUMNS[:2]).decode().splitlines()
    assert text == [
        "              id",
        "────────────────  ───────────────",
        "               1  plain",
        '9007199254740993  a,"b"↵c⇥d\\e|<i>',
        "               ∅  ∅",
    ]


def test_a_table_that_is_too_wide_is_vertical() -> None:
    assert written("table", ROWS[:1], width=30).decode().splitlines() == [
        "── 1 ───", "id   1", "     plain", "id   0x00ff", "ok   t", 'doc  {"a": 1}',
    ]  # fmt: skip
    assert b"\xe2\x94\x80\xe2\x94\x80 1" not in written("table", ROWS[:1], width=80)
    assert written("table", ROWS[:1], width=80, vertical=True).startswith("── 1".encode())
    assert written("table", [], width=5).decode().startswith("id"), "a head alone is no record"


def test_a_table_obeys_nothing_and_holds_little() -> None:
    made = writer("table")
    made.start((Column("\x1b[2J", "text"),))
    first = made.rows([("\x1b]0;x\x07",)] * 1000).decode()
    assert "\x1b" not in first
    assert first.startswith("␛[2J")
    assert made.rows([("longer than all before",)]) == b"longer than all before\n"


def test_markdown() -> None:
    assert written("markdown", ROWS[:3], COLUMNS[:3]).decode().splitlines() == [
        "| id |  | id |", "| --: | --- | --- |", "| 1 | plain | \\\\x00ff |",
        '| 9007199254740993 | a,"b"<br>c␉d\\\\e\\|&lt;i&gt; | *NULL* |', "| *NULL* | *NULL* | \\\\x |",
    ]  # fmt: skip


# --- insert


def test_insert_for_both_dialects() -> None:
    rows: list[Row] = [("1", "it's \\ \0", b"\x00\xff", "t", None), ("NaN", "", None, "f", "{}")]
    assert written("insert", rows, wire=Wire.POSTGRES, table='app.o"x').decode() == (
        'INSERT INTO "app"."o""x" ("id", "column_2", "id_2", "ok", "doc") VALUES\n'
        "(1, 'it''s \\ \0', '\\x00ff', 't', NULL),\n('NaN', '', NULL, 'f', '{}');\n"
    )
    assert written("insert", rows[:1], wire=Wire.MYSQL, table="t`").decode() == (
        "INSERT INTO `t``` (`id`, `column_2`, `id_2`, `ok`, `doc`) VALUES\n(1, 'it''s \\\\ \\0', x'00ff', 't', NULL);\n"
    )


def test_insert_statements_are_bounded() -> None:
    made = writer("insert")
    made.start(COLUMNS[:2])
    statements = made.rows([("1", "x" * 100_000)] * 25).decode().split(";\n")
    assert len(statements) > 2
    assert max(map(len, statements)) < 1_200_000
    assert made.rows([("1", "x")] * 1001).count(b"INSERT") == 3


# --- parquet


def test_parquet_is_typed() -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    columns = (
        *COLUMNS, Column("at", "timestamp with time zone", Look.TIME), Column("d", "date", Look.TIME),
        Column("n", "numeric", Look.NUMBER), Column("u", "bigint unsigned", Look.NUMBER),
        Column("f", "double precision"),
    )  # fmt: skip
    rows: list[Row] = [
        ("1", "a", b"\0", "t", "{}", "2026-11-27 10:00:00.5+02", "0000-00-00", "1.10", "18446744073709551615", "1e300"),
        (None,) * 10,
    ]
    table = pq.read_table(io.BytesIO(written("parquet", rows, columns)))
    assert [str(field.type) for field in table.schema] == [
        "int64", "string", "binary", "bool", "string", "timestamp[us, tz=UTC]", "string", "string", "uint64", "double",
    ]  # fmt: skip
    assert table.column_names[:3] == ["id", "column_2", "id_2"]
    first, second = table.to_pylist()
    assert first["at"].isoformat() == "2026-11-27T08:00:00.500000+00:00"
    assert (first["id_2"], first["u"], first["d"], first["n"]) == (b"\0", 18446744073709551615, "0000-00-00", "1.10")
    assert set(second.values()) == {None}


def test_parquet_has_row_groups_and_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(parquet_module, "GROUP_ROWS", 100)
    rows = [(str(number), "x") for number in range(250)]
    file = pq.ParquetFile(io.BytesIO(written("parquet", rows, COLUMNS[:2])))
    assert (file.metadata.num_row_groups, file.metadata.num_rows) == (3, 250)
    empty = pq.read_table(io.BytesIO(written("parquet", [], COLUMNS)))
    assert (empty.num_rows, empty.num_columns) == (0, 5)


def test_parquet_says_which_cell_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(parquet_module, "GROUP_ROWS", 2)
    rows = [("2026-11-27",), ("2026-11-28",), ("2026-11-29",), ("infinity",)]
    with pytest.raises(FormatError, match="Row 4: 'infinity' in column d is not a date32"):
        written("parquet", rows, (Column("d", "date", Look.TIME),))


def test_parquet_reads_what_arrow_alone_does_not() -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    columns = (
        Column("at", "timestamp with time zone", Look.TIME), Column("n", "int4", Look.NUMBER),
        Column("late", "date", Look.TIME),
    )  # fmt: skip
    # Zones of times before 1900 have seconds; one such cell must not change what the others are.
    rows = [("2026-11-27 10:00:00.5+05:30", "1", "2026-11-27"), ("1890-01-01 00:00:00-00:19:32", None, "infinity")]
    table = pq.read_table(io.BytesIO(written("parquet", rows, columns)))
    assert [str(field.type) for field in table.schema] == ["timestamp[us, tz=UTC]", "int32", "string"]
    moments = [each.isoformat() for each in table.column("at").to_pylist()]
    assert moments == ["2026-11-27T04:30:00.500000+00:00", "1890-01-01T00:19:32+00:00"]
    assert table.column("n").to_pylist() == [1, None]
    assert table.column("late").to_pylist() == ["2026-11-27", "infinity"]


def test_parquet_without_pyarrow_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(FormatError, match=r"pip install 'statetui\[parquet\]'"):
        writer("parquet")


def test_a_second_result_does_not_fit_into_one_parquet_file() -> None:
    pytest.importorskip("pyarrow")
    made = writer("parquet")
    made.start(COLUMNS)
    made.finish()
    with pytest.raises(FormatError, match="one result"):
        made.start(COLUMNS)


# --- all


@pytest.mark.parametrize("name", NAMES)
def test_every_format_takes_nothing_and_no_columns(name: str) -> None:
    if name == "parquet":
        pytest.importorskip("pyarrow")
    assert isinstance(written(name, []), bytes)
    if name not in ("insert", "parquet"):  # there is no statement, and no file, of no columns
        written(name, [(), ()], ())


def test_an_unknown_format_names_those_there_are() -> None:
    with pytest.raises(FormatError, match="'xml' is not a format; there are table, csv"):
        writer("xml")
