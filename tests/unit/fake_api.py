"""A fake API server for tests: real HTTP on loopback, real watches, and switches for everything that can go wrong.

    async with FakeApi() as server:
        server.put("pods", {"metadata": {"name": "a"}})
        api = Api(server.context())

It answers lists (with limit and continue), watches (resource versions, bookmarks, 410 in both forms, WatchList), single
objects, discovery of both generations, access reviews by `rules`, `/version`, and the kubelet's summary by `summaries`.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web
from fake_discovery import discovery
from fake_rights import allowed, refusal, resource_rules, status
from fake_store import FakeResource, FakeStore, Json, Watcher, encode, event_line

from tui.kube.context import Context
from tui.kube.kubeconfig import Cluster, User


@dataclass
class Fault:
    """What is answered instead.

    Attributes:
        path: requests whose path begins with this.
        status: the HTTP status, or 0 to abort the connection.
        body: the body; a dict is sent as JSON, text as it stands.
        headers: further headers.
        times: how often; -1 is for ever.
        watch: True for watches only, False for everything else only, None for both.
    """

    path: str
    status: int
    body: Json | str = ""
    headers: dict[str, str] = field(default_factory=dict)
    times: int = -1
    watch: bool | None = None


@dataclass(frozen=True)
class Request:
    """A request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: Any


class FakeApi(FakeStore):
    """A server; see the module's docstring.

    Attributes:
        requests: everything that arrived, in order.
        faults: answers that replace the real ones; `fail` adds to it.
        rules: what may be done, or None for everything. Each rule has `verbs`, `resources` (`pods`, `nodes/proxy`, `*`)
            and optionally `namespace` (None: all namespaces and resources of the cluster).
        watch_list: `on`; `reject` (422, as a server without the feature); `ignore` (as a very old one).
        gone: how an expired resource version is told: the HTTP status or an ERROR event.
        token: the bearer token that is asked for, empty for none; `tokens` holds further valid ones.
        summaries: the kubelet's `stats/summary` by node.
        latency: seconds before each answer.
        compress: whether answers are compressed for who accepts it.
    """

    def __init__(
        self,
        *,
        resources: list[FakeResource] | None = None,
        version: str = "v1.36.3",
        aggregated: bool = True,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        super().__init__(resources)
        self.server_version = version
        self.aggregated = aggregated
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.rules: list[Json] | None = None
        self.watch_list: Literal["on", "reject", "ignore"] = "on"
        self.gone: Literal["status", "event"] = "status"
        self.tokens: set[str] = set()
        self.summaries: dict[str, Json] = {}
        self.latency = 0.0
        self.compress = False
        self.port = port
        self._tls = tls
        self._running = asyncio.Event()
        self._running.set()
        self._runner: web.AppRunner | None = None

    # --- lifecycle

    async def __aenter__(self) -> FakeApi:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listens; the port stays the same over stop and start."""
        app = web.Application(client_max_size=1 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        app.on_response_prepare.append(self._compressed)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stops listening and drops every connection."""
        self.drop_watches()
        self._running.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def context(
        self, *, user: User | None = None, namespace: str = "default", cluster: Cluster | None = None, **more: Any
    ) -> Context:
        """A context that leads here."""
        return Context(
            "fake",
            "fake",
            "tester" if user else "",
            self.url,
            namespace,
            cluster=cluster or Cluster(server=self.url),
            user=user,
            **more,
        )

    # --- faults

    def fail(
        self,
        path: str,
        code: int,
        body: Json | str | None = None,
        *,
        headers: dict[str, str] | None = None,
        times: int = -1,
        watch: bool | None = None,
    ) -> Fault:
        """Answers requests for a path with a failure; a Status body is made up when none is given."""
        text = status(code, "Fault", f"injected {code}") if body is None else body
        fault = Fault(path, code, text, headers or {}, times, watch)
        self.faults.append(fault)
        return fault

    def heal(self) -> None:
        """Ends all faults, the freeze and the latency."""
        self.faults.clear()
        self.latency = 0.0
        self.thaw()

    def freeze(self) -> None:
        """Accepts connections but says nothing any more, like a stopped process."""
        self._running.clear()

    def thaw(self) -> None:
        """Goes on where `freeze` stopped."""
        self._running.set()
        for watcher in self.watchers:
            watcher.wake.set()

    def open_watches(self, plural: str = "") -> list[Watcher]:
        return [w for w in self.watchers if not plural or w.plural == plural]

    def send_raw(self, data: bytes, plural: str = "") -> None:
        """Sends bytes as they are into the open watches."""
        for watcher in self.open_watches(plural):
            watcher.send(data)

    def send_event(self, kind: str, item: Json, plural: str = "") -> None:
        """Sends one watch line without storing anything."""
        self.send_raw(event_line(kind, encode(item)), plural)

    def send_bookmarks(self, plural: str = "") -> None:
        """Sends a bookmark into the open watches that want some."""
        for watcher in self.open_watches(plural):
            if watcher.bookmarks:
                watcher.send(self.bookmark(watcher.plural))

    def end_watches(self, plural: str = "") -> None:
        """Ends the open watches as a server does at their timeout."""
        for watcher in self.open_watches(plural):
            watcher.end("end")

    def drop_watches(self, plural: str = "") -> None:
        """Aborts the connections of the open watches."""
        for watcher in self.open_watches(plural):
            watcher.end("drop")

    def cut_watches(self, plural: str = "", *, clean: bool = False) -> None:
        """Ends the open watches in the middle of a line, by an abort or (`clean`) by a proper end of the body."""
        for watcher in self.open_watches(plural):
            watcher.send(b'{"type":"ADDED","object":{"metadata":{"name":"ha')
            watcher.end("end" if clean else "drop")

    async def wait_for_watches(self, count: int = 1, plural: str = "") -> None:
        """Returns when so many watches are open."""
        async with asyncio.timeout(20), self.opened:
            await self.opened.wait_for(lambda: len(self.open_watches(plural)) >= count)

    # --- answering

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(Request(request.method, request.path, dict(request.query), request.headers))
        if self.latency:
            await asyncio.sleep(self.latency)
        await self._running.wait()
        watching = request.query.get("watch") in ("1", "true")
        fault = next(
            (f for f in self.faults if request.path.startswith(f.path) and f.times and f.watch in (None, watching)),
            None,
        )
        if fault is not None:
            fault.times -= 1
            return _faulty(request, fault)
        if self.tokens and request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _json(status(401, "Unauthorized", "Unauthorized"), 401)
        special = await self._special(request)
        return special if special is not None else await self._resource(request, watching=watching)

    async def _compressed(self, request: web.Request, response: web.StreamResponse) -> None:
        """A signal handler: the last step before the headers are sent."""
        if self.compress:
            response.enable_compression()

    async def _special(self, request: web.Request) -> web.StreamResponse | None:
        """What is not a resource."""
        path = request.path
        if path == "/version":
            return _json({"major": "1", "minor": self.server_version.split(".")[1], "gitVersion": self.server_version})
        if path.endswith("/selfsubjectaccessreviews"):
            wanted = (await request.json())["spec"]["resourceAttributes"]
            name = "/".join(filter(None, (wanted["resource"], wanted.get("subresource"))))
            granted = allowed(self.rules, wanted["verb"], name, wanted.get("namespace"))
            return _json({"kind": "SelfSubjectAccessReview", "status": {"allowed": granted}}, 201)
        if path.endswith("/selfsubjectrulesreviews"):
            namespace = (await request.json())["spec"]["namespace"]
            return _json(
                {
                    "kind": "SelfSubjectRulesReview",
                    "status": {
                        "incomplete": False,
                        "nonResourceRules": [],
                        "resourceRules": resource_rules(self.rules, namespace),
                    },
                },
                201,
            )
        if path.endswith("/proxy/stats/summary"):
            node = path.split("/")[4]
            if not allowed(self.rules, "get", "nodes/proxy", None):
                return _json(refusal("get", "nodes/proxy", "", None), 403)
            summary = self.summaries.get(node)
            return _json(summary) if summary else _json(status(404, "NotFound", f'nodes "{node}" not found'), 404)
        found = discovery(
            path, request.headers.get("Accept", ""), list(self.resources.values()), aggregated=self.aggregated
        )
        return _json(found) if found is not None else None

    async def _resource(self, request: web.Request, *, watching: bool) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else ("", "", [])
        if parts[0] == "apis" and len(parts) > 2:
            group, version, rest = parts[1], parts[2], parts[3:]
        namespace = None
        if len(rest) > 2 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        resource = self.resources.get(rest[0]) if rest else None
        if resource is None or (resource.group, resource.version) != (group, version):
            return _json(status(404, "NotFound", "the server could not find the requested resource"), 404)
        verb = "watch" if watching else "get" if len(rest) > 1 else "list"
        if not allowed(self.rules, verb, resource.plural, namespace):
            return _json(refusal(verb, resource.plural, group, namespace), 403)
        if len(rest) > 1:
            item = self.get(resource.plural, rest[1], namespace or "")
            return (
                _json(item) if item else _json(status(404, "NotFound", f'{resource.plural} "{rest[1]}" not found'), 404)
            )
        if watching:
            return await self._watch(request, resource, namespace)
        return self._list(request, resource, namespace)

    def _list(self, request: web.Request, resource: FakeResource, namespace: str | None) -> web.Response:
        token = request.query.get("continue", "")
        lines = self.rest(token) if token else self.select(resource.plural, namespace, _selector(request))
        if lines is None:
            return _json(status(410, "Expired", "The provided continue parameter is too old"), 410)
        page, following = self.page(lines, int(request.query.get("limit") or 0))
        meta = {"resourceVersion": str(self.version), **({"continue": following} if following else {})}
        body = b'{"kind":"%sList","apiVersion":"%s","metadata":%s,"items":[%s]}' % (
            resource.kind.encode(),
            resource.api_version.encode(),
            encode(meta),
            b",".join(page),
        )
        return web.Response(body=body, content_type="application/json")

    async def _watch(self, request: web.Request, resource: FakeResource, namespace: str | None) -> web.StreamResponse:
        query = request.query
        streaming = query.get("sendInitialEvents") == "true"
        if streaming and self.watch_list == "reject":
            return _json(
                status(
                    422,
                    "Invalid",
                    "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch "
                    "unless the WatchList feature gate is enabled",
                ),
                422,
            )
        since = int(query.get("resourceVersion") or 0)
        expired = status(410, "Expired", f"too old resource version: {since} ({self.compacted})")
        is_old = 0 < since < self.compacted
        if is_old and self.gone == "status":
            return _json(expired, 410)
        watcher = Watcher(
            resource.plural, namespace, _selector(request), query.get("allowWatchBookmarks") in ("1", "true")
        )
        if is_old:
            watcher.send(event_line("ERROR", encode(expired)))
            watcher.end("end")
        elif since:
            watcher.queue.extend(self.since(since, watcher))
        else:
            watcher.queue.extend(
                event_line("ADDED", line) for line in self.select(resource.plural, namespace, watcher.selector)
            )
            if streaming and self.watch_list == "on":
                watcher.send(self.bookmark(resource.plural, initial_end=True))
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        # Registered before the first await: nothing that happens from here on is missed.
        self.watchers.append(watcher)
        try:
            await response.prepare(request)
            async with self.opened:
                self.opened.notify_all()
            await self._serve(request, response, watcher, float(query.get("timeoutSeconds") or 300))
        finally:
            self.watchers.remove(watcher)
        return response

    async def _serve(
        self, request: web.Request, response: web.StreamResponse, watcher: Watcher, seconds: float
    ) -> None:
        """Sends what is queued until the watch ends."""
        loop = asyncio.get_running_loop()
        deadline = loop.call_later(seconds, watcher.end, "end")
        try:
            while True:
                await self._running.wait()
                watcher.wake.clear()
                if watcher.queue:
                    data = b"".join(watcher.queue)
                    watcher.queue.clear()
                    await response.write(data)
                if watcher.ending == "drop":
                    if request.transport is not None:
                        await asyncio.sleep(0)
                        request.transport.abort()
                    return
                if watcher.ending:
                    return
                if not watcher.queue:
                    await watcher.wake.wait()
        finally:
            deadline.cancel()


def _selector(request: web.Request) -> dict[str, str]:
    """Field and label selectors as paths and values; only equality."""
    fields = [part.split("=", 1) for part in request.query.get("fieldSelector", "").split(",") if part]
    labels = [part.split("=", 1) for part in request.query.get("labelSelector", "").split(",") if part]
    return {
        **{path: value.lstrip("=") for path, value in fields},
        **{f"metadata.labels.{name}": value.lstrip("=") for name, value in labels},
    }


def _json(body: Any, code: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=encode(body), status=code, content_type="application/json", headers=headers)


def _faulty(request: web.Request, fault: Fault) -> web.Response:
    if fault.status == 0:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()
    if isinstance(fault.body, dict):
        return _json(fault.body, fault.status, fault.headers)
    headers = {"Content-Type": "text/html; charset=utf-8", **fault.headers}
    return web.Response(body=fault.body.encode(), status=fault.status, headers=headers)
