"""The SQL console on a real terminal before a real server: the prompt, the first rows, all of them, keys, exports.

    .venv/bin/python tests/bench/sql_screen.py --kubeconfig FILE [--rounds 2] [--rows 1000000] [--only cdb|mysql]

Needs `kubectl`, `psql` and `mysql` on PATH. Each round opens the console from the overview by its keys, runs the query,
goes to the last row and presses keys while the rows stream in, and writes all rows to files through the open cursor;
`psql \\copy` and `mysql --batch` fetch the same rows over `kubectl port-forward` in turn with it. Figures beside the
limits that they are held against, no assertions. Two rounds of both servers take about three minutes.

A key is answered when the mark of the cursor's row is written anew. What the server needs until it has a first row is
what the rival waits for it longer than for `SELECT 1`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "tui")]

from process import Program  # noqa: E402
from rivals import QUERIES, RIVALS, Rival  # noqa: E402
from verdicts import Table, median  # noqa: E402

F5, F7, F12, DELETE, END, DOWN, ENTER, ESCAPE = (
    "\x1b[15~", "\x1b[18~", "\x1b[24~", "\x1b[3~", "\x1b[F", "\x1b[B", "\r", "\x1b",
)  # fmt: skip
#: The mark of the cursor's row, and what the first row holds: md5 of 1.
MARK, FIRST_ROW = "▌".encode(), "c4ca4238a0b92382"
#: Seconds between two keys while rows stream in.
PACE = 0.04
#: Where the formats stand in the export's list.
FORMATS = {"csv": 0, "parquet": 2}


@dataclass
class Figures:
    """Of one server: a value for each round, for keys one for each of them. Seconds and megabytes."""

    prompt: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    all: list[float] = field(default_factory=list)
    keys: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    export: dict[str, list[float]] = field(default_factory=lambda: {form: [] for form in FORMATS})
    export_peak: dict[str, list[float]] = field(default_factory=lambda: {form: [] for form in FORMATS})
    rival: list[float] = field(default_factory=list)
    rival_first: list[float] = field(default_factory=list)
    rival_start: list[float] = field(default_factory=list)


async def opened(program: Program, workload: str) -> float:
    """Opens the console by its keys; seconds from `s` to the prompt."""
    await program.until(r"● live +\d w", 60)
    program.type("/")
    await program.until("/ words, all of them")
    program.type(workload)
    await program.until(lambda text: re.search(rf"● +{workload} ", text.splitlines()[2]))
    program.type(ENTER)
    await program.until(r"s SQL")
    began = time.monotonic()
    program.type("s")
    await program.until("Ready for statements", 60)
    return time.monotonic() - began


async def typed(program: Program, query: str) -> None:
    """Puts the query in the place of what stands in the editor."""
    program.type(F7)
    await asyncio.sleep(0.3)
    program.type(DELETE)
    await asyncio.sleep(0.3)
    program.type(f"\x1b[200~{query}\x1b[201~")
    await program.until(lambda text: query[-12:] in text)
    await asyncio.sleep(0.5)


async def answer(program: Program, key: str) -> float:
    """Seconds from a key until the mark of the cursor's row is written anew: nothing else writes one."""
    start, began = len(program.raw), time.monotonic()
    program.type(key)
    while MARK not in program.raw[start:]:
        await program.more(20)
    return time.monotonic() - began


async def read_all(program: Program, query: str, rows: int, figures: Figures) -> None:
    """Runs the query, goes to the last row, and presses keys until all rows are there."""
    await typed(program, query)
    began = time.monotonic()
    program.type(F5)
    await program.until(FIRST_ROW, 60)
    figures.first.append(time.monotonic() - began)
    program.type(F12)
    await asyncio.sleep(0.1)
    began = time.monotonic()
    program.type(END)
    done = re.compile(rf"\b{rows:,} rows ·.*· all")
    pressed = 0
    while not done.search(program.text):
        figures.keys.append(await answer(program, "kkjj"[pressed % 4]))
        pressed += 1
        await asyncio.sleep(PACE)
        if time.monotonic() - began > 120:
            raise SystemExit(f"not all rows came:\n{program.text}")
    figures.all.append(time.monotonic() - began + figures.first[-1])
    figures.peak.append(program.peak_megabytes())


async def export(program: Program, rows: int, form: str, figures: Figures, folder: Path) -> None:
    """Runs the query anew and writes its rows, from the first on through the open cursor."""
    program.type(ESCAPE)  # to the editor, where the query still stands
    await asyncio.sleep(0.5)
    program.type(F5)
    await program.until(r"of more ·", 60)
    Path(f"/proc/{program.pid}/clear_refs").write_text("5")  # the peak begins anew
    program.type(F12)
    await asyncio.sleep(0.3)
    program.type("x")
    await program.until("Export result")
    for _ in range(FORMATS[form]):
        program.type(DOWN)
        await asyncio.sleep(0.2)
    began = time.monotonic()
    program.type(ENTER)
    await program.until(rf"exported {rows:,} rows, .* in .*rows/s", 120)
    figures.export[form].append(time.monotonic() - began)
    figures.export_peak[form].append(program.peak_megabytes())
    for file in folder.glob(f"*.{form}"):
        file.unlink()


async def one_round(kubeconfig: str, rival: Rival, rows: int, figures: Figures) -> None:
    """One round of a server: the rival, and a program of ours."""
    query = rival.query(rows)
    with rival.forwarded(kubeconfig):
        figures.rival_start.append(rival.run("SELECT 1")[0])
        first, seconds = rival.run(query)
    figures.rival_first.append(first)
    figures.rival.append(seconds)
    with tempfile.TemporaryDirectory() as place:
        own = {f"XDG_{name}_HOME": f"{place}/{name.lower()}" for name in ("CONFIG", "STATE", "CACHE")}
        here = {"PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        folder = Path(place)
        os.chdir(folder)
        async with Program(
            "-n", "stateful", "--layout", "table", kubeconfig=kubeconfig, size=(140, 40),
            environment=own | here | {"LC_ALL": "C.UTF-8"},
        ) as program:  # fmt: skip
            figures.prompt.append(await opened(program, rival.workload))
            await read_all(program, query, rows, figures)
            for form in FORMATS:
                await export(program, rows, form, figures, folder)
        os.chdir("/")


def show(rival: Rival, figures: Figures) -> int:
    """Prints the table; returns how many limits were missed."""
    table = Table(f"{rival.workload}, through a forward")
    server = max(0.0, median(figures.rival_first) - median(figures.rival_start))
    table.add("prompt after `s`", figures.prompt, "s", limit=1.0)
    table.add("first rows on screen", figures.first, "s")
    table.add("… after the server had them", [max(0.0, one - server) for one in figures.first], "s", limit=0.1)
    table.add("all rows in the grid", figures.all, "s", limit=8.0)
    table.add("resident at most", figures.peak, "MB", limit=250, by="max")
    table.add("key to frame meanwhile", [1e3 * one for one in figures.keys], "ms", limit=100, by="p99")
    table.add(rival.name, figures.rival, "s")
    for form in FORMATS:
        limit = 2 * median(figures.rival) if form == "csv" else None
        table.add(f"export as {form}", figures.export[form], "s", limit=limit)
        table.add("… resident at most", figures.export_peak[form], "MB", limit=250, by="max")
    table.print()
    return table.missed


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", choices=QUERIES)
    options = parser.parse_args()
    figures = {name: Figures() for name in QUERIES if options.only in (None, name)}
    kubeconfig = str(Path(options.kubeconfig).absolute())
    for _ in range(options.rounds):
        for name, found in figures.items():
            asyncio.run(one_round(kubeconfig, RIVALS[name], options.rows, found))
    missed = sum(show(RIVALS[name], found) for name, found in figures.items())
    print(f"{missed} limits missed" if missed else "all limits kept")


if __name__ == "__main__":
    main()
