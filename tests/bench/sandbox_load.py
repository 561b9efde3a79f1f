"""What the whole sandbox (API, controllers, kubelet) takes for 10,000 objects, ten watches and 500 changes a second.

    python tests/bench/sandbox_load.py [--scene] [--server KUBECONFIG] [--objects 10000] [--rate 500] [--seconds 20]

With --server the same is done to a cluster that runs already, as the rival; it makes a namespace there and deletes it.
The objects are pods that no scheduler takes, ConfigMaps, and claims that nobody binds. Each change carries the time at
which it was asked for (CLOCK_MONOTONIC, which all processes share), and each watch notes when it came; a watch that was
cut off, or that missed a change, is told. Writers and watches are processes of their own, so that what is measured
is the server and not this program.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import re
import resource
import secrets
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tui.sandbox.kubelet.supervisor import family, processes
from tui.sandbox.users import write_private

_STAMP = re.compile(rb'"bench/at":"([0-9.]+)-([0-9]+)"')
#: What a watch has seen, and which changes were made of each resource.
_Result = dict[str, Any]
_Done = dict[str, set[int]]
_NOBODY = "bench-nobody"
#: Path, list kind and share of the objects.
_KINDS = (("pods", 0.4), ("configmaps", 0.4), ("persistentvolumeclaims", 0.2))


@dataclass
class Target:
    """Where the server is and how to get in; `files` outlive this program's processes."""

    url: str
    context: ssl.SSLContext = field(repr=False)

    @classmethod
    def of(cls, kubeconfig: Path) -> Target:
        """The current context of a kubeconfig with a client certificate."""
        config = yaml.safe_load(kubeconfig.read_text("utf-8"))
        parts = ("clusters", "users", "contexts")
        named = {part: {one["name"]: one[part[:-1]] for one in config[part]} for part in parts}
        chosen = named["contexts"][config["current-context"]]
        cluster, user = named["clusters"][chosen["cluster"]], named["users"][chosen["user"]]

        def data(entry: dict[str, str], name: str) -> str:
            if f"{name}-data" in entry:
                return base64.b64decode(entry[f"{name}-data"]).decode()
            return Path(entry[name]).read_text("utf-8")

        context = ssl.create_default_context(cadata=data(cluster, "certificate-authority"))
        with tempfile.TemporaryDirectory() as private:
            pair = Path(private) / "pair.pem"
            write_private(pair, data(user, "client-certificate") + data(user, "client-key"))
            context.load_cert_chain(pair)
        return cls(cluster["server"], context)

    def session(self) -> aiohttp.ClientSession:
        """A client of it."""
        return aiohttp.ClientSession(
            self.url,
            connector=aiohttp.TCPConnector(ssl=self.context, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            # The real server compresses long answers: that would be measured, and only there.
            headers={"Accept-Encoding": "identity"},
        )


def _object(plural: str, number: int) -> dict[str, Any]:
    meta = {"name": f"o{number:05}", "labels": {"app": "bench", "shard": str(number % 10)}}
    if plural == "configmaps":
        return {"metadata": meta, "data": {"settings": "x" * 800}}
    if plural == "persistentvolumeclaims":
        spec = {"storageClassName": _NOBODY, "accessModes": ["ReadWriteOnce"]}
        return {"metadata": meta, "spec": {**spec, "resources": {"requests": {"storage": "1Gi"}}}}
    environment = [{"name": f"V{each}", "value": "x" * 20} for each in range(12)]
    container = {"name": "c", "image": "busybox:1", "env": environment, "ports": [{"containerPort": 80}]}
    return {"metadata": meta, "spec": {"schedulerName": _NOBODY, "containers": [container]}}


def _names(count: int) -> Iterator[tuple[str, int]]:
    for plural, share in _KINDS:
        for number in range(int(count * share)):
            yield plural, number


async def _fill(target: Target, namespace: str, count: int) -> float:
    """Makes the objects, sixteen at a time; how long it took."""
    todo = _names(count)

    async def maker(session: aiohttp.ClientSession) -> None:
        for plural, number in todo:
            path = f"/api/v1/namespaces/{namespace}/{plural}"
            async with session.post(path, json=_object(plural, number)) as answer:
                if answer.status != 201:
                    raise RuntimeError(await answer.text())

    async with target.session() as session:
        body = {"metadata": {"name": namespace}}
        async with session.post("/api/v1/namespaces", json=body) as answer:
            answer.raise_for_status()
        for _ in range(600):
            # Pods are refused until the namespace has its ServiceAccount.
            async with session.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/default") as answer:
                if answer.status == 200:
                    break
            await asyncio.sleep(0.1)
        start = time.perf_counter()
        await asyncio.gather(*(maker(session) for _ in range(16)))
        return time.perf_counter() - start


async def _list(target: Target, namespace: str, plural: str) -> None:
    async with target.session() as session:
        path = f"/api/v1/namespaces/{namespace}/{plural}"
        start = time.perf_counter()
        async with session.get(path) as answer:
            body = await answer.read()
        whole = time.perf_counter() - start
        total = len(json.loads(body)["items"])
        start, token, pages, first, seen = time.perf_counter(), "", 0, 0.0, 0
        while pages == 0 or token:
            query = {"limit": "500", **({"continue": token} if token else {})}
            async with session.get(path, params=query) as answer:
                page = json.loads(await answer.read())
            token, pages, seen = page["metadata"].get("continue", ""), pages + 1, seen + len(page["items"])
            first = first or time.perf_counter() - start
        paged = time.perf_counter() - start
        start = time.perf_counter()
        query = {"watch": "1", "sendInitialEvents": "true", "allowWatchBookmarks": "true"}
        query["resourceVersionMatch"] = "NotOlderThan"
        streamed = 0
        async with session.get(path, params=query) as answer:
            async for line in _lines(answer):
                if b"k8s.io/initial-events-end" in line:
                    break
                streamed += 1
        watched = time.perf_counter() - start
        start = time.perf_counter()
        async with session.get(path, params={"labelSelector": "shard in (3)"}) as answer:
            chosen = len(json.loads(await answer.read())["items"])
        selected = time.perf_counter() - start
    print(
        f"  {plural}: {total} in {whole:.2f} s ({len(body) >> 10} KiB); {seen} in {pages} pages {paged:.2f} s "
        f"(first {first * 1000:.0f} ms); {streamed} by WatchList {watched:.2f} s; {chosen} by label {selected:.2f} s"
    )


async def _lines(answer: aiohttp.ClientResponse) -> Any:
    rest = b""
    async for chunk in answer.content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line


def _watch_all(kubeconfig: str, namespace: str, plurals: list[str], scratch: str) -> list[_Result]:
    """Runs watches in a process of their own, from the file `ready`, which it makes, until the file `over` is there.

    For each: its plural, the delays in seconds, the numbers of the changes that it saw, and why it ended by itself.
    """

    async def one(session: aiohttp.ClientSession, result: _Result, started: asyncio.Semaphore) -> None:
        path = f"/api/v1/namespaces/{namespace}/{result['plural']}"
        async with session.get(path, params={"limit": "1"}) as answer:
            version = json.loads(await answer.read())["metadata"]["resourceVersion"]
        query = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true"}
        async with session.get(path, params=query) as answer:
            started.release()
            async for line in _lines(answer):
                now = time.monotonic()
                if line.startswith(b'{"type":"ERROR"'):
                    result["ended"] = line.decode()[:200]
                    return
                found = _STAMP.search(line)
                # Others, such as a controller, may change the object again.
                if found and (number := int(found[2])) not in result["numbers"]:
                    result["numbers"].add(number)
                    result["delays"].append(now - float(found[1]))
        result["ended"] = "cut off"

    async def run() -> list[_Result]:
        started = asyncio.Semaphore(0)
        results: list[_Result] = [{"plural": each, "delays": [], "numbers": set(), "ended": ""} for each in plurals]
        async with Target.of(Path(kubeconfig)).session() as session:
            tasks = [asyncio.create_task(one(session, result, started)) for result in results]
            for _ in tasks:
                await started.acquire()
            (Path(scratch) / "ready").touch()
            while not (Path(scratch) / "over").exists():
                await asyncio.sleep(0.1)
            # Even a watch that is far behind gets its time to catch up.
            seen = -1
            while (now := sum(len(result["delays"]) for result in results)) != seen:
                seen = now
                await asyncio.sleep(3)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return results

    return asyncio.run(run())


def _change(kubeconfig: str, namespace: str, count: int, rate: int, seconds: float) -> tuple[_Done, float]:
    """Changes objects at a rate in a process of its own: the numbers by plural, and the rate that was reached."""

    async def run() -> tuple[_Done, float]:
        done: _Done = {plural: set() for plural, _ in _KINDS}
        every = list(_names(count))
        headers = {"Content-Type": "application/merge-patch+json"}
        slots = asyncio.Semaphore(64)

        async def one(session: aiohttp.ClientSession, number: int) -> None:
            plural, index = every[number * 7919 % len(every)]
            stamp = f"{time.monotonic():.6f}-{number}"
            body = json.dumps({"metadata": {"annotations": {"bench/at": stamp}}})
            path = f"/api/v1/namespaces/{namespace}/{plural}/o{index:05}"
            async with session.patch(path, data=body, headers=headers) as answer:
                await answer.read()
                if answer.status == 200:
                    done[plural].add(number)
            slots.release()

        async with Target.of(Path(kubeconfig)).session() as session:
            start, tasks = time.monotonic(), []
            for number in range(int(rate * seconds)):
                if (wait := start + number / rate - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                await slots.acquire()
                tasks.append(asyncio.create_task(one(session, number)))
            await asyncio.gather(*tasks)
            return done, len(tasks) / (time.monotonic() - start)

    return asyncio.run(run())


def _measure(pid: int) -> tuple[float, float]:
    """CPU seconds and MiB of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return (int(fields[11]) + int(fields[12])) / ticks, int(fields[21]) * resource.getpagesize() / 2**20


def _report(results: list[_Result], done: _Done) -> None:
    for number, result in enumerate(results):
        delays = sorted(result["delays"]) or [float("nan")]
        missed = len(done[result["plural"]] - result["numbers"])
        cuts = statistics.quantiles(delays, n=100) if len(delays) > 1 else delays * 99
        print(
            f"  watch {number} ({result['plural']}): {len(result['delays'])} changes, {missed} missed, "
            f"delay p50 {cuts[49] * 1000:.1f} p99 {cuts[98] * 1000:.1f} max {delays[-1] * 1000:.1f} ms"
            + (f", ENDED: {result['ended']}" if result["ended"] else "")
        )


def _load(kubeconfig: Path, options: argparse.Namespace, pid: int | None) -> None:
    target, namespace = Target.of(kubeconfig), f"bench-{secrets.token_hex(3)}"
    try:
        took = asyncio.run(_fill(target, namespace, options.objects))
        memory = f", {_measure(pid)[1]:.0f} MiB" if pid else ""
        print(f"  {options.objects} objects made over HTTP in {took:.1f} s ({options.objects / took:.0f}/s){memory}")
        for plural, _ in _KINDS:
            asyncio.run(_list(target, namespace, plural))
        if pid:
            print(f"  after the lists: {_measure(pid)[1]:.0f} MiB")
        plurals = [_KINDS[number % len(_KINDS)][0] for number in range(options.watches)]
        with ProcessPoolExecutor(2) as pool, tempfile.TemporaryDirectory() as scratch:
            watching = pool.submit(_watch_all, str(kubeconfig), namespace, plurals, scratch)
            while not (Path(scratch) / "ready").exists() and not watching.done():
                time.sleep(0.05)
            before, start = _measure(pid) if pid else (0.0, 0.0), time.monotonic()
            done, rate = pool.submit(
                _change, str(kubeconfig), namespace, options.objects, options.rate, options.seconds
            ).result()  # fmt: skip
            (Path(scratch) / "over").touch()
            after, took = _measure(pid) if pid else (0.0, 0.0), time.monotonic() - start
            used = f", {(after[0] - before[0]) / took:.0%} of a processor, {after[1]:.0f} MiB" if pid else ""
            print(f"  {sum(map(len, done.values()))} changes at {rate:.0f}/s{used}")
            _report(watching.result(), done)
    finally:
        asyncio.run(_forget(target, namespace))


async def _forget(target: Target, namespace: str) -> None:
    async with target.session() as session, session.delete(f"/api/v1/namespaces/{namespace}") as answer:
        await answer.read()


def _idle(pid: int, seconds: float = 15.0) -> None:
    before, start = _measure(pid), time.monotonic()
    time.sleep(seconds)
    after = _measure(pid)
    print(f"  idle: {(after[0] - before[0]) / (time.monotonic() - start):.2%} of a processor, {after[1]:.0f} MiB")


def main() -> None:
    """Measures the sandbox, or a rival."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", type=Path, help="the kubeconfig of a cluster that runs already")
    parser.add_argument("--scene", action="store_true", help="with the four stateful systems beside")
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--watches", type=int, default=10)
    parser.add_argument("--rate", type=int, default=500, help="changes a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    if options.server:
        print(f"{options.server}:")
        _load(options.server, options, None)
        return
    directory = Path(tempfile.mkdtemp(prefix="sandbox-load-"))
    command = [sys.executable, "-m", "tui.sandbox", "--directory", str(directory)]
    command += ["--scene"] if options.scene else []
    start = time.perf_counter()
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            print(f"the sandbox: answers after {time.perf_counter() - start:.2f} s, {_measure(process.pid)[1]:.0f} MiB")
            try:
                if options.scene:
                    time.sleep(45)
                    print(f"  {len(family(process.pid, processes()))} processes run")
                _idle(process.pid)
                _load(directory / "kubeconfig", options, process.pid)
            finally:
                process.terminate()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
