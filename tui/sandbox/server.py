"""The API over HTTPS on loopback: who asks, whether they may, and what they are answered."""

from __future__ import annotations

import asyncio
import logging
import platform
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from pathlib import Path
from typing import cast

from aiohttp import web

from tui.sandbox import bodies, openapi2, problems, reviews, targets
from tui.sandbox.discovery import AGGREGATED, Discovery
from tui.sandbox.handlers import Resources
from tui.sandbox.latency import Latency, Slowed
from tui.sandbox.model import ApiError, Json
from tui.sandbox.rbac import Asked, Rights
from tui.sandbox.registry import Registry
from tui.sandbox.targets import Target
from tui.sandbox.users import ANONYMOUS, User, Users

_log = logging.getLogger(__name__)

#: How large a body may be, bytes; the real server's bound.
_LARGEST = 3 << 20
_VERSION: Json = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.3+statetui-sandbox",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": f"python{platform.python_version()}",
    "compiler": "python",
    "platform": f"linux/{platform.machine()}",
}
#: Who asks, and what for; handlers that others bring find them here.
USER: ContextVar[User] = ContextVar("user")
TARGET: ContextVar[Target] = ContextVar("target")

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: Is asked before a request that its sender may make is answered: it may refuse (`ApiError`), and take its time.
Gate = Callable[[web.Request, User, Target], Awaitable[None]]


class Server:
    """Serves a registry.

    Handlers that others bring (`extend`, `add_routes`: logs, exec, statistics …) are asked only when the sender may;
    `USER` and `TARGET` say who that is and what is meant. An `ApiError` that they raise becomes a Status. They are
    cancelled when the client goes.

    Attributes:
        kubeconfig: the file that tells clients how to get in; there once the server has started.
        url: where it serves, once it has started.
        rights: what users may do.
        gates: what every request passes.
        latency: how much later what is sent arrives.
    """

    def __init__(
        self,
        registry: Registry,
        directory: Path,
        *,
        extend: Callable[[web.Application], None] | None = None,
        metrics: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Makes a server that is not started.

        Args:
            registry: what is served.
            directory: where certificates and kubeconfig are kept.
            extend: adds handlers of what the registry does not serve, and hears of the application's life.
            metrics: whether these serve metrics.k8s.io, which discovery tells then.
            host: the address; of loopback.
            port: 0 for any that is free.

        Raises:
            OSError: the directory cannot be written.
        """
        self._users = Users(directory, host)
        self.rights = Rights(registry.store)
        self.gates: list[Gate] = []
        self.latency = Latency()
        self._discovery = Discovery(registry.kinds, metrics=metrics)
        self._resources = Resources(registry)
        self._host, self._port = host, port
        app = web.Application(client_max_size=_LARGEST, middlewares=[self._guard])
        if extend is not None:
            extend(app)
        app.router.add_route("*", "/{path:.*}", self._answer)
        # Watches end with their clients, and do not hold up the end of the server.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.5, access_log=None)
        self._listener: asyncio.Server | None = None
        self.kubeconfig = directory / "kubeconfig"
        self.url = ""

    def add_routes(self, routes: Iterable[web.RouteDef]) -> None:
        """Serves what the registry does not; before the start."""
        self._runner.app.router.add_routes(routes)

    async def start(self) -> None:
        """Serves from now on, and writes the kubeconfig.

        Raises:
            OSError: the port is taken, or the kubeconfig cannot be written.
        """
        await self._runner.setup()
        serve = cast("web.Server", self._runner.server)
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                lambda: Slowed(serve(), self.latency), self._host, self._port, ssl=self._users.tls()
            )
            self.url = f"https://{self._host}:{self._listener.sockets[0].getsockname()[1]}"
            self._users.write_kubeconfig(self.url)
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ends every request and serves no longer."""
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    # ── Every request ────────────────────────────────────────────────────────────────────────────────────────────────

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            user = self._sender(request)
            target = targets.parse(request.method, request.path, request.query)
            for asked in target.asked():
                self._demand(user, asked)
            USER.set(user)
            TARGET.set(target)
            for gate in self.gates:
                await gate(request, user, target)
            return await handler(request)
        except ApiError as problem:
            return bodies.refuse(problem)
        except web.HTTPRequestEntityTooLarge:
            message = f"Request entity too large: limit is {_LARGEST}"
            return bodies.refuse(ApiError(413, "RequestEntityTooLarge", message))
        except web.HTTPException as problem:
            if problem.status == 405:
                return bodies.refuse(problems.no_method())
            return bodies.refuse(
                ApiError(problem.status, problem.reason.replace(" ", ""), problem.text or problem.reason)
            )
        except ConnectionError:
            if request.transport is not None and not request.transport.is_closing():
                raise
            # The client went while it was answered. Nobody reads this, and an exception would be logged as a mistake.
            return web.Response(status=499)
        except Exception:
            _log.exception("%s %s", request.method, request.path)
            return bodies.refuse(ApiError(500, "InternalError", "Internal error occurred: see the sandbox's log"))

    def _demand(self, user: User, asked: Asked) -> None:
        if not self.rights.allowed(user, asked):
            raise asked.refusal(user)

    def _sender(self, request: web.Request) -> User:
        transport = request.transport
        certificate = transport.get_extra_info("peercert") if transport else None
        user = self._users.who(request.headers.get("Authorization", ""), certificate)
        name = request.headers.get("Impersonate-User", "")
        groups = request.headers.getall("Impersonate-Group", [])
        if not name:
            if groups:
                raise problems.bad("requested groups without impersonating a user")
            return user
        wanted = [("users", name), *(("groups", group) for group in groups)]
        for resource, one in wanted:
            self._demand(user, Asked("impersonate", "", resource, name=one))
        return User(name, (*groups, "system:authenticated") if name != ANONYMOUS.name else ANONYMOUS.groups)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        target = TARGET.get()
        if not target.plural:
            return self._document(request)
        if (target.group, target.plural) in reviews.KINDS and target.version == "v1":
            if target.verb != "create" or target.name:
                raise problems.no_method()
            body = bodies.parse(await request.read(), request.content_type, target.plural)
            return bodies.answer(reviews.answer(self.rights, USER.get(), target.group, target.plural, body), 201)
        return await self._resources.handle(request, target)

    # ── What is no resource ──────────────────────────────────────────────────────────────────────────────────────────

    def _document(self, request: web.Request) -> web.Response:
        parts = [part for part in request.path.split("/") if part]
        if request.method not in ("GET", "HEAD"):
            raise problems.no_method()
        aggregated = "as=APIGroupDiscoveryList" in request.headers.get("Accept", "").replace(" ", "")
        match parts:
            case ["healthz" | "readyz" | "livez", *_]:
                return web.Response(text="ok")
            case ["version"]:
                return bodies.answer(_VERSION)
            case ["api"]:
                if aggregated and "v=v2;" in self._wanted(request):
                    return bodies.answer(self._discovery.aggregated(core=True), media=AGGREGATED)
                address = {"clientCIDR": "0.0.0.0/0", "serverAddress": self.url.removeprefix("https://")}
                return bodies.answer(
                    {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]}
                )
            case ["apis"]:
                if aggregated and "v=v2;" in self._wanted(request):
                    return bodies.answer(self._discovery.aggregated(core=False), media=AGGREGATED)
                return bodies.answer(self._discovery.group_list())
            case ["api", version]:
                return bodies.answer(self._discovery.resource_list("", version))
            case ["apis", group]:
                return bodies.answer(self._discovery.group(group))
            case ["apis", group, version]:
                return bodies.answer(self._discovery.resource_list(group, version))
            case ["openapi", *rest]:
                return self._openapi(request, rest)
            case []:
                return bodies.answer({"paths": ["/api", "/apis", "/healthz", "/openapi/v2", "/openapi/v3", "/version"]})
        raise web.HTTPNotFound(text="404 page not found")

    def _openapi(self, request: web.Request, parts: list[str]) -> web.Response:
        match parts:
            case ["v2"]:
                if any(media in request.headers.get("Accept", "") for media in openapi2.ASKED):
                    told = openapi2.encoded(_VERSION["gitVersion"])
                    return web.Response(body=told, headers={"Content-Type": openapi2.MEDIA})
                return bodies.answer(openapi2.document(_VERSION["gitVersion"]))
            case ["v3"]:
                return bodies.answer(self._discovery.openapi_index())
            case ["v3", "api", version]:
                return bodies.answer(self._discovery.openapi("", version))
            case ["v3", "apis", group, version]:
                return bodies.answer(self._discovery.openapi(group, version))
        raise problems.no_resource()

    @staticmethod
    def _wanted(request: web.Request) -> str:
        return request.headers.get("Accept", "").replace(" ", "") + ";"
