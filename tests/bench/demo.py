"""From `statetui demo` to its first frame, to four panes and to all pods ready: a new demo, and one that has data.

    python tests/bench/demo.py [--runs 3] [--size 140x40]

Figures only; nothing is asserted. The servers must be on this machine. Each run has a state directory of its own.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from terminal import Terminal

STATETUI = str(Path(sys.executable).with_name("statetui"))
#: The number of warnings at the right end of the first line: only what has changed is written, and this comes last.
READY = "0 ⚠"
NAMES = ("cdb", "my-tenant", "mysql", "rabbitmq")


def run(size: tuple[int, int], state: str) -> tuple[float, ...]:
    """Seconds until the first frame, until all four names are drawn, until everything is ready; and the load then."""
    terminal = Terminal([STATETUI, "demo"], size, {"XDG_STATE_HOME": state})
    try:
        first = terminal.until("all namespaces|sandbox / all", 60)
        panes = max(terminal.until(rf"{re.escape(name)} ", 60) for name in NAMES)
        terminal.text = ""
        ready = terminal.until(READY, 100)
        terminal.type("q")
        # Its pods end in order; a new one must not find them.
        terminal.pump(40)
    finally:
        terminal.end()
    return first, panes, ready, os.getloadavg()[0]


def show(name: str, found: list[tuple[float, ...]]) -> None:
    """A line of figures for each thing that was measured."""
    for index, what in enumerate(("first frame", "four panes", "all ready", "load average")):
        values = [one[index] for one in found]
        line = f"median {statistics.median(values):6.2f}   min {min(values):6.2f}   max {max(values):6.2f}"
        print(f"{name + ', ' + what:32} {line}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--size", default="140x40")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    new, again = [], []
    for _ in range(arguments.runs):
        with tempfile.TemporaryDirectory() as state:
            new.append(run((width, height), state))
            again.append(run((width, height), state))
    show("new", new)
    show("with data", again)


if __name__ == "__main__":
    main()
