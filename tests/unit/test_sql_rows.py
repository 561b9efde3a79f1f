"""The rows of a result: packed, read, sorted and filtered."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from tui.services.sql.keys import moment, number
from tui.services.sql.model import Column, Look, Row
from tui.services.sql.rows import BLOCK_BYTES, WIDEST, Comparison, Filter, RowStore

COLUMNS = (
    Column("id", "int8", Look.NUMBER), Column("name", "text"), Column("data", "bytea", Look.BINARY),
    Column("at", "timestamptz", Look.TIME),
)  # fmt: skip


def made(number: int) -> Row:
    name = None if number % 7 == 0 else "" if number % 11 == 0 else f"näme {number}"
    return (str(number), name, number.to_bytes(4, "big") * (number % 3), f"2026-11-27 {number % 24:02d}:00:00+00")


def store(*cells: str | bytes | None, look: Look = Look.TEXT) -> RowStore:
    rows = RowStore((Column("c", "x", look),))
    rows.append([(cell,) for cell in cells])
    return rows


def test_rows_are_what_was_appended_in_whatever_batches() -> None:
    rows, wanted = RowStore(COLUMNS), [made(number) for number in range(5000)]
    chance, at = random.Random(6), 0
    while at < len(wanted):
        size = chance.choice((1, 3, 100, 1000, 2000))
        rows.append(wanted[at : at + size])
        at += size
        assert len(rows) == min(at, len(wanted))
        last = len(rows) - 1
        assert rows.row(last) == wanted[last]
    assert list(rows.rows()) == wanted
    assert list(rows.rows(511, 2600)) == wanted[511:2600]
    assert list(rows.rows(4990, 9999)) == wanted[4990:]
    assert list(rows.cells(2)) == [row[2] for row in wanted]
    for index in chance.sample(range(5000), 500):
        assert rows.row(index) == wanted[index]
    for wrong in (-1, 5000):
        with pytest.raises(IndexError):
            rows.row(wrong)


def test_large_cells_make_small_blocks() -> None:
    rows = RowStore(COLUMNS[:2])
    wanted = [(str(number), "x" * 100_000) for number in range(600)]
    rows.append(wanted)
    assert list(rows.rows()) == wanted
    assert max(map(len, rows._blocks)) <= BLOCK_BYTES
    assert len(rows._pending) < 10, "what is not packed yet is not counted"
    rows.append([("0", "y" * 1_000_000)] * 12)
    assert rows.row(607) == ("0", "y" * 1_000_000)
    rows.append([("1", "z")] * 100_000)
    assert len(rows._blocks) < 900, "one large cell does not make all later blocks small"


def test_five_thousand_columns() -> None:
    rows = RowStore([Column(f"c{number}", "text") for number in range(5000)])
    rows.append([tuple(f"{row}.{column}" for column in range(5000)) for row in range(20)])
    assert rows.row(19)[4999] == "19.4999"
    assert len(rows.widths) == 5000


def test_rows_without_columns_are_counted() -> None:
    rows = RowStore(())
    rows.append([()] * 3000)
    assert (len(rows), rows.row(2999)) == (3000, ())


def test_lone_surrogates_do_not_end_a_fetch() -> None:
    rows = store(*["\ud800"] * 600)
    assert rows.row(0) == ("?",)


def test_memory_is_what_the_server_sent_and_little_more() -> None:
    columns = (*COLUMNS[:2], Column("e", "text"), Column("n", "numeric", Look.NUMBER), COLUMNS[3], Column("b", "bool"))
    rows, sent = RowStore(columns), 0
    tracemalloc.start()
    try:
        for at in range(0, 50_000, 1000):
            batch = [
                (
                    str(n),
                    f"user number {n}",
                    f"user{n}@example.com",
                    f"{n / 100}",
                    f"2026-11-27 10:00:{n % 60:02}.123456+00",
                    "tf"[n % 2],
                )
                for n in range(at, at + 1000)
            ]
            sent += sum(len(cell) for row in batch for cell in row)
            rows.append(batch)
            del batch
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 1.35 * sent
    assert rows.used == pytest.approx(held, rel=0.2)


def test_a_column_that_repeats_itself_takes_next_to_nothing() -> None:
    rows = RowStore(COLUMNS[:4])
    wanted: list[Row] = [(str(n), None, "2026-11-27 10:00:00.123456+00", b"\0" * 20) for n in range(50_000)]
    wanted[30_000] = ("30000", "", "2026-11-27", b"")
    for at in range(0, 50_000, 1000):
        rows.append(wanted[at : at + 1000])
    assert list(rows.rows()) == wanted
    assert rows.row(29_999) == wanted[29_999] and rows.row(30_000) == wanted[30_000]
    assert rows.used < 1.3 * sum(len(row[0] or "") for row in wanted) + 50_000


def test_rows_that_are_let_go_are_gone() -> None:
    rows = store(*["x"] * 3000)
    assert rows.row(1000) == ("x",)
    rows.clear()
    assert (len(rows), rows.used, list(rows.rows())) == (0, 0, [])
    with pytest.raises(IndexError):
        rows.row(0)
    rows.append([("y",)] * 600)
    assert (len(rows), rows.row(0)) == (600, ("y",))


def test_the_budget_is_told_and_not_enforced() -> None:
    rows = RowStore(COLUMNS[:1], budget=10_000)
    while not rows.full:
        rows.append([("123456789",)] * 1000)
    before = len(rows)
    rows.append([("1",)])
    assert len(rows) == before + 1
    rows.budget *= 10
    assert not rows.full


def test_widths_are_of_names_and_samples() -> None:
    rows = RowStore((Column("a long name", "text"), Column("x", "text"), Column("表", "text")))
    assert rows.widths == (11, 1, 2)
    rows.append([("a", "表表", None), ("b", "x" * 500, "")])
    assert rows.widths == (11, WIDEST, 2)
    rows.append([("a", "", "")] * 5000)
    rows.append([("a" * 30, "", "")] * 5000)
    assert rows.widths == (30, WIDEST, 2), "later blocks are sampled"


# --- sorting and filtering


async def order(rows: RowStore, column: int = 0, *, descending: bool = False) -> list[object]:
    return [rows.row(index)[column] for index in await rows.sort(column, descending=descending)]


async def test_numbers_are_sorted_as_numbers_without_loss() -> None:
    rows = store("10", "9", None, "-1e3", "9007199254740993", "9007199254740992", "NaN", "0.1",
                 "0.12345678901234567890", "x", look=Look.NUMBER)  # fmt: skip
    wanted = ["-1e3", "0.1", "0.12345678901234567890", "9", "10", "9007199254740992", "9007199254740993", "NaN"]
    assert await order(rows) == [*wanted, "x", None]
    assert await order(rows, descending=True) == [*reversed(wanted), "x", None]


async def test_moments_are_sorted_as_moments() -> None:
    wanted = ["-infinity", "0044-03-15 BC", "0000-00-00", "0001-01-01 00:00:00", "2026-11-27 10:00:00+02",
              "2026-11-27 09:00:00+00", "2026-11-27 09:00:00.5+00", "12026-01-01", "infinity"]  # fmt: skip
    shuffled = list(wanted)
    random.Random(6).shuffle(shuffled)
    assert await order(store(*shuffled, look=Look.TIME)) == wanted
    wanted = ["-100:00:00", "00:00:01", "1 day", "23:00:01.5", "2 mons -3 days", "1 year 04:05:06"]
    wanted.sort(key=lambda cell: moment(cell) or 0)
    assert wanted == ["-100:00:00", "00:00:01", "23:00:01.5", "1 day", "2 mons -3 days", "1 year 04:05:06"]


@pytest.mark.parametrize("cell", ["", "now", "2026-13-45T", "1 fortnight", "12:3", "x" * 20])
def test_what_is_no_moment_has_no_key(cell: str) -> None:
    assert moment(cell) is None


@pytest.mark.parametrize("cell", ["", "x", "1,5", "$1.00", "--1234567890123456", "0x10"])
def test_what_is_no_number_has_no_key(cell: str) -> None:
    assert number(cell) is None


async def test_sorting_is_stable_and_complete() -> None:
    chance = random.Random(6)
    rows = RowStore((Column("k", "int", Look.NUMBER), Column("n", "text")))
    wanted = [(str(chance.choice((1, 2, 3, chance.randrange(10**6)))), str(n)) for n in range(60_000)]
    rows.append(wanted)
    found = await rows.sort(0)
    assert list(found) == sorted(range(len(wanted)), key=lambda index: int(wanted[index][0]))
    found = await rows.sort(0, descending=True)
    assert list(found) == sorted(range(len(wanted)), key=lambda index: -int(wanted[index][0]))


async def test_filter_and_sort_of_what_was_filtered() -> None:
    rows = RowStore(COLUMNS)
    rows.append([made(number) for number in range(2000)])
    found = await rows.filter(Filter(Comparison.CONTAINS, "NÄME 19"))
    assert {rows.row(index)[1][:7] for index in found} == {"näme 19"}  # type: ignore[index]
    fewer = await rows.filter(Filter(Comparison.MORE, "1990", 0), among=found)
    assert [rows.row(index)[0] for index in await rows.sort(0, descending=True, among=fewer)][:2] == ["1999", "1998"]
    assert all(rows.row(index)[1] is None for index in await rows.filter(Filter(Comparison.NULL, column=1)))
    empty = await rows.filter(Filter(Comparison.EQUAL, "", 1))
    assert [rows.row(index)[1] for index in empty][:1] == [""]
    early = await rows.filter(Filter(Comparison.LESS, "2026-11-27 01:00:00+01", 3))
    assert not early
    assert len(await rows.filter(Filter(Comparison.CONTAINS, "000007cf"))) == 1, "binary is searched as it is shown"


async def test_a_filter_that_means_nothing_says_so() -> None:
    with pytest.raises(ValueError, match="'abc' is not a number, as id is"):
        await RowStore(COLUMNS).filter(Filter(Comparison.LESS, "abc", 0))
