"""The bucket console on a real terminal before a real MinIO: how fast keys are answered while bytes and keys move.

    STATETUI_TEST_KUBECONFIG=… .venv/bin/python tests/bench/bucket_screen.py [--workload stateful/my-tenant]

Needs the kubeconfig of a cluster with a MinIO whose keys the cluster has, and room for about three times --mib on this
disk and for what the store makes of it. The console is opened from the overview by its keys. In a bucket of its own,
removed at the end, a large file goes up and many small ones, both come down, many keys are scrolled through to their
end, are counted, and a folder is deleted; meanwhile keys are pressed. One that moves the cursor is answered when the
mark of its row is written anew, or another name stands there; an escape when what it gives up is gone.

Figures beside their limits, no assertions. `stall` is the longest step of the event loop by the clock, `… of the
processor` the longest of its own: on a busy machine the two differ by what others had, and keys wait for others, too.
Compare with the line of the console at rest, which moves nothing. --where looks what the steps do (figures are to be
taken without).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "tui")]

from bucket_list import connected, remove  # noqa: E402
from bucket_transfer import KUBECONFIG  # noqa: E402
from manykeys import fill, put  # noqa: E402
from process import Program  # noqa: E402
from stalls import Stalls  # noqa: E402
from verdicts import Table  # noqa: E402

ENTER, ESCAPE, LEFT, PAGE_DOWN = "\r", "\x1b", "\x1b[D", "\x1b[6~"
MARK = "▌".encode()
#: Seconds between two keys, and for one of them before it counts as unanswered.
PACE, UNANSWERED = 0.04, 5.0
#: Seconds after which a key that has nothing to move to is not waited for: the next page is on its way.
NOTHING = 1.0
#: Small objects have so many bytes.
SMALL = 4096
#: Seconds for anything to be over.
LONG = 900.0


async def moved(program: Program, key: str, patience: float = UNANSWERED) -> float:
    """Milliseconds from a key until the mark of the cursor's row is written anew, or patience is over."""
    start, began = len(program.raw), time.monotonic()
    program.type(key)
    while MARK not in program.raw[start:]:
        if (passed := time.monotonic() - began) > patience:
            break
        try:
            async with asyncio.timeout(patience - passed + 0.01):
                await program.more(20)
        except TimeoutError:
            break
    return 1e3 * (time.monotonic() - began)


class Console:
    """The program, and what is measured of it.

    Args:
        program: it runs.
        stalls: its notes.
        table: for figures.
    """

    def __init__(self, program: Program, stalls: Stalls, table: Table) -> None:
        self.program = program
        self.stalls = stalls
        self.table = table

    async def keys(self, over: Callable[[], bool], keys: str) -> list[float]:
        """Presses keys in turn until something is over; their milliseconds."""
        found, began = [], time.monotonic()
        while not over():
            found.append(await moved(self.program, keys[len(found) % len(keys)]))
            await asyncio.sleep(PACE)
            if time.monotonic() - began > LONG:
                raise SystemExit(f"it never came to an end:\n{self.program.text}")
        while len(found) % len(keys):  # back to where it began
            found.append(await moved(self.program, keys[len(found) % len(keys)]))
        return found

    async def stand_on(self, bucket: str) -> None:
        """Moves the cursor down to a bucket."""
        await self.program.until(rf"[▌ ]{bucket} ")
        while not self.stands(rf"▌{bucket} ")():
            self.program.type("j")
            await asyncio.sleep(0.5)

    def stands(self, pattern: str) -> Callable[[], bool]:
        """Whether something stands on the screen."""
        return lambda: bool(re.search(pattern, self.program.text))

    async def measured(self, what: str, work: Awaitable[list[float]]) -> None:
        """Figures of one thing: seconds, keys, stalls, memory."""
        self.stalls.fresh()
        Path(f"/proc/{self.program.pid}/clear_refs").write_text("5")  # the peak of memory begins anew
        cpu, waited, began = self.program.cpu(), self.waited, time.monotonic()
        found = await work
        table = self.table
        table.add(what, [time.monotonic() - began], "s")
        table.add("… its processor time", [self.program.cpu() - cpu], "s")
        table.add("… waited for a processor", [self.waited - waited], "s")
        if found:  # what is over at once has nothing to press keys at
            table.add("… key to frame meanwhile", found, "ms", limit=100, by="p99")
        stalls = self.stalls.fresh()
        table.add("… stall", [one.ms for one in stalls] or [0.0], "ms")
        table.add("… of the processor", [one.cpu for one in stalls] or [0.0], "ms", limit=50, by="max")
        table.add("… resident at most", [self.program.peak_megabytes()], "MB", limit=150, by="max")

    async def given_up(self, begin: Callable[[], Awaitable[object]], title: str, times: int) -> list[float]:
        """Begins something that takes long, gives it up, and so on; milliseconds of each escape until it is gone."""
        found = []
        for _ in range(times):
            await begin()
            try:
                await self.program.until(title, NOTHING)
            except AssertionError:
                continue  # it was over before it was shown
            await asyncio.sleep(PACE)
            if not re.search(title, self.program.text):
                continue  # it is over already: an escape would go elsewhere
            began = time.monotonic()
            self.program.type(ESCAPE)
            await self.program.until(lambda text: not re.search(title, text))
            found.append(1e3 * (time.monotonic() - began))
        return found

    async def _more(self) -> None:
        try:
            async with asyncio.timeout(0.1):
                await self.program.more(20)
        except TimeoutError:
            return

    async def scrolled(self, key: str, whole: int, *, seconds: float = LONG) -> list[float]:
        """Holds a key until the last line of a listing is reached, or for some time.

        Where there is nothing to go to yet, the next page is waited for: that is told as a figure of its own.
        """
        found, waits = [], []
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            pressed, before = time.monotonic(), self.under_cursor
            if before == f"{whole - 1:07}-object.dat":
                break
            self.program.type(key)
            waited = False
            while self.under_cursor == before:
                waited = waited or self.at_the_end_of_what_is_known
                if time.monotonic() - pressed > (NOTHING if waited else UNANSWERED):
                    break
                await self._more()
            (waits if waited else found).append(1e3 * (time.monotonic() - pressed))
            await asyncio.sleep(PACE)
        self.table.add(f"pages waited for, of {whole // 1000:,}", [float(len(waits))], "")
        return found

    @property
    def at_the_end_of_what_is_known(self) -> bool:
        """Whether there is no line below the cursor yet."""
        known = re.search(r" ([\d,]+)\+ ", self.program.text)
        return known is not None and self.under_cursor == f"{int(known[1].replace(',', '')) - 1:07}-object.dat"

    @property
    def waited(self) -> float:
        """Seconds that the program's main thread could have run and had to wait for others (Linux)."""
        return int(Path(f"/proc/{self.program.pid}/schedstat").read_text().split()[1]) / 1e9

    @property
    def under_cursor(self) -> str:
        """The name that the cursor of the keys is on; the mark stays where it is while pages go by."""
        found = re.search(r"▌ +(\d{7}-object.dat)", self.program.text)
        return found[1] if found else ""


@asynccontextmanager
async def opened(options: argparse.Namespace, root: Path, table: Table) -> AsyncIterator[Console]:
    """The console of the workload, opened by its keys."""
    namespace, _, name = options.workload.rpartition("/")
    own = {f"XDG_{each}_HOME": f"{root}/{each.lower()}" for each in ("CONFIG", "STATE", "CACHE")}
    here = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
    stalls = Stalls(root / "stalls", where=options.where)
    os.chdir(root)
    async with Program(
        "-n", namespace, "--layout", "table", kubeconfig=KUBECONFIG, size=(140, 40),
        environment=own | here | stalls.environment(str(Path(__file__).parents[2])),
    ) as program:  # fmt: skip
        await program.until(r"● live")
        program.type("/")
        await program.until("/ words, all of them")
        program.type(name)
        await program.until(lambda text: re.search(rf"● +{name} ", text.splitlines()[2]))
        program.type(ENTER)
        await program.until(r"b Buckets")
        program.type("b")
        await program.until(r"● (connected since )?\d\d:\d\d:\d\d")
        try:
            yield Console(program, stalls, table)
        finally:
            if options.where:
                stalls.print()


async def run(options: argparse.Namespace, table: Table, root: Path, bucket: str) -> None:
    """All of it."""
    big, many = files(root, options)
    async with opened(options, root, table) as console:
        program, stands = console.program, console.stands
        await console.stand_on(bucket)
        table.add("key to frame at rest", [await moved(program, "jk"[at % 2]) for at in range(60)], "ms",
                  limit=100, by="p99")  # fmt: skip
        for what, path in ((f"{options.mib} MiB up", big), (f"{options.objects:,} objects up", many)):
            program.type("u")
            await program.until(f"Upload to {bucket}")
            program.type(str(path))
            await program.until(lambda text, path=path: re.search(rf"from +\S*{path.name}", text))  # type: ignore[misc]
            program.type(ENTER)
            await program.until(lambda text: f"Upload to {bucket}" not in text)
            done = stands(rf"✓ upload {path.name}.* done")
            await console.measured(what, console.keys(done, "jk"))
        program.type(ENTER)  # flat/, many/ and big.bin
        await program.until(r"▌ +flat/")
        program.type("r")
        await program.until(r"flat/[^~]*many/[^~]*big\.bin")
        for what, way, path in (
            (f"{options.mib} MiB down", "G", big), (f"{options.objects:,} objects down", "gj", many),
        ):  # fmt: skip
            program.type(way)
            await program.until(rf"▌ +{path.name}")
            program.type("w")
            await program.until("into which folder")
            program.type(f"back-{path.name}")
            await program.until(rf"\./back-{path.name}")
            program.type(ENTER)
            await program.until(lambda text: "into which folder" not in text)
            done = stands(rf"✓ download {path.name}.* done")
            await console.measured(what, console.keys(done, "kj"))
        program.type("g")
        await program.until(r"▌ +flat/")
        program.type(ENTER)
        await program.until(r"0000000-object")
        await console.measured(f"{options.keys:,} keys scrolled through", console.scrolled(PAGE_DOWN, options.keys))
        program.type(LEFT)
        await program.until(r"▌ +flat/")
        await console.measured(f"{options.keys:,} keys counted, and given up", counting(console, bucket, options.keys))
        program.type("j")
        await program.until(r"▌ +many/")
        await console.measured(f"{options.objects:,} objects deleted, and given up", deleting(console))


async def counting(console: Console, bucket: str, keys: int) -> list[float]:
    """Counts a folder: begins, and gives it up, some times, then to its end."""
    program = console.program

    async def begin() -> None:
        program.type("#")

    found = await console.given_up(begin, "Counting", 15)
    await begin()
    await program.until(rf"{bucket}/flat/: {keys:,} objects", LONG)
    return found


async def deleting(console: Console) -> list[float]:
    """Deletes a folder: begins, and gives it up, some times, then to its end."""
    program = console.program

    async def begin() -> None:
        program.type("D")
        await program.until(r"Delete\?")
        program.type("y")
        await program.until(lambda text: "Delete?" not in text)

    found = await console.given_up(begin, "─ Deleting", 5)
    await begin()
    await program.until("Deleted: ", LONG)
    return found


def files(root: Path, options: argparse.Namespace) -> tuple[Path, Path]:
    """A large file, and a folder of many small ones; a folder for each to come back to."""
    big, many = root / "big.bin", root / "many"
    with big.open("wb") as out:
        for _ in range(options.mib):
            out.write(os.urandom(1 << 20))
    for number in range(options.objects):
        path = many / f"{number % 100:02}" / f"{number:06}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(SMALL))
    for one in (big, many):
        (root / f"back-{one.name}").mkdir()
    return big, many


async def all_of_it(options: argparse.Namespace, table: Table, root: Path) -> None:
    """Makes the bucket, and removes it."""
    bucket, other = f"aa-screen-{os.getpid()}", f"ab-screen-{os.getpid()}"
    store, task = await connected(*options.workload.split("/"))
    try:
        await store.make_bucket(bucket)
        await store.make_bucket(other)  # the cursor is to have somewhere to go
        if options.volume is None:
            await put(store, bucket, "flat/", options.keys)
        else:
            await fill(store, options.volume, bucket, "flat/", options.keys)
        await run(options, table, root, bucket)
    finally:
        table.print()
        await remove(store, bucket)
        await remove(store, other)
        await store.close()
        task.cancel()


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", default="stateful/my-tenant", metavar="NAMESPACE/NAME")
    parser.add_argument("--mib", type=int, default=1024, help="MiB of the large file (%(default)s)")
    parser.add_argument("--objects", type=int, default=10_000, help="small objects that move (%(default)s)")
    parser.add_argument("--keys", type=int, default=100_000, help="keys that are scrolled through (%(default)s)")
    parser.add_argument(
        "--volume", type=Path, help="directory of the store's one drive: the keys are linked there, see manykeys.py"
    )
    parser.add_argument("--where", action="store_true", help="tell what held the event loop up, and where it stood")
    options = parser.parse_args()
    table = Table("bucket console, through a forward")
    with tempfile.TemporaryDirectory() as folder:
        try:
            asyncio.run(all_of_it(options, table, Path(folder)))
        finally:
            os.chdir("/")
    print(f"{table.missed} limits missed" if table.missed else "all limits kept")


if __name__ == "__main__":
    main()
