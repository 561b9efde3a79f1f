"""The SQL console on a real terminal before real servers: the prompt, the first rows, all of them, keys, exports.

    .venv/bin/python tests/bench/sql_screen.py --kubeconfig FILE [--rounds 2] [--rows 1000000] [--only cdb|mysql|orders]

Needs `kubectl`, `psql` and `mysql` on PATH, and the workloads `cdb`, `mysql` and `orders` (for its prompt alone) in
the namespace `stateful`. Each round opens the console from the workload's screen by its key several times, runs the
query, goes to the last row and presses keys while the rows stream in, and writes all rows to files through the open
cursor, without keys and then with keys pressed meanwhile; both are done again until enough keys were pressed.
`psql \\copy` and `mysql --batch` fetch the same rows over `kubectl port-forward` in turn with it. Prints a table of
figures for each server with the limits that they are held against, and ends with 1 when one was missed. Two rounds take
six minutes.

A key is answered when the mark of the cursor's row is written anew. What the server needs until it has a first row is
what the rival waits for it longer than for `SELECT 1`. Memory is what is resident at most, counted anew for each step.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "tui")]

from process import Program  # noqa: E402
from rivals import QUERIES, RIVALS  # noqa: E402
from verdicts import Table, conclude, median  # noqa: E402

F5, F7, F12, DELETE, END, DOWN, ENTER, ESCAPE = (
    "\x1b[15~", "\x1b[18~", "\x1b[24~", "\x1b[3~", "\x1b[F", "\x1b[B", "\r", "\x1b",
)  # fmt: skip
#: The mark of the cursor's row, and what the first row holds: md5 of 1.
MARK, FIRST_ROW = "▌".encode(), "c4ca4238a0b92382"
#: Seconds between the answer to a key and the next one: with the answer, as fast as a key that is held down.
PACE = 0.02
#: How often the console is opened in a round.
OPENINGS = 3
#: Where the formats stand in the export's list.
FORMATS = {"csv": 0, "parquet": 2}
#: Megabytes of its own that the program may have more once the rows are let go than before the first: a third is data
#: of the libraries of Parquet.
KEPT = 40


@dataclass(frozen=True)
class Answer:
    """To a key.

    Attributes:
        seconds: until the mark of the cursor's row is written anew: nothing else writes one.
        cpu: processor seconds that the program used meanwhile: what it would take where nobody else computes.
    """

    seconds: float
    cpu: float


@dataclass
class Figures:
    """Of one server: a value for each round, for keys one for each of them. Seconds and megabytes."""

    prompt: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    all: list[float] = field(default_factory=list)
    all_cpu: list[float] = field(default_factory=list)
    keys: list[Answer] = field(default_factory=list)
    export_keys: list[Answer] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    export: dict[str, list[float]] = field(default_factory=lambda: {form: [] for form in FORMATS})
    export_cpu: dict[str, list[float]] = field(default_factory=lambda: {form: [] for form in FORMATS})
    export_peak: dict[str, list[float]] = field(default_factory=lambda: {form: [] for form in FORMATS})
    rival: list[float] = field(default_factory=list)
    rival_first: list[float] = field(default_factory=list)
    rival_start: list[float] = field(default_factory=list)


async def opened(program: Program, workload: str, figures: Figures) -> None:
    """Opens the console by its keys, several times: from `s` to the prompt."""
    await program.until(r"● live +\d w", 60)
    program.type("/")
    await program.until("/ words, all of them")
    program.type(workload)
    await program.until(lambda text: re.search(rf"● +{workload} ", text.splitlines()[2]))
    program.type(ENTER)
    await program.until(r"s SQL")
    for number in range(OPENINGS):
        if number:
            program.type(ESCAPE)
            await program.until(r"s SQL")
        await asyncio.sleep(0.5)
        began = time.monotonic()
        program.type("s")
        await program.until("Ready for statements", 60)
        figures.prompt.append(time.monotonic() - began)


async def typed(program: Program, query: str) -> None:
    """Puts the query in the place of what stands in the editor."""
    program.type(F7)
    await asyncio.sleep(0.3)
    program.type(DELETE)
    await asyncio.sleep(0.3)
    program.type(f"\x1b[200~{query}\x1b[201~")
    await program.until(lambda text: query[-12:] in text)
    await asyncio.sleep(0.5)


def worked(program: Program) -> float:
    """Processor seconds of all threads so far, to the nanosecond."""
    threads = Path(f"/proc/{program.pid}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in threads) / 1e9


async def answer(program: Program, key: str) -> Answer:
    """Presses a key."""
    start, used, began = len(program.raw), worked(program), time.monotonic()
    program.type(key)
    while MARK not in program.raw[start:]:
        await program.more(20)
    return Answer(time.monotonic() - began, worked(program) - used)


async def keys_until(program: Program, two: str, done: Callable[[str], object], keys: list[Answer]) -> None:
    """Presses keys, two of each in turn, until something is true of the screen."""
    began, pressed = time.monotonic(), 0
    while not done(program.text):
        keys.append(await answer(program, two[pressed // 2 % 2]))
        pressed += 1
        await asyncio.sleep(PACE)
        if time.monotonic() - began > 600:
            raise SystemExit(f"it did not come to its end:\n{program.text}")


def anew(program: Program) -> float:
    """Has the peak of the memory begin anew; the processor seconds so far."""
    Path(f"/proc/{program.pid}/clear_refs").write_text("5")
    return program.cpu()


def own(program: Program) -> float:
    """Megabytes that are the program's own now, without the pages of libraries: the system drops those at will."""
    found = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{program.pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


async def read_all(program: Program, rows: int, figures: Figures) -> None:
    """Runs the query, goes to the last row, and presses keys until all rows are there."""
    used, began = anew(program), time.monotonic()
    program.type(F5)
    await program.until(FIRST_ROW, 60)
    figures.first.append(time.monotonic() - began)
    await grid(program)
    began = time.monotonic()
    program.type(END)
    await program.until(lambda text: FIRST_ROW not in text)
    await asyncio.sleep(0.3)  # the rest of that frame must not be taken for the answer to the first key
    await keys_until(program, "kj", re.compile(rf"\b{rows:,} rows ·.*· all").search, figures.keys)
    figures.all.append(time.monotonic() - began + figures.first[-1])
    figures.all_cpu.append(program.cpu() - used)
    figures.peak.append(program.peak_megabytes())
    await editor(program)


async def grid(program: Program) -> None:
    """Goes to the rows, and waits for the frame: it must not be taken for the answer to the next key."""
    program.type(F12)
    await program.until("⏎ Cell")
    await asyncio.sleep(0.3)


async def editor(program: Program) -> None:
    """Goes back to the editor, where the query still stands."""
    program.type(ESCAPE)
    await asyncio.sleep(0.5)


async def export(program: Program, rows: int, form: str, figures: Figures, folder: Path, *, keys: bool) -> None:
    """Runs the query anew and writes its rows, from the first on through the open cursor.

    Args:
        program: with the query in its editor.
        rows: that it has.
        form: one of `FORMATS`.
        figures: what is added to.
        folder: where the file is, until the end.
        keys: whether keys are pressed meanwhile: half of the processor is theirs then, and the time is no figure.
    """
    program.type(F5)
    await program.until(r"of more ·", 60)
    used = anew(program)
    await grid(program)
    program.type("x")
    await program.until("Export result")
    for _ in range(FORMATS[form]):
        program.type(DOWN)
        await asyncio.sleep(0.2)
    began = time.monotonic()
    program.type(ENTER)
    await program.until(lambda text: "Export result" not in text and "⏎ Cell" in text)
    told = rf"exported {rows:,} rows, .* in .*rows/s"
    if keys:
        await asyncio.sleep(0.3)
        await keys_until(program, "jk", re.compile(told).search, figures.export_keys)
    else:
        await program.until(told, 600)
        figures.export[form].append(time.monotonic() - began)
        figures.export_cpu[form].append(program.cpu() - used)
    figures.export_peak[form].append(program.peak_megabytes())
    for file in folder.glob(f"*.{form}"):
        file.unlink()
    await editor(program)


async def let_go(program: Program, before: float, figures: Figures) -> None:
    """Runs something small, so that the rows go: the program's own memory then beside what it was before them."""
    await typed(program, "SELECT 1 AS small_again")
    program.type(F5)
    await program.until(r"\b1 row ·.*· all", 60)
    await asyncio.sleep(2)
    figures.left.append(own(program) - before)


async def one_round(kubeconfig: str, workload: str, rows: int, keys: int, figures: Figures) -> None:
    """One round of a server: the rival, and a program of ours."""
    rival = RIVALS.get(workload)
    query = rival.query(rows) if rival is not None else ""
    if rival is not None:
        with rival.forwarded(kubeconfig):
            figures.rival_start.append(rival.run("SELECT 1")[0])
            first, seconds = rival.run(query)
        figures.rival_first.append(first)
        figures.rival.append(seconds)
    with tempfile.TemporaryDirectory() as place:
        places = {f"XDG_{name}_HOME": f"{place}/{name.lower()}" for name in ("CONFIG", "STATE", "CACHE")}
        here = {"PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        folder = Path(place)
        os.chdir(folder)
        async with Program(
            "-n", "stateful", "--layout", "table", kubeconfig=kubeconfig, size=(140, 40),
            environment=places | here | {"LC_ALL": "C.UTF-8"},
        ) as program:  # fmt: skip
            await opened(program, workload, figures)
            if rival is not None:
                before = own(program)
                await typed(program, query)
                wanted, exported = len(figures.keys) + keys, len(figures.export_keys) + keys
                while len(figures.keys) < wanted:
                    await read_all(program, rows, figures)
                for form in FORMATS:
                    await export(program, rows, form, figures, folder, keys=False)
                while len(figures.export_keys) < exported:
                    for form in FORMATS:
                        await export(program, rows, form, figures, folder, keys=True)
                await let_go(program, before, figures)
        os.chdir("/")


def table_of(workload: str, figures: Figures) -> Table:
    """What is printed of a server."""
    table = Table(f"{workload}, through a forward")
    table.add("prompt after `s`", figures.prompt, "s", limit=1.0, by="max")
    if (rival := RIVALS.get(workload)) is None:
        return table
    server = max(0.0, median(figures.rival_first) - median(figures.rival_start))
    table.add("first rows on screen", figures.first, "s")
    table.add("… after the server had them", [max(0.0, one - server) for one in figures.first], "s", limit=0.1)
    table.add("all rows in the grid", figures.all, "s", limit=8.0)
    table.add("… processor", figures.all_cpu, "s")
    table.add("… resident at most", figures.peak, "MB", limit=250, by="max")
    _keys(table, "key to frame meanwhile", figures.keys)
    table.add(rival.name, figures.rival, "s")
    for form in FORMATS:
        limit = 2 * median(figures.rival) if form == "csv" else None
        table.add(f"export as {form}", figures.export[form], "s", limit=limit)
        table.add("… processor", figures.export_cpu[form], "s")
        table.add("… resident at most", figures.export_peak[form], "MB", limit=250, by="max")
    _keys(table, "key to frame while exporting", figures.export_keys)
    table.add("own memory more once rows go", figures.left, "MB", limit=KEPT, by="max")
    return table


def _keys(table: Table, what: str, answers: list[Answer]) -> None:
    table.add(what, [1e3 * one.seconds for one in answers], "ms", limit=100, by="p99")
    table.add("… processor", [1e3 * one.cpu for one in answers], "ms")


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", required=True, help="of a cluster with the three workloads")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--keys", type=int, default=260, help="of a round and kind, at least")
    parser.add_argument("--only", choices=(*QUERIES, "orders"))
    options = parser.parse_args()
    figures = {name: Figures() for name in (*QUERIES, "orders") if options.only in (None, name)}
    kubeconfig = str(Path(options.kubeconfig).absolute())
    for _ in range(options.rounds):
        for name, found in figures.items():
            asyncio.run(one_round(kubeconfig, name, options.rows, options.keys, found))
    conclude(*(table_of(name, found) for name, found in figures.items()))


if __name__ == "__main__":
    main()
