"""The queue console on a real terminal before a real broker with 20,000 queues: opening, pages, filters, keys, memory.

    PATH=…/kubectl:$PATH .venv/bin/python tests/bench/queue_screen.py --kubeconfig FILE [-n stateful] [--queues 20000]

Makes the queues in a virtual host of its own and removes it afterwards; `--keep NAME` leaves that virtual host, and
uses what is there already: making 20,000 queues takes a cluster of three 90 s where little else runs, the steps 80 s,
removing the queues some minutes. Messages come and go in some of them, so that rates change. A broker that others use
is the wrong one for this.

A key is answered when the mark of the cursor's row is written anew. Beside what the clock says stands what was
computed: by the program, and by the broker's nodes where those are processes of this machine; on a busy machine that
is what tells something. A stall is a callback of the event loop that ran longer than any other of its step.
Ends with 1 when a limit was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "tui")]

from process import Program  # noqa: E402
from queue_crowd import STREAM, Crowd, Processors, crowd  # noqa: E402
from verdicts import Table, conclude  # noqa: E402

ENTER, ESCAPE, END, HOME = "\r", "\x1b", "\x1b[F", "\x1b[H"
MARK = "▌".encode()
#: Seconds from the answer to a key until the next one: as fast as a key that is held down.
PACE = 0.03
#: Loaded by the program before all else: writes down what holds the event loop for more than 10 ms.
WATCH = """
import asyncio.events as events, os, time
_run, _out = events.Handle._run, os.open(os.environ["STALLS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def _watched(self):
    wall, cpu = time.perf_counter(), time.thread_time()
    _run(self)
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    if cpu > 0.01:
        os.write(_out, f"{wall * 1000:.1f} {cpu * 1000:.1f}\\n".encode())
events.Handle._run = _watched
"""


class Bench:
    """What is measured with, and what came of it."""

    def __init__(self, program: Program, processors: Processors, stalls: Path) -> None:
        self.program = program
        self.processors = processors
        self.table = Table("queue console, through a forward")
        self._stalls = stalls

    @asynccontextmanager
    async def step(self) -> AsyncIterator[None]:
        """Tells what was computed meanwhile."""
        ours, theirs, told = self.program.cpu(), self.processors.used(), self._told()
        yield
        self._say()
        self.table.add("… processor, ours", [self.program.cpu() - ours], "s")
        self._say()
        if self.processors.pids:
            self.table.add("… processor, the broker's", [self.processors.used() - theirs], "s")
            self._say()
        stalls = [float(line.split()[1]) for line in self._told()[len(told) :]]
        if stalls:
            self.table.add("… longest stall, computed", stalls, "ms")
            self._say()

    def _say(self) -> None:
        """The line that was added last, for who waits for the table."""
        print(f"{self.table.last}; load {os.getloadavg()[0]:.0f}", file=sys.stderr, flush=True)

    def _told(self) -> list[str]:
        return self._stalls.read_text().splitlines() if self._stalls.exists() else []

    async def timed(self, what: str, keys: str, wanted: str | Callable[[str], object], limit: float | None) -> None:
        """From keys to what stands on the screen then."""
        async with self.step():
            began = time.monotonic()
            self.program.type(keys)
            await self.program.until(wanted, 180)
            self.table.add(what, [time.monotonic() - began], "s", limit=limit)
        await asyncio.sleep(0.3)

    async def keys(self, what: str, pressed: str, *, count: int = 0, until: Callable[[str], object] | None = None,
                   limit: float = 100) -> None:  # fmt: skip
        """Presses keys in turn, so many times or until something stands on the screen."""
        found: list[float] = []
        async with self.step():
            at = 0
            while len(found) < count or (until is not None and not until(self.program.text)):
                found.append(await self._answer(pressed[at % len(pressed)]))
                at += 1
                await asyncio.sleep(PACE)
            self.table.add(what, found, "ms", limit=limit, by="p99")

    async def _answer(self, key: str) -> float:
        program = self.program
        start, began = len(program.raw), time.monotonic()
        program.type(key)
        while MARK not in program.raw[start:] and time.monotonic() - began < 5:
            await program.more(20)
        return 1e3 * (time.monotonic() - began)


async def opened(bench: Bench, workload: str, times: int) -> None:
    """Opens the console by its keys, several times."""
    program = bench.program
    await program.until(r"● live", 90)
    program.type("/")
    await program.until("/ words, all of them")
    program.type(workload)
    await program.until(lambda text: re.search(rf"● +{workload} ", text.splitlines()[2]))
    program.type(ENTER)
    await program.until(r"m Messages")
    for number in range(times):
        if number:
            program.type(ESCAPE)
            await program.until(r"m Messages")
        await asyncio.sleep(1)
        what = "from `m` to the first queues" + (" (with the clients' modules)" if not number else "")
        await bench.timed(what, "m", r"aa\.busy\.00 ", 1.0)
    await bench.timed("from `2` to the nodes", "2", lambda text: text.count("● yes") > 0, 0.3)
    await bench.timed("from `1` back to the queues", "1", r"aa\.busy\.00 ", 0.3)


async def run(bench: Bench, made: Crowd, workload: str) -> None:
    """All steps."""
    program, table = bench.program, bench.table
    await opened(bench, workload, 4)
    await bench.keys("key to frame, a page and its rates anew each 5 s", "jjkk", count=260)
    await bench.timed("`end`: the next page", END, r" 200 of [\d,]+ read", None)
    program.type(HOME)
    await asyncio.sleep(0.5)
    whole = re.compile(r"^ [\d,]{5,}\s*$", re.MULTILINE).search
    began = time.monotonic()
    program.type("A")
    await bench.keys("key to frame while all are read", "jjkk", until=whole)
    table.add("all queues read", [time.monotonic() - began], "s")
    table.add("resident at most", [program.peak_megabytes()], "MB", limit=250, by="max")
    await bench.keys("key to frame with all of them, while they are polled", "jjkk", count=260)
    await bench.keys("from one end to the other and back", "Gg", count=40)
    await bench.timed("`o`: all sorted by messages", "o", r"by messages, most first", 0.3)
    for _ in range(6):
        program.type("o")
        await asyncio.sleep(0.3)
    await bench.timed("`is:idle` among all", "/is:idle" + ENTER, lambda text: re.search(r"^ [\d,]+ shown,", text, re.M)
                      and "aa.busy" not in text, 1.0)  # fmt: skip
    await bench.keys("key to frame with a filter of ours", "jjkk", count=100)
    program.type(ESCAPE)
    await program.until(lambda text: "/is:idle" not in text)
    program.type(HOME)  # the cursor stays on its row, which is behind the busy ones
    await program.until(r"aa\.busy\.00 ")
    named = re.compile(r"^ /orders\.0011 +100", re.MULTILINE).search
    await bench.timed("a part of the name, asked of the server", "/orders.0011" + ENTER, named, None)
    program.type(ESCAPE)
    await program.until(r"aa\.busy\.00 ")
    await stream(bench)
    table.add("resident at most, all in all", [program.peak_megabytes()], "MB", limit=250, by="max")


async def stream(bench: Bench) -> None:
    """Looks at the stream."""
    program = bench.program
    program.type("/" + STREAM + ENTER)
    await program.until(lambda text: "aa.busy" not in text and STREAM in text)
    await asyncio.sleep(1)
    program.type(ENTER)
    await program.until("Read stream")
    program.type("\x05" + "\x7f" * 20 + "first" + "\x1b[15~")
    await program.until(r'"order": 0')
    for _ in range(10):
        program.type("+")
        await asyncio.sleep(0.05)
    await bench.keys("key to frame in a stream while more is read", "jjkk", count=150)
    program.type(ESCAPE)
    await asyncio.sleep(0.5)


async def pages(table: Table, made: Crowd, processors: Processors) -> None:
    """What the server alone takes for a page, over a forward and a connection that is open."""
    walls, theirs = [], []
    for _ in range(9):
        used, began = processors.used(), time.monotonic()
        await made.api.queues(size=100)
        walls.append(time.monotonic() - began)
        theirs.append(processors.used() - used)
        await asyncio.sleep(0.2)
    table.add("a page of the server's, nothing of ours", walls, "s", limit=0.3)
    table.add("… the least", [min(walls)], "s")
    if processors.pids:
        table.add("… processor, the broker's", theirs, "s")
        table.add("… … the least", [min(theirs)], "s")


async def measure(options: argparse.Namespace) -> Table:
    processors = Processors(options.namespace)
    async with crowd(options.kubeconfig, options.namespace, options.workload, options.queues, options.keep) as made:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "sitecustomize.py").write_text(WATCH)
            own = {f"XDG_{name}_HOME": f"{place}/{name.lower()}" for name in ("CONFIG", "STATE", "CACHE")}
            here = {"PYTHONPATH": f"{place}:{Path(__file__).parents[2]}", "STALLS": f"{place}/stalls"}
            look = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
            async with Program(
                "-n", options.namespace, "--layout", "table", kubeconfig=options.kubeconfig, size=(140, 40),
                environment=own | here | look,
            ) as program:  # fmt: skip
                bench = Bench(program, processors, folder / "stalls")
                await pages(bench.table, made, processors)
                try:
                    await run(bench, made, options.workload)
                except BaseException:
                    bench.table.print()
                    raise
                return bench.table


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", default=os.environ.get("STATETUI_TEST_KUBECONFIG", ""))
    parser.add_argument("-n", "--namespace", default="stateful")
    parser.add_argument("--workload", default="rabbitmq")
    parser.add_argument("--queues", type=int, default=20_000)
    parser.add_argument("--keep", default="", metavar="VHOST", help="a virtual host that stays, and is used again")
    options = parser.parse_args()
    options.kubeconfig = str(Path(options.kubeconfig).absolute())
    conclude(asyncio.run(measure(options)))


if __name__ == "__main__":
    main()
