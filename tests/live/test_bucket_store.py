"""What a real MinIO takes and refuses, and how it is said: keys, policies, names, and the verbs of `bucket`."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from real import KUBECONFIG, mc, other
from test_sql_sessions import key, live_in

from tui.problem import Cause, ProblemError
from tui.services.bucket.model import Keys, Request, Security, StoreError
from tui.services.bucket.store import open_store
from tui.systems.bucketroutes import StoreFinder

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not KUBECONFIG, reason="needs STATETUI_TEST_KUBECONFIG"),
]
TENANT = "my-tenant"
OK, FAILED, USAGE, NO_CONNECTION, FORBIDDEN = 0, 1, 2, 3, 4
#: MinIO keeps objects as files: what its file names cannot be, it refuses.
TAKEN = ["back\\slash", "new\nline", "cr\rx", "bell\x07", "emoji 😀", "rtl\u202eabc", "per%20cent+plus", " blank ",
         "both", "both/below", "/".join(["y" * 203] * 5) + "zzzzz"]  # fmt: skip
REFUSED = {
    "../up": "XMinioInvalidResourceName", "x/../y": "XMinioInvalidResourceName", ".": "XMinioInvalidResourceName",
    "a//b": "XMinioInvalidObjectName", "x" * 1024: "XMinioInvalidObjectName", "y/" * 512 + "y": "KeyTooLongError",
    "nul\0": "XMinioInvalidObjectName", "/lead": "no keys that begin with a slash",
}  # fmt: skip


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))


@pytest.fixture
def bucket() -> Iterator[str]:
    """A bucket of the test's own."""
    name = f"statetui-test-{secrets.token_hex(4)}"
    mc("mb", f"tt/{name}")
    yield name
    mc("rb", "--force", f"tt/{name}")


@pytest.fixture
def free() -> Iterator[Callable[[], str]]:
    """Names that no bucket has; what has them afterwards is removed."""
    names: list[str] = []

    def name() -> str:
        names.append(f"statetui-test-{secrets.token_hex(4)}")
        return names[-1]

    yield name
    there = mc("ls", "tt")
    for one in names:
        if one in there:
            mc("rb", "--force", f"tt/{one}")


@pytest.fixture
def minio_user() -> Iterator[Callable[..., Keys]]:
    """Makes users of the tenant, each with one policy."""
    made: list[str] = []

    def user(*statements: dict[str, Any]) -> Keys:
        name = f"statetui-{secrets.token_hex(4)}"
        made.append(name)
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        mc("admin", "policy", "create", "tt", name, "/dev/stdin", stdin=document)
        secret = secrets.token_hex(12)
        mc("admin", "user", "add", "tt", name, secret)
        mc("admin", "policy", "attach", "tt", name, "--user", name)
        return Keys(name, secret, source="the test")

    yield user
    for name in made:
        mc("admin", "user", "rm", "tt", name)
        mc("admin", "policy", "rm", "tt", name)


def allow(*actions: str, on: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": [f"arn:aws:s3:::{one}" for one in on.split()]}


class Ran:
    """A run of `statetui bucket my-tenant`, or of another workload."""

    def __init__(self, *words: str, stdin: bytes = b"", kubeconfig: str = KUBECONFIG, workload: str = TENANT) -> None:
        where = ["--kubeconfig", kubeconfig, "-n", "stateful"]
        command = [sys.executable, "-m", "tui", *where, "bucket", workload, *words]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=120, check=False)
        self.code, self.out, self.err = done.returncode, done.stdout.decode(), done.stderr.decode()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it wrote, a record a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    def ok(self) -> list[dict[str, Any]]:
        """What it wrote; it must have gone well."""
        assert self.code == OK, self.err
        return self.lines

    def failed(self, code: int, *said: str) -> None:
        """It must have failed so, with these words and no traceback."""
        assert self.code == code, (self.code, self.out, self.err)
        assert "Traceback" not in self.err
        for words in said:
            assert words in self.err, self.err


# --- who one is


def as_user(keys: Keys, folder: Path) -> tuple[str, ...]:
    file = folder / "secret"
    file.write_text(f"{keys.secret}\n")
    return "--access-key", keys.access, "--secret-key-file", str(file)


def test_wrong_keys(tmp_path: Path) -> None:
    wrong = as_user(Keys("CHAPTERACCESSKEY", "not-the-secret"), tmp_path)
    Ran(*wrong, "ls").failed(NO_CONNECTION, "does not know these keys", "SignatureDoesNotMatch", "--secret-key-file")
    unknown = as_user(Keys("NOBODY", "not-the-secret"), tmp_path)
    run = Ran(*unknown, "ls")
    run.failed(NO_CONNECTION, "does not know these keys", "InvalidAccessKeyId")
    assert "not-the-secret" not in run.err


async def test_keys_that_are_rotated_while_one_is_connected(bucket: str, minio_user: Callable[..., Keys]) -> None:
    keys = minio_user(allow("s3:*", on=f"{bucket} {bucket}/*"))
    async with live_in("stateful") as live:
        store = await open_store(StoreFinder(live, key(live, TENANT)), keys, Security())
        try:
            await store.session(Request("PUT", bucket, "before", body=b"x"))
            mc("admin", "user", "add", "tt", keys.access, "rotated-secret-key")
            with pytest.raises(StoreError) as refused:
                await store.session(Request("PUT", bucket, "after", body=b"x"))
            assert refused.value.code == "SignatureDoesNotMatch"
            assert refused.value.problem.cause is Cause.CREDENTIALS
            assert "They came from the test; they may have been changed since" in str(refused.value)
            assert keys.secret not in str(refused.value)
            mc("admin", "user", "disable", "tt", keys.access)
            with pytest.raises(StoreError) as disabled:
                await store.buckets()
            assert disabled.value.problem.cause is Cause.CREDENTIALS, disabled.value
        finally:
            await store.close()
    assert mc("ls", f"tt/{bucket}").split()[-1] == "before"


def test_access_denied_on_one_prefix(bucket: str, minio_user: Callable[..., Keys], tmp_path: Path) -> None:
    keys = minio_user(
        allow("s3:ListBucket", "s3:GetBucketLocation", on=bucket),
        allow("s3:GetObject", "s3:PutObject", on=f"{bucket}/open/*"),
    )
    for name in ("open/one", "closed/one"):
        mc("pipe", f"tt/{bucket}/{name}", stdin="content")
    user = as_user(keys, tmp_path)
    assert [one["name"] for one in Ran(*user, "ls").ok()] == [bucket]
    assert [one["key"] for one in Ran(*user, "ls", "-r", bucket).ok()] == ["closed/one", "open/one"]
    assert Ran(*user, "cat", f"{bucket}/open/one").out == "content"
    denied = Ran(*user, "cat", f"{bucket}/closed/one")
    denied.failed(FORBIDDEN, "AccessDenied", "policy that allows it")
    assert denied.out == ""
    Ran(*user, "stat", f"{bucket}/closed/one").failed(FORBIDDEN, "AccessDenied", "policy that allows it")
    removing = Ran(*user, "rm", "-r", bucket)
    removing.failed(FAILED, "closed/one: AccessDenied", "open/one: AccessDenied")
    assert {line["status"] for line in removing.lines} == {"failed"}
    # The dashboard of somebody who is no administrator says what it does not know, and why.
    unknown = [line["unknown"] for line in Ran(*user, "info").ok() if line.get("group") in ("Servers", "Drives")]
    assert unknown and all("AccessDenied" in why for why in unknown)
    folder = tmp_path / "out"
    moved = Ran(*user, "cp", "-r", f":{bucket}/", str(folder))
    moved.failed(FAILED, "AccessDenied")
    assert [one.name for one in folder.rglob("*") if one.is_file()] == ["one"]
    assert (folder / "open" / "one").read_text() == "content"


def test_what_is_no_object_store_is_refused_before_keys_are_looked_for() -> None:
    Ran("ls", workload="mysql").failed(USAGE, "MySQL mysql is not known to serve S3", "`get` lists workloads")


def test_a_secret_that_may_not_be_read() -> None:
    Ran("ls", kubeconfig=other("viewer")).failed(
        FORBIDDEN, "The credentials of my-tenant may not be read",
        "Secret stateful/my-tenant-creds-secret, key accesskey: forbidden", "secrets/my-tenant-creds-secret",
        " in namespace stateful.", "Give --access-key and --secret-key-file",
    )  # fmt: skip
    Ran("--wait", "5", "ls", kubeconfig=other("nobody")).failed(FORBIDDEN)


# --- names


def test_buckets_that_are_there_not_empty_or_cannot_be_named_so(bucket: str) -> None:
    Ran("mb", bucket).failed(FAILED, "BucketAlreadyOwnedByYou", "It is yours already")
    for name in ("My_Bucket", "ab", "ends-", "x" * 64):
        Ran("mb", name).failed(FAILED, "InvalidBucketName", "3 to 63")
    mc("pipe", f"tt/{bucket}/one", stdin="x")
    Ran("rb", bucket).failed(FAILED, "BucketNotEmpty", "Remove it with its contents, or empty it first")
    assert mc("ls", f"tt/{bucket}").split()[-1] == "one"
    Ran("rb", f"{bucket}-none").failed(FAILED, "NoSuchBucket")
    Ran("ls", f"{bucket}-none").failed(FAILED, "NoSuchBucket")
    Ran("stat", f"{bucket}/none").failed(FAILED, "NoSuchKey")
    Ran("rm", f"{bucket}/none").failed(FAILED, "NoSuchKey")


async def test_keys_that_would_hurt(bucket: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Some are taken and come back as they were; the others are refused in words, and nothing is in their place."""
    async with live_in("stateful") as live:
        finder = StoreFinder(live, key(live, TENANT))
        keys = Keys("CHAPTERACCESSKEY", "chapter-secret-key-0123456789", source="the test")
        store = await open_store(finder, keys, Security())
        try:
            for name in TAKEN:
                await store.session(Request("PUT", bucket, name, body=name.encode()))
            for name, said in REFUSED.items():
                with pytest.raises((StoreError, ProblemError), match=said):
                    await store.session(Request("PUT", bucket, name, body=b"x"))
            for name in TAKEN:
                assert await store.read(bucket, name, "", 2048) == name.encode()
                assert (await store.detail(bucket, name)).size == len(name.encode())
            listed = [one.key async for page in store.pages(bucket, "") for one in page]
            # MinIO hides what lies below a name that is an object, too.
            assert listed == sorted(set(TAKEN) - {"both/below"}, key=lambda name: name.encode())
            # One of them is deleted by its name, and none of the others.
            assert await store.delete(bucket, [("new\nline", ""), ("bell\x07", "")], lambda done, whole: None) == []
            left = [one.key async for page in store.pages(bucket, "") for one in page]
            assert left == [one for one in listed if one not in ("new\nline", "bell\x07")]
            assert await store.clear(bucket, "", lambda done, whole: None, all_versions=True) == []
            assert [one async for page in store.pages(bucket, "") for one in page] == []
        finally:
            await store.close()
    assert capfd.readouterr() == ("", "")


def test_a_leading_slash_never_reaches_another_key(bucket: str, tmp_path: Path) -> None:
    """MinIO takes the slash away: the object that has the rest as its name would be replaced, or deleted."""
    mc("pipe", f"tt/{bucket}/lead", stdin="kept")
    Ran("cp", "-", f":{bucket}//lead", stdin=b"replaced").failed(FAILED, "no keys that begin with a slash")
    Ran("rm", f"{bucket}//lead").failed(FAILED, "no keys that begin with a slash")
    Ran("cat", f"{bucket}//lead").failed(FAILED, "no keys that begin with a slash")
    assert mc("cat", f"tt/{bucket}/lead") == "kept"


# --- verbs


def test_verbs_that_list_and_tell(bucket: str) -> None:
    for name, text in (("a.txt", "hello"), ("logs/1.gz", "12345678"), ("logs/old/2.gz", "1234")):
        mc("pipe", f"tt/{bucket}/{name}", stdin=text)
    assert bucket in [one["name"] for one in Ran("ls").ok()]
    assert [(one["key"], one["size"]) for one in Ran("ls", bucket).ok()] == [("logs/", None), ("a.txt", 5)]
    assert [one["key"] for one in Ran("ls", f"{bucket}/logs/**.gz").ok()] == ["logs/1.gz", "logs/old/2.gz"]
    assert [one["key"] for one in Ran("ls", f"{bucket}/logs/*.gz").ok()] == ["logs/1.gz"]
    Ran("ls", f"{bucket}/nothing/").failed(FAILED, "nothing lies below")
    (told,) = Ran("stat", f"{bucket}/a.txt").ok()
    assert (told["key"], told["size"], told["unknown"]) == ("a.txt", 5, [])
    sizes = {one["prefix"]: (one["objects"], one["size"]) for one in Ran("du", "--depth", "2", bucket).ok()}
    assert sizes == {"": (3, 17), "logs/": (2, 12), "logs/old/": (1, 4)}
    assert Ran("cat", f"{bucket}/a.txt", f"{bucket}/logs/1.gz").out == "hello12345678"
    facts = Ran("info").ok()
    assert facts[0]["product"] == "MinIO"
    told = {line["name"]: line["value"] for line in facts[1:]}
    assert told["Drives"] == "4 online, 0 offline, 0 healing"
    assert told["Write quorum"] == "3 drives" and told["Health"] == "writes have their quorum"


def test_verbs_that_change(free: Callable[[], str], tmp_path: Path) -> None:
    name = free()
    assert Ran("mb", "--versioning", name).ok() == [{"status": "made", "name": name}]
    for text in ("first", "second"):
        Ran("cp", "-", f":{name}/doc", stdin=text.encode()).ok()
    assert Ran("versions", name).ok() == [{"bucket": name, "versioning": "Enabled"}]
    newest, oldest = Ran("versions", f"{name}/doc").ok()
    assert (newest["latest"], oldest["latest"]) == (True, False)
    Ran("versions", "--restore", oldest["version"], f"{name}/doc").ok()
    assert Ran("cat", f"{name}/doc").out == "first"
    assert len(Ran("versions", f"{name}/doc").ok()) == 3, "what was restored is one more version"
    Ran("rm", f"{name}/doc").ok()
    assert Ran("ls", name).ok() == []
    marker = Ran("versions", f"{name}/doc").ok()[0]
    assert marker["deleted"]
    Ran("rm", "--version-id", marker["version"], f"{name}/doc").ok()
    assert Ran("cat", f"{name}/doc").out == "first"
    assert Ran("versions", "--suspend", name).ok() == [{"bucket": name, "versioning": "Suspended"}]

    assert Ran("policy", name).ok() == [{"bucket": name, "anonymous": "none", "policy": None}]
    assert Ran("policy", "--access", "download", name).ok()[0]["anonymous"] == "read"
    Ran("policy", "--set", "-", name, stdin=b"{nonsense").failed(USAGE, "no JSON", "Nothing was changed")
    assert Ran("policy", name).ok()[0]["anonymous"] == "read"
    assert Ran("policy", "--access", "none", name).ok()[0]["policy"] is None

    (link,) = Ran("presign", "--endpoint", "https://s3.example.com", "--expire", "7d", f"{name}/doc").ok()
    assert link["url"].startswith(f"https://s3.example.com/{name}/doc?X-Amz-Algorithm=AWS4-HMAC-SHA256&")
    Ran("presign", "--endpoint", "https://s3.example.com", f"{name}/none").failed(FAILED, "NoSuchKey")
    Ran("presign", "--endpoint", "https://s3.example.com", "--expire", "8d", f"{name}/doc").failed(USAGE, "7d")

    (dry,) = Ran("rb", "--force", "--dry-run", name).ok()
    assert dry["status"] == "would be removed"
    run = Ran("rb", "--force", name)
    assert run.ok() == [{"status": "removed", "name": name}]
    assert re.search(rf"{name} holds 1 object, \d older versions and markers, 0 incomplete uploads", run.err)
    assert name not in mc("ls", "tt")


async def test_incomplete_uploads_are_told_and_given_up(bucket: str) -> None:
    async with live_in("stateful") as live:
        keys = Keys("CHAPTERACCESSKEY", "chapter-secret-key-0123456789")
        store = await open_store(StoreFinder(live, key(live, TENANT)), keys, Security())
        answer = await store.session(Request("POST", bucket, "big", {"uploads": ""}))
        upload = answer.decode().split("<UploadId>")[1].split("<")[0]
        query = {"partNumber": "1", "uploadId": upload}
        await store.session(Request("PUT", bucket, "big", query, body=os.urandom(1 << 20)))
        await store.close()
    (told,) = Ran("uploads", bucket).ok()
    assert (told["key"], told["size"], told["status"]) == ("big", 1 << 20, "incomplete")
    assert Ran("uploads", "--abort", "--dry-run", bucket).ok()[0]["status"] == "incomplete"
    assert Ran("uploads", "--abort", bucket).ok()[0]["status"] == "aborted"
    assert Ran("uploads", bucket).ok() == []


def test_read_only_refuses_every_change(bucket: str, free: Callable[[], str]) -> None:
    mc("pipe", f"tt/{bucket}/kept", stdin="content")
    changes = [
        ("mb", free()), ("rb", "--force", bucket), ("rm", f"{bucket}/kept"), ("rm", "-r", "--versions", bucket),
        ("versions", "--enable", bucket), ("policy", "--access", "public", bucket),
    ]  # fmt: skip
    for words in changes:
        Ran("--read-only", *words).failed(FORBIDDEN, "was not sent", "--read-only")
    for words in (("cp", f":{bucket}/kept", f":{bucket}/copy"), ("mv", f":{bucket}/kept", f":{bucket}/moved")):
        Ran("--read-only", *words).failed(FAILED, "was not sent", "--read-only")
    assert Ran("--read-only", "cat", f"{bucket}/kept").out == "content"
    assert [one["key"] for one in Ran("--read-only", "ls", bucket).ok()] == ["kept"]
    assert Ran("versions", bucket).ok()[0]["versioning"] == "never"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rm", "bucket/"), "--recursive"),
        (("stat", "bucket"), "names no single object"),
        (("mb", "bucket/key"), "names a key"),
        (("versions", "--restore", "id", "bucket"), "names no key"),
        (("presign", "bucket/key"), "--endpoint"),
        (("--access-key", "A", "ls"), "go together"),
    ],
)
def test_arguments_that_make_no_sense(words: tuple[str, ...], said: str) -> None:
    Ran(*words).failed(USAGE, said)
