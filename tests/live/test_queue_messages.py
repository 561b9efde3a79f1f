"""Awkward messages by `statetui queue` to the chapter's RabbitMQ and back, in a virtual host of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from real import KUBECONFIG

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not KUBECONFIG, reason="needs STATETUI_TEST_KUBECONFIG"),
]
VHOST = f"statetui-messages-{os.getpid()}"
#: What a message may have at most: RabbitMQ's own limit since 4.0, which the chapter leaves as it is.
LIMIT = 16 << 20
#: What a terminal would obey, hide or break a line at, and what is no UTF-8.
AWKWARD = b"\x1b[2J\x1b]0;title\x07\r\n\x00\x9b31m \xe2\x80\xae\xff\xfe end"


@dataclass(frozen=True)
class Said:
    """What a run said."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[dict[str, object]]:
        """stdout as lines of JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


def queue(*words: str, stdin: bytes = b"") -> Said:
    """Runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "tui", "--kubeconfig", KUBECONFIG, "queue", "-n", "stateful", "rabbitmq", *words],
        input=stdin, capture_output=True, check=False,
    )  # fmt: skip
    said = Said(done.returncode, done.stdout, done.stderr.decode())
    assert "Traceback" not in said.err
    return said


@pytest.fixture(scope="module", autouse=True)
def queues(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The virtual host and its queues, of the type that their names end with."""
    file = tmp_path_factory.mktemp("topology") / "queues.json"
    names = ("large-quorum", "headers-classic", "awkward-classic", "many-classic", "many-quorum", "kept-classic")
    made = [
        {"name": name, "vhost": VHOST, "durable": True, "auto_delete": False,
         "arguments": {"x-queue-type": name.rpartition("-")[2]}}
        for name in names
    ]  # fmt: skip
    file.write_text(json.dumps({"queues": made}), "utf-8")
    assert queue("declare", "vhost", VHOST).code == 0
    try:
        assert queue("import", str(file), "--vhost", VHOST).code == 0
        yield
    finally:
        assert queue("delete", "vhost", VHOST, "--yes").code == 0


def publish(name: str, *words: str, stdin: bytes = b"") -> Said:
    return queue("publish", "--vhost", VHOST, "--queue", name, *words, stdin=stdin)


def get(name: str, *words: str) -> Said:
    return queue("get", name, "--vhost", VHOST, *words)


def test_a_message_of_the_largest_size_comes_back_byte_by_byte_and_a_larger_one_is_told(tmp_path: Path) -> None:
    name, file = "large-quorum", tmp_path / "payload"
    body = os.urandom(LIMIT)
    file.write_bytes(body)
    assert publish(name, "--file", str(file)).err == "1 taken, 0 that no queue took, 0 refused\n"
    with file.open("wb") as out:
        out.truncate(100 << 20)
    said = publish(name, "--file", str(file))
    assert said.code == 1
    assert f"message size {100 << 20} is larger than configured max size {LIMIT}" in said.err
    said = get(name, "--save", str(tmp_path / "saved"), "--ack", "--yes", "--count", "2", "--raw")
    assert said.code == 0, said.err
    assert "1 acknowledged" in said.err
    assert said.out == body + b"\n"
    assert (tmp_path / "saved" / "000001").read_bytes() == body


def test_more_headers_than_a_frame_holds_are_not_sent_and_those_before_them_are() -> None:
    name = "headers-classic"
    few = {f"header-{n}": n for n in range(5000)}
    many = {f"h{n}": n for n in range(65_535)}
    lines = b"".join(json.dumps({"payload": "x", "properties": {"headers": one}}).encode() + b"\n"
                     for one in (few, many, few))  # fmt: skip
    said = publish(name, "--jsonl", "-", stdin=lines)
    assert "1 taken" in said.err
    assert "they must fit into one frame of" in said.err
    assert said.code == 5
    said = get(name, "--count", "5", "--ack", "--yes", "-o", "jsonl")
    assert [one["properties"]["headers"] for one in said.lines] == [few]  # type: ignore[index]


def test_what_a_terminal_would_obey_is_shown_and_stored_as_it_is(tmp_path: Path) -> None:
    name, file = "awkward-classic", tmp_path / "payload"
    file.write_bytes(AWKWARD)
    assert publish(name, "--file", str(file), "--header", "h=\x1b[31mred").code == 0
    shown = get(name, "-o", "table").out
    assert not {0x1B, 0x07, 0x0D, 0x00} & set(shown)
    assert not {"\u202e", "\x9b"} & set(shown.decode())
    said = get(name, "-o", "jsonl")
    assert set(said.out) <= {*range(32, 127), *b"\n"}
    (line,) = said.lines
    assert line["payload_encoding"] == "base64"
    assert line["redelivered"] is True
    # What was written can be published again, and is the same.
    assert publish(name, "--jsonl", "-", stdin=json.dumps(line).encode()).code == 0
    said = get(name, "--count", "2", "--raw", "--ack", "--yes", "--save", str(tmp_path / "saved"))
    assert said.out == 2 * (AWKWARD + b"\n")
    assert [one.read_bytes() for one in sorted((tmp_path / "saved").iterdir())] == 2 * [AWKWARD]


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_many_are_exported_acknowledged_and_published_again_in_their_order(tmp_path: Path, kind: str) -> None:
    name, file = f"many-{kind}", tmp_path / "export.jsonl"
    said = publish(name, "{n:05} {uuid}", "--template", "--count", "3000")
    assert said.err == "3,000 taken, 0 that no queue took, 0 refused\n"
    said = get(name, "--count", "2900", "--ack", "--yes", "-o", "jsonl")
    assert (said.code, "2,900 acknowledged" in said.err) == (0, True)
    file.write_bytes(said.out)
    assert [str(one["payload"])[:5] for one in said.lines] == [f"{n:05}" for n in range(1, 2901)]
    assert publish(name, "--jsonl", str(file)).code == 0
    found = get(name, "--count", "5000", "--ack", "--yes", "-o", "jsonl").lines
    assert [str(one["payload"])[:5] for one in found] == [f"{n:05}" for n in (*range(2901, 3001), *range(1, 2901))]
    assert not any(one["redelivered"] for one in found), "more were taken than were asked for"


def test_a_folder_that_has_such_files_leaves_the_messages_where_they_are(tmp_path: Path) -> None:
    name = "kept-classic"
    assert publish(name, "{n}", "--template", "--count", "30").code == 0
    (tmp_path / "000002").touch()
    said = get(name, "--count", "30", "--ack", "--yes", "--save", str(tmp_path), "-o", "jsonl")
    assert said.code == 5
    assert "1 acknowledged" in said.err
    assert "is still in the queue" in said.err
    left = get(name, "--count", "100", "-o", "jsonl").lines
    assert sorted(int(str(one["payload"])) for one in left) == [*range(2, 31)]
    assert (tmp_path / "000001").read_bytes() == b"1"
