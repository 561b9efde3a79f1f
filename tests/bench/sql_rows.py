"""A million rows of six columns from a real server through a forward, beside psql and mysql over kubectl port-forward.

    STATETUI_TEST_KUBECONFIG=… .venv/bin/python tests/bench/sql_rows.py [--rows N]

Figures, no assertions: seconds to the first rows, seconds to all of them, and the memory of the process that took them.
Each of ours is a process of its own, as the others are.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tui.kube.options import ConnectOptions
from tui.services.sql.connect import open_session
from tui.services.sql.model import Login, Rows, Wire
from tui.systems.catalogue import load_catalogue
from tui.systems.live import Live
from tui.systems.sqlroutes import WorkloadRouter

KUBECONFIG = os.environ["STATETUI_TEST_KUBECONFIG"]
QUERIES = {
    "cdb": "SELECT n, md5(n::text), n * 2.5, now(), n % 7 = 0, repeat('x', 20) FROM generate_series(1, {rows}) n",
    "mysql": "SELECT seq, md5(seq), seq * 2.5, now(), seq % 7 = 0, repeat('x', 20) FROM seq_1_to_{rows}",
}
WIRES = {"cdb": Wire.POSTGRES, "mysql": Wire.MYSQL}
LOGINS = {"cdb": Login("root", "", "defaultdb"), "mysql": Login("root", "", "mysql")}
PODS = {"cdb": ("cdb-cockroachdb-0", 26257), "mysql": ("mysql-0", 3306)}


async def ours(name: str, rows: int) -> None:
    live = Live(ConnectOptions(kubeconfig=KUBECONFIG, namespace="stateful"), load_catalogue([]), usage=False)
    task = asyncio.create_task(live.run())
    while not live.complete or not live.workloads:
        await asyncio.sleep(0.01)
    router = WorkloadRouter(live, next(key for key in live.workloads if key.endswith(f"/{name}")))
    began = time.monotonic()
    session = await open_session(router, WIRES[name], LOGINS[name])
    opened = time.monotonic() - began
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    began, first, got = time.monotonic(), 0.0, 0
    async for event in session.run(QUERIES[name].format(rows=rows)):
        if isinstance(event, Rows):
            first = first or time.monotonic() - began
            got += len(event.rows)
    seconds = time.monotonic() - began
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(
        f"{name:6} statetui      open {opened:.3f} s   first rows {first:.3f} s   all {got:,} in {seconds:.2f} s   "
        f"{most} MB resident ({before} before)"
    )
    await session.close()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@contextlib.contextmanager
def port_forward(pod: str, port: int) -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        local = sock.getsockname()[1]
    command = ["kubectl", "--kubeconfig", KUBECONFIG, "-n", "stateful", "port-forward", f"pod/{pod}", f"{local}:{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield local
        finally:
            process.terminate()


def theirs(name: str, rows: int) -> None:
    query = QUERIES[name].format(rows=rows)
    with port_forward(*PODS[name]) as port:
        if name == "cdb":
            what = "psql \\copy"
            command = ["psql", "-h", "127.0.0.1", "-p", str(port), "-U", "root", "-d", "defaultdb", "-qc",
                       f"\\copy ({query}) to STDOUT csv"]  # fmt: skip
        else:
            what = "mysql --batch"
            command = ["mysql", "-h", "127.0.0.1", "-P", str(port), "-u", "root", "--batch", "--quick",
                       "-e", query, "mysql"]  # fmt: skip
        began, first = time.monotonic(), 0.0
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            while process.stdout.read1(1 << 16):
                first = first or time.monotonic() - began
        print(f"{name:6} {what:13} {'':12} first rows {first:.3f} s   all {rows:,} in {time.monotonic() - began:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", choices=QUERIES)
    options = parser.parse_args()
    if options.only:
        asyncio.run(ours(options.only, options.rows))
        return
    print(f"load {os.getloadavg()[0]:.1f}")
    for name in QUERIES:
        for _ in range(2):
            subprocess.run(
                [sys.executable, __file__, "--only", name, "--rows", str(options.rows)], check=True,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            )  # fmt: skip
            theirs(name, options.rows)


if __name__ == "__main__":
    main()
