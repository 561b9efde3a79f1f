"""The editor at 10,000 lines: from a key to its frame, and to the list of completions among 10,000 tables.

    .venv/bin/python tests/bench/sql_editor.py [--lines 10000] [--tables 10000] [--keys 600]

Needs nothing but the project. Prints a table of figures with the limits that they are held against, and ends with 1
when one was missed. Seconds are processor time of the thread, so that a busy machine shows less; on an idle one they
are what a person waits. The app is the console's: keys in order, only changed cells written.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from textual import events
from textual.drivers.headless_driver import HeadlessDriver

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "tui"))
from sql_editor_app import EditorApp, Still
from verdicts import Table, conclude

LINE = "SELECT u.id, count(*) AS n, 'text' FROM users u WHERE u.x >= 12 AND y IN (1, 2, 3);"
KEYS: dict[str, str | None] = {
    "a": "a", "space": " ", "left_parenthesis": "(", "apostrophe": "'", "enter": "\r", "backspace": None,
    "left": None, "down": None, "pagedown": None, "ctrl+z": None, "alt+c": None,
}  # fmt: skip


class Sink(HeadlessDriver):
    """A terminal that counts."""

    written = 0

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        Sink.written += len(data.encode())


async def press(app: EditorApp, key: str, character: str | None) -> tuple[float, int]:
    began, written = time.thread_time(), Sink.written
    await app.on_event(events.Key(key, character))
    app.screen._on_timer_update()
    return time.thread_time() - began, Sink.written - written


async def measured(lines: int, tables: int, keys: int) -> Table:
    """Presses keys in a large buffer, then keys that open and narrow the list."""
    table = Table("editor, processor time from key to frame")
    app = EditorApp(source=Still(tables), driver_class=Sink)
    async with app.run_test(size=(140, 40), headless=False) as pilot:
        await pilot.pause(0.2)
        began = time.thread_time()
        app.editor.put("\n".join([LINE] * lines))
        table.add(f"paste of {lines:,} lines", [(time.thread_time() - began) * 1e3], "ms")
        while not app.editor.sql.tokens.settled:
            await asyncio.sleep(0.05)
        # As the app does it once the cluster is listed: a full collection takes 60 ms, and belongs to no key.
        gc.collect()
        gc.freeze()
        gc.set_threshold(2_000, 5, 1_000)
        app.editor.go_to_line(lines // 2)
        await pilot.pause(1.0)
        every, bytes_of = list[float](), list[float]()
        found: dict[str, list[float]] = {key: [] for key in KEYS}
        for number in range(keys):
            key = random.choice(list(KEYS))
            took, wrote = await press(app, key, KEYS[key])
            found[key].append(1e3 * took)
            every.append(1e3 * took)
            bytes_of.append(wrote)
            await asyncio.sleep(0.3 if number % 20 == 19 else 0.005)
        for key, runs in found.items():
            if runs:
                table.add(key, runs, "ms")
        table.add(f"any key among {lines:,} lines", every, "ms", limit=100, by="p99")
        table.add("… written", bytes_of, "B")
        await press(app, "ctrl+n", None)
        await pilot.pause(0.3)
        runs, written = list[float](), list[float]()
        for number in range(keys // 12):
            for letter in f"select * from tab{number % 9} ":
                key = {" ": "space", "*": "asterisk"}.get(letter, letter)
                took, wrote = await press(app, key, letter)
                if app.workbench.completions.is_open:
                    runs.append(1e3 * took)
                    written.append(wrote)
                await asyncio.sleep(0)
            await press(app, "enter", "\r")
        table.add(f"list of completions, {tables:,} tables", runs, "ms", limit=30, by="p99")
        table.add("… written", written, "B")
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("--lines", 10_000), ("--tables", 10_000), ("--keys", 600)):
        parser.add_argument(name, type=int, default=value)
    options = parser.parse_args()
    random.seed(7)
    with tempfile.TemporaryDirectory() as folder:
        for variable in ("STATE", "CONFIG"):
            os.environ[f"XDG_{variable}_HOME"] = folder
        os.environ["TEXTUAL_ANIMATIONS"] = "none"
        os.environ["COLORTERM"] = "truecolor"
        figures = asyncio.run(measured(**vars(options)))
    conclude(figures)
