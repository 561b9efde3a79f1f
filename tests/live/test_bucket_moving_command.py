"""`statetui bucket W cp` as a process on the real tenant: ended in the middle, it goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from real import KUBECONFIG, mc

from tui.services.bucket.transfers.journal import Journal
from tui.services.bucket.transfers.parts import MIB

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not KUBECONFIG, reason="needs STATETUI_TEST_KUBECONFIG"),
]
BUCKET = f"statetui-moving-{os.getpid()}"
SIZE = 256 * MIB


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    return tmp_path


@pytest.fixture(scope="module", autouse=True)
def bucket() -> Iterator[None]:
    mc("mb", f"tt/{BUCKET}")
    yield
    mc("rb", "--force", f"tt/{BUCKET}")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "tui", "--kubeconfig", KUBECONFIG, "-n", "stateful", "bucket", "my-tenant", *words]


def run(*words: str, stdin: bytes = b"") -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, the lines of JSON but for those that tell of what is tried again, stderr."""
    done = subprocess.run(command(*words), input=stdin, capture_output=True, timeout=180, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, [one for one in lines if one.get("status") != "retrying"], done.stderr.decode()


def _read(pid: int) -> int:
    """Bytes that a process has read."""
    return int(Path(f"/proc/{pid}/io").read_text().split("rchar: ")[1].split()[0])


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_an_upload_goes_on_after_its_program_ended(tmp_path: Path, how: signal.Signals, code: int) -> None:
    path = tmp_path / "big"
    path.write_bytes(os.urandom(SIZE))
    state = tmp_path / "state" / "statetui" / "transfers"
    # It goes before nobody: on a busy machine it would be done before the signal is sent.
    process = subprocess.Popen(
        ["nice", "-n", "19", *command("cp", str(path), f":{BUCKET}/big")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    # A part is read when an earlier one was acknowledged: three are on their way at once, and memory is bounded.
    while _read(process.pid) < 80 * MIB:
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    if how is signal.SIGINT:
        assert b"are kept in the incomplete upload" in err
    [record] = Journal(state).unfinished()
    assert (record.bucket, record.key, record.path) == (BUCKET, "big", str(path))
    assert "CHAPTERACCESSKEY" not in "".join(one.read_text() for one in state.iterdir())
    assert mc("ls", f"tt/{BUCKET}") == ""
    code, _, err = run("cp", "--dry-run", KUBECONFIG, f":{BUCKET}/other")
    assert code == 0 and f"unfinished: {path} -> {BUCKET}/big" in err, "another command mentions it"
    code, lines, err = run("cp", str(path), f":{BUCKET}/big")
    assert code == 0, err
    assert lines[0]["status"] == "done" and lines[0]["verified"] == "CRC-32"
    assert lines[0].get("resumed", 0) > 0, "nothing of the first run was used"
    assert mc("ls", "--incomplete", f"tt/{BUCKET}") == "" and Journal(state).unfinished() == []
    code, lines, err = run("mv", f":{BUCKET}/big", str(tmp_path / "back"))
    assert code == 0, err
    assert hashlib.md5((tmp_path / "back").read_bytes()).digest() == hashlib.md5(path.read_bytes()).digest()
    assert mc("ls", f"tt/{BUCKET}") == ""


def test_nasty_keys_stay_in_the_folder(tmp_path: Path) -> None:
    """As far as this server takes them: MinIO refuses `..` and what it cannot store in a file of its own."""
    keys = ["plain", "dir/a", "dir/back\\slash", "new\nline", "emoji 😀", "rtl\u202eabc", "a//b", "x" * 250]
    taken = []
    for key in keys:
        code, _, _ = run("cp", "-", f":{BUCKET}/nasty/{key}", stdin=b"content")
        taken += [key] if code == 0 else []
    assert {"plain", "dir/a", "emoji 😀", "x" * 250} <= set(taken)
    (tmp_path / "out").mkdir()
    code, lines, err = run("cp", "-r", f":{BUCKET}/nasty/", str(tmp_path / "out" / "in"))
    assert code == 0, err
    assert lines[-1]["done"] == len(taken)
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["in"]
    found = [one for one in (tmp_path / "out" / "in").rglob("*") if one.is_file()]
    assert len(found) == len(taken) and all(one.read_bytes() == b"content" for one in found)
    assert all(str(one).isprintable() for one in found)
    mc("rm", "--recursive", "--force", f"tt/{BUCKET}/nasty/")


def test_what_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    file = str(tmp_path / "file")
    code, lines, err = run("--read-only", "cp", file, f":{BUCKET}/x")
    assert code == 1 and "--read-only" in err and lines[-1]["failed"] == 1
    code, _, err = run("cp", file, ":no-such-bucket-here/x")
    assert code == 1 and "NoSuchBucket" in err
    code, _, err = run("cp", file, str(tmp_path / "other"))
    assert code == 2 and "neither" in err
    code, _, err = run("cp", f":{BUCKET}", str(tmp_path / "other"))
    assert code == 2 and "--recursive" in err
    assert mc("ls", f"tt/{BUCKET}") == ""


def test_what_minio_does_not_list_is_said_where_something_goes(tmp_path: Path) -> None:
    """It lists no `a/b` while there is an object `a`; what is hidden is neither counted nor told."""
    (tmp_path / "file").write_text("x")
    for key in ("hidden/a", "hidden/a/b", "hidden/c"):
        assert run("cp", str(tmp_path / "file"), f":{BUCKET}/{key}")[0] == 0
    unlisted = "keys below another object's name (a/b beside a), which MinIO does not list"
    code, told, err = run("rm", "--recursive", "--dry-run", f"{BUCKET}/hidden/")
    assert (code, len(told)) == (0, 2) and f"not told are {unlisted}" in " ".join(err.split())
    _, _, err = run("rb", "--force", "--dry-run", BUCKET)
    assert f"not counted are {unlisted}; they go, too" in " ".join(err.split())
    code, told, err = run("rm", "--recursive", f"{BUCKET}/hidden/")
    assert (code, len(told)) == (0, 2)
    assert f"1 below :{BUCKET}/hidden/ came to light, and stay: {unlisted}" in " ".join(err.split())
    code, told, err = run("rm", "--recursive", f"{BUCKET}/hidden/")
    assert [one["name"] for one in told] == [f"{BUCKET}/hidden/a/b"] and "came to light" not in err
