"""A result of a million rows held, sorted, filtered and written in every format, without a screen and a server.

    .venv/bin/python tests/bench/sql_formats.py [--rows 1000000] [--formats csv,jsonl,…]

Needs the extra `parquet`. Prints a table of figures with the limits that they are held against, and ends with 1 when
one was missed. Seconds are processor time of this process, so that a busy machine shows less; on an idle one they are
what a person waits, and the pauses of the event loop are how long a key waits.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from verdicts import Table, conclude

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


async def held(table: Table, rows: int) -> None:
    """Rows kept, read, sorted and filtered as the grid does it."""
    before, store, seconds = resident(), RowStore(COLUMNS), 0.0
    for first in range(0, rows, 1000):
        batch = made(first, 1000)
        began = time.process_time()
        store.append(batch)
        seconds += time.process_time() - began
    table.add(f"append {rows:,} rows", [seconds], "s", limit=2 * rows / 1e6)
    table.add("… resident more", [resident() - before], "MB", limit=80 * rows / 1e6, by="max")
    reads = list[float]()
    for _ in range(2000):
        began = time.process_time()
        store.row(random.randrange(rows))
        reads.append(1e3 * (time.process_time() - began))
    table.add("a row anywhere", reads, "ms", limit=5, by="p99")
    pauses = [0.0]

    async def beat() -> None:
        last = time.process_time()
        while True:
            await asyncio.sleep(0.001)
            pauses.append(1e3 * (time.process_time() - last))
            last = time.process_time()

    beating = asyncio.create_task(beat())
    for place, column in enumerate(COLUMNS):
        began = time.process_time()
        await store.sort(place, descending=bool(place % 2))
        table.add(f"sort by {column.name}", [time.process_time() - began], "s")
    for wanted in (Filter(Comparison.CONTAINS, "r77777"), Filter(Comparison.MORE, "500", 3)):
        began = time.process_time()
        await store.filter(wanted)
        table.add(f"filter: {wanted.test}", [time.process_time() - began], "s")
    beating.cancel()
    table.add("pauses of the event loop", pauses, "ms", limit=100, by="max")


def written(table: Table, rows: int, formats: list[str]) -> None:
    """Rows as bytes."""
    batches = [made(first, 1000) for first in range(0, min(rows, 200_000), 1000)]
    for name in formats:
        out = writer(name)
        out.start(COLUMNS)
        began = time.process_time()
        for batch in batches:
            out.rows(batch)
        out.finish()
        speed = len(batches) * 1000 / (time.process_time() - began)
        table.add(f"write {name}", [speed / 1000], "rows/ms")


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--formats", default=",".join(NAMES))
    arguments = parser.parse_args()
    table = Table("a result, processor time")
    asyncio.run(held(table, arguments.rows))
    written(table, arguments.rows, arguments.formats.split(","))
    conclude(table)


if __name__ == "__main__":
    main()
