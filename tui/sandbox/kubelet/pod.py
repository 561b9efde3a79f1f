"""The life of one pod: address, volumes, init containers in order, containers, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from tui.sandbox.kubelet import status
from tui.sandbox.kubelet.addresses import Address
from tui.sandbox.kubelet.container import Runner
from tui.sandbox.kubelet.host import Host
from tui.sandbox.kubelet.volumes import MountError, Pending, Volumes
from tui.sandbox.model import ApiError, Json

_log = logging.getLogger(__name__)
#: Annotation of a pod: what stands in for what, where something does.
STANDS_IN = "statetui/stands-in"


class Pod:
    """Runs a pod that is bound to the node. `close` when it is not to run here any more."""

    def __init__(self, host: Host, pod: Json) -> None:
        self.object = pod
        self.runners: dict[str, Runner] = {}
        self.volumes = Volumes(host.objects, host.state, pod)
        self.address: Address | None = None
        self.records = _records(pod)
        self._host = host
        self._ready = False  # Its address and volumes are there.
        self._ended = False
        self._gone = False
        self._since = str((pod.get("status") or {}).get("startTime") or status.now())
        self._pushed: Json = {}
        self._life: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.object["metadata"]["namespace"], self.object["metadata"]["name"]

    def start(self) -> None:
        """Begins; a pod that has ended before stays as it is."""
        if (self.object.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            self._ended = True
        elif not self.object["metadata"].get("deletionTimestamp"):
            self._life = asyncio.create_task(self._live(), name=f"pod {'/'.join(self.key)}")
            return
        self.update(self.object)

    def update(self, pod: Json) -> None:
        """Takes what the API says of it now; begins its end when it is being deleted."""
        self.object = pod
        meta = pod["metadata"]
        if meta.get("deletionTimestamp"):
            if self._ending is None:
                grace = meta.get("deletionGracePeriodSeconds")
                grace = pod["spec"].get("terminationGracePeriodSeconds", 30) if grace is None else grace
                self._ending = asyncio.create_task(self._end(float(grace)), name=f"end of pod {'/'.join(self.key)}")
        elif self._ready and not self._ended and pod["spec"].get("readinessGates"):
            self.changed()

    async def close(self, grace: float = 0.0) -> None:
        """Ends its containers and leaves the API alone: the pod is gone there, or the sandbox stops."""
        self._gone = True
        if self._ending is not None and grace == 0:
            self._ending.cancel()
            await asyncio.gather(self._ending, return_exceptions=True)
        await self._stop(grace)

    def forget(self) -> None:
        """Removes its directory, the logs in it, and gives its address back; claims' directories stay."""
        self.volumes.unmount()
        self._release()

    def _release(self) -> None:
        if self.address is not None:
            self._host.addresses.release(self.address, "/".join(self.key))
            self.address = None

    def changed(self, *, anew: bool = False) -> None:
        """Tells the API what became of it; `anew` even if that is the same, for others have written there meanwhile."""
        if self._gone or not self._host.awake.is_set():
            return
        if anew:
            self._pushed = {}
        phase = self._phase()
        found: Json = {
            "conditions": status.conditions(self.object, self.records, phase, sandbox=self._ready and not self._ended),
            "containerStatuses": [r.status() for r in self.records if r.kind == "main"],
            "hostIP": "127.0.0.1",
            "hostIPs": [{"ip": "127.0.0.1"}],
            "phase": phase,
            "qosClass": (self.object.get("status") or {}).get("qosClass") or _quality(self.object),
            "startTime": self._since,
        }
        if inits := [r.status() for r in self.records if r.kind != "main"]:
            found["initContainerStatuses"] = inits
        if self.address is not None:
            found |= {"podIP": self.address.ip, "podIPs": [{"ip": self.address.ip}]}
        if found == self._pushed:
            return
        namespace, name = self.key
        known = self._host.objects.get("pods", namespace, name)
        if known is None or known["metadata"]["uid"] != self.object["metadata"]["uid"]:
            return  # Deleted at once, and perhaps made anew under the same name.
        try:
            self.object = self._host.objects.patch(
                "pods", namespace, name, {"status": found}, subresource="status", manager="kubelet"
            )
            self._pushed = found
            self._say_stand_ins()
        except ApiError as error:
            if error.code != 404:
                _log.warning("status of pod %s/%s: %s", namespace, name, error)

    async def _live(self) -> None:
        try:
            self.changed()
            await self._prepare()
            if await self._initialize():
                mains = [r for r in self.runners.values() if r.record.kind == "main"]
                await self._together(mains)
            await self._stop_sidecars()
            self._ended = True
            self.changed()
        except asyncio.CancelledError:
            raise
        except Exception:
            # A pod that the code cannot run must not take the others along; it is seen as what it is.
            _log.exception("pod %s/%s", *self.key)
            self._host.event(self.object, "FailedSync", "error syncing pod, the sandbox's log says why", "Warning")

    async def _prepare(self) -> None:
        for _ in range(100):
            if not self._host.addresses.busy("/".join(self.key)):
                break
            await asyncio.sleep(0.1)
        while self.address is None:
            try:
                self.address = self._host.addresses.allocate("/".join(self.key), _ports(self.object))
            except OSError as error:
                self._host.event(
                    self.object, "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}", "Warning"
                )
                await asyncio.sleep(5)
        self._say_address(self.address)
        delay = 0.1
        while True:
            try:
                self.volumes.mount({"podIP": self.address.ip, "hostIP": "127.0.0.1"})
                break
            except Pending:
                delay = 0.1
            except MountError as error:
                self._host.event(self.object, "FailedMount", str(error), "Warning")
                delay = min(2.0, delay * 2)
            await asyncio.sleep(delay)
        self._say_sizes()
        for record in self.records:
            runner = Runner(self._host, lambda: self.object, record, self.address, self.volumes, self.changed)
            self.runners[record.name] = runner
        self._ready = True
        self.changed()

    async def _initialize(self) -> bool:
        """Runs the init containers; False when one has failed for good."""
        for runner in [r for r in self.runners.values() if r.record.kind != "main"]:
            if runner.record.kind == "sidecar":
                self._run(runner)
                await runner.started.wait()
                continue
            await self._together([runner])
            if not runner.record.ready:
                return False
        for record in self.records:
            if record.kind == "main" and not record.finished:
                record.state = {"waiting": {"reason": "PodInitializing"}} if "waiting" in record.state else record.state
        return True

    async def _together(self, runners: Sequence[Runner]) -> None:
        await asyncio.gather(*(self._run(runner) for runner in runners if not runner.record.finished))

    def _run(self, runner: Runner) -> asyncio.Task[None]:
        task = asyncio.create_task(runner.live(), name=f"container {runner.mark}")
        self._tasks.append(task)
        return task

    async def _stop_sidecars(self, grace: float = 2.0) -> None:
        for runner in reversed([r for r in self.runners.values() if r.record.kind == "sidecar"]):
            await runner.stop(grace)

    async def _stop(self, grace: float) -> None:
        await asyncio.gather(*(r.stop(grace) for r in self.runners.values() if r.record.kind != "sidecar"))
        await self._stop_sidecars(min(2.0, grace))
        tasks = [task for task in [self._life, *self._tasks] if task is not None and not task.done()]
        # What has just ended is written down; what waits for anything else waits in vain.
        if tasks:
            await asyncio.wait(tasks, timeout=0.05 if any(r.child for r in self.runners.values()) else 0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _end(self, grace: float) -> None:
        await self._stop(grace)
        self._ended = True
        self.changed()
        # Before its name is free: who has it next is to find the address free, too.
        self._release()
        namespace, name = self.key
        with contextlib.suppress(ApiError):
            self._host.objects.delete("pods", namespace, name, uid=self.object["metadata"]["uid"], grace=0)

    def _phase(self) -> str:
        if self._ended and not self.runners:
            return str((self.object.get("status") or {}).get("phase") or "Failed")
        return status.phase(self.records, self.object["spec"].get("restartPolicy", "Always"), ended=self._ended)

    def _say_stand_ins(self) -> None:
        said = "; ".join(dict.fromkeys(r.stands_in for r in self.runners.values() if r.stands_in))
        meta = self.object["metadata"]
        if said and (meta.get("annotations") or {}).get(STANDS_IN) != said:
            patch = {"metadata": {"annotations": {STANDS_IN: said}}}
            self.object = self._host.objects.patch("pods", meta["namespace"], meta["name"], patch, manager="kubelet")

    def _say_address(self, address: Address) -> None:
        """What is not as it would be in a cluster, if anything."""
        said = ""
        if address.shared:
            said = "This system has 127.0.0.1 only: all pods share it, their ports are mapped"
            self._host.event(self.object, "SharedAddress", said, "Warning")
            return
        why = "another program of this machine listens there (`ss -ltnp` names it)"
        if address.refused:
            said = f"{address.refused} is taken, {why}: the pod gets {address.ip} instead"
            self._host.event(self.object, "AddressInUse", said, "Warning")
        for port, real in address.mapped.items():
            said = f"Port {port} is taken at all addresses, {why}: the pod's server gets {address.ip}:{real} instead"
            self._host.event(self.object, "PortInUse", f"{said}; forwards to port {port} lead there", "Warning")

    def _say_sizes(self) -> None:
        """A size that nothing enforces is said to be so, once for each claim."""
        for claim in self.volumes.claims.values():
            found = self._host.objects.get("persistentvolumeclaims", self.key[0], claim)
            if found is None:
                continue
            size = ((found.get("status") or {}).get("capacity") or {}).get("storage", "its size")
            message = (
                f"The sandbox keeps this volume in a plain directory: {size} is what was asked for, nothing enforces it"
            )
            self._host.event(found, "SizeNotEnforced", message)


def _records(pod: Json) -> list[status.Container]:
    """The pod's containers; what an earlier kubelet, whose processes are gone, has written of them is remembered."""
    spec = pod["spec"]
    inits = spec.get("initContainers") or []
    waiting = "PodInitializing" if inits else "ContainerCreating"
    kinds: list[tuple[Json, status.Kind]] = [
        (c, "sidecar" if c.get("restartPolicy") == "Always" else "init") for c in inits
    ]
    kinds += [(c, "main") for c in spec.get("containers") or []]
    known = pod.get("status") or {}
    before = {
        c["name"]: c for c in [*(known.get("initContainerStatuses") or []), *(known.get("containerStatuses") or [])]
    }
    records = []
    for container, kind in kinds:
        record = status.Container(container, kind, {"waiting": {"reason": waiting}})
        records.append(record)
        old = before.get(container["name"])
        if old is None or kind == "init":
            continue
        record.restarts, record.last = int(old.get("restartCount") or 0), old.get("lastState") or {}
        state = old.get("state") or {}
        if running := state.get("running"):
            record.restarts += 1
            record.id = old.get("containerID", "")
            record.last = status.terminated(255, 0, running.get("startedAt", status.now()), record.id, reason="Unknown")
        elif ended := state.get("terminated"):
            record.state, record.id = state, old.get("containerID", "")
            policy = spec.get("restartPolicy", "Always")
            record.finished = kind == "main" and (
                policy == "Never" or (policy == "OnFailure" and ended.get("exitCode") == 0)
            )
            if not record.finished:
                record.restarts += 1
    return records


def _ports(pod: Json) -> list[int]:
    """The ports on which the pod's containers say that they listen."""
    named = (port for container in pod["spec"].get("containers") or [] for port in container.get("ports") or [])
    return sorted({int(port["containerPort"]) for port in named if port.get("protocol", "TCP") == "TCP"})


def _quality(pod: Json) -> str:
    """The pod's class of service, as the API server derives it."""
    asked = [c.get("resources") or {} for c in [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or [])]]
    if not any(r.get("requests") or r.get("limits") for r in asked):
        return "BestEffort"
    limits = [r.get("limits") or {} for r in asked]
    exact = all(
        {"cpu", "memory"} <= limit.keys() and (r.get("requests") or limit) == limit
        for r, limit in zip(asked, limits, strict=True)
    )
    return "Guaranteed" if exact else "Burstable"
