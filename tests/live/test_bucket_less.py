"""Stores that lack a part of S3, as console and command meet them: SeaweedFS, and two in the shape of OpenIO's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.bucket_pods import bare, seaweedfs
from tests.live.consoles import CONNECTED, ENTER, act, back, opened
from tests.live.real import KUBECONFIG, kubectl

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("own_terminal"), pytest.mark.timeout(300)]
F3 = "\x1bOR"
REFUSES, IGNORES, WEED = "refuses", "ignores", "weed"
#: What each says of what it does not have.
SAYS = {REFUSES: "NotImplemented: The requested resource is not implemented", IGNORES: "the server takes no notice of"}


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    name = f"statetui-test-lacking-{os.getpid()}"
    kubectl("create", "namespace", name)
    try:
        seaweedfs(name, WEED)
        bare(name, REFUSES, refuse=True)
        bare(name, IGNORES, refuse=False)
        for one in (WEED, REFUSES, IGNORES):
            kubectl("-n", name, "rollout", "status", f"statefulset/{one}", "--timeout=120s")
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


def run(namespace: str, workload: str, *words: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, the lines of JSON, stderr."""
    command = [sys.executable, "-m", "tui", "--kubeconfig", KUBECONFIG, "-n", namespace, "bucket", workload, *words]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def filled(namespace: str, workload: str, folder: Path, bucket: str) -> None:
    (folder / "top.txt").write_text("content")
    assert run(namespace, workload, "mb", bucket)[0] == 0
    for key in ("top.txt", "logs/a.txt"):
        code, _, err = run(namespace, workload, "cp", str(folder / "top.txt"), f":{bucket}/{key}")
        assert code == 0, err


@pytest.mark.parametrize("workload", [REFUSES, IGNORES])
def test_the_command_says_what_a_store_lacks(namespace: str, workload: str, tmp_path: Path) -> None:
    filled(namespace, workload, tmp_path, "by-command")
    for words in (
        ("versions", "by-command"), ("versions", "--enable", "by-command"), ("versions", "by-command/top.txt"),
        ("uploads", "by-command"), ("policy", "by-command"), ("policy", "--access", "download", "by-command"),
        ("ls", "--recursive", "--versions", "by-command"),
    ):  # fmt: skip
        code, lines, err = run(namespace, workload, *words)
        assert (code, lines) == (1, []), words
        assert SAYS[workload] in err and "This server does not have it." in err, (words, err)
        assert "Traceback" not in err
    _, (told,), _ = run(namespace, workload, "stat", "by-command/top.txt")
    assert (told["size"], told["tags"]) == (7, None)
    assert [one.partition(":")[0] for one in told["unknown"]] == ["tags", "retention", "legal hold"]
    code, facts, _ = run(namespace, workload, "info")
    assert code == 0 and {one["name"]: bool(one["unknown"]) for one in facts[1:]} == {
        "Buckets": False, "Objects": True, "Usage": True, "Servers": True, "Drives": True, "Write quorum": True,
        "Drain": True,
    }  # fmt: skip
    code, _, err = run(namespace, workload, "mb", "--versioning", "less")
    assert code == 1 and "The bucket less was made, but without versioning" in err
    assert run(namespace, workload, "rb", "less")[0] == 0
    code, _, err = run(namespace, workload, "rb", "--force", "by-command")
    assert code == 0, err
    assert "by-command holds 2 objects, older versions unknown: the server does not list them" in err
    assert run(namespace, workload, "ls")[1] == []


@pytest.mark.parametrize("workload", [REFUSES, IGNORES])
async def test_the_console_says_what_a_store_lacks(namespace: str, workload: str, tmp_path: Path) -> None:
    filled(namespace, workload, tmp_path, "by-console")
    words = re.escape(SAYS[workload][:24]).replace(r"\ ", r"(?s:\s+)")
    async with opened(workload, "b", CONNECTED, namespace=namespace) as program:
        await program.until(r"access +not known: the policy")
        program.type(ENTER)
        await program.until("space Mark")
        program.type("\x1b[B")
        await program.until(r"NOT KNOWN\s(?s:.*)\? tags: (?s:.*)\? retention: (?s:.*)\? legal hold: ")
        program.type("v")
        await program.until(
            r"all versions(?s:.*)✗ The store (refused|does not know)(?s:.*)This server does not have it"
        )
        program.type("v")
        await program.until(r"logs/\s")
        for choice, typed in (("Tags", "tags"), ("Legal hold", "legal"), ("Retention", "retention")):
            program.type("\x1b[F")
            await program.until(r"▌ +top\.txt")
            await act(program, "Look at it", typed, rf"▌ +{choice}")
            if choice == "Tags":  # some may set what they may not read
                await program.until(r"Tags of top\.txt(?s:.*)What is there could not be read")
                program.type("a=b" + ENTER)
            await program.until(rf"That did not work(?s:.*){words}")
            await back(program, r"top\.txt")
        program.type(F3)
        await program.until(r"Drain +\? unknown, because S3 has no health API")
        await back(program, r"top\.txt")
        program.type("D")
        await program.until(r"deletes top\.txt(?s:.*)that cannot be undone: the server has no versions")
        program.type("y")
        await program.until("Deleted: 1 object")
        program.type("\x1b")
        await program.until("n New bucket")
        program.type("D")
        await program.until(r"with 1 object, 7B(?s:.*)older versions are not known of: the server does not list them")
        program.type("by-console" + ENTER)
        await program.until("Bucket by-console removed")
    assert run(namespace, workload, "ls")[1] == []


async def test_the_console_in_front_of_seaweedfs(namespace: str, tmp_path: Path) -> None:
    """It has versions, tags and locks (4.48), and neither quotas nor an API of its health."""
    filled(namespace, WEED, tmp_path, "by-console")
    async with opened(WEED, "b", CONNECTED, namespace=namespace) as program:
        await program.until(r"▌by-console(?s:.*)top\.txt")
        await act(program, "Bucket by-console", "quota", r"▌ +Quota")
        await program.until("SeaweedFS has no quotas that can be asked for")
        await back(program, r"top\.txt")
        await act(program, "Bucket by-console", "versioning", r"▌ +Versioning")
        await program.until("Versioning of by-console: never switched on")
        program.type("enabled" + ENTER)
        await program.until("Versioning of by-console: enabled")
        program.type(F3)
        await program.until(r"Usage +\? unknown, because SeaweedFS does not tell; count it")
        await program.until(r"Drain +\? unknown, because SeaweedFS has no health API")
        await back(program, r"top\.txt")
        program.type("D")
        await program.until(r"with 2 objects, 14B")
        program.type("by-console" + ENTER)
        await program.until("Bucket by-console removed")
