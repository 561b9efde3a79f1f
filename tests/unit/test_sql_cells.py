"""Cells on a line and whole: everything told apart, nothing obeyed, nothing lost silently."""

from __future__ import annotations

import time

import pytest

from tui.services.sql.cells import NULL, WHOLE_BYTES, WHOLE_CHARACTERS, Shape, on_one_line, whole, width_of
from tui.services.sql.model import Look


def test_null_empty_and_texts_that_look_like_them_differ() -> None:
    shown = [on_one_line(cell, 20) for cell in (None, "NULL", "", NULL, b"", " ")]
    assert len({(line.text, line.shape) for line in shown}) == 6
    assert len({line.text for line in shown}) == 6, "without colour, too"
    assert [line.shape for line in shown][:3] == [Shape.NULL, Shape.TEXT, Shape.EMPTY]


@pytest.mark.parametrize(
    ("cell", "limit", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("a\tb\nc\r\nd", 20, "a⇥b↵c↵d"),
        ("\x1b[31mred\x07", 20, "␛[31mred␇"),
        ("user\u202etxt.exe", 20, "user�txt.exe"),
        ("表表表", 6, "表表表"),
        ("表表表", 5, "表表…"),
        ("表表表", 4, "表…"),
        ("表", 1, "…"),
        ("e\u0301" * 3, 3, "e\u0301" * 3),
        ("e\u0301" * 4, 3, "e\u0301" * 2 + "…"),
        ("a" + "\u0301" * 1000, 5, "a" + "\u0301" * 104 + "…"),
        (b"\x00\xff", 20, "0x00ff"),
        (b"\x89PNG" * 100, 18, "0x89504e47… 400 B"),
        (b"\x89PNG" * 100, 5, "400 B"),
        (b"\x89PNG" * 100, 3, "40…"),
    ],
    ids=lambda value: None if isinstance(value, int) else "",
)
def test_one_line(cell: str | bytes, limit: int, shown: str) -> None:
    line = on_one_line(cell, limit)
    assert line.text == shown
    assert line.width == width_of(shown) <= limit
    assert line.cut == (shown.endswith("…") or " B" in shown)


def test_a_huge_cell_costs_no_more_than_what_is_shown() -> None:
    cells = ("x\n" * 50_000_000, b"\0" * 50_000_000)
    began = time.thread_time()
    for cell in cells:
        assert on_one_line(cell, 40).width <= 40
    assert time.thread_time() - began < 0.05


def test_json_keeps_digits_order_and_repetition() -> None:
    text = '{"b": 12345678901234567890.10, "a": [1, {}], "b": "\\u001b"}'
    assert whole(text, Look.JSON).lines == (
        "{", '  "b": 12345678901234567890.10,', '  "a": [', "    1,", "    {}", "  ],", '  "b": "\\u001b"', "}",
    )  # fmt: skip
    assert whole("{no json", Look.JSON).lines == ("{no json",)


def test_arrays() -> None:
    assert whole('{{1,NULL},{"a,}b","q\\"\\\\"}}', Look.ARRAY).lines == (
        "{", "  {", "    1", "    NULL", "  }", "  {", '    "a,}b"', '    "q\\"\\\\"', "  }", "}",
    )  # fmt: skip
    assert whole("{}", Look.ARRAY).lines == ("{", "}")
    assert whole("not one", Look.ARRAY).lines == ("not one",)


def test_binary_is_dumped() -> None:
    shown = whole(b"\x89PNG\r\n\x1a\n" + bytes(range(10)))
    assert shown.lines == (
        "00000000  89 50 4e 47 0d 0a 1a 0a  00 01 02 03 04 05 06 07  |.PNG............|",
        "00000010  08 09                                             |..|",
    )
    assert (shown.summary, shown.missing) == ("18 bytes", "")


def test_what_is_not_shown_is_counted() -> None:
    assert whole(b"x" * (WHOLE_BYTES + 5)).missing == "5 bytes more are not shown"
    shown = whole("x" * (WHOLE_CHARACTERS + 7), Look.JSON)
    assert shown.missing == "7 characters more are not shown"
    assert sum(map(len, shown.lines)) == WHOLE_CHARACTERS


def test_text_keeps_its_lines_and_obeys_nothing() -> None:
    shown = whole("a\tb\r\nc\x1b]0;x\x07\n\u202e")
    assert shown.lines == ("a    b", "c␛]0;x␇", "�")
    assert shown.summary.endswith("3 lines")
    assert whole(None).shape is Shape.NULL
    assert whole("").shape is Shape.EMPTY
