"""Bytes that the real program writes to its terminal: idle for a minute, and when one pod changes.

    python tests/bench/written.py --kubeconfig FILE --namespace NS --pod NAME [--kubectl kubectl] [--idle 60]

The pod changes by a label first (nothing to be seen: nothing should be written) and by deletion of the pod then
(its states are written as they come).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from terminal import Terminal

STATETUI = str(Path(sys.executable).with_name("statetui"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--pod", required=True)
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--idle", type=float, default=60)
    arguments = parser.parse_args()
    kubectl = [arguments.kubectl, "--kubeconfig", arguments.kubeconfig, "-n", arguments.namespace]
    for size in ((140, 40), (80, 24)):
        terminal = Terminal([STATETUI, "-A", "--kubeconfig", arguments.kubeconfig], size)
        try:
            terminal.until("● live")
            terminal.pump(5)
            print(f"{size[0]}x{size[1]}: {terminal.bytes} bytes until live and calm")
            before = terminal.bytes
            terminal.pump(arguments.idle)
            print(f"  idle {arguments.idle:.0f} s: {terminal.bytes - before} bytes (ages included)")
            before = terminal.bytes
            subprocess.run(
                [*kubectl, "label", "pod", arguments.pod, "bench=1", "--overwrite"],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            terminal.pump(3)
            subprocess.run([*kubectl, "label", "pod", arguments.pod, "bench-"], check=True, stdout=subprocess.DEVNULL)
            terminal.pump(3)
            print(f"  two changes of a label: {terminal.bytes - before} bytes")
            before = terminal.bytes
            subprocess.run(
                [*kubectl, "delete", "pod", arguments.pod, "--wait=false"], check=True, stdout=subprocess.DEVNULL
            )
            for second in range(1, 31):
                terminal.pump(1)
                if terminal.bytes != before:
                    print(f"  deleted, second {second}: {terminal.bytes - before} bytes")
                    before = terminal.bytes
        finally:
            terminal.end()


if __name__ == "__main__":
    main()
