"""`statetui queue` on the chapter's three RabbitMQ nodes, in a virtual host of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from real import KUBECONFIG

pytestmark = pytest.mark.skipif(not KUBECONFIG, reason="needs STATETUI_TEST_KUBECONFIG")
VHOST = f"test-{os.getpid()}"


def queue(*words: str, context: str = KUBECONFIG, code: int = 0) -> list[dict[str, object]]:
    """Runs it; the lines of JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "tui", "--kubeconfig", context, "queue", "-n", "stateful", "rabbitmq", *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, f"{done.returncode}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    if code:
        return [{"stderr": done.stderr}]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module", autouse=True)
def vhost() -> Iterator[None]:
    queue("declare", "vhost", VHOST)
    yield
    queue("delete", "vhost", VHOST, "--yes")


def test_each_node_has_its_pod() -> None:
    found = queue("nodes")
    assert sorted(str(one["pod"]) for one in found) == ["rabbitmq-0", "rabbitmq-1", "rabbitmq-2"]
    assert all(one["version"] == "4.0.5" and one["mem_limit"] and not one["trouble"] for one in found)


def test_a_quorum_queue_on_three_nodes_and_its_dead_letters() -> None:
    at = ("--vhost", VHOST)
    queue("declare", "exchange", "dlx", "--type", "fanout", *at)
    queue("declare", "queue", "dead", *at)
    queue("bind", "dlx", "dead", *at)
    words = ("declare", "queue", "orders", "--type", "quorum", "--argument", "dead-letter-exchange=dlx", *at)
    queue(*words)
    queue(*words)  # alike: it stays
    (told,) = queue(*words, "--argument", "delivery-limit=3", code=1)
    assert "inequivalent arg 'x-delivery-limit'" in str(told["stderr"])
    (shown,) = queue("show", "queue", "orders", *at)
    assert len(shown["online"]) == 3  # type: ignore[arg-type]
    assert [(one["to"], one["why"]) for one in shown["leads_to"]] == [  # type: ignore[attr-defined]
        ("dlx", "dead letter"), ("dead", "binding"),
    ]  # fmt: skip
    assert [one["name"] for one in queue("ls", "or*", *at)] == ["orders"]
    deadline = (
        time.monotonic() + 60
    )  # who consumes a new queue is unknown until statistics come, and that is not nobody
    while (found := [one["name"] for one in queue("ls", "--no-consumer", "--sort", "name", *at)]) != ["dead", "orders"]:
        assert time.monotonic() < deadline, found


def test_a_part_that_is_not_there_is_told_by_the_exit_code(tmp_path: Path) -> None:
    at = ("--vhost", VHOST)
    queue("declare", "queue", "gone", *at)
    (told,) = queue("delete", "queue", "gone", *at, code=1)
    assert "add --yes" in str(told["stderr"])
    queue("delete", "queue", "gone", "nix", "--yes", *at, code=5)
    queue("delete", "queue", "nix", "--yes", *at, code=1)


def test_a_topology_goes_out_and_in(tmp_path: Path) -> None:
    at, file = ("--vhost", VHOST), str(tmp_path / "topology.json")
    queue("declare", "queue", "out", *at)
    queue("export", "--out", file, *at)
    assert Path(file).stat().st_mode & 0o77 == 0
    queue("delete", "queue", "out", "--yes", *at)
    found = queue("import", file, "--dry-run", *at)
    assert [(one["status"], one["name"]) for one in found] == [("added", f"queues {VHOST}: out")]
    assert not queue("ls", "out", *at), "a dry run makes nothing"
    queue("import", file, *at)
    assert queue("ls", "out", *at)


@pytest.mark.alone  # others make and remove virtual hosts, which are down at first
def test_health_says_what_this_server_does_not_tell() -> None:
    found = {str(one["name"]).partition("/")[0]: one["well"] for one in queue("health")}
    assert found["alarms"] is True
    assert found["is-in-service"] is None
    assert found["deprecated-features"] is True


def test_read_only_refuses_and_a_wrong_password_is_told(tmp_path: Path) -> None:
    (told,) = queue("--read-only", "declare", "queue", "no", "--vhost", VHOST, code=4)
    assert "was not sent" in str(told["stderr"])
    wrong = tmp_path / "password"
    wrong.write_text("wrong\n")
    (told,) = queue("--user", "user", "--password-file", str(wrong), "ls", code=3)
    assert "does not let user in" in str(told["stderr"])
    assert "--password-file" in str(told["stderr"])
