"""Listing many keys of the real MinIO of the real cluster, beside `mc ls --recursive` over `kubectl port-forward`.

    STATETUI_TEST_KUBECONFIG=… PATH=…/mc-and-kubectl:$PATH .venv/bin/python tests/bench/bucket_list.py [--rounds N]

Figures, no assertions: milliseconds until the first page is there (over a new connection, and over an open one) and
seconds until all is, in turn and in one run; CPU seconds and memory of each process. Each of ours is a process of its
own, as the others are; its time begins before its first connection to the store, and not with the interpreter. The
command's whole time, from its start to its end, is told beside it. The bucket is ours, and removed at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bucket_transfer import ACCESS, KUBECONFIG, SECRET, forwarded, mc
from manykeys import put

from tui.kube.options import ConnectOptions
from tui.services.bucket.model import Keys, Security
from tui.services.bucket.store import Store, open_store
from tui.systems.bucketroutes import StoreFinder
from tui.systems.catalogue import load_catalogue
from tui.systems.live import Live

BUCKET = f"bench-list-{os.getpid()}"
PREFIX = "flat/"
#: What the issue wants of the first page, in milliseconds.
WANTED = 200


async def connected(namespace: str = "stateful", name: str = "my-tenant") -> tuple[Store, asyncio.Task[None]]:
    """The store of a workload, and what watches the cluster."""
    live = Live(ConnectOptions(kubeconfig=KUBECONFIG, namespace=namespace), load_catalogue([]), usage=False)
    task = asyncio.create_task(live.run())
    while not live.complete or not live.workloads:
        await asyncio.sleep(0.01)
    finder = StoreFinder(live, next(key for key in live.workloads if key.endswith(f"/{name}")))
    return await open_store(finder, Keys(ACCESS, SECRET), Security(https=False), "us-east-1"), task


async def fill(count: int) -> None:
    store, task = await connected()
    await store.make_bucket(BUCKET)
    await put(store, BUCKET, PREFIX, count)
    await store.close()
    task.cancel()


async def empty() -> None:
    store, task = await connected()
    await remove(store, BUCKET)
    await store.close()
    task.cancel()


async def remove(store: Store, bucket: str) -> None:
    """Removes a bucket with all that is in it."""
    began = time.monotonic()
    failures = await store.clear(bucket, "", lambda done, whole: None, all_versions=True)
    await store.remove_bucket(bucket)
    print(f"removed in {time.monotonic() - began:.0f} s", *failures[:3])


async def ours(bucket: str) -> None:
    store, task = await connected()
    await store.session.use(https=False, context=None)  # the next request makes its connection anew
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.monotonic()
    page = await store.page(bucket, PREFIX, "")
    first = time.monotonic() - began
    count = len(page.entries)
    while page.more:
        page = await store.page(bucket, PREFIX, page.more)
        count += len(page.entries)
    seconds = time.monotonic() - began
    began = time.monotonic()
    await store.page(bucket, PREFIX, "")
    again = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "first": first * 1000, "again": again * 1000, "seconds": seconds, "count": count,
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, "memory": after.ru_maxrss >> 10,
    }))  # fmt: skip
    await store.close()
    task.cancel()


def run_ours() -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--ours", BUCKET], stdout=subprocess.PIPE, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def command() -> dict[str, float]:
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "tui", "--kubeconfig", KUBECONFIG, "-n", "stateful", "bucket", "my-tenant", "ls", "-r",
         BUCKET], stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = status
    assert status == 0
    return {"seconds": time.monotonic() - began, "cpu": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss >> 10}


def figures(values: list[float], unit: str, digits: int = 0) -> str:
    return f"{statistics.median(values):.{digits}f} {unit} ({', '.join(f'{value:.{digits}f}' for value in values)})"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--ours")
    arguments = parser.parse_args()
    if arguments.ours:
        asyncio.run(ours(arguments.ours))
        return
    try:
        asyncio.run(fill(arguments.keys))
        rival: list[dict[str, float]] = []
        own: list[dict[str, float]] = []
        commands: list[dict[str, float]] = []
        with forwarded() as port:
            for _ in range(arguments.rounds):
                rival.append(mc(port, "ls", "--recursive", f"rival/{BUCKET}"))
                own.append(run_ours())
                commands.append(command())
    finally:
        asyncio.run(empty())
    assert all(one["count"] == arguments.keys for one in own), [one["count"] for one in own]
    first, all_of_it = [one["first"] for one in own], [one["seconds"] for one in own]
    print(f"first page: {figures(first, 'ms')}, wanted {WANTED} ms: "
          f"{'met' if statistics.median(first) <= WANTED else 'MISSED'}; "
          f"over an open connection {figures([one['again'] for one in own], 'ms')}")  # fmt: skip
    theirs = [one["seconds"] for one in rival]
    print(f"all {arguments.keys:,}: mc {figures(theirs, 's', 2)}, statetui {figures(all_of_it, 's', 2)}: "
          f"{'met' if statistics.median(all_of_it) <= statistics.median(theirs) else 'MISSED'}")  # fmt: skip
    print(f"the command, from start to end: {figures([one['seconds'] for one in commands], 's', 2)}")
    for name, side in (("mc", rival), ("statetui", own), ("command", commands)):
        print(f"  {name:9} CPU {figures([one['cpu'] for one in side], 's', 2)}; "
              f"at most {max(one['memory'] for one in side)} MB")  # fmt: skip


if __name__ == "__main__":
    main()
