"""Messages that are written page by page: one table, one list, one count over all pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tui.commands.queue_written import Written
from tui.problem import ProblemError
from tui.services.queue.model import Message, Properties


def page(*bodies: bytes) -> list[Message]:
    return [Message(body, Properties(headers={"k": [1, {"b": b"\xff"}]}), "ex", "key") for body in bodies]


def test_a_list_of_json_goes_over_all_pages(capsys: pytest.CaptureFixture[str]) -> None:
    written = Written("json")
    written.write(page(b"a", b"b\n\x1b"))
    written.write(page(b"\xff"))
    written.end()
    found = json.loads(capsys.readouterr().out)
    assert [(one["n"], one["payload"], one["payload_encoding"]) for one in found] == [
        (1, "a", "string"), (2, "b\n\x1b", "string"), (3, "/w==", "base64"),
    ]  # fmt: skip
    assert found[0]["properties"] == {"headers": {"k": [1, {"b": "\\xff"}]}}


def test_an_empty_list_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    Written("json").end()
    assert json.loads(capsys.readouterr().out) == []


def test_lines_and_a_table_go_on_with_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("jsonl", "table"):
        written = Written(form)
        written.write(page(b"a"))
        written.write(page(b"b"))
        written.end()
        lines = capsys.readouterr().out.splitlines()
        if form == "jsonl":
            assert [json.loads(line)["n"] for line in lines] == [1, 2]
        else:
            assert [line.split()[0] for line in lines] == ["N", "1", "2"]


def test_files_have_the_payloads_and_none_is_written_over(tmp_path: Path, capsysbinary: object) -> None:
    written = Written("raw", raw=True, folder=str(tmp_path / "new"))
    written.write(page(b"a", b"b"))
    written.write(page(b"c"))
    assert [one.read_bytes() for one in sorted((tmp_path / "new").iterdir())] == [b"a", b"b", b"c"]
    again = Written("raw", raw=True, folder=str(tmp_path / "new"))
    with pytest.raises(ProblemError) as caught:
        again.write(page(b"other"))
    assert "still in the queue" in caught.value.problem.remedy
    assert (tmp_path / "new" / "000001").read_bytes() == b"a"
