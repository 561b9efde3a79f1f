"""Lines of JSON of `statetui bucket`: scripts read them, so their names stay."""

from __future__ import annotations

import datetime as dt
import json

from tui.commands.bucket_counter import Counter
from tui.commands.bucket_records import record
from tui.services.bucket.model import Detail, Entry, Told
from tui.text import counted

AT = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)


def test_names_are_as_elsewhere() -> None:
    detail = json.loads(record(Detail("k", 1, AT, "e", "text/plain", "", "STANDARD", {"Server": "x"}, {"my_key": "v"})))
    assert detail["contentType"] == "text/plain" and detail["modified"] == "2026-11-27T12:00:00+00:00"
    assert detail["metadata"] == {"my_key": "v"}, "what users named keeps its name"
    assert json.loads(record(Entry("a/")))["key"] == "a/"


def test_what_is_not_known_is_null_with_the_reason() -> None:
    told = json.loads(record(Told("Store", "Health", "", unknown="the server is not MinIO", ink="")))
    assert told == {"group": "Store", "name": "Health", "value": None, "unknown": "the server is not MinIO",
                    "health": None}  # fmt: skip


def test_hostile_text_does_not_reach_the_terminal() -> None:
    assert "\x1b" not in record(Entry("\x1b]0;x\x07\u202e"))


def test_a_counter_writes_nothing_without_a_terminal(capsys: object) -> None:
    with Counter("counting") as told:
        told(3, None)
        told(7, 9)
    assert told.done == 7
    assert capsys.readouterr() == ("", "")  # type: ignore[attr-defined]


def test_one_and_many() -> None:
    assert counted(1, "object") == "1 object" and counted(1003, "object") == "1,003 objects"
    assert counted(2, "copy", "copies") == "2 copies"
