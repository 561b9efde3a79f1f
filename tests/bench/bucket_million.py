"""A million keys in one folder of a bucket: the console that pages through them, and the commands, beside `mc`.

    STATETUI_TEST_KUBECONFIG=… PATH=…/mc-and-kubectl:$PATH .venv/bin/python tests/bench/bucket_million.py [--only PARTS]

Needs root, mc, kubectl, and a cluster whose one node is this machine, with hostPath volumes: a MinIO of one drive is
made in a namespace of its own, and filled as `manykeys.py` says (4 GiB and a million inodes for a million keys). --keep
leaves it for another run, which finds its bucket filled; without it the namespace goes.

Parts: `page` asks for the first page; `scroll` holds page down for a minute and then End to the last key, and goes
back to the first; `filter` types into the filter of what is in memory; `search` looks for one key, the last, below the
folder; `count` counts; `ls`, `du` and `find` are commands, each after that of mc over `kubectl port-forward`.
Figures beside their limits, no assertions. What is bounded is memory: in a listing of a million keys some 64,000 are.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "tui")]

import manykeys  # noqa: E402
from bucket_list import connected  # noqa: E402
from bucket_screen import ENTER, ESCAPE, LONG, PACE, PAGE_DOWN, Console, opened  # noqa: E402
from bucket_transfer import KUBECONFIG, forwarded, mc  # noqa: E402
from verdicts import Table  # noqa: E402

BUCKET, PREFIX = "million", "flat/"
PARTS = ("page", "scroll", "filter", "search", "count", "ls", "du", "find")
#: Megabytes that the console may have resident, and a command.
CONSOLE, COMMAND = 150, 100


async def filled(options: argparse.Namespace, volume: Path, table: Table) -> None:
    """Fills the bucket where that is not done, and asks for its first page."""
    store, task = await connected(options.namespace, manykeys.NAME)
    if BUCKET not in {one.name for one in await store.buckets()}:
        await store.make_bucket(BUCKET)
        await manykeys.fill(store, volume, BUCKET, PREFIX, options.keys)
    if "page" in options.only:
        found = []
        for _ in range(10):
            began = time.monotonic()
            page = await store.page(BUCKET, PREFIX, "")
            found.append(1e3 * (time.monotonic() - began))
            assert len(page.entries) == 1000, len(page.entries)
        table.add("first page of 1,000", found, "ms", limit=200)
    await store.close()
    task.cancel()


async def screen(options: argparse.Namespace, root: Path, table: Table) -> None:
    """The console."""
    last = f"{options.keys - 1:07}-object.dat"
    async with opened(options, root, table) as console:
        program = console.program
        await console.stand_on(BUCKET)
        program.type(ENTER)
        await program.until(rf"▌ +{PREFIX}")
        table.add("resident before", [program.peak_megabytes()], "MB")
        program.type(ENTER)
        table.add("enter to the first key", [1e3 * await program.until("0000000-object")], "ms")
        if "scroll" in options.only:
            await console.measured("page down held", console.scrolled(PAGE_DOWN, options.keys, seconds=60))
            await console.measured(f"End held to the last of {options.keys:,}", to_the_end(console, last))
            program.type("g")
            table.add("back to the first key", [1e3 * await program.until(r"▌ +0000000-object")], "ms")
        if "filter" in options.only:
            await console.measured("typed into the filter", filtered(console))
            program.type(ESCAPE)
            # What is typed before it is gone would make another key of it.
            await program.until(lambda text: "/9: " not in text)
        if "search" in options.only:
            program.type("f")
            await program.until("Search all keys below")
            program.type(last)
            await program.until(rf"{last}")
            program.type(ENTER)
            await program.until(lambda text: "Search all keys below" not in text)
            done = console.stands(rf": 1 of {options.keys:,} keys ")
            await console.measured("one key searched below the folder", nothing(console, done))
            program.type(ESCAPE)
            await program.until("0000000-object")
        if "count" in options.only:
            program.type("#")
            done = console.stands(rf"{BUCKET}/{PREFIX}: {options.keys:,} objects")
            await console.measured("counted", nothing(console, done))


async def to_the_end(console: Console, last: str) -> list[float]:
    """Holds End until the last key is reached. A press is answered by another last line, when that has been read."""
    began = time.monotonic()
    while console.under_cursor != last:
        console.program.type("G")
        await asyncio.sleep(PACE)
        if time.monotonic() - began > LONG:
            raise SystemExit(f"it never came to an end:\n{console.program.text}")
    return []


async def filtered(console: Console) -> list[float]:
    """Types into the filter; milliseconds of each key until the line above the keys says how many are shown."""
    console.program.type("/")
    await console.program.until("part of a name")
    steps = [("9", "9" * count) for count in (1, 2, 3, 4)] + [("\x7f", "9" * count) for count in (3, 2, 1)]
    return [1e3 * await answered(console, key, rf"/{typed}: [\d,]+ of [\d,]+ ") for key, typed in steps]


async def answered(console: Console, key: str, pattern: str) -> float:
    """Seconds from a key until something stands there."""
    console.program.type(key)
    return await console.program.until(pattern)


async def nothing(console: Console, done: Callable[[], bool]) -> list[float]:
    """Only waits."""
    await console.program.until(lambda _: done(), LONG)
    return []


def command(options: argparse.Namespace, root: Path, *words: str) -> tuple[float, float, float, int]:
    """Runs `statetui bucket`: seconds, processor seconds, MB at most, lines."""
    with (root / "out").open("wb") as out:
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "tui", "--kubeconfig", KUBECONFIG, "-n", options.namespace, "bucket", manykeys.NAME,
             *words], stdout=out, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = status
        seconds = time.monotonic() - began
    assert status == 0, words
    count = int(subprocess.check_output(["wc", "-l", root / "out"]).split()[0])
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss >> 10, count


#: Commands by their part: mc's words, ours, and how many lines ours writes of so many keys.
COMMANDS: dict[str, tuple[list[str], list[str], Callable[[int], int]]] = {
    "ls": (["ls", "--recursive", "{place}"], ["ls", "--recursive", "{place}"], lambda keys: keys),
    "du": (["du", "{place}"], ["du", "{place}"], lambda _: 1),
    "find": (
        ["find", "{place}", "--name", "*99-object.dat"],
        ["ls", "{place}*99-object.dat"],
        lambda keys: keys // 100,
    ),
}


def commands(options: argparse.Namespace, root: Path, table: Table) -> None:
    """The commands, and mc."""
    for part in (one for one in COMMANDS if one in options.only):
        theirs, ours, lines = COMMANDS[part]
        place = f"{BUCKET}/{PREFIX}"
        with forwarded(options.namespace, f"{manykeys.NAME}-zone-0-0") as port:
            rival = mc(port, *(word.format(place=f"rival/{place}") for word in theirs))
        told = f"mc {' '.join(theirs[:1])}"
        table.add(told, [rival["seconds"]], "s")
        table.add(f"… {part}: its processor time", [rival["cpu"]], "s")
        table.add(f"… {part}: resident at most", [rival["memory"]], "MB")
        words = [word.format(place=place) for word in ours]
        seconds, cpu, memory, count = command(options, root, *words)
        assert count == lines(options.keys), (part, count)
        if part == "du":
            assert re.search(rf'"objects": {options.keys}\b', (root / "out").read_text())
        table.add(f"statetui bucket {ours[0]} ({part})", [seconds], "s", limit=rival["seconds"])
        table.add(f"… {part}: processor time", [cpu], "s", limit=2 * rival["cpu"])
        table.add(f"… {part}: resident at most", [memory], "MB", limit=COMMAND)


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--namespace", default="bench-million", help="of the store (%(default)s)")
    parser.add_argument("--keys", type=int, default=1_000_000, help="(%(default)s)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help="some of the parts")
    parser.add_argument("--keep", action="store_true", help="leave the store for another run")
    parser.add_argument("--where", action="store_true", help="tell what held the event loop up, and where it stood")
    options = parser.parse_args()
    options.workload = f"{options.namespace}/{manykeys.NAME}"
    table = Table("a million keys, through a forward")
    with tempfile.TemporaryDirectory() as folder, manykeys.store(options.namespace, keep=options.keep) as volume:
        try:
            asyncio.run(filled(options, volume, table))
            if {"scroll", "filter", "search", "count"} & {*options.only}:
                asyncio.run(screen(options, Path(folder), table))
            os.chdir("/")
            commands(options, Path(folder), table)
        finally:
            os.chdir("/")
            table.print()
    print(f"{table.missed} limits missed" if table.missed else "all limits kept")


if __name__ == "__main__":
    main()
