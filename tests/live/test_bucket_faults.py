"""What goes wrong with a real MinIO, done to tenants of the test's own: clocks, certificates, full volumes, keys."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.live.bucket_pods import ACCESS, SECRET, certificates, tenant
from tests.live.real import KUBECONFIG, kubectl
from tui.services.bucket.transfers.journal import Journal
from tui.services.bucket.transfers.parts import MIB

sys.path.append(str(Path(__file__).parents[1] / "tui"))
from process import Program

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not KUBECONFIG, reason="needs STATETUI_TEST_KUBECONFIG"),
]
SECURE, SMALL = "secure", "small"
#: Of both tenants.
BUCKET = "bucket"
SMALL_SCREEN, WIDE = (80, 24), (140, 40)
ENTER, F3 = "\r", "\x1bOR"
#: Shifts the wall clock of a Python process, and nothing else: what its monotonic clock tells stays true.
SHIFTED = """
import datetime, time
_by, _time, _datetime = {by}, time.time, datetime.datetime
time.time = lambda: _time() + _by
class datetime_(_datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(_time() + _by, tz)
datetime.datetime = datetime_
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    for name in ("NO_COLOR", "TEXTUAL_COLOR_SYSTEM", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LC_ALL", "C.UTF-8")):
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """Two tenants: one with TLS, and one on a volume that can fill up."""
    name = f"statetui-test-faults-{os.getpid()}"
    kubectl("create", "namespace", name)
    try:
        tenant(name, SECURE, tls=certificates(name, SECURE)[1])
        tenant(name, SMALL, size="160Mi")
        for one in (SECURE, SMALL):
            kubectl("-n", name, "rollout", "status", f"statefulset/{one}-pool-0", "--timeout=120s")
            assert run(name, one, "mb", BUCKET).code == 0
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


@dataclass(frozen=True)
class Ran:
    """What a command came to; its lines but for those that tell of what is tried again."""

    code: int
    lines: list[dict[str, Any]]
    err: str


def command(namespace: str, workload: str, *words: str) -> list[str]:
    return [sys.executable, "-m", "tui", "--kubeconfig", KUBECONFIG, "-n", namespace, "bucket", workload, *words]


def run(namespace: str, workload: str, *words: str, **environment: str) -> Ran:
    done = subprocess.run(
        command(namespace, workload, *words), capture_output=True, timeout=180, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    lines = [one for one in lines if one.get("status") != "retrying"]
    return Ran(done.returncode, lines, " ".join(done.stderr.decode().split()))


def sum_of(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def shifted(folder: Path, seconds: int) -> dict[str, str]:
    """The environment of a program whose clock is off."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SHIFTED.format(by=seconds))
    return {"PYTHONPATH": f"{folder}:{Path.cwd()}"}


@contextlib.asynccontextmanager
async def console(
    namespace: str, workload: str, size: tuple[int, int] = SMALL_SCREEN, until: str = r"● (connected since )?\d\d:",
    **environment: str,
) -> Any:  # fmt: skip
    """A console, opened from the overview by its keys."""
    words = ("-n", namespace, "--layout", "table")
    async with Program(*words, kubeconfig=KUBECONFIG, size=size, environment=environment) as program:
        await program.until(rf"● +{workload} ")
        program.type("/")
        await program.until("/ words, all of them")
        program.type(workload)
        await program.until(lambda text: re.search(rf"● +{workload} ", text.splitlines()[2]))
        program.type(ENTER)
        await program.until(r"b Buckets")
        program.type("b")
        await program.until(until)
        yield program


# --- clocks


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(3 * 3600, "3 h behind"), (-2 * 3600 - 1800, "2 h 30 min ahead of")],
    ids=["ours is ahead", "ours is behind"],
)
def test_a_clock_that_is_off_is_told_and_does_no_harm(namespace: str, tmp_path: Path, seconds: int, said: str) -> None:
    off = shifted(tmp_path / "site", seconds)
    path = tmp_path / "file"
    path.write_bytes(os.urandom(9 * MIB))
    sent = run(namespace, SMALL, "cp", str(path), f":{BUCKET}/file", **off)
    assert sent.code == 0 and sent.lines[0]["verified"] == "CRC-32", sent.err
    assert f"the server's clock is {said} this machine's: what is sent carries the server's time" in sent.err
    back = run(namespace, SMALL, "mv", f":{BUCKET}/file", str(tmp_path / "back"))
    assert "clock" not in back.err and sum_of(tmp_path / "back") == sum_of(path)


async def test_the_console_says_by_how_much_the_clocks_differ(namespace: str, tmp_path: Path) -> None:
    async with console(namespace, SMALL, WIDE, **shifted(tmp_path / "site", 3 * 3600)) as program:
        await program.until(r"⚠ its clock is 2:59:\d\d|⚠ its clock is 3:00:0\d behind")
        program.type(F3)
        await program.until("Clock +▲ the server's clock is 3 h behind this machine's; requests carry")


# --- TLS


async def test_up_and_down_over_tls_with_what_the_operator_keeps(namespace: str, tmp_path: Path) -> None:
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom(48 * MIB))
    (tmp_path / "out").mkdir()
    async with console(namespace, SECURE, WIDE) as program:
        assert "TLSv1.3, verified" in program.text
        await program.until(rf"▌{BUCKET} ")
        await upload(program, path)
        await program.until(r"✓ upload big\.bin to \S+ done, 48Mi", 120)
        await program.until(rf"{BUCKET}(?s:.*)big\.bin +48Mi")
        program.type(ENTER)
        await program.until("space Mark")
        program.type("w")
        await program.until("into which folder")
        program.type(f"\x7f\x7f{tmp_path}/out")
        await program.until(r"/out")
        program.type(ENTER)
        await program.until(r"✓ download big\.bin \S+ \S+ done, 48Mi", 120)
    assert sum_of(tmp_path / "out" / "big.bin") == sum_of(path)
    (told,) = run(namespace, SECURE, "stat", f"{BUCKET}/big.bin").lines
    assert told["size"] == 48 * MIB and told["checksums"].get("CRC32")
    assert run(namespace, SECURE, "uploads", BUCKET).lines == []


async def upload(program: Program, path: Path) -> None:
    """Begins an upload to the bucket."""
    program.type("u")
    await program.until(f"Upload to {BUCKET}")
    program.type(str(path))
    await program.until(rf"from +\S*{re.escape(path.name)}")
    program.type(ENTER)
    await program.until(lambda text: f"Upload to {BUCKET}" not in text)


async def test_a_certificate_of_another_authority(namespace: str) -> None:
    def put(pem: str) -> None:
        kubectl(
            "-n", namespace, "patch", "secret", f"{SECURE}-tls", "-p", json.dumps({"stringData": {"public.crt": pem}})
        )

    kept = kubectl("-n", namespace, "get", "secret", f"{SECURE}-tls", "-o", r"jsonpath={.data.public\.crt}")
    put(certificates(namespace, SECURE)[1]["public.crt"])
    try:
        refused = run(namespace, SECURE, "ls")
        assert refused.code == 3
        assert f"The certificate of {SECURE}-pool-0-0 is not what it should be" in refused.err
        async with console(namespace, SECURE, until="✗ not connected") as program:
            await program.until(f"The certificate of {SECURE}-pool-0-0 is not what it should be(?s:.*)r try again")
            put(base64.b64decode(kept).decode())
            program.type("r")
            await program.until(r"● \d\d:\d\d")
    finally:
        put(base64.b64decode(kept).decode())


# --- full volumes


def test_a_volume_that_fills_up_ends_an_upload_in_the_servers_words(namespace: str, tmp_path: Path) -> None:
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom(64 * MIB))
    pod = ("-n", namespace, "exec", f"{SMALL}-pool-0-0", "--")
    kubectl(*pod, "bash", "-c", "fallocate -l $(($(df -B1 --output=avail /data | tail -1) - 33554432)) /data/fill")
    try:
        failed = run(namespace, SMALL, "cp", str(path), f":{BUCKET}/full")
        assert failed.code == 1
        assert "XMinioStorageFull: Storage backend has reached its minimum free drive threshold" in failed.err
        assert "The server's drives are full: remove something, or enlarge them." in failed.err
        assert failed.lines[0]["status"] == "failed"
        left = own_mc(namespace, f"mc ls own/{BUCKET}/; mc ls --incomplete own/{BUCKET}/")
        assert left == "", "what is not whole has a name, or takes room"
        assert Journal(tmp_path / "state" / "statetui" / "transfers").unfinished() == []
    finally:
        kubectl(*pod, "rm", "/data/fill")
    sent = run(namespace, SMALL, "cp", str(path), f":{BUCKET}/full")
    assert sent.code == 0, sent.err
    own_mc(namespace, f"mc rm own/{BUCKET}/full")


# --- keys


def own_mc(namespace: str, script: str, stdin: str = "") -> str:
    """Runs lines of MinIO's client in the chapter's pod, as the administrator of the tenant without TLS: `own`."""
    url = f"http://{ACCESS}:{SECRET}@{SMALL}-pool-0-0.{SMALL}-hl.{namespace}:9000"
    return kubectl("-n", "stateful", "exec", "-i", "minio-mc", "--", "env", f"MC_HOST_own={url}", "sh", "-ec", script,
                   stdin=stdin)  # fmt: skip


def test_a_user_who_may_do_nothing_below_one_prefix(namespace: str, tmp_path: Path) -> None:
    statements = [
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [f"arn:aws:s3:::{BUCKET}"],
         "Condition": {"StringLike": {"s3:prefix": ["open/*"]}}},
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": [f"arn:aws:s3:::{BUCKET}/open/*"]},
    ]  # fmt: skip
    (tmp_path / "file").write_text("content")
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    script = f"""mc admin policy create own half /dev/stdin
        mc admin user add own somebody somebodys-secret
        mc admin policy attach own half --user somebody
        for key in open/a closed/b; do echo content | mc pipe own/{BUCKET}/$key; done"""
    own_mc(namespace, script, policy)
    (tmp_path / "secret").write_text("somebodys-secret\n")
    who = ("--access-key", "somebody", "--secret-key-file", str(tmp_path / "secret"))

    def ask(*words: str) -> Ran:
        done = run(namespace, SMALL, *who, *words)
        assert "somebodys-secret" not in done.err
        return done

    assert [one["key"] for one in ask("ls", f"{BUCKET}/open/").lines] == ["open/a"]
    listed = ask("ls", f"{BUCKET}/closed/")
    assert listed.code == 4 and "AccessDenied: Access Denied." in listed.err
    assert "Another access key, or a policy that allows it, would do." in listed.err
    read = ask("cp", f":{BUCKET}/closed/b", str(tmp_path / "b"))
    assert read.code == 1 and f"The store refused HEAD {BUCKET}/closed/b: AccessDenied" in read.err
    assert not (tmp_path / "b").exists()
    written = ask("cp", str(tmp_path / "file"), f":{BUCKET}/closed/c")
    assert written.code == 1 and f"The store refused PUT {BUCKET}/closed/c: AccessDenied" in written.err
    assert ask("cp", str(tmp_path / "file"), f":{BUCKET}/open/c").code == 0
    removed = run(namespace, SMALL, "rb", BUCKET)
    assert removed.code == 1 and "BucketNotEmpty" in removed.err and "Remove it with its contents" in removed.err
    assert len(own_mc(namespace, f"mc ls --recursive own/{BUCKET}/").splitlines()) == 3


async def test_keys_that_are_rotated_under_a_console_and_a_command(namespace: str, tmp_path: Path) -> None:
    """The command says that they are no good and what it leaves; the console goes on with those of the Secret."""
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom(96 * MIB))
    async with console(namespace, SECURE) as program:
        # Held, so that it is under way when the server is back with other keys.
        process = uploading(namespace, path, "rotated", 60 * MIB)
        data = json.dumps({"stringData": {"accesskey": "ROTATEDKEY", "secretkey": "rotated-secret-0123456789"}})
        kubectl("-n", namespace, "patch", "secret", f"{SECURE}-creds-secret", "-p", data)
        # Its directory goes with the pod, and would with all that is in it: the container alone is made anew.
        kubectl("-n", namespace, "exec", f"{SECURE}-pool-0-0", "--", "bash", "-c", "kill 1")
        await until_answers(namespace, "ROTATEDKEY")
        process.send_signal(signal.SIGCONT)
        _, told = process.communicate(timeout=120)
        said = " ".join(told.decode().split())
        assert process.returncode == 1
        assert "The store does not know these keys" in said and "InvalidAccessKeyId" in said
        assert f"They came from Secret {namespace}/{SECURE}-creds-secret, key secretkey" in said
        assert "the incomplete upload" in said and "could not be aborted" in said
        assert f"unfinished: {path} -> {BUCKET}/rotated" in said
        program.type("r")
        await program.until(r"MinIO.* ROTATEDKEY +● \d\d:")
        await program.until(BUCKET)
    assert SECRET not in said
    sent = run(namespace, SECURE, "cp", str(path), f":{BUCKET}/rotated")
    assert sent.code == 0 and sent.lines[0]["verified"] == "CRC-32", sent.err
    assert sent.lines[0]["resumed"] > 0, "nothing of the first run was used"
    assert run(namespace, SECURE, "uploads", BUCKET).lines == []


async def test_keys_that_are_rotated_in_the_middle_of_a_consoles_upload(namespace: str, tmp_path: Path) -> None:
    """It goes on with what the Secret has then: in the same upload, with the parts that were there."""
    path = tmp_path / "rotating.bin"
    path.write_bytes(os.urandom(192 * MIB))
    before = base64.b64decode(
        kubectl("-n", namespace, "get", "secret", f"{SECURE}-creds-secret", "-o", "jsonpath={.data.accesskey}")
    ).decode()
    async with console(namespace, SECURE, WIDE) as program:
        await program.until(rf"▌{BUCKET} ")
        assert f"as {before}" in program.text
        await upload(program, path)
        await program.until(r"◐ upload rotating\.bin .* \d+% ")
        program.type("P")
        await program.until(r"‖ upload rotating\.bin .*paused")
        begun = run(namespace, SECURE, "uploads", BUCKET).lines
        assert [one["key"] for one in begun] == ["rotating.bin"] and begun[0]["size"] > 0
        assert not [one for one in run(namespace, SECURE, "ls", BUCKET).lines if one["key"] == "rotating.bin"]
        data = json.dumps({"stringData": {"accesskey": "SECONDKEY", "secretkey": "second-secret-0123456789"}})
        kubectl("-n", namespace, "patch", "secret", f"{SECURE}-creds-secret", "-p", data)
        kubectl("-n", namespace, "exec", f"{SECURE}-pool-0-0", "--", "bash", "-c", "kill 1")
        await until_answers(namespace, "SECONDKEY")
        program.type("P")
        await program.until("The store's keys were changed: it goes on with those that the Secret has now")
        await program.until(r"✓ upload rotating\.bin \S+ \S+ done, 192Mi", 120)
        await program.until(r"as SECONDKEY")
        await program.until(r"rotating\.bin +192Mi")
        program.type("r")
        await program.until(r"rotating\.bin +192Mi")
        assert "second-secret" not in program.raw.decode()
    assert run(namespace, SECURE, "uploads", BUCKET).lines == []
    assert Journal(tmp_path / "state" / "statetui" / "transfers").unfinished() == []
    back = run(namespace, SECURE, "mv", f":{BUCKET}/rotating.bin", str(tmp_path / "back"))
    assert back.code == 0 and sum_of(tmp_path / "back") == sum_of(path), back.err


async def until_answers(namespace: str, access: str) -> None:
    """Waits until the tenant with TLS is back with other keys."""
    deadline = time.monotonic() + 120
    while (told := run(namespace, SECURE, "info")).code or kubectl(
        "-n", namespace, "exec", f"{SECURE}-pool-0-0", "--", "printenv", "MINIO_ROOT_USER"
    ).strip() != access:
        assert time.monotonic() < deadline, told.err
        await asyncio.sleep(0.5)


def uploading(namespace: str, path: Path, key: str, count: int) -> subprocess.Popen[bytes]:
    """A command that uploads a file over TLS, stopped once it has read so many bytes.

    It goes before nobody: on a busy machine it would be done before the signal is sent.
    """
    words = ["nice", "-n", "19", *command(namespace, SECURE, "cp", str(path), f":{BUCKET}/{key}")]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while int(Path(f"/proc/{process.pid}/io").read_text().split("rchar: ")[1].split()[0]) < count:
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(signal.SIGSTOP)
    return process


# --- a server that goes away


def test_what_is_tried_again_is_told_at_once_in_lines_of_json(namespace: str, tmp_path: Path) -> None:
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom(64 * MIB))
    process = uploading(namespace, path, "tried", 40 * MIB)
    kubectl("-n", namespace, "exec", f"{SECURE}-pool-0-0", "--", "bash", "-c", "kill 1")
    process.send_signal(signal.SIGCONT)
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    assert process.poll() is None, "told only at the end"
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    *told, done, summary = [first, *map(json.loads, out.splitlines())]
    assert {one["status"] for one in told} == {"retrying"} and summary["status"] == "summary"
    assert done["verified"] == "CRC-32" and done["retries"] >= told[-1]["retries"] >= len(told)
    for one in told:
        assert one["error"] and one["waits"].startswith("for the store to "), one
        assert (one["source"], one["size"]) == (str(path), 64 * MIB) and one["done"] < 64 * MIB


# --- suspended


def test_an_upload_that_is_suspended_goes_on(namespace: str, tmp_path: Path) -> None:
    """As by ctrl+z, and fg a while later."""
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom(64 * MIB))
    process = uploading(namespace, path, "suspended", 40 * MIB)
    time.sleep(1)
    assert Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert json.loads(out.splitlines()[-2])["verified"] == "CRC-32", "the last line but the summary"
