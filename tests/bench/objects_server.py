"""A real API server that holds many objects and nothing else: etcd and kube-apiserver on loopback, no controllers.

    python tests/bench/objects_server.py --programs DIR --sets 1000 --members 10 --state /tmp/objects
    … prints the kubeconfig's path when the objects are in, and runs until it is interrupted.

DIR holds `etcd` and `kube-apiserver`. With the same --state a second start finds the objects of the first.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp

NAMESPACES = 20
WORKERS = 24


@contextlib.contextmanager
def server(programs: Path, state: Path, port: int) -> Iterator[Path]:
    """Runs etcd and the API server; yields the admin's kubeconfig. Both end with the block."""
    free(port)
    state.mkdir(parents=True, exist_ok=True)
    token_file, key = state / "tokens.csv", state / "sa.key"
    if not token_file.exists():
        token_file.write_text(f"{secrets.token_hex(16)},admin,admin,system:masters\n")
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    token = token_file.read_text().split(",")[0]
    etcd_url = f"http://127.0.0.1:{port + 1}"
    with (state / "etcd.log").open("ab") as etcd_log, (state / "apiserver.log").open("ab") as api_log:
        etcd = subprocess.Popen(
            [
                programs / "etcd",
                "--data-dir",
                state / "etcd",
                "--unsafe-no-fsync",
                "--listen-client-urls",
                etcd_url,
                "--advertise-client-urls",
                etcd_url,
                "--listen-peer-urls",
                f"http://127.0.0.1:{port + 2}",
            ],
            stdout=etcd_log,
            stderr=etcd_log,
        )
        api = subprocess.Popen(
            [
                programs / "kube-apiserver",
                f"--etcd-servers={etcd_url}",
                "--bind-address=127.0.0.1",
                f"--secure-port={port}",
                f"--cert-dir={state}",
                f"--token-auth-file={token_file}",
                f"--service-account-key-file={key}",
                f"--service-account-signing-key-file={key}",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--authorization-mode=RBAC",
                "--service-cluster-ip-range=10.89.0.0/16",
                "--max-mutating-requests-inflight=400",
                "--disable-admission-plugins=ServiceAccount,StorageObjectInUseProtection,DefaultStorageClass,PersistentVolumeClaimResize",
            ],
            stdout=api_log,
            stderr=api_log,
        )
        try:
            kubeconfig = state / "admin.conf"
            kubeconfig.write_text(
                json.dumps(
                    {
                        "apiVersion": "v1",
                        "kind": "Config",
                        "current-context": "objects",
                        "clusters": [
                            {
                                "name": "objects",
                                "cluster": {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True},
                            }
                        ],
                        "users": [{"name": "admin", "user": {"token": token}}],
                        "contexts": [{"name": "objects", "context": {"cluster": "objects", "user": "admin"}}],
                    }
                )
            )
            kubeconfig.chmod(0o600)
            yield kubeconfig
        finally:
            for process in (api, etcd):
                process.send_signal(signal.SIGTERM)
            for process in (api, etcd):
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()


def free(port: int) -> None:
    """Waits until nobody listens on the port: an API server takes a while to end."""
    end = time.monotonic() + 30
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                return probe.bind(("127.0.0.1", port))
            except OSError as error:
                if time.monotonic() > end:
                    raise SystemExit(f"port {port}: {error.strerror}") from None
        time.sleep(0.2)


def statefulset(index: int, members: int) -> dict[str, object]:
    """A StatefulSet of the shape that a chart makes."""
    name, labels = f"db-{index:04d}", labels_of(index)
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {
            "name": name,
            "namespace": namespace(index),
            "labels": {**labels, "helm.sh/chart": "postgresql-16.2.1"},
        },
        "spec": {
            "replicas": members,
            "serviceName": name,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec(index, None)},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim_spec()}],
        },
    }


def namespace(index: int) -> str:
    """Sets are spread over a few namespaces."""
    return f"team-{index % NAMESPACES:02d}"


def labels_of(index: int) -> dict[str, str]:
    """The common labels of a set's objects."""
    return {
        "app.kubernetes.io/name": "postgresql",
        "app.kubernetes.io/instance": f"db-{index:04d}",
        "app.kubernetes.io/component": "primary",
        "app.kubernetes.io/managed-by": "Helm",
    }


def claim_spec() -> dict[str, object]:
    """Ten GiB of the default class."""
    return {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "standard",
        "resources": {"requests": {"storage": "10Gi"}},
    }


def pod_spec(index: int, ordinal: int | None) -> dict[str, object]:
    """A database with the usual environment, probe and mounts."""
    probe = {
        "exec": {"command": ["/bin/sh", "-c", "exec pg_isready -U postgres -h 127.0.0.1 -p 5432"]},
        "periodSeconds": 10,
    }
    spec: dict[str, object] = {
        "terminationGracePeriodSeconds": 30,
        "automountServiceAccountToken": False,
        "containers": [
            {
                "name": "postgresql",
                "image": "bitnamilegacy/postgresql:17.6.0",
                "ports": [{"name": "tcp-postgresql", "containerPort": 5432}],
                "readinessProbe": probe,
                "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
                "volumeMounts": [
                    {"name": "data", "mountPath": "/bitnami/postgresql"},
                    {"name": "dshm", "mountPath": "/dev/shm"},
                ],
            },
        ],
        "volumes": [{"name": "dshm", "emptyDir": {"medium": "Memory"}}],
    }
    if ordinal is not None:
        spec["nodeName"] = f"node-{index % 50:02d}"
        spec["hostname"] = f"db-{index:04d}-{ordinal}"
        spec["subdomain"] = f"db-{index:04d}"
        spec["volumes"] = [
            {"name": "dshm", "emptyDir": {"medium": "Memory"}},
            {"name": "data", "persistentVolumeClaim": {"claimName": f"data-db-{index:04d}-{ordinal}"}},
        ]
    return spec


def pod(index: int, ordinal: int, owner_uid: str) -> dict[str, object]:
    """A member, as the StatefulSet controller would have made it."""
    name = f"db-{index:04d}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-{ordinal}",
            "namespace": namespace(index),
            "labels": {
                **labels_of(index),
                "apps.kubernetes.io/pod-index": str(ordinal),
                "controller-revision-hash": f"{name}-6bf9",
                "statefulset.kubernetes.io/pod-name": f"{name}-{ordinal}",
            },
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "StatefulSet",
                    "name": name,
                    "uid": owner_uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": pod_spec(index, ordinal),
    }


def pod_status(index: int, ordinal: int) -> dict[str, object]:
    """A pod that runs and is ready."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    container = {
        "ready": True,
        "started": True,
        "restartCount": 0,
        "imageID": "sha256:" + "0" * 64,
        "state": {"running": {"startedAt": now}},
    }
    return {
        "phase": "Running",
        "podIP": f"10.{index // 200}.{index % 200}.{ordinal + 1}",
        "startTime": now,
        "hostIP": "192.0.2.1",
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": now}
            for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
        ],
        "containerStatuses": [
            {"name": "postgresql", "image": "bitnamilegacy/postgresql:17.6.0", **container},
        ],
        "qosClass": "Burstable",
    }


async def fill(kubeconfig: str, sets: int, members: int) -> None:
    """Creates the objects, and their statuses, as far as they are not there yet."""
    config = json.loads(kubeconfig)
    base, token = config["clusters"][0]["cluster"]["server"], config["users"][0]["user"]["token"]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with aiohttp.ClientSession(
        base,
        headers={"Authorization": f"Bearer {token}", "User-Agent": "statefulset-controller"},
        connector=aiohttp.TCPConnector(ssl=context, limit=WORKERS),
    ) as http:
        await until_ready(http)
        async with http.get("/apis/apps/v1/statefulsets", params={"limit": "1"}) as answer:
            listing = await answer.json()
        if len(listing["items"]) + listing["metadata"].get("remainingItemCount", 0) >= sets:
            return
        for index in range(NAMESPACES):
            await call(http, "POST", "/api/v1/namespaces", {"metadata": {"name": f"team-{index:02d}"}})
        queue = iter(range(sets))

        async def worker() -> None:
            for index in queue:
                await one_set(http, index, members)

        await asyncio.gather(*(worker() for _ in range(WORKERS)))


async def until_ready(http: aiohttp.ClientSession) -> None:
    """Waits until the API server answers."""
    end = time.monotonic() + 60
    while True:
        with contextlib.suppress(aiohttp.ClientError):
            async with http.get("/readyz") as answer:
                if answer.status == 200:
                    return
        if time.monotonic() > end:
            raise SystemExit("the API server did not become ready within 60 s")
        await asyncio.sleep(0.2)


async def one_set(http: aiohttp.ClientSession, index: int, members: int) -> None:
    """Creates a set with its members and claims."""
    root = f"/api/v1/namespaces/{namespace(index)}"
    sets = f"/apis/apps/v1/namespaces/{namespace(index)}/statefulsets"
    made = await call(http, "POST", sets, statefulset(index, members))
    revision = f"db-{index:04d}-6bf9"
    made["status"] = {
        "replicas": members,
        "readyReplicas": members,
        "currentReplicas": members,
        "updatedReplicas": members,
        "availableReplicas": members,
        "currentRevision": revision,
        "updateRevision": revision,
        "observedGeneration": 1,
    }
    await call(http, "PUT", f"{sets}/db-{index:04d}/status", made)
    for ordinal in range(members):
        claim = await call(
            http,
            "POST",
            f"{root}/persistentvolumeclaims",
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {
                    "name": f"data-db-{index:04d}-{ordinal}",
                    "labels": {"app.kubernetes.io/instance": f"db-{index:04d}"},
                },
                "spec": {**claim_spec(), "volumeName": f"pvc-{index:04d}-{ordinal}"},
            },
        )
        claim["status"] = {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "10Gi"}}
        await call(http, "PUT", f"{root}/persistentvolumeclaims/data-db-{index:04d}-{ordinal}/status", claim)
        member = await call(http, "POST", f"{root}/pods", pod(index, ordinal, made["metadata"]["uid"]))
        member["status"] = pod_status(index, ordinal)
        await call(http, "PUT", f"{root}/pods/db-{index:04d}-{ordinal}/status", member)


async def call(http: aiohttp.ClientSession, method: str, path: str, body: object) -> dict[str, dict[str, str]]:
    """One request that must succeed; an object that exists already is fetched."""
    async with http.request(method, path, json=body) as answer:
        if answer.status == 409:
            return {"metadata": {}}
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {(await answer.text())[:300]}")
        return await answer.json()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--port", type=int, default=26443)
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--members", type=int, default=10)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the servers end with this
    with server(arguments.programs, arguments.state, arguments.port) as kubeconfig:
        start = time.monotonic()
        asyncio.run(fill(kubeconfig.read_text(), arguments.sets, arguments.members))
        print(f"objects in after {time.monotonic() - start:.1f} s", file=sys.stderr)
        print(kubeconfig, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
