"""A result of a million rows held, sorted, filtered and written: seconds, megabytes, rows per second.

    python tests/bench/sql_formats.py [--rows 1000000] [--formats csv,jsonl,…]

Figures only; nothing is asserted. Processor time of this process, so that a busy machine does not show; on an idle one
it is what a person waits, and the longest pause of the event loop is how long a key waits.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import time
from collections.abc import Iterator
from pathlib import Path

from tui.services.sql.formats import NAMES, writer
from tui.services.sql.model import Column, Look, Row
from tui.services.sql.rows import Comparison, Filter, RowStore

COLUMNS = (
    Column("id", "bigint", Look.NUMBER), Column("name", "text"), Column("email", "text"),
    Column("amount", "numeric", Look.NUMBER), Column("at", "timestamp with time zone", Look.TIME),
    Column("ok", "boolean", Look.BOOLEAN),
)  # fmt: skip


def made(first: int, count: int) -> list[Row]:
    return [
        (str(n), f"user number {n}", f"user{n}@example.com", f"{n * 7919 % 100_000 / 100:.2f}",
         f"2026-11-{1 + n % 28:02d} 10:{n % 60:02d}:00.123456+00", "t" if n % 2 else "f")
        for n in range(first, first + count)
    ]  # fmt: skip


def resident() -> float:
    """Megabytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


@contextlib.contextmanager
def timed(what: str, rows: int) -> Iterator[None]:
    began = time.process_time()
    yield
    seconds = time.process_time() - began
    print(f"{what:<24} {seconds:7.2f} s  {rows / seconds:>12,.0f} rows/s")


async def held(rows: int) -> None:
    before, store, seconds = resident(), RowStore(COLUMNS), 0.0
    for first in range(0, rows, 1000):
        batch = made(first, 1000)
        began = time.process_time()
        store.append(batch)
        seconds += time.process_time() - began
    print(
        f"append {rows:,} rows: {seconds:.2f} s; {store.used / 1e6:.0f} MB packed, "
        f"{resident() - before:.0f} MB resident"
    )
    began = time.process_time()
    for _ in range(2000):
        store.row(random.randrange(rows))
    print(f"a row anywhere: {(time.process_time() - began) / 2000 * 1e6:.0f} µs")
    pauses = [0.0]

    async def beat() -> None:
        last = time.process_time()
        while True:
            await asyncio.sleep(0.001)
            pauses.append(time.process_time() - last)
            last = time.process_time()

    beating = asyncio.create_task(beat())
    for place, column in enumerate(COLUMNS):
        with timed(f"sort by {column.name}", rows):
            await store.sort(place, descending=bool(place % 2))
    with timed("filter: contains", rows):
        await store.filter(Filter(Comparison.CONTAINS, "r77777"))
    with timed("filter: number", rows):
        await store.filter(Filter(Comparison.MORE, "500", 3))
    beating.cancel()
    print(f"longest pause of the event loop: {max(pauses) * 1000:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--formats", default=",".join(NAMES))
    arguments = parser.parse_args()
    asyncio.run(held(arguments.rows))
    batches = [made(first, 1000) for first in range(0, min(arguments.rows, 200_000), 1000)]
    for name in arguments.formats.split(","):
        with timed(f"write {name}", len(batches) * 1000):
            out = writer(name)
            out.start(COLUMNS)
            for batch in batches:
                out.rows(batch)
            out.finish()


if __name__ == "__main__":
    main()
