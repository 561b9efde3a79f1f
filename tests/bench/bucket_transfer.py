"""Transfers to the real MinIO of the real cluster, beside `mc cp` over `kubectl port-forward`, in turn and in one run.

    STATETUI_TEST_KUBECONFIG=… PATH=…/mc-and-kubectl:$PATH .venv/bin/python tests/bench/bucket_transfer.py [--rounds N]

Figures, no assertions: seconds and MiB/s (objects/s) of each round and their medians, CPU seconds and memory of the
process, how late the event loop was. Each of ours is a process of its own, as the others are; each makes its connection
anew. Which of the two goes first changes with each round, and each begins when nothing waits for the disk: what one has
written would otherwise slow down the next. Both download the object that statetui has uploaded, whose CRC-32 the store
keeps: of one that has only the MD5 of its parts (mc's), verifying takes 1.2 CPU seconds more for each GiB, and mc
verifies neither. The bucket is ours, and removed at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tui.kube.options import ConnectOptions
from tui.services.bucket.model import Keys
from tui.services.bucket.signing import Signer
from tui.services.bucket.transfers import calls
from tui.services.bucket.transfers.download import download_file
from tui.services.bucket.transfers.engine import Engine, Limits, Task, listed
from tui.services.bucket.transfers.fetching import Origin
from tui.services.bucket.transfers.journal import Journal
from tui.services.bucket.transfers.names import LocalName
from tui.services.bucket.transfers.planning import Options, files, keys
from tui.services.bucket.transfers.progress import Item, Job
from tui.services.bucket.transfers.upload import Goal, upload_file
from tui.services.bucket.transfers.wire import Wire
from tui.services.bucket.transfers.writing import Folder
from tui.systems.bucketroutes import StoreFinder
from tui.systems.catalogue import load_catalogue
from tui.systems.live import Live

KUBECONFIG = os.environ["STATETUI_TEST_KUBECONFIG"]
ACCESS, SECRET = "CHAPTERACCESSKEY", "chapter-secret-key-0123456789"
BUCKET = f"bench-transfer-{os.getpid()}"

#: Seconds, CPU seconds and memory of one run, and what else is known of ours.
Figures = dict[str, float]


# --- ours, each in a process of its own


async def _lateness(late: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(0.01)  # oftener it would itself be a good part of what is measured
        late.append(time.perf_counter() - before - 0.01)


async def ours(what: str, bucket: str, path: Path) -> None:
    live = Live(ConnectOptions(kubeconfig=KUBECONFIG, namespace="stateful"), load_catalogue([]), usage=False)
    task = asyncio.create_task(live.run())
    while not live.complete or not live.workloads:
        await asyncio.sleep(0.01)
    way = await StoreFinder(live, next(key for key in live.workloads if key.endswith("/my-tenant")))()
    wire = Wire(lambda: way, Signer(Keys(ACCESS, SECRET)))
    store = calls.Store(wire, "bench")
    before = resource.getrusage(resource.RUSAGE_SELF)
    job = Job(what)
    limits = {name.lower()[6:]: int(text) for name, text in os.environ.items() if name.startswith("BENCH_")}
    engine = Engine(job, Journal(path.parent / "journal"), Limits(**limits))  # type: ignore[arg-type]
    late: list[float] = []
    watch = asyncio.create_task(_lateness(late))
    began = time.monotonic()
    if what == "up":
        item = Item(str(path), "big", path.stat().st_size)
        job.add(item)
        await engine.run(listed([Task(item, lambda: upload_file(engine, Goal(store, bucket, "big"), path, item))]))
    elif what == "down":
        item = Item("big", str(path), None)
        job.add(item)
        origin, name = Origin(store, bucket, "big"), LocalName((), path.name, False)
        folder = Folder(path.parent)
        await engine.run(listed([Task(item, lambda: download_file(engine, origin, folder, name, item))]))
    elif what == "many-up":
        await engine.run(files(engine, path, Goal(store, bucket, "many/"), Options()))
    else:
        await engine.run(keys(engine, Origin(store, bucket, "many/"), Folder(path), Options()))
    seconds = time.monotonic() - began
    watch.cancel()
    after = resource.getrusage(resource.RUSAGE_SELF)
    late.sort()
    failed = [str(item.problem) for item in job.remarkable if item.problem]
    print(json.dumps({
        "seconds": seconds, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "memory": after.ru_maxrss >> 10, "before": before.ru_maxrss >> 10, "bytes": job.done, "failed": failed[:3],
        "late_p99": late[int(len(late) * 0.99)] * 1000, "late_max": late[-1] * 1000,
    }))  # fmt: skip
    engine.close()
    await wire.close()
    await way.close()
    task.cancel()


# --- the rival


@contextmanager
def forwarded(namespace: str = "stateful", pod: str = "my-tenant-zone-0-0") -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        ["kubectl", "--kubeconfig", KUBECONFIG, "-n", namespace, "port-forward", pod, f"{port}:9000"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def mc(port: int, *words: str) -> Figures:
    environment = {
        **os.environ,
        "MC_HOST_rival": f"http://{ACCESS}:{SECRET}@127.0.0.1:{port}",
        "MC_CONFIG_DIR": tempfile.gettempdir() + "/mc",
    }
    began = time.monotonic()
    process = subprocess.Popen(["mc", "--quiet", *words], env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = status
    assert status == 0, words
    return {"seconds": time.monotonic() - began, "cpu": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss >> 10}


def run_ours(what: str, path: Path) -> Figures:
    done = subprocess.run(
        [sys.executable, __file__, "--ours", what, "--bucket", BUCKET, "--path", str(path)],
        stdout=subprocess.PIPE, check=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    return json.loads(done.stdout)  # type: ignore[no-any-return]


class Sides:
    """What the rival and ours have needed, round by round."""

    def __init__(self) -> None:
        self.rival: list[Figures] = []
        self.own: list[Figures] = []

    def take(self, number: int, rival: Callable[[], Figures], own: Callable[[], Figures]) -> None:
        """One round; in odd ones ours goes first."""
        turns = [(rival, self.rival), (own, self.own)]
        for run, figures in reversed(turns) if number % 2 else turns:
            os.sync()
            figures.append(run())


def tell(title: str, amount: float, unit: str, sides: Sides, wanted: float) -> None:
    rival, own = sides.rival, sides.own
    rates = [[amount / one["seconds"] for one in side] for side in (rival, own)]
    medians = [statistics.median(one) for one in rates]
    ratio = medians[1] / medians[0]
    print(f"{title}: mc {medians[0]:.1f} {unit}   statetui {medians[1]:.1f} {unit}   {ratio:.2f} x, wanted {wanted} x: "
          f"{'met' if ratio >= wanted else 'MISSED'}")  # fmt: skip
    for name, side, values in (("mc", rival, rates[0]), ("statetui", own, rates[1])):
        print(f"  {name:9} {', '.join(f'{value:.0f}' for value in values)} {unit}; CPU "
              f"{statistics.median(one['cpu'] for one in side):.1f} s; "
              f"at most {max(one['memory'] for one in side)} MB")  # fmt: skip
    late = [one["late_p99"] for one in own], [one["late_max"] for one in own]
    print(f"  loop late: p99 {max(late[0]):.1f} ms, at most {max(late[1]):.1f} ms; memory "
          f"{'met' if max(one['memory'] for one in own) <= 150 else 'MISSED'} (150 MB)", flush=True)  # fmt: skip
    for one in own:
        if one.get("failed"):
            print("  FAILED:", one["failed"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--only", choices=("big", "many"))
    parser.add_argument("--ours")
    parser.add_argument("--bucket")
    parser.add_argument("--path", type=Path)
    arguments = parser.parse_args()
    if arguments.ours:
        asyncio.run(ours(arguments.ours, arguments.bucket, arguments.path))
        return
    with tempfile.TemporaryDirectory() as folder, forwarded() as port:
        root = Path(folder)
        mc(port, "mb", f"rival/{BUCKET}")
        try:
            if arguments.only != "many":
                big(root, port, arguments.mib, arguments.rounds)
            if arguments.only != "big":
                many(root, port, arguments.objects, arguments.rounds)
        finally:
            mc(port, "rb", "--force", f"rival/{BUCKET}")


def big(root: Path, port: int, mib: int, rounds: int) -> None:
    path = root / "big"
    with path.open("wb") as out:
        for _ in range(mib):
            out.write(os.urandom(1 << 20))
    up, down = Sides(), Sides()
    for number in range(rounds):
        up.take(
            number,
            lambda: mc(port, "cp", str(path), f"rival/{BUCKET}/big-of-mc"),
            lambda: run_ours("up", path),
        )
        down.take(
            number,
            lambda: mc(port, "cp", f"rival/{BUCKET}/big", str(root / "back")),
            lambda: run_ours("down", root / "ours"),
        )
        assert subprocess.run(["cmp", path, root / "ours"], check=False).returncode == 0
        (root / "back").unlink()
        (root / "ours").unlink()
    tell(f"{mib} MiB up", mib, "MiB/s", up, 1.2)
    tell(f"{mib} MiB down", mib, "MiB/s", down, 1.2)
    path.unlink()


def many(root: Path, port: int, count: int, rounds: int) -> None:
    source = root / "many"
    for number in range(count):
        path = source / f"{number % 100:02}" / f"{number:06}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(4096))
    up, down = Sides(), Sides()
    for number in range(rounds):
        up.take(
            number,
            lambda: mc(port, "cp", "--recursive", f"{source}/", f"rival/{BUCKET}/many/"),
            lambda: run_ours("many-up", source),
        )
        down.take(
            number,
            lambda: mc(port, "cp", "--recursive", f"rival/{BUCKET}/many/", f"{root}/back/"),
            lambda: run_ours("many-down", root / "ours"),
        )
        assert subprocess.run(["diff", "-rq", source, root / "ours"], check=False).returncode == 0
        shutil.rmtree(root / "back")
        shutil.rmtree(root / "ours")
    tell(f"{count} objects of 4 KiB up", count, "objects/s", up, 1.0)
    tell(f"{count} objects of 4 KiB down", count, "objects/s", down, 1.0)


if __name__ == "__main__":
    main()
