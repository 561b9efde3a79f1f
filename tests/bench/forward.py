"""A forward beside `kubectl port-forward`, in turn, to the same pod of a real cluster.

    python tests/bench/forward.py --kubeconfig FILE [--kubectl kubectl] [--runs 3] [--only streams,connects,…]

Throughput of one stream and of ten, processor seconds for each GB, round trips, connects one after the other and all at
once, and what a reader that does not read does to the others. Figures only; nothing is asserted. It makes a namespace
of its own and deletes it. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import selectors
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.contract import forwarding, peer
from tests.contract.clusters import RealCluster, own_namespace

HERE = Path(__file__).parent
MB, GB = 1e6, 1e9
PORTS = (peer.ZEROS, peer.DISCARD, peer.ECHO, peer.BYTE)


@dataclass
class Rival:
    """A program that forwards, and where it listens for each port."""

    name: str
    process: subprocess.Popen[str]
    local: dict[int, int]

    @property
    def processor(self) -> float:
        """Seconds of processor time so far."""
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def resident(self) -> float:
        """MB in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


@contextlib.contextmanager
def ours(namespace: str, pod: str) -> Iterator[Rival]:
    words = [f"pod/{pod}:{port}" for port in PORTS]
    command = [sys.executable, "-m", "tui", "forward", "-n", namespace, "-o", "json", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        local: dict[int, int] = {}
        assert process.stdout is not None
        while len(local) < len(PORTS):
            told = json.loads(process.stdout.readline())["forward"]
            local[told["port"]] = told["localPort"]
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield Rival("statetui", process, local)
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def kubectl(program: str, namespace: str, pod: str) -> Iterator[Rival]:
    command = [program, "port-forward", "-n", namespace, f"pod/{pod}", *(f":{port}" for port in PORTS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        local: dict[int, int] = {}
        assert process.stdout is not None
        while len(local) < len(PORTS):
            if found := re.search(r"127\.0\.0\.1:(\d+) -> (\d+)", process.stdout.readline()):
                local[int(found[2])] = int(found[1])
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield Rival("kubectl", process, local)
    finally:
        process.terminate()
        process.wait()


def connect(rival: Rival, port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", rival.local[port]))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def download(rival: Rival, size: int) -> None:
    with connect(rival, peer.ZEROS) as stream:
        stream.sendall(b"%d\n" % size)
        room, left = bytearray(1 << 18), size
        while left:
            got = stream.recv_into(room)
            if not got:
                raise EOFError(f"{rival.name}: {left} bytes are missing")
            left -= got


def upload(rival: Rival, size: int) -> None:
    block = bytes(1 << 18)
    with connect(rival, peer.DISCARD) as stream:
        stream.sendall(b"%d\n" % size)
        left = size
        while left:
            stream.sendall(block[:left])
            left -= min(left, len(block))
        if stream.recv(1) != b"!":
            raise EOFError(f"{rival.name}: no acknowledgement")


def at_once(what: Callable[[], None], number: int) -> None:
    threads = [threading.Thread(target=what) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Table:
    """Figures of both, and the ratio of their medians."""

    def __init__(self) -> None:
        self.figures: dict[tuple[str, str], dict[str, list[float]]] = {}

    def add(self, what: str, unit: str, rival: str, figure: float) -> None:
        self.figures.setdefault((what, unit), {}).setdefault(rival, []).append(figure)

    def show(self) -> None:
        print(f"{'':44} {'statetui':>10} {'kubectl':>10} {'ratio':>7}")
        for (what, unit), by_rival in self.figures.items():
            a, b = (statistics.median(by_rival.get(name, [float("nan")])) for name in ("statetui", "kubectl"))
            spread = "  ".join(f"{name[0]} {min(f):.4g}-{max(f):.4g}" for name, f in by_rival.items())
            print(f"{what:32} {unit:>11} {a:10.4g} {b:10.4g} {a / b if b else float('nan'):7.2f}   {spread}")


def streams(rival: Rival, table: Table, size: int) -> None:
    for what, move in (("down", download), ("up", upload)):
        for number in (1, 10):
            share = size // number
            before, start = rival.processor, time.perf_counter()
            at_once(lambda move=move, share=share: move(rival, share), number)  # type: ignore[misc]
            seconds = time.perf_counter() - start
            name = f"{number} stream{'s' if number > 1 else ''} {what}"
            table.add(name, "MB/s", rival.name, size / MB / seconds)
            table.add(name, "CPU s/GB", rival.name, (rival.processor - before) / (size / GB))


def round_trips(rival: Rival, table: Table) -> None:
    with connect(rival, peer.ECHO) as stream:
        taken = []
        for _ in range(3000):
            start = time.perf_counter()
            stream.sendall(bytes(64))
            left = 64
            while left:
                left -= len(stream.recv(left))
            taken.append((time.perf_counter() - start) * 1e3)
    taken.sort()
    table.add("64-byte round trip p50", "ms", rival.name, taken[len(taken) // 2])
    table.add("64-byte round trip p99", "ms", rival.name, taken[len(taken) * 99 // 100])


def connects(rival: Rival, table: Table) -> None:
    def one() -> float:
        start = time.perf_counter()
        with connect(rival, peer.BYTE) as stream:
            if stream.recv(1) != b"!":
                raise EOFError(f"{rival.name}: no byte")
        return time.perf_counter() - start

    start = time.perf_counter()
    for _ in range(300):
        one()
    table.add("300 connects one by one", "s", rival.name, time.perf_counter() - start)
    time.sleep(3)
    alone = []
    for _ in range(40):
        time.sleep(0.15)
        alone.append(one() * 1e3)
    table.add("a connect alone p50", "ms", rival.name, statistics.median(alone))
    start = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        opened = []
        for _ in range(200):
            stream = connect(rival, peer.BYTE)
            opened.append(stream)
            selector.register(stream, selectors.EVENT_READ)
        answered = 0
        while answered < 200:
            for key, _ in selector.select(30):
                if key.fileobj.recv(1) != b"!":  # type: ignore[union-attr]
                    raise EOFError(f"{rival.name}: no byte")
                selector.unregister(key.fileobj)
                answered += 1
    table.add("200 connects at once", "s", rival.name, time.perf_counter() - start)
    for stream in opened:
        stream.close()
    time.sleep(3)


def stalled(rival: Rival, table: Table, seconds: float = 6.0) -> None:
    """The longest time for which any of ten busy streams gets nothing, without and with one that is not read."""

    def longest_gaps() -> list[float]:
        with selectors.DefaultSelector() as selector:
            heard = {}
            for _ in range(10):
                stream = connect(rival, peer.ZEROS)
                stream.sendall(b"%d\n" % (1 << 40))
                stream.setblocking(False)
                selector.register(stream, selectors.EVENT_READ)
                heard[stream] = time.perf_counter() + 2  # the first bytes may take a while
            room, gaps = bytearray(1 << 18), []
            end = time.perf_counter() + seconds
            while (now := time.perf_counter()) < end:
                for key, _ in selector.select(0.5):
                    stream = key.fileobj  # type: ignore[assignment]
                    stream.recv_into(room)
                    now = time.perf_counter()
                    gaps.append(now - heard[stream])
                    heard[stream] = now
            gaps += [now - last for last in heard.values()]
            for stream in heard:
                stream.close()
        time.sleep(1.5)
        return sorted(gaps)

    alone = longest_gaps()
    with connect(rival, peer.ZEROS) as sleeper:
        sleeper.sendall(b"%d\n" % (1 << 40))
        time.sleep(2)  # until every buffer on the way is full
        beside = longest_gaps()
    table.add("longest gap of 10 streams", "ms", rival.name, alone[-1] * 1e3)
    table.add("… beside a stalled reader", "ms", rival.name, beside[-1] * 1e3)
    table.add("p99.9 gap of 10 streams", "ms", rival.name, alone[len(alone) * 999 // 1000] * 1e3)
    table.add("… beside a stalled reader (p99.9)", "ms", rival.name, beside[len(beside) * 999 // 1000] * 1e3)
    time.sleep(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--size", type=int, default=1 << 30, help="bytes for each throughput figure")
    parser.add_argument("--only", default="streams,trips,connects,stalled")
    arguments = parser.parse_args()
    os.environ["KUBECONFIG"] = arguments.kubeconfig
    cluster = RealCluster(arguments.kubeconfig)
    table = Table()
    with own_namespace(cluster) as namespace:
        forwarding.peers(cluster, namespace, replicas=1)
        for _ in range(arguments.runs):
            for rival_of in (
                lambda: ours(namespace, "peer-0"),
                lambda: kubectl(arguments.kubectl, namespace, "peer-0"),
            ):
                with rival_of() as rival:
                    time.sleep(1)
                    if "streams" in arguments.only:
                        streams(rival, table, arguments.size)
                    if "trips" in arguments.only:
                        round_trips(rival, table)
                    if "connects" in arguments.only:
                        connects(rival, table)
                    if "stalled" in arguments.only and (rival.name != "kubectl" or not _):
                        stalled(rival, table)
                    table.add("resident afterwards", "MB", rival.name, rival.resident)
    table.show()


if __name__ == "__main__":
    main()
