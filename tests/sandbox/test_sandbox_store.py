"""Objects are kept whatever becomes of the process, and the past is remembered as long as it is said to be."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tui.sandbox import journal
from tui.sandbox.journal import Damaged
from tui.sandbox.model import ApiError
from tui.sandbox.store import Expired, Store


def _object(name: str, **data: str) -> dict:
    return {"metadata": {"name": name, "namespace": "n", "labels": {"app": name}}, "data": data}


def _names(store: Store) -> list[str]:
    return [entry.key for entry in store.list("configmaps")]


def test_it_reads_what_it_wrote(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in "abc":
        store.put("configmaps", f"n/{name}", _object(name))
    store.remove("configmaps", "n/b")
    revision = store.revision
    store.close()
    again = Store(tmp_path)
    assert _names(again) == ["n/a", "n/c"]
    assert again.revision == revision == 4
    assert again.get("configmaps", "n/a").labels == {"app": "a"}
    with pytest.raises(Expired):
        again.since(1)
    again.close()


def test_a_torn_line_is_dropped_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put("configmaps", "n/a", _object("a"))
    store.put("configmaps", "n/b", _object("b"))
    store.close()
    file = tmp_path / "objects.jsonl"
    whole = file.read_bytes()
    for cut in (1, 5, 40):
        file.write_bytes(whole[:-cut])
        again = Store(tmp_path)
        assert _names(again) == ["n/a"], cut
        again.put("configmaps", "n/c", _object("c"))
        again.close()
        third = Store(tmp_path)
        assert _names(third) == ["n/a", "n/c"]
        third.close()
    lines = whole.splitlines(keepends=True)
    file.write_bytes(lines[0] + b"{broken}\n" + lines[2])
    with pytest.raises(Damaged, match="line 2"):
        Store(tmp_path)


def test_two_processes_do_not_share_a_directory(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(BlockingIOError):
        Store(tmp_path)
    store.close()
    Store(tmp_path).close()


def test_the_file_is_written_anew_when_it_is_mostly_past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_WORTH", 20_000)
    store = Store(tmp_path)
    for number in range(500):
        store.put("configmaps", "n/a", _object("a", number=str(number)))
    store.put("configmaps", "n/b", _object("b"))
    revision = store.revision
    store.close()
    assert (tmp_path / "objects.jsonl").stat().st_size < 25_000
    again = Store(tmp_path)
    assert (_names(again), again.revision) == (["n/a", "n/b"], revision)
    assert again.get("configmaps", "n/a").load()["data"] == {"number": "499"}
    again.close()


def test_a_full_disk_refuses_the_change_and_breaks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.put("configmaps", "n/a", _object("a"))
    real = journal.os.write
    monkeypatch.setattr(journal.os, "write", lambda file, data: real(file, data[:10]))
    with pytest.raises(ApiError) as refused:
        store.put("configmaps", "n/b", _object("b"))
    assert (refused.value.code, _names(store), store.revision) == (500, ["n/a"], 1)
    monkeypatch.undo()
    store.put("configmaps", "n/c", _object("c"))
    store.close()
    again = Store(tmp_path)
    assert _names(again) == ["n/a", "n/c"]
    again.close()


_WRITER = """
import sys
from pathlib import Path
from tui.sandbox.store import Store
store = Store(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    store.put("configmaps", f"n/{number:06}", {"metadata": {"name": str(number)}, "data": {"x": "y" * 300}})
    print(number, flush=True)
"""


def test_what_was_answered_outlives_sigkill(tmp_path: Path) -> None:
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE) as process:
            for _ in range(200):
                answered = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
        store = Store(tmp_path)
        assert len(_names(store)) >= answered
        store.close()


def test_the_past_is_bounded_and_lists_of_it_are_exact() -> None:
    store = Store(history=10)
    for number in range(15):
        store.put("configmaps", f"n/{number:02}", _object(str(number)))
    store.remove("configmaps", "n/00")
    then = store.revision - 3
    assert [entry.key for entry in store.list("configmaps", revision=then)] == [f"n/{n:02}" for n in range(13)]
    for number in range(40):
        store.put("configmaps", "n/x", _object("x", number=str(number)))
    assert len(store.since(store.revision - 10)) == 10
    with pytest.raises(Expired):
        store.since(then)
    with pytest.raises(Expired):
        list(store.list("configmaps", revision=then))


async def test_a_subscriber_gets_everything_in_order() -> None:
    store = Store(history=5)
    store.put("configmaps", "n/a", _object("a"))
    seen = []

    async def read() -> None:
        async for change in store.subscribe(["configmaps"]):
            seen.append((change.type, change.object["metadata"]["name"], change.old is not None))
            if len(seen) == 103:
                return

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    for _ in range(100):
        store.put("configmaps", "n/b", _object("b"))
    store.put("secrets", "n/s", _object("s"))
    store.remove("configmaps", "n/b")
    store.put("configmaps", "n/c", _object("c"))
    await asyncio.wait_for(task, 20)
    assert seen[:3] == [("ADDED", "a", False), ("ADDED", "b", False), ("MODIFIED", "b", True)]
    assert seen[-2:] == [("DELETED", "b", True), ("ADDED", "c", False)]
