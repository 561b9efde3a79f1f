"""From process start to the first frame and to the complete table, and `get`, beside kubectl on the same cluster.

    python tests/bench/start.py --kubeconfig FILE [--kubectl kubectl] [--runs 5]

Figures only; nothing is asserted. Run it on an idle machine, once before to have byte code.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from terminal import Terminal

STATETUI = str(Path(sys.executable).with_name("statetui"))


def wall(command: list[str], environment: dict[str, str]) -> float:
    """Wall seconds of a command that must succeed."""
    start = time.monotonic()
    subprocess.run(command, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def show(name: str, seconds: list[float]) -> None:
    """One line of figures."""
    print(f"{name:44} median {statistics.median(seconds):6.2f} s   min {min(seconds):6.2f}   max {max(seconds):6.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--size", default="140x40")
    arguments = parser.parse_args()
    environment = {"KUBECONFIG": arguments.kubeconfig}
    width, height = map(int, arguments.size.split("x"))
    first, live, resident, written = [], [], [], []
    kubectl, get = [], []
    for run in range(arguments.runs + 1):
        time.sleep(2)  # the server, too, tidies up after the last run
        terminal = Terminal([STATETUI, "-A"], (width, height), environment)
        try:
            one = terminal.until("statetui")
            two = terminal.until("● live", 60)
            size, count = terminal.resident(), terminal.bytes
            terminal.pump(1.0)
        finally:
            terminal.end()
        three = wall([arguments.kubectl, "get", "sts,pods,pvc", "-A"], environment)
        four = wall([STATETUI, "get", "-A", "--no-usage"], environment)
        if run:  # the first is a warm-up
            first.append(one), live.append(two), resident.append(size), written.append(count)
            kubectl.append(three), get.append(four)
    show("first frame", first)
    show("complete live table", live)
    print(f"{'resident when complete':44} median {statistics.median(resident):6.0f} MB")
    print(f"{'bytes written until then':44} median {statistics.median(written):6.0f}")
    show("statetui get -A", get)
    show("kubectl get sts,pods,pvc -A", kubectl)
    print(f"{'get / kubectl':44} {statistics.median(get) / statistics.median(kubectl):6.2f}")
    print(f"{'live table / kubectl':44} {statistics.median(live) / statistics.median(kubectl):6.2f}")


if __name__ == "__main__":
    main()
