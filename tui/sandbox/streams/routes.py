"""Where the streams stand in the API, and how their refusals are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final

from aiohttp import web

from tui.sandbox import bodies
from tui.sandbox.model import ApiError, Json, Objects, Pods
from tui.sandbox.streams import usage
from tui.sandbox.streams.logs import log
from tui.sandbox.streams.port_forward import port_forward
from tui.sandbox.streams.remote_command import attach, execute

_POD: Final = "/api/v1/namespaces/{namespace}/pods/{pod}"
_METRICS: Final = "/apis/metrics.k8s.io/v1beta1"

_Stream = Callable[[web.Request, Pods, Objects], Coroutine[None, None, web.StreamResponse]]
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_streams(app: web.Application, pods: Pods, objects: Objects) -> None:
    """Adds the routes of logs, exec, attach, port-forward, `stats/summary` and metrics.k8s.io.

    It must be called before a route that catches everything is added. Who asks, and whether they may, is decided before
    these handlers: `get` of `pods/log`, `nodes/proxy` and metrics; `pods/exec`, `pods/attach` and `pods/portforward`
    take `create` for a POST, and for a GET both `get` and `create` (the latter since Kubernetes 1.35). The discovery of
    metrics.k8s.io is not here. When the server shuts down, whatever streams is cut off and its processes are killed.

    Args:
        app: to which they are added.
        pods: who runs the pods.
        objects: where pods and nodes are looked up.
    """
    streams: dict[str, _Stream] = {"exec": execute, "attach": attach, "portforward": port_forward}
    running: set[asyncio.Task[web.StreamResponse]] = set()

    async def stop(_: web.Application) -> None:
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    app.on_shutdown.append(stop)
    app.router.add_get(f"{_POD}/log", _stream(log, pods, objects, running))
    for name, stream in streams.items():
        handler = _stream(stream, pods, objects, running)
        app.router.add_get(f"{_POD}/{name}", handler, allow_head=False)
        app.router.add_post(f"{_POD}/{name}", handler)
    app.router.add_get(
        "/api/v1/nodes/{node}/proxy/stats/summary", _answer(lambda request: usage.summary(request, pods, objects))
    )
    of_pods = _answer(lambda request: usage.pod_metrics(request, pods))
    of_nodes = _answer(lambda request: usage.node_metrics(request, pods, objects))
    for path in ("/pods", "/namespaces/{namespace}/pods", "/namespaces/{namespace}/pods/{pod}"):
        app.router.add_get(_METRICS + path, of_pods)
    for path in ("/nodes", "/nodes/{node}"):
        app.router.add_get(_METRICS + path, of_nodes)


def _stream(stream: _Stream, pods: Pods, objects: Objects, running: set[asyncio.Task[web.StreamResponse]]) -> _Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        # A task of its own: what a client sent is delivered even if the server cancels its handlers when clients go.
        task = asyncio.ensure_future(stream(request, pods, objects))
        running.add(task)
        task.add_done_callback(running.discard)
        try:
            return await asyncio.shield(task)
        except ApiError as error:
            return bodies.refuse(error)

    return handle


def _answer(made: Callable[[web.Request], Json]) -> _Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return bodies.answer(made(request))
        except ApiError as error:
            return bodies.refuse(error)

    return handle
