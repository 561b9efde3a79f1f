"""A thousand pod events a second for half a minute: how late is the store, how late is a key, what does it cost?

    python tests/bench/storm.py [--seconds 30] [--rate 1000] [--sets 1000]

Starts its own server of plain JSON (another process). Two runs: inside this process, without a terminal, every
event's way from the socket of the server into the store is timed; then the real program in a pseudo-terminal is sent
keys and the time until its next frame is taken, with its processor time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from terminal import Terminal
from textual import events

from tui.kube.context import ConnectOptions
from tui.kube.objects import Pod
from tui.kube.store import Store
from tui.screens.app import StatetuiApp
from tui.settings import Settings

#: Keys that open something, what is written then, and when it is left again.
OPENED = {
    "help": ("?", r"overview\.filter", "Filter|Faults"),
    "palette": ("\x10", "Everything", r"\S"),
    "workload": ("\r", "1 Members", "Filter|Faults"),
}
STATETUI = str(Path(sys.executable).with_name("statetui"))


def percentile(values: list[float], share: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def row(name: str, values: list[float]) -> None:
    """One line of figures, in ms."""
    print(
        f"{name:34} n={len(values):6}  median {statistics.median(values) * 1e3:7.1f} ms   "
        f"p99 {percentile(values, 0.99) * 1e3:7.1f}   max {max(values) * 1e3:7.1f}"
    )


def storm(url: str, seconds: float) -> None:
    """Asks the server for its storm and waits for the end of it."""
    request = urllib.request.Request(f"{url}/storm?seconds={seconds}", method="POST")
    urllib.request.urlopen(request, timeout=seconds + 60).read()


async def into_the_store(kubeconfig: str, url: str, seconds: float) -> None:
    """The app without a terminal; each pod's label tells when it was sent."""
    late: list[float] = []
    put = Store.put

    def timed(self: Store, resource: str, item: object) -> None:
        put(self, resource, item)  # type: ignore[arg-type]
        if isinstance(item, Pod) and (at := item.metadata.labels.get("bench/at")):
            late.append(time.time() - float(at))

    async def moves(app: StatetuiApp) -> None:
        """Moves the cursor; a move is over with the first frame after it stands elsewhere."""
        while True:
            before = time.monotonic()
            stood = app.overview.cursor_key
            app.post_message(events.Key("down", None))
            while app.overview.cursor_key == stood:
                await asyncio.sleep(0.001)
            drawn = asyncio.Event()
            app.screen.call_after_refresh(drawn.set)
            await drawn.wait()
            moved.append(time.monotonic() - before)
            await asyncio.sleep(0.2)

    moved: list[float] = []
    app = StatetuiApp(ConnectOptions(kubeconfig=kubeconfig, all_namespaces=True), Settings())
    async with app.run_test(size=(140, 40)):
        while not (app.live and app.live.complete and app.overview.cursor_key):
            await asyncio.sleep(0.05)
        Store.put = timed  # type: ignore[method-assign]
        before = time.process_time()
        moving = asyncio.create_task(moves(app))
        await asyncio.to_thread(storm, url, seconds)
        moving.cancel()
        used = time.process_time() - before
        Store.put = put  # type: ignore[method-assign]
    row("event to store", late)
    row("cursor key to frame", moved)
    print(f"{'processor, without a terminal':34} {used / seconds * 100:6.1f} % of one core")


def keys(kubeconfig: str, url: str, seconds: float) -> None:
    """The real program: a screen is opened, until something of it is written, and left again, until anything is."""
    terminal = Terminal([STATETUI, "-A", "--kubeconfig", kubeconfig], (140, 40))
    try:
        terminal.until("● live", 60)
        terminal.pump(1.0)
        storming = threading.Thread(target=storm, args=(url, seconds))
        cpu, start = terminal.cpu(), time.monotonic()
        storming.start()
        late: dict[str, list[float]] = {name: [] for name in OPENED}
        terminal.pump(1.0)
        while storming.is_alive():
            for name, (opens, shown, left) in OPENED.items():
                for key, wanted in ((opens, shown), ("\x1b", left)):
                    terminal.text, before = "", time.monotonic()
                    terminal.type(key)
                    terminal.until(wanted, 10)
                    late[name].append(time.monotonic() - before)
                    terminal.pump(0.25)
        storming.join()
        used = (terminal.cpu() - cpu) / (time.monotonic() - start)
    finally:
        terminal.end()
    for name, taken in late.items():
        row(f"{name} to frame, and back", taken)
    print(f"{'processor, in a terminal':34} {used * 100:6.1f} % of one core")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--port", type=int, default=26500)
    arguments = parser.parse_args()
    program = [
        sys.executable,
        str(Path(__file__).with_name("storm_server.py")),
        "--sets",
        str(arguments.sets),
        "--rate",
        str(arguments.rate),
        "--port",
        str(arguments.port),
    ]
    with (
        subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as server,
        tempfile.NamedTemporaryFile("w", suffix=".conf") as kubeconfig,
    ):
        try:
            assert server.stdout
            url = server.stdout.readline().strip()
            json.dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "storm",
                    "clusters": [{"name": "storm", "cluster": {"server": url}}],
                    "users": [],
                    "contexts": [{"name": "storm", "context": {"cluster": "storm"}}],
                },
                kubeconfig,
            )
            kubeconfig.flush()
            asyncio.run(into_the_store(kubeconfig.name, url, arguments.seconds))
            keys(kubeconfig.name, url, arguments.seconds)
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
