"""A million rows of six columns appended in batches to the grid on a real terminal: memory, and keys meanwhile.

    .venv/bin/python tests/bench/sql_grid.py [--rows N] [--seconds S] [--size 140x40]

Rows are made beforehand in blocks that are handed over again and again, so that what is measured is the grid and the
rows packed below it. Keys go to the terminal of a child process, each a while after the frame of the one before; a key
is answered when the mark of the cursor's row is written. Figures, no assertions.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from terminal import Terminal

READY = "so far"


def child(rows: int, seconds: float) -> None:
    """The app with the results in front, reading to the end at once. Loads what its parent has no need of."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tui"))
    from fakes import FakeLive, app_for  # noqa: PLC0415
    from sql_fakes import ResultsScreen  # noqa: PLC0415

    from tui.consoles.sql.resultset import Run  # noqa: PLC0415
    from tui.services.sql.model import Column, Columns, Done, Event, Look, Rows, Wire  # noqa: PLC0415

    columns = (
        Column("n", "int8", Look.NUMBER), Column("md5", "text"), Column("price", "numeric", Look.NUMBER),
        Column("now", "timestamptz", Look.TIME), Column("seventh", "bool", Look.BOOLEAN), Column("pad", "text"),
    )  # fmt: skip
    began = time.monotonic()

    async def events() -> AsyncIterator[Event]:
        yield Columns(columns)
        first = time.monotonic()
        for start in range(0, rows, 1000):
            if (early := first + seconds * start / rows - time.monotonic()) > 0:
                await asyncio.sleep(early)
            yield Rows(
                [
                    (str(n), f"{n * 2654435761 % 2**64:032x}", f"{n * 2.5:.1f}", "2026-11-27 07:26:01.123456+00",
                     "t" if n % 7 == 0 else "f", "x" * 20)
                    for n in range(start, start + 1000)
                ]
            )  # fmt: skip
        yield Done(f"SELECT {rows}", rows, time.monotonic() - began)

    app = app_for(FakeLive())

    async def go(pilot: object) -> None:
        screen = ResultsScreen()
        await app.push_screen(screen)
        run = Run(first=None)
        screen.results.show(run, wire=Wire.POSTGRES)
        screen.results.main().focus()
        await asyncio.sleep(1.0)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        start = time.monotonic()
        await run.take("select", events())
        took = time.monotonic() - start
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        Path(os.environ["FIGURES"]).write_text(
            f"{len(run.sets[0].store):,} rows in {took:.2f} s (with making them), {run.sets[0].store.used >> 20} MB "
            f"packed; {most} MB resident at most, {before} MB before"
        )

    app.run(auto_pilot=go)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=6.0, help="over which the rows come")
    parser.add_argument("--size", default="140x40")
    parser.add_argument("--child", action="store_true")
    options = parser.parse_args()
    if options.child:
        child(options.rows, options.seconds)
        return
    width, height = map(int, options.size.split("x"))
    figures = Path(f"/tmp/sql_grid.{os.getpid()}")
    os.environ.update(FIGURES=str(figures), PYTHONPATH=str(Path(__file__).parents[2]), TEXTUAL_ANIMATIONS="none")
    print(f"load {os.getloadavg()[0]:.1f}")
    terminal = Terminal(
        [sys.executable, __file__, "--child", "--rows", str(options.rows), "--seconds", str(options.seconds)],
        (width, height),
    )
    late: list[float] = []
    try:
        terminal.until(READY, 30)
        keys = [
            "j",
            "j",
            "k",
            "k",
        ]  # the mark must come to another line of the screen: equal cells are not written again
        before = terminal.bytes
        # The last key may come after the last row; until then the screen changes as rows come.
        while not figures.exists():
            late.append(_answer(terminal, keys[len(late) % len(keys)]))
            terminal.pump(0.05)
        sent = terminal.bytes - before
    finally:
        terminal.end()
    print(figures.read_text())
    figures.unlink()
    late.sort()
    latest = ", ".join(f"{each * 1e3:.0f}" for each in late[-5:])
    print(
        f"{len(late)} keys meanwhile: median {late[len(late) // 2] * 1e3:.0f} ms, p99 "
        f"{late[min(len(late) - 1, int(len(late) * 0.99))] * 1e3:.0f} ms, the latest {latest} ms; "
        f"{sent:,} bytes to the terminal"
    )


def _answer(terminal: Terminal, key: str) -> float:
    """Seconds from a key until the mark of the cursor's row is written anew: nothing else writes one."""
    terminal.text = ""
    began = time.monotonic()
    terminal.type(key)
    terminal.until("▌", 20)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
