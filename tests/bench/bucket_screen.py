"""The bucket console on a real terminal before the real MinIO: how fast keys are answered while bytes and keys move.

    STATETUI_TEST_KUBECONFIG=… PATH=…/mc-and-kubectl:$PATH .venv/bin/python tests/bench/bucket_screen.py [--mib 1024]

The console is opened from the overview by its keys and makes a bucket of its own; then a large file goes up, and many
small ones, while the cursor of the list of buckets is moved. A key is answered when the mark of the cursor's row is
written anew. Figures beside their limits, no assertions. On a busy machine compare with the line of the console at
rest, which moves nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "tui")]

from bucket_transfer import KUBECONFIG, forwarded, mc  # noqa: E402
from process import Program  # noqa: E402
from verdicts import Table  # noqa: E402

ENTER, ESCAPE, TAB = "\r", "\x1b", "\t"
MARK = "▌".encode()
#: Seconds between two keys, and for one of them before it counts as unanswered.
PACE, UNANSWERED = 0.04, 5.0
#: Small objects have so many bytes.
SMALL = 4096


async def answer(program: Program, key: str) -> float:
    """Milliseconds from a key until the mark of the cursor's row is written anew."""
    start, began = len(program.raw), time.monotonic()
    program.type(key)
    while MARK not in program.raw[start:]:
        if time.monotonic() - began > UNANSWERED:
            break
        await program.more(20)
    return 1e3 * (time.monotonic() - began)


async def keys_until(program: Program, done: str, seconds: float) -> tuple[list[float], float]:
    """Moves the cursor up and down until something stands on the screen.

    Returns:
        The keys' milliseconds, and the seconds that it took.
    """
    found, began, pressed = [], time.monotonic(), 0
    while not re.search(done, program.text):
        found.append(await answer(program, "jjkk"[pressed % 4]))
        pressed += 1
        await asyncio.sleep(PACE)
        if time.monotonic() - began > seconds:
            raise SystemExit(f"it never came to {done!r}:\n{program.text}")
    return found, time.monotonic() - began


async def opened(program: Program) -> None:
    """Opens the console by its keys."""
    await program.until(r"● live")
    program.type("/")
    await program.until("/ words, all of them")
    program.type("my-tenant")
    await program.until(lambda text: re.search(r"● +my-tenant ", text.splitlines()[2]))
    program.type(ENTER)
    await program.until(r"b Buckets")
    program.type("b")
    await program.until(r"● (connected since )?\d\d:\d\d:\d\d")


async def upload(program: Program, path: Path, bucket: str) -> None:
    """Begins an upload into the bucket that the cursor is on."""
    program.type("u")
    await program.until(f"Upload to {bucket}")
    program.type(str(path))
    await program.until(lambda text: re.search(rf"from +\S*{path.name}", text))
    program.type(ENTER)
    await program.until(lambda text: f"Upload to {bucket}" not in text)


async def run(table: Table, root: Path, bucket: str, mib: int, count: int) -> None:
    big, many = root / "big.bin", root / "many"
    with big.open("wb") as out:
        for _ in range(mib):
            out.write(os.urandom(1 << 20))
    for number in range(count):
        path = many / f"{number % 100:02}" / f"{number:06}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(SMALL))
    own = {f"XDG_{name}_HOME": f"{root}/{name.lower()}" for name in ("CONFIG", "STATE", "CACHE")}
    here = {"PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    os.chdir(root)
    async with Program(
        "-n", "stateful", "--layout", "table", kubeconfig=KUBECONFIG, size=(140, 40),
        environment=own | here | {"LC_ALL": "C.UTF-8"},
    ) as program:  # fmt: skip
        await opened(program)
        program.type("n")
        await program.until("New bucket")
        program.type(bucket)
        await program.until(rf"name +{bucket}")
        program.type(ENTER)
        await program.until("nothing here: u uploads")
        steps = [
            (f"{mib} MiB up", big, rf"✓ upload {big.name}.* done"),
            (f"{count:,} objects up", many, r"✓ upload many.* done"),
        ]
        rest = [await answer(program, "jjkk"[pressed % 4]) for pressed in range(60)]
        table.add("key to frame at rest", rest, "ms", limit=100, by="p99")
        for what, path, done in steps:
            await upload(program, path, bucket)
            found, seconds = await keys_until(program, done, 600)
            table.add(what, [seconds], "s")
            table.add("… key to frame meanwhile", found, "ms", limit=100, by="p99")
            table.add("… resident at most", [program.peak_megabytes()], "MB", limit=150, by="max")
            # The cursor is where it was: each round of keys ends where it began, or one step from it.
            await home(program, bucket)


async def home(program: Program, bucket: str) -> None:
    """Moves the cursor back to the bucket."""
    for _ in range(8):
        if f"▌{bucket[:12]}" in program.text:
            return
        program.type("k")
        await asyncio.sleep(0.5)
    raise SystemExit(f"the cursor is not found any more:\n{program.text}")


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--objects", type=int, default=10_000)
    options = parser.parse_args()
    bucket = f"aa-screen-{os.getpid()}"
    table = Table("bucket console, through a forward")
    with tempfile.TemporaryDirectory() as folder, forwarded() as port:
        try:
            asyncio.run(run(table, Path(folder), bucket, options.mib, options.objects))
        finally:
            os.chdir("/")
            table.print()
            mc(port, "rb", "--force", f"rival/{bucket}")
    print(f"{table.missed} limits missed" if table.missed else "all limits kept")


if __name__ == "__main__":
    main()
