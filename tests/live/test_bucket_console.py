"""The chapter's object store by keyboard alone, in front of the MinIO tenant of the real cluster."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tests.live.consoles import CONNECTED, ENTER, SMALL, WIDE, Program, back, opened
from tests.live.real import KUBECONFIG, mc, other

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("own_terminal"), pytest.mark.timeout(300)]

TENANT = "my-tenant"
F2, F3, F6 = "\x1bOQ", "\x1bOR", "\x1b[17~"
MASK = "••••••••"
SECRET = "chapter-secret-key-0123456789"
MIB = 1 << 20


@pytest.fixture
def bucket() -> Iterator[str]:
    """A name that nothing has; whatever has it afterwards is removed."""
    name = f"my-bucket-{secrets.token_hex(3)}"
    yield name
    with contextlib.suppress(AssertionError):
        mc("rb", "--force", f"tt/{name}")


def console(
    size: tuple[int, int] = WIDE, kubeconfig: str = KUBECONFIG, until: str = CONNECTED
) -> AbstractAsyncContextManager[Program]:
    """The tenant's console."""
    return opened(TENANT, "b", until, size=size, kubeconfig=kubeconfig)


async def make(program: Program, bucket: str) -> None:
    """Makes a bucket, which the cursor is on then."""
    program.type("n")
    await program.until("New bucket")
    program.type(bucket)
    await program.until(rf"name +{bucket}")
    program.type(ENTER)
    await program.until(rf"Bucket {bucket} made")
    await program.until(rf"▌{bucket[:12]}(?s:.*)nothing here: u uploads")


async def upload(program: Program, path: Path, bucket: str) -> None:
    """Begins an upload."""
    program.type("u")
    await program.until(f"Upload to {bucket}")
    program.type(str(path))
    # The field shows the end of what is longer than itself.
    await program.until(lambda text: re.search(rf"from +\S*{path.name}", text))
    program.type(ENTER)
    await program.until(lambda text: f"Upload to {bucket}" not in text)


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["140x40", "80x24"])
async def test_the_chapters_steps_by_keyboard_alone(size: tuple[int, int], bucket: str, tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("Hello from the chapter.\n")
    async with console(size) as program:
        assert "as CHAPTERACCESSKEY" in program.text

        program.type(F2)
        await program.until("Show the credentials")
        program.type("show")
        await program.until("│ show")
        program.type(ENTER)
        await program.until(rf"secret key +{MASK}")
        assert SECRET not in program.raw.decode(), "it was shown before anybody had asked"
        program.type("d")
        await program.until(rf"access key +CHAPTERACCESSKEY\n +secret key +{SECRET}")
        await program.until(r"access key +console-user\n +secret key +console-secret")
        program.type("d")
        await program.until(rf"secret key +{MASK}")
        await back(program, "BUCKET")

        await make(program, bucket)
        await upload(program, tmp_path / "test.txt", bucket)
        await program.until(r"✓ upload test\.txt to my-buck\S+ done, 24B")
        await program.until(r"▌ +test\.txt +24B")
        assert mc("cat", f"tt/{bucket}/test.txt") == "Hello from the chapter.\n"

        program.type(F3)
        await program.until(lambda text: re.search(rf"Buckets +{buckets()}\n", text))
        await program.until(r"● writes have their quorum(?s:.*)Write quorum +3 drives")
        await program.until(r"my-tenant-zone-0-[01] +● online, up (?s:.*)4 online, 0 offline, 0 healing")
        await back(program, r"▌ +test\.txt")

        await program.until("n New bucket")  # the buckets have the focus
        program.type("D")
        await program.until(rf"{bucket}(?s:.*)1 object")
        program.type(bucket + ENTER)
        await program.until(lambda text: f"▌{bucket[:12]}" not in text)
    assert bucket not in mc("ls", "tt")
    assert SECRET not in "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file())


def buckets() -> int:
    """How many there are; others make some and remove them."""
    return len(mc("ls", "tt").splitlines())


async def test_a_large_upload_shows_how_far_it_is_rests_and_goes_on(bucket: str, tmp_path: Path) -> None:
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom(384 * MIB))
    async with console(SMALL) as program:
        await make(program, bucket)
        await upload(program, path, bucket)
        await program.until(r"◐ upload big\.bin.* ▕█[█ ]+▏ \d+% .*Mi/s .* left +P pause X cancel f6 all")
        program.type("P")
        await program.until(r"upload big\.bin(?s:.*)paused|paused(?s:.*)upload big\.bin")
        assert mc("ls", f"tt/{bucket}") == "", "it has its name before it is whole"
        program.type(F6)
        await program.until(r"paused +upload big\.bin")
        program.type("p")
        await program.until(r"✓ done +upload big\.bin", 120)
        await back(program, r"big\.bin +384Mi")
    assert mc("ls", "--incomplete", f"tt/{bucket}") == ""
    listed = mc("stat", "--json", f"tt/{bucket}/big.bin")
    assert f'"size":{384 * MIB}' in listed.replace(" ", "")


async def test_a_name_that_cannot_be_and_one_that_is_taken(bucket: str) -> None:
    mc("mb", f"tt/{bucket}")
    async with console(SMALL) as program:
        program.type("n")
        await program.until("New bucket")
        program.type("My_Bucket")
        await program.until("My_Bucket")
        program.type(ENTER)
        await program.until("“My_Bucket” is no name for a bucket")
        program.type("\x7f" * 9)
        await program.until(lambda text: "My_Bucket" not in text)
        program.type(bucket)
        await program.until(rf"name +{bucket}")
        program.type(ENTER)
        await program.until("BucketAlreadyOwnedByYou")


async def test_one_may_not_read_the_secret_and_is_told_which_and_which_right() -> None:
    async with console(SMALL, other("viewer"), until=r"Keys for my-tenant") as program:
        await program.until(r"│  access key .*│\n.*│  secret key .*│(?s:.*)esc back")
        told = " ".join(program.text.replace("│", " ").split())
        assert "Secret stateful/my-tenant-creds-secret, key accesskey: forbidden" in told
        assert re.search(r"get secrets/[^.]*secrets/my-tenant-creds-secret[^.]* in namespace stateful\.", told)
        program.type("who" + ENTER)
        await program.until(lambda text: "Keys for" not in text and "portforward" in text)
