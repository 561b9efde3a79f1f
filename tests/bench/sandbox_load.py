"""How long the sandbox's API takes over 10,000 pods, and what memory: made, listed as JSON and as a Table, and watched
by four clients. Run: python tests/bench/sandbox_load.py (needs kubectl).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tui.sandbox import seeds
from tui.sandbox.registry import Registry
from tui.sandbox.store import Store

COUNT = 10_000


def main() -> None:
    directory = Path(tempfile.mkdtemp(prefix="sandbox-load-"))
    store = Store(directory)
    registry = Registry(store)
    seeds.plant(registry)
    environment = [{"name": f"V{number}", "value": "x" * 20} for number in range(12)]
    start = time.perf_counter()
    for number in range(COUNT):
        container = {"name": "c", "image": "busybox:1", "env": environment, "ports": [{"containerPort": 80}]}
        meta = {"name": f"p{number}", "namespace": "default", "labels": {"app": "x"}}
        registry.create("pods", {"metadata": meta, "spec": {"containers": [container]}})
    size = len(next(store.list("pods")).raw)
    print(f"made: {time.perf_counter() - start:.1f} s, {size} bytes each")
    store.close()
    command = [sys.executable, "-m", "tui.sandbox", "--directory", str(directory)]
    environ = {**os.environ, "KUBECONFIG": str(directory / "kubeconfig")}
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        print(f"started: {time.perf_counter() - start:.2f} s")

        def memory() -> str:
            status = Path(f"/proc/{process.pid}/status").read_text()
            return next(line.split(":")[1].strip() for line in status.splitlines() if line.startswith("VmRSS"))

        for arguments in (["--raw", "/api/v1/pods"], ["pods"]):
            start = time.perf_counter()
            said = subprocess.run(["kubectl", "get", *arguments], env=environ, capture_output=True, check=True).stdout
            took = time.perf_counter() - start
            print(f"kubectl get {' '.join(arguments)}: {took:.2f} s, {len(said)} bytes, {memory()}")
        path = "/api/v1/pods?watch=1&timeoutSeconds=8"
        watches = [
            subprocess.Popen(["kubectl", "get", "--raw", path], env=environ, stdout=subprocess.PIPE) for _ in range(4)
        ]
        counts = [sum(1 for _ in watch.stdout) for watch in watches]
        print(f"watched: {counts} events, {memory()}")
        for watch in watches:
            watch.wait()
        process.terminate()


if __name__ == "__main__":
    main()
