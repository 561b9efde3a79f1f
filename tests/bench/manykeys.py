"""A MinIO of one drive in a namespace of its own, and a bucket with very many keys in it within a minute or two.

Objects that are put one by one take a millisecond or more each, a million of them half an hour. Here a few are put, and
the rest are links to their metadata in the directory of the volume: MinIO (2026-02) keeps an empty object as a
directory with a file `xl.meta`, which does not hold its name. That needs a cluster whose one node is this machine, with
hostPath volumes, and root. A million keys take 4 GiB and a million inodes: each is a directory.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bucket_transfer import ACCESS, KUBECONFIG, SECRET

from tui.services.bucket.model import Request
from tui.services.bucket.store import Store
from tui.services.bucket.transfers import wire

#: The workload's name.
NAME = "many"
#: Links that a file may have: ext4 bears 65,000.
LINKS = 50_000
#: Objects that are on their way at once where they are put one by one.
AT_ONCE = 32
_LABELS = {"v1.min.io/tenant": NAME}


def _objects(namespace: str) -> list[dict[str, object]]:
    meta = {"namespace": namespace, "labels": _LABELS}
    whole = _LABELS | {"v1.min.io/zone": "zone-0"}
    secret = f"{NAME}-creds-secret"
    container = {
        "name": "minio", "image": "minio/minio:latest", "imagePullPolicy": "IfNotPresent",
        "command": ["bash", "-c", "exec minio server --address :9000 /export0"],
        "env": [
            {"name": "MINIO_CI_CD", "value": "1"},  # its volume lies on the machine's own disk
            {"name": "MINIO_ROOT_USER", "valueFrom": {"secretKeyRef": {"name": secret, "key": "accesskey"}}},
            {"name": "MINIO_ROOT_PASSWORD", "valueFrom": {"secretKeyRef": {"name": secret, "key": "secretkey"}}},
        ],
        "ports": [{"name": "http-minio", "containerPort": 9000}],
        "readinessProbe": {"httpGet": {"path": "/minio/health/ready", "port": "http-minio"}, "periodSeconds": 2},
        "volumeMounts": [{"name": "data0", "mountPath": "/export0"}],
    }  # fmt: skip
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}}
    ports = [{"name": "http-minio", "port": 9000}]
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret, **meta},
         "stringData": {"accesskey": ACCESS, "secretkey": SECRET}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"{NAME}-hl", **meta},
         "spec": {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": _LABELS, "ports": ports}},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": f"{NAME}-zone-0", **meta}, "spec": {
            "serviceName": f"{NAME}-hl", "replicas": 1, "selector": {"matchLabels": whole},
            "template": {"metadata": {"labels": whole}, "spec": {
                "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 5, "containers": [container]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data0"}, "spec": claim}]}},
    ]  # fmt: skip


def kubectl(*words: str, given: str = "") -> str:
    """What kubectl says."""
    done = subprocess.run(
        ["kubectl", "--kubeconfig", KUBECONFIG, *words], input=given, capture_output=True, text=True, check=True
    )
    return done.stdout


@contextmanager
def store(namespace: str, *, keep: bool = False) -> Iterator[Path]:
    """The store; yields the directory of its volume. It goes with its namespace, unless it is kept for another time."""
    kubectl("apply", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": _objects(namespace)}))
    try:
        kubectl("-n", namespace, "rollout", "status", f"statefulset/{NAME}-zone-0", "--timeout=180s")
        volume = kubectl("-n", namespace, "get", "pvc", f"data0-{NAME}-zone-0-0", "-o", "jsonpath={.spec.volumeName}")
        yield Path(kubectl("get", "pv", volume, "-o", "jsonpath={.spec.hostPath.path}"))
    finally:
        if not keep:
            kubectl("delete", "namespace", namespace)


async def fill(store: Store, volume: Path, bucket: str, prefix: str, count: int) -> None:
    """Makes empty objects: `PREFIX0000000-object.dat` and so on.

    Args:
        store: connected, of one drive.
        volume: its directory.
        bucket: it is there.
        prefix: of the keys; ends in `/`.
        count: how many.
    """
    began = time.monotonic()
    connection = wire.over(store.session)
    seeds = [f"seed-{number}" for number in range(-(-count // LINKS))]
    for seed in seeds:
        await connection(Request("PUT", bucket, seed, {}, {}, b""))
    await connection.close()
    # Beside the event loop: it must see that the store ends connections which nobody uses.
    await asyncio.to_thread(_link, volume / bucket, prefix, seeds, count)
    await store.delete(bucket, [(seed, "") for seed in seeds], lambda *_: None)
    print(f"{count:,} keys made in {time.monotonic() - began:.0f} s", flush=True)


def _link(folder: Path, prefix: str, seeds: list[str], count: int) -> None:
    (folder / prefix).mkdir(parents=True)
    for number in range(count):
        made = folder / f"{prefix}{number:07}-object.dat"
        os.mkdir(made)  # noqa: PTH102  (a million times)
        os.link(folder / seeds[number // LINKS] / "xl.meta", made / "xl.meta")


async def put(store: Store, bucket: str, prefix: str, count: int) -> None:
    """Makes objects of one byte with the same names as `fill`, one by one; into any store."""
    connection = wire.over(store.session)
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            await connection(Request("PUT", bucket, f"{prefix}{number:07}-object.dat", {}, {}, b"x"))

    began = time.monotonic()
    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    print(f"{count:,} objects made in {time.monotonic() - began:.0f} s", flush=True)
    await connection.close()
