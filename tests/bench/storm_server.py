"""An API server of plain JSON that holds many pods and changes a thousand of them a second.

    python tests/bench/storm_server.py --sets 1000 --members 10 --rate 1000 --port 26500

Each event's pod carries the label `bench/at`: the wall clock, in seconds, when it was written to the socket.
The storm begins when POST /storm?seconds=N is asked for. Prints its address when it listens.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from aiohttp import web

sys.path.insert(0, str(Path(__file__).parent))
import objects_server as shapes

RESOURCES = {
    "/apis/apps/v1": ("statefulsets", "deployments", "replicasets", "daemonsets"),
    "/api/v1": ("pods", "persistentvolumeclaims", "persistentvolumes", "services", "nodes", "events", "namespaces"),
    "/apis/storage.k8s.io/v1": ("storageclasses",),
    "/apis/discovery.k8s.io/v1": ("endpointslices",),
    "/apis/policy/v1": ("poddisruptionbudgets",),
}
CREATED = "2026-01-01T00:00:00Z"


def named(item: dict[str, Any], uid: str) -> dict[str, Any]:
    """An object with the metadata that a server adds."""
    item["metadata"].update(uid=uid, resourceVersion="1", creationTimestamp=CREATED)
    return item


class Storm:
    """The objects and who watches them."""

    def __init__(self, sets: int, members: int, rate: int) -> None:
        self.rate, self.version, self.sent = rate, 1, 0
        self.watchers: list[asyncio.Queue[bytes]] = []
        self.held: dict[str, list[dict[str, Any]]] = {plural: [] for group in RESOURCES.values() for plural in group}
        for index in range(sets):
            owner = f"set-{index}"
            item = named(shapes.statefulset(index, members), owner)
            item["status"] = {
                "replicas": members,
                "readyReplicas": members,
                "updatedReplicas": members,
                "observedGeneration": 1,
                "currentRevision": f"db-{index:04d}-6bf9",
                "updateRevision": f"db-{index:04d}-6bf9",
            }
            self.held["statefulsets"].append(item)
            for ordinal in range(members):
                pod = named(shapes.pod(index, ordinal, owner), f"pod-{index}-{ordinal}")
                pod["status"] = shapes.pod_status(index, ordinal)
                self.held["pods"].append(pod)
                self.held["persistentvolumeclaims"].append(
                    named(
                        {
                            "metadata": {
                                "name": f"data-db-{index:04d}-{ordinal}",
                                "namespace": shapes.namespace(index),
                                "labels": shapes.labels_of(index),
                            },
                            "spec": {**shapes.claim_spec(), "volumeName": f"pvc-{index}-{ordinal}"},
                            "status": {"phase": "Bound", "capacity": {"storage": "10Gi"}},
                        },
                        f"claim-{index}-{ordinal}",
                    )
                )

    async def collection(self, request: web.Request) -> web.StreamResponse:
        """A list or a watch of one resource."""
        plural = request.path.rpartition("/")[2]
        if request.query.get("sendInitialEvents"):
            return web.json_response(
                {"kind": "Status", "code": 422, "reason": "Invalid", "message": "sendInitialEvents is forbidden"},
                status=422,
            )
        if request.query.get("watch"):
            return await self.watch(request, plural)
        return web.json_response(
            {"kind": "List", "metadata": {"resourceVersion": str(self.version)}, "items": self.held[plural]}
        )

    async def watch(self, request: web.Request, plural: str) -> web.StreamResponse:
        """Streams events; only pods ever change."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        if plural == "pods":
            self.watchers.append(queue)
        try:
            with contextlib.suppress(ConnectionError):  # whoever watched has gone
                while True:
                    await response.write(await queue.get())
            return response
        finally:
            if plural == "pods":
                self.watchers.remove(queue)

    async def storm(self, request: web.Request) -> web.Response:
        """Changes `rate` pods a second, in slices of 10 ms, for the time asked for."""
        seconds, pods = float(request.query["seconds"]), self.held["pods"]
        start, turn = time.monotonic(), 0
        while (elapsed := time.monotonic() - start) < seconds:
            lines = []
            while turn < elapsed * self.rate:
                pod = pods[turn * 7919 % len(pods)]
                self.version += 1
                pod["metadata"]["resourceVersion"] = str(self.version)
                pod["metadata"]["labels"]["bench/at"] = repr(time.time())
                status = pod["status"]["containerStatuses"][0]
                status["restartCount"] += 1
                status["ready"] = not status["ready"]
                pod["status"]["conditions"][2]["status"] = "True" if status["ready"] else "False"
                lines.append(json.dumps({"type": "MODIFIED", "object": pod}))
                turn += 1
            if lines:
                data = ("\n".join(lines) + "\n").encode()
                for watcher in self.watchers:
                    watcher.put_nowait(data)
            await asyncio.sleep(0.01)
        return web.json_response({"events": turn})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--port", type=int, default=26500)
    arguments = parser.parse_args()
    storm = Storm(arguments.sets, arguments.members, arguments.rate)
    app = web.Application()
    for root, plurals in RESOURCES.items():
        for plural in plurals:
            app.router.add_get(f"{root}/{plural}", storm.collection)
    app.router.add_get("/version", lambda _: _json({"gitVersion": "v1.36.3"}))
    app.router.add_get("/readyz", lambda _: _text("ok"))
    app.router.add_post("/storm", storm.storm)
    web.run_app(
        app,
        host="127.0.0.1",
        port=arguments.port,
        print=lambda *_: print(f"http://127.0.0.1:{arguments.port}", flush=True),
    )


async def _json(body: object) -> web.Response:
    return web.json_response(body)


async def _text(body: str) -> web.Response:
    return web.Response(text=body)


if __name__ == "__main__":
    main()
