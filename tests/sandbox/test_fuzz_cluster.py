"""5,000 hostile requests to the composed cluster, which runs what it accepts: nothing breaks, nothing gets out."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import hostile
import pytest
from api_client import Api, client

import manifests
from tui.sandbox.cluster import Cluster
from tui.sandbox.kubelet import supervisor

#: What this run's mutations are made of; a failure names it, and STATETUI_FUZZ_SEED makes them again.
SEED = int(os.environ.get("STATETUI_FUZZ_SEED", "") or random.SystemRandom().randrange(2**32))
REQUESTS = int(os.environ.get("STATETUI_FUZZ_REQUESTS", "5000"))
#: So many requests between two looks at all that runs, and between two sweeps of the objects.
_LOOK = 250


class _Records(logging.Handler):
    """Every traceback that anything logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.tracebacks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self.tracebacks.append(logging.Formatter().format(record))


@pytest.fixture
def records() -> Any:
    made, root = _Records(), logging.getLogger()
    root.addHandler(made)
    yield made
    root.removeHandler(made)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    made = Cluster(tmp_path / "state")
    watched = None
    try:
        await made.start()
        watched = made.ended = asyncio.create_task(made.run())  # type: ignore[attr-defined]
        yield made
    finally:
        if watched is not None:
            watched.cancel()
            await asyncio.gather(watched, return_exceptions=True)
        await made.stop()


def _snapshot(tmp_path: Path) -> dict[str, bytes]:
    """All files beside the state directory."""
    found = (path for top in tmp_path.iterdir() if top.name != "state" for path in [top, *top.rglob("*")])
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in found}


def _marked() -> set[int]:
    """The processes of this machine that belong to a container of any sandbox."""
    found = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and f"{supervisor.MARK}=".encode() in (entry / "environ").read_bytes():
                found.add(int(entry.name))
    return found


def _read(pid: int, what: str) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/{what}").read_bytes()
    return b""


def _ours(cluster: Cluster) -> tuple[int, set[int]]:
    """The supervisor and its descendants."""
    process = cluster.kubelet.host.processes._supervisor
    assert process is not None
    table = supervisor.processes()
    return process.pid, supervisor.family(process.pid, table) - {process.pid}


def _look(cluster: Cluster, state: Path) -> int:
    """Every process works inside a directory of a pod that the kubelet has; how many there are."""
    _, ours = _ours(cluster)
    count = 0
    for pid in ours:
        try:
            where = str(Path(f"/proc/{pid}/cwd").readlink()).removesuffix(" (deleted)")
        except OSError:
            continue
        # Between fork and exec a process is the supervisor's twin still, in its directory.
        if where == "/" and b"supervisor.py" in _read(pid, "cmdline"):
            continue
        count += 1
        assert Path(where).is_relative_to(state / "pods"), (pid, where, _read(pid, "cmdline"))
    return count


async def _send(
    rng: random.Random, api: Api, every: dict[str, tuple[str, Any]], made: dict[str, list[str]]
) -> tuple[int, Any]:
    what = rng.choice(list(every))
    path, base = every[what]
    body = hostile.mutated(rng, base, [donor for _, donor in every.values()])
    how = rng.randrange(10)
    # New ones are made, and what is there is changed: else nearly everything would be 409 or 404.
    name = rng.choice(made[what]) if how > 4 and made[what] else f"{base['metadata']['name']}-{rng.randrange(1000)}"
    metadata = body.get("metadata") if isinstance(body, dict) else None
    if isinstance(metadata, dict) and "name" in metadata and what != "CustomResourceDefinition" and rng.random() < 0.9:
        metadata["name"] = name
    match how:
        case 0 | 1 | 2 | 3 | 4:
            status, told = await api("POST", path, body)
            if status == 201:
                made[what].append(told["metadata"]["name"])
            return status, told
        case 5 | 6:
            part = rng.choice(("", "", "", "/status", "/scale", "/eviction", "/binding", "/x"))
            return await api("PUT", f"{path}/{name}{part}", body)
        case 7 | 8:
            changed, media, query = hostile.patch(rng, base, body)
            part = rng.choice(("", "", "", "/status", "/scale"))
            return await api("PATCH", f"{path}/{name}{part}{query}", changed, media=media)
        case _:
            raw, media = hostile.bodies(rng, body)
            method = rng.choice(("POST", "PUT", "PATCH", "DELETE"))
            return await api(method, path if method == "POST" else f"{path}/{name}", raw, media=media)


@pytest.mark.skipif(sys.platform != "linux", reason="what runs is looked at in /proc")
@pytest.mark.timeout(900)  # a minute of processor time
async def test_5000_hostile_requests(cluster: Cluster, tmp_path: Path, records: _Records) -> None:
    rng, outside, state = random.Random(SEED), tmp_path / "outside", tmp_path / "state"
    print(f"STATETUI_FUZZ_SEED={SEED}")
    outside.mkdir()
    (outside / "canary").write_text("as it was")
    before, strangers = _snapshot(tmp_path), _marked()
    every = hostile.bases(outside)
    made: dict[str, list[str]] = {what: [] for what in every}
    counts: Counter[int] = Counter()
    ran = 0
    async with client(cluster.server.kubeconfig, "admin") as api:
        for number in range(REQUESTS):
            status, told = await _send(rng, api, every, made)
            counts[status] += 1
            assert status < 500, (SEED, number, status, told)
            if status >= 400:
                assert isinstance(told, dict) and told["kind"] == "Status" and told["message"], (SEED, number, told)
            assert not cluster.ended.done(), (SEED, number, cluster.ended.exception())  # type: ignore[attr-defined]
            if number % _LOOK == _LOOK - 1:
                # What was accepted gets the time to begin.
                await asyncio.sleep(0.3)
                ran = max(ran, await asyncio.to_thread(_look, cluster, state))
                assert _snapshot(tmp_path) == before, (SEED, number)
                assert not records.tracebacks, (SEED, number, records.tracebacks[0])
                await _sweep(rng, api)
                made = {what: [] for what in every}
        refused = sum(count for code, count in counts.items() if code >= 400)
        assert counts[201] > REQUESTS / 10 and counts[200] > REQUESTS / 50 and refused > REQUESTS / 5, counts
        assert ran >= 5, "hardly any of it was run"
        await _works(api)
    gc.collect()
    await asyncio.sleep(0)
    assert not records.tracebacks, (SEED, records.tracebacks[0])
    cluster.ended.cancel()  # type: ignore[attr-defined]
    leader, ours = _ours(cluster)
    await cluster.stop()
    left = (ours | {leader} | (_marked() - strangers)) & supervisor.processes().keys()
    # Others may test on this machine: theirs have other directories in their environment.
    mine = [pid for pid in left if pid in ours or str(tmp_path).encode() in _read(pid, "environ")]
    assert not mine, [_read(pid, "cmdline") for pid in mine]
    assert _snapshot(tmp_path) == before
    print(dict(counts), "processes at once:", ran)


async def _sweep(rng: random.Random, api: Api) -> None:
    """Lists everything as tables, and deletes it, gently or at once."""
    grace = rng.choice(("", "?gracePeriodSeconds=0", "?propagationPolicy=Foreground", "?propagationPolicy=Orphan"))
    for path in [*manifests.PATHS.values(), "/api/v1/persistentvolumes", "/apis/apps/v1/controllerrevisions"]:
        status, told = await api("GET", path, Accept="application/json;as=Table;v=v1;g=meta.k8s.io")
        assert status == 200, (SEED, path, told)
        if "revisions" not in path:
            status, told = await api("DELETE", f"{path}{grace}")
            assert status == 200, (SEED, path, told)
    status, told = await api("DELETE", f"{manifests.PATHS['Pod']}?gracePeriodSeconds=0")
    assert status == 200, (SEED, told)


async def _works(api: Api) -> None:
    """A new set becomes ready in it."""
    body = manifests.made("StatefulSet", "fresh")
    claim = body["spec"]["volumeClaimTemplates"]
    pod = {"containers": [{"name": "c", "image": "sandbox/process", "command": ["sleep", "1d"]}]}
    body["spec"] = {"replicas": 2, "serviceName": "fresh", "selector": {"matchLabels": {"app": "fresh"}}}
    body["spec"] |= {"template": {"metadata": {"labels": {"app": "fresh"}}, "spec": pod}, "volumeClaimTemplates": claim}
    status, told = await api("POST", manifests.PATHS["StatefulSet"], body)
    assert status == 201, (SEED, told)
    until = time.monotonic() + 60
    while (told.get("status") or {}).get("readyReplicas") != 2:
        assert time.monotonic() < until, (SEED, told.get("status"))
        await asyncio.sleep(0.1)
        _, told = await api("GET", f"{manifests.PATHS['StatefulSet']}/fresh")
