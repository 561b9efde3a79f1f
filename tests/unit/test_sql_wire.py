"""Rows that are made smaller on their way, however the bytes are cut into pieces."""

from __future__ import annotations

import asyncio
import random
import struct

import pytest

from tui.services.sql import mysql_rows, postgres_wire
from tui.services.sql.model import Look
from tui.services.sql.postgres_wire import Guard, LongRow, Shortened, incomplete


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The limits of tests: rows of 1000 bytes, of which cells keep 100."""
    for module in (postgres_wire, mysql_rows):
        monkeypatch.setattr(module, "ROW_LIMIT", 1000)
        monkeypatch.setattr(module, "KEPT", 100)
        monkeypatch.setattr(module, "SCRAP", 10)


def message(kind, payload):
    return kind + struct.pack("!i", len(payload) + 4) + payload


def row(*cells):
    body = b"".join(struct.pack("!i", -1) if cell is None else struct.pack("!i", len(cell)) + cell for cell in cells)
    return message(b"D", struct.pack("!h", len(cells)) + body)


def cells_of(payload):
    count, at, cells = struct.unpack_from("!h", payload)[0], 2, []
    for _ in range(count):
        size = struct.unpack_from("!i", payload, at)[0]
        at += 4
        cells.append(None if size < 0 else payload[at : at + size])
        at += max(size, 0)
    assert at == len(payload)
    return cells


class Inner(asyncio.Protocol):
    def __init__(self):
        self.data = b""

    def data_received(self, data):
        self.data += data

    def messages(self):
        at, found = 0, []
        while at < len(self.data):
            size = struct.unpack_from("!i", self.data, at + 1)[0]
            found.append((self.data[at : at + 1], self.data[at + 5 : at + 1 + size]))
            at += 1 + size
        return found


def fed(stream, sizes):
    inner = Inner()
    guard = Guard(inner)
    at = 0
    while at < len(stream):
        size = next(sizes)
        guard.data_received(stream[at : at + size])
        at += size
    return guard, inner


def pieces(seed):
    chance = random.Random(seed)
    most = chance.choice((1, 3, 7, 100, 5000))
    while True:
        yield chance.randint(1, most)


STREAM = (
    message(b"1", b"") + message(b"n", b"") + row(b"a", None, b"")
    + row(b"x" * 3000, b"short", None, "é".encode() * 400)
    + row(b"b") + message(b"C", b"SELECT 3\0") + message(b"Z", b"T") + row(*[b"y" * 50] * 400) + message(b"Z", b"E")
)  # fmt: skip


@pytest.mark.parametrize("seed", range(30))
def test_every_message_arrives_and_long_cells_lose_their_end(seed):
    guard, inner = fed(STREAM, pieces(seed))
    kinds = [kind for kind, _ in inner.messages()]
    assert kinds == [b"1", b"n", b"D", b"D", b"D", b"C", b"Z", b"D", b"Z"]
    rows = [cells_of(payload) for kind, payload in inner.messages() if kind == b"D"]
    assert rows[0] == [b"a", None, b""] and rows[2] == [b"b"]
    assert rows[1] == [b"x" * 100, b"short", None, "é".encode() * 50]
    assert guard.shortened[:2] == [Shortened(1, 0, 3000), Shortened(1, 3, 800)]
    assert guard.status == "E" and guard.received == len(STREAM) and guard.count == 4
    assert len(rows[3]) == 400 and sum(map(len, rows[3])) < 7000, "many cells together are bounded, too"


def test_a_stream_that_makes_no_sense_is_passed_on_untouched():
    stream = b"D" + struct.pack("!i", 2) + bytes(3000)
    guard, inner = fed(stream, pieces(1))
    assert inner.data[:5] == stream[:5] and len(inner.data) == len(stream)
    assert guard.status == "I"


def test_what_is_kept_ends_with_a_whole_character():
    for text in ("é", "€", "😀"):
        long = LongRow(0)
        data = struct.pack("!h", 1) + struct.pack("!i", 4000) + (b"z" + text.encode() * 2000)[:4000]
        long.left = len(data)
        assert long.feed(memoryview(data)) == len(data)
        assert cells_of(long.message()[5:])[0].decode().rstrip(text) == "z"


@pytest.mark.parametrize(
    ("tail", "lost"),
    [
        (b"abc", 0),
        ("é".encode(), 0),
        (b"a\xc3", 1),
        (b"\xe2\x82", 2),
        (b"\xf0\x9f\x98", 3),
        ("😀".encode(), 0),
        (b"", 0),
    ],
)
def test_characters_that_are_cut(tail, lost):
    assert incomplete(tail) == lost


def lenenc(size):
    if size < 251:
        return bytes((size,))
    if size < 1 << 16:
        return b"\xfc" + size.to_bytes(2, "little")
    if size < 1 << 24:
        return b"\xfd" + size.to_bytes(3, "little")
    return b"\xfe" + size.to_bytes(8, "little")


@pytest.mark.parametrize("seed", range(20))
def test_long_rows_of_mysqls(seed):
    cells = [b"a", None, b"", b"x" * 300, b"y" * 70000, "é".encode() * 200, b"end", b"z" * 251]
    data = b"".join(b"\xfb" if cell is None else lenenc(len(cell)) + cell for cell in cells)
    long, at, sizes = mysql_rows.LongRow(), 0, pieces(seed)
    while at < len(data):
        size = next(sizes) * 50
        long.feed(memoryview(data[at : at + size]))
        at += size
    assert long.cells == [b"a", None, b"", b"x" * 100, b"y" * 100, "é".encode() * 50, b"end", b"z" * 100]
    assert long.cut == [(3, 300), (4, 70000), (5, 400), (7, 251)]


def test_a_long_cell_with_a_long_length():
    long = mysql_rows.LongRow()
    long.feed(memoryview(lenenc(1 << 24)))
    for _ in range(16):
        long.feed(memoryview(bytes(1 << 20)))
    assert long.cells == [bytes(100)] and long.cut == [(0, 1 << 24)]


@pytest.mark.parametrize(
    ("code", "flags", "collation", "name", "look"),
    [
        (3, 0, 63, "int", Look.NUMBER), (3, 32, 63, "int unsigned", Look.NUMBER), (252, 0, 45, "text", Look.TEXT),
        (252, 144, 63, "blob", Look.BINARY), (254, 256, 45, "enum", Look.TEXT), (254, 2048, 45, "set", Look.TEXT),
        (245, 0, 63, "json", Look.JSON), (99, 0, 63, "type 99", Look.OTHER), (12, 128, 63, "datetime", Look.TIME),
    ],
)  # fmt: skip
def test_types_of_mysqls(code, flags, collation, name, look):
    assert mysql_rows.kind(code, flags, collation) == (name, look)
