"""Faults for teaching: what goes wrong in clusters, made to go wrong on purpose, and made well again."""

from __future__ import annotations

import asyncio
import shutil
import signal
import weakref
from collections.abc import Awaitable, Callable

from aiohttp import web

from tui.sandbox import bodies, problems
from tui.sandbox.faultnode import FILLING, TOLERATED, Freezer, fill, send
from tui.sandbox.faultsorts import SORTS, Active, Undo, Wish, options_of, place_of, sort_of, told, within
from tui.sandbox.kubelet.kubelet import Kubelet
from tui.sandbox.kubelet.pod import Pod
from tui.sandbox.kubelet.usage import disk
from tui.sandbox.kubelet.volumes import MountError, inside
from tui.sandbox.model import ApiError, Json
from tui.sandbox.objects import now
from tui.sandbox.quantities import quantity
from tui.sandbox.rbac import Asked
from tui.sandbox.registry import Registry
from tui.sandbox.server import Server
from tui.sandbox.store import Store
from tui.sandbox.targets import Target
from tui.sandbox.users import User

PATH = "/sandbox/v1/faults"
#: Bytes of this machine's disk that are never filled.
SPARE = 2 << 30
#: The longest delay, milliseconds: the answer to whoever ends it has to wait as long.
_LONGEST = 10_000


class Faults:
    """Makes faults and ends them. It must be made before the server starts, and `close` before the kubelet stops.

    Attributes:
        active: the faults that go on, by name and target.
    """

    def __init__(self, store: Store, registry: Registry, server: Server, kubelet: Kubelet) -> None:
        """Serves the faults at `PATH`, and ends what a sandbox that was killed has left of them."""
        self.active: dict[tuple[str, str], Active] = {}
        self._store, self._registry, self._server, self._kubelet = store, registry, server, kubelet
        self._watches: weakref.WeakSet[asyncio.BaseTransport] = weakref.WeakSet()
        self._freezer = Freezer(registry, kubelet)
        self._busy = asyncio.Lock()
        self._makers: dict[str, Callable[[Wish], Awaitable[tuple[str, str, Undo | None]]]] = {
            "kill-pod": self._kill_pod,
            "crash-loop": self._crash_loop,
            "fill-volume": self._fill_volume,
            "freeze-node": self._freeze_node,
            "cut-watches": self._cut_watches,
            "expire-history": self._expire_history,
            "refuse-right": self._refuse_right,
            "slow-network": self._slow_network,
        }
        server.gates.append(self._gate)
        server.add_routes(self.routes())
        for left in (kubelet.host.state / "volumes").glob(f"*/{FILLING}"):
            left.unlink(missing_ok=True)
        self._freezer.taint(on=False)

    # ── Over HTTP ────────────────────────────────────────────────────────────────────────────────────────────────────

    def routes(self) -> list[web.RouteDef]:
        """GET lists, POST starts, DELETE ends; who may is decided by the rights on the path, which admins have."""
        return [
            web.get(PATH, self._get),
            web.post(PATH + "/{name}", self._post),
            web.delete(PATH + "/{name}", self._delete),
        ]

    async def _get(self, _: web.Request) -> web.Response:
        possible = [
            {
                "name": name,
                "summary": sort.summary,
                "target": sort.target,
                "lasts": sort.lasts,
                "options": dict(sort.options),
            }
            for name, sort in SORTS.items()
        ]
        return bodies.answer(
            {"kind": "FaultList", "possible": possible, "active": [told(each) for each in self.active.values()]}
        )

    async def _post(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        raw = await request.read()
        body = bodies.parse(raw, request.content_type, "Fault") if raw.strip() else {}
        if not isinstance(body, dict):
            raise problems.bad("a fault is asked for with an object: target, namespace, options")
        if unknown := body.keys() - {"target", "namespace", "options"}:
            raise problems.bad(f"unknown field {sorted(unknown)[0]!r}: there are target, namespace, options")
        target, namespace, options = body.get("target") or "", body.get("namespace") or "default", body.get("options")
        if not isinstance(target, str) or not isinstance(namespace, str) or not isinstance(options or {}, dict):
            raise problems.bad("target and namespace are strings, options is an object")
        return bodies.answer(await self.start(name, Wish(target, namespace, options or {})), 201)

    async def _delete(self, request: web.Request) -> web.Response:
        namespace = request.query.get("namespace", "default")
        ended = await self.end(request.match_info["name"], request.query.get("target", ""), namespace)
        return bodies.answer({"kind": "FaultList", "possible": [], "active": [], "ended": ended})

    # ── Starting and ending ──────────────────────────────────────────────────────────────────────────────────────────

    async def start(self, name: str, wish: Wish) -> Json:
        """Starts a fault; what is told of it: `said`, and whether it is `active` until it is ended.

        Raises:
            ApiError: 404 for a fault or a target that does not exist, 400 for options, 409 when it goes on already or
                cannot be done now.
        """
        sort = sort_of(name)
        if bool(wish.target) != bool(sort.target):
            raise problems.bad(f"{name} needs a {sort.target}" if sort.target else f"{name} has no target")
        wish = Wish(wish.target, wish.namespace, options_of(name, sort, wish.options))
        async with self._busy:
            for each in self.active.values():
                if each.name == name and each.is_of(wish.target, wish.namespace):
                    raise ApiError(409, "AlreadyExists", f"{name} goes on since {each.since}; end it first")
            said, target, undo = await self._makers[name](wish)
            asked = "/".join(place_of(wish)) if sort.target in ("pod", "claim") else wish.target
            made = Active(name, target, asked, wish.options, said, now(), undo or _nothing)
            if undo is not None:
                self.active[name, target] = made
        return {**told(made), "active": undo is not None}

    async def end(self, name: str, target: str = "", namespace: str = "default") -> list[str]:
        """Ends a fault of one target, or of all; what has ended.

        Raises:
            ApiError: 404 when there is none, or no such fault.
        """
        sort_of(name)
        async with self._busy:
            found = [key for key, each in self.active.items() if key[0] == name and each.is_of(target, namespace)]
            if not found:
                of = f" of {target}" if target else ""
                raise ApiError(404, "NotFound", f"the fault {name}{of} is not active")
            for key in found:
                await self.active.pop(key).undo()
            return [f"{name} {of}".strip() for _, of in found]

    async def close(self) -> None:
        """Ends all faults."""
        async with self._busy:
            while self.active:
                _, each = self.active.popitem()
                await each.undo()

    async def _gate(self, request: web.Request, user: User, target: Target) -> None:
        if target.path.startswith(PATH):
            return
        if target.verb == "watch" and request.transport is not None:
            self._watches.add(request.transport)

    # ── Pods ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _pod(self, wish: Wish) -> tuple[str, str, Pod | None]:
        """Namespace and name of the pod that is meant, and what runs it, None when nothing does."""
        namespace, name = place_of(wish)
        if self._registry.get("pods", namespace, name) is None:
            raise ApiError(404, "NotFound", f'pods "{name}" not found in the namespace {namespace}')
        return namespace, name, next((pod for pod in self._kubelet.pods if pod.key == (namespace, name)), None)

    async def _kill_pod(self, wish: Wish) -> tuple[str, str, Undo | None]:
        namespace, name, pod = self._pod(wish)
        count = await send(self._kubelet, pod, signal.SIGKILL) if pod is not None else 0
        if not count:
            raise ApiError(409, "Conflict", f"no container of pod {namespace}/{name} runs now")
        return f"killed {count} container{'s' if count > 1 else ''} of {name}", f"{namespace}/{name}", None

    async def _crash_loop(self, wish: Wish) -> tuple[str, str, Undo | None]:
        code = within("exitCode", wish.options, 1, 255)
        namespace, name, pod = self._pod(wish)
        crashing = self._kubelet.host.crashing
        crashing[namespace, name] = code
        if pod is not None:
            await send(self._kubelet, pod, signal.SIGKILL, "main")

        async def undo() -> None:
            crashing.pop((namespace, name), None)

        return f"each start of {name} fails with exit code {code}", f"{namespace}/{name}", undo

    # ── Volumes ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _fill_volume(self, wish: Wish) -> tuple[str, str, Undo | None]:
        percent = within("percent", wish.options, 1, 100)
        namespace, claim, found = self._claim(wish)
        if ("fill-volume", f"{namespace}/{claim}") in self.active:
            raise ApiError(409, "AlreadyExists", f"claim {namespace}/{claim} is filled already; end that first")
        volume = found.get("spec", {}).get("volumeName", "")
        size = quantity(found.get("status", {}).get("capacity", {}).get("storage", "0"))
        try:
            directory = inside(self._kubelet.host.state / "volumes", volume)
        except MountError as error:
            raise ApiError(409, "Conflict", str(error)) from error
        if not volume or not size or not directory.is_dir():
            raise ApiError(409, "Conflict", f"claim {namespace}/{claim} has no volume yet: no pod has used it")
        used = (await asyncio.to_thread(disk, directory))[0]
        wanted = size * percent // 100 - used
        if wanted <= 0:
            raise ApiError(409, "Conflict", f"claim {namespace}/{claim} is {used / size:.0%} full already")
        free = shutil.disk_usage(directory).free
        if free - wanted < SPARE:
            text = f"filling takes {wanted >> 20} MiB, and of the {free >> 20} MiB that this machine's disk has free "
            raise ApiError(409, "Conflict", f"{text}{SPARE >> 20} MiB must stay; make room, or choose a smaller claim")
        file = directory / FILLING
        try:
            await asyncio.to_thread(fill, file, wanted)
        except OSError as error:
            raise ApiError(500, "InternalError", f"the volume cannot be filled: {error.strerror}") from error

        async def undo() -> None:
            await asyncio.to_thread(file.unlink, missing_ok=True)

        return (
            f"wrote {wanted >> 20} MiB: {claim} is {percent}% full by its figures; "
            "nothing keeps its server from writing on",
            f"{namespace}/{claim}",
            undo,
        )

    def _claim(self, wish: Wish) -> tuple[str, str, Json]:
        """Namespace, name and object of the claim that is meant, by its name or that of its pod."""
        namespace, name = place_of(wish)
        names = [name]
        if (pod := self._registry.get("pods", namespace, name)) is not None:
            volumes = pod["spec"].get("volumes") or []
            names += [v["persistentVolumeClaim"]["claimName"] for v in volumes if v.get("persistentVolumeClaim")]
        for each in names:
            if (found := self._registry.get("persistentvolumeclaims", namespace, each)) is not None:
                return namespace, each, found
        raise ApiError(404, "NotFound", f"neither a claim nor a pod with one is called {name} in {namespace}")

    # ── The node ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _freeze_node(self, wish: Wish) -> tuple[str, str, Undo | None]:
        stopped, evict = bool(wish.options["processes"]), within("evictAfter", wish.options, 0, TOLERATED)
        await self._freezer.freeze(processes=stopped, evict=evict)
        return (
            f"the kubelet is not heard any more{', its pods stand still' if stopped else ''}; "
            + (f"they are marked for deletion in {evict} s" if evict else "they are marked for deletion"),
            "",
            self._freezer.thaw,
        )

    # ── The API ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _cut_watches(self, wish: Wish) -> tuple[str, str, Undo | None]:
        return f"cut {_connections(self._cut())} of watches", "", None

    def _cut(self) -> int:
        """Resets the connections that watches came by; how many."""
        cut = [each for each in self._watches if isinstance(each, asyncio.WriteTransport) and not each.is_closing()]
        for each in cut:
            each.abort()
        self._watches.clear()
        return len(cut)

    async def _expire_history(self, wish: Wish) -> tuple[str, str, Undo | None]:
        # A change that nobody has seen: whoever comes back is behind, however closely it has followed.
        node = self._registry.get("nodes", "", self._kubelet.host.node) or {"metadata": {"name": "sandbox"}}
        self._registry.event(node, "HistoryExpired", "The API has forgotten all changes up to now", source="sandbox")
        self._store.forget()
        cut = f", and {_connections(self._cut())} of watches cut" if wish.options["cut"] else ""
        return f"all changes up to {self._store.first} are forgotten{cut}", "", None

    async def _refuse_right(self, wish: Wish) -> tuple[str, str, Undo | None]:
        user, verb, resource = str(wish.options["user"]), str(wish.options["verb"]), wish.target

        def denies(who: User, asked: Asked) -> bool:
            if asked.path or user not in ("*", who.name):
                return False
            qualified = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
            told = {
                f"{name}/{asked.subresource}" if asked.subresource else name for name in (asked.resource, qualified)
            }
            return resource in told and verb in ("*", asked.verb)

        denials = self._server.rights.denials
        denials.append(denies)
        if wish.options["cut"]:
            self._cut()

        async def undo() -> None:
            denials.remove(denies)

        who, may = ("nobody", "may") if user == "*" else (user, "may no longer")
        return f"{who} {may} {'do anything with' if verb == '*' else verb} {resource}", resource, undo

    async def _slow_network(self, wish: Wish) -> tuple[str, str, Undo | None]:
        delay = within("milliseconds", wish.options, 1, _LONGEST) / 1000
        self._server.latency.seconds = delay

        async def undo() -> None:
            self._server.latency.seconds = 0.0

        return f"all that the API sends comes {delay:g} s later, watches, logs and forwards too", "", undo


def _connections(count: int) -> str:
    return "1 connection" if count == 1 else f"{count} connections"


async def _nothing() -> None:
    """Ends what has ended by itself."""
