"""Processor time of recognition: 1,000 StatefulSets with 10 pods and 10 claims each, from objects in memory.

Run it by hand: `python tests/bench/recognise.py [sets] [pods]`. It prints milliseconds and asserts nothing about time.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Iterator

import msgspec

from tui.kube import objects as o
from tui.kube.store import Store
from tui.kube.usage import Usage
from tui.systems.catalogue import load_catalogue
from tui.systems.recognise import Recogniser

IMAGES = (
    "mysql:8.4",
    "postgres:17",
    "rabbitmq:4.0",
    "redis:8",
    "cockroachdb/cockroach:v24.3.0",
    "minio/minio:latest",
    "vault:1.20",
)


class NoUsage:
    """Every claim's use is known."""

    _usage = Usage(1 << 20, 1 << 30, 1 << 29)

    def get(self, namespace: str, claim: str) -> Usage | str:
        return self._usage


def stateful_set(number: int, pods: int) -> o.StatefulSet:
    name, labels = f"db-{number}", {"app": f"db-{number}", "tier": "data"}
    spec = {
        "replicas": pods,
        "serviceName": name,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod_spec(number)},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
        "updateStrategy": {"type": "RollingUpdate"},
    }
    status = {"replicas": pods, "readyReplicas": pods, "updateRevision": f"{name}-1", "currentRevision": f"{name}-1"}
    meta = metadata(name, number, f"sts-{number}", labels)
    return msgspec.convert({"metadata": meta, "spec": spec, "status": status}, o.StatefulSet)


def metadata(name: str, number: int, uid: str, labels: dict[str, str]) -> dict[str, object]:
    return {
        "name": name, "namespace": f"ns-{number % 50}", "uid": uid, "resourceVersion": "1", "generation": 1,
        "creationTimestamp": "2026-11-23T12:00:00Z", "labels": labels,
    }  # fmt: skip


def pod_spec(number: int) -> dict[str, object]:
    return {
        "containers": [
            {
                "name": "server",
                "image": IMAGES[number % len(IMAGES)],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            },
            {"name": "agent", "image": "registry.corp/agent:1"},
        ]
    }


def pod(number: int, ordinal: int, version: int, ready: bool = True) -> o.Pod:
    name = f"db-{number}-{ordinal}"
    labels = {
        "app": f"db-{number}", "tier": "data", "controller-revision-hash": f"db-{number}-1",
        "apps.kubernetes.io/pod-index": str(ordinal),
    }  # fmt: skip
    meta = metadata(name, number, f"pod-{number}-{ordinal}", labels)
    meta["resourceVersion"] = str(version)
    meta["ownerReferences"] = [
        {
            "kind": "StatefulSet",
            "apiVersion": "apps/v1",
            "name": f"db-{number}",
            "uid": f"sts-{number}",
            "controller": True,
        }
    ]
    verdict = "True" if ready else "False"
    status = {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "conditions": [
            {"type": kind, "status": verdict} for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
        ],
        "containerStatuses": [
            {
                "name": name,
                "ready": ready,
                "restartCount": version,
                "image": "i",
                "state": {"running": {"startedAt": "2026-11-23T12:00:09Z"}},
            }
            for name in ("server", "agent")
        ],
    }
    spec = pod_spec(number) | {
        "nodeName": f"node-{ordinal}",
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": f"data-{name}"}}, {"name": "config"}],
    }
    return msgspec.convert({"metadata": meta, "spec": spec, "status": status}, o.Pod)


def claim(number: int, ordinal: int) -> tuple[o.PersistentVolumeClaim, o.PersistentVolume]:
    name = f"data-db-{number}-{ordinal}"
    meta = metadata(name, number, f"pvc-{number}-{ordinal}", {"app": f"db-{number}", "tier": "data"})
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "10Gi"}},
        "storageClassName": "fast",
        "volumeName": f"pv-{number}-{ordinal}",
    }
    status = {"phase": "Bound", "capacity": {"storage": "10Gi"}}
    volume = {
        "metadata": {"name": f"pv-{number}-{ordinal}", "uid": f"pv-{number}-{ordinal}", "resourceVersion": "1"},
        "spec": {"csi": {"driver": "ebs.csi.aws.com"}},
    }
    return (
        msgspec.convert({"metadata": meta, "spec": spec, "status": status}, o.PersistentVolumeClaim),
        msgspec.convert(volume, o.PersistentVolume),
    )


def service(number: int) -> o.Service:
    labels = {"app": f"db-{number}"}
    meta = metadata(f"db-{number}", number, f"svc-{number}", labels)
    return msgspec.convert({"metadata": meta, "spec": {"selector": labels}}, o.Service)


def fill(store: Store, sets: int, pods: int) -> None:
    """Puts the cluster into a store in the order in which lists tend to arrive."""
    store.replace("statefulsets", None, [stateful_set(number, pods) for number in range(sets)])
    store.replace("pods", None, [pod(number, ordinal, 1) for number in range(sets) for ordinal in range(pods)])
    pairs = [claim(number, ordinal) for number in range(sets) for ordinal in range(pods)]
    store.replace("persistentvolumeclaims", None, [pair[0] for pair in pairs])
    store.replace("persistentvolumes", None, [pair[1] for pair in pairs])
    store.replace("services", None, [service(number) for number in range(sets)])


def one_by_one(store: Store, recogniser: Recogniser, sets: int, pods: int) -> Iterator[float]:
    """Milliseconds for each of a thousand pods that become not ready and ready again."""
    for step in range(1000):
        number, ordinal = step * 7 % sets, step % pods
        store.put("pods", pod(number, ordinal, step + 2, ready=step % 2 == 0))
        changes = store.drain()
        start = time.process_time()
        recogniser.apply(changes)
        yield (time.process_time() - start) * 1000


def main() -> None:
    """Prints the figures."""
    sets, pods = (int(word) for word in (*sys.argv[1:3], "1000", "10")[:2]) if len(sys.argv) > 2 else (1000, 10)
    catalogue = load_catalogue()
    store = Store()
    fill(store, sets, pods)
    changes = store.drain()
    recogniser = Recogniser(store, NoUsage(), catalogue)
    gc.collect()
    start = time.process_time()
    delta = recogniser.apply(changes)
    took = (time.process_time() - start) * 1000
    print(f"{sets} sets of {pods}: {len(delta.changed)} workloads from scratch in {took:.0f} ms")
    each = sorted(one_by_one(store, recogniser, sets, pods))
    print(f"one pod changed: median {statistics.median(each):.3f} ms, p99 {each[989]:.3f} ms")
    for number in range(100):
        store.put("pods", pod(number, 0, 5000))
    changes = store.drain()
    start = time.process_time()
    recogniser.apply(changes)
    print(f"100 pods of 100 workloads in one batch: {(time.process_time() - start) * 1000:.1f} ms")


if __name__ == "__main__":
    main()
