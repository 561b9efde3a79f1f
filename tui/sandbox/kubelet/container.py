"""The life of one container: prepared, started, probed, restarted with back-off, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
import uuid
from collections.abc import Callable
from typing import Literal

from tui.sandbox import images
from tui.sandbox.kubelet import probes, setup
from tui.sandbox.kubelet.addresses import Address
from tui.sandbox.kubelet.environment import ConfigError
from tui.sandbox.kubelet.host import Host
from tui.sandbox.kubelet.logs import Log
from tui.sandbox.kubelet.processes import Child, Exit
from tui.sandbox.kubelet.status import Container, now, terminated
from tui.sandbox.kubelet.streams import Attached, Running
from tui.sandbox.kubelet.volumes import Volumes
from tui.sandbox.model import Exec, Json

#: A container that has run so long is not in a crash loop any more (Kubernetes: 10 minutes).
_SETTLED = 60.0
_KEPT_LOGS = 2
_FALLBACK = "FallbackToLogsOnError"


def _last_words(log: Log) -> str:
    """The end of a log, as much of it as the kubelet takes for a container's termination message."""
    with contextlib.suppress(OSError):
        return log.end(lines=80, size=2048)
    return ""


class Runner:
    """Runs a container of a pod; `record` tells what became of it.

    Args:
        host: the node.
        pod: the pod as the API has it now.
        record: what is known of the container.
        address: the pod's.
        volumes: the pod's.
        changed: is called whenever the record has changed.
    """

    def __init__(
        self,
        host: Host,
        pod: Callable[[], Json],
        record: Container,
        address: Address,
        volumes: Volumes,
        changed: Callable[[], None],
    ) -> None:
        self.record = record
        self.log: Log | None = None
        self.child: Child | None = None
        self.console: Attached | None = None
        self.started = asyncio.Event()
        self.stands_in = ""
        self._host, self._pod, self._address, self._volumes = host, pod, address, volumes
        self._changed = changed
        self._stopping = False
        self._probes: list[asyncio.Task[None]] = []
        self._ending: asyncio.Task[None] | None = None
        self._execs = 0
        self._others: set[Child] = set()  # What `exec` has started and still runs.
        self._setup: setup.Setup | None = None

    @property
    def stopping(self) -> bool:
        """Whether it is being ended for good."""
        return self._stopping

    @property
    def mark(self) -> str:
        """What its processes are known by."""
        return f"{self._pod()['metadata']['uid']}/{self.record.name}"

    async def live(self) -> None:
        """Runs it as often as the restart policy says; returns when it will not be started again."""
        failures = 0
        while not self._stopping:
            begun = time.monotonic()
            ended = await self._once()
            if self.stopping:
                return
            if not self._again(ended):
                self.record.finished = True
                self.record.ready = self.record.kind == "init" and ended.code == 0
                self._changed()
                return
            failures = 1 if time.monotonic() - begun > _SETTLED else failures + 1
            if failures > 1:
                await self._back_off(min(self._host.most, self._host.first * 2 ** (failures - 2)))
            self.record.restarts += 1

    async def stop(self, grace: float, reason: str | None = None) -> None:
        """Ends it for good: hook, SIGTERM, and SIGKILL to all that is left when the grace is over."""
        self._stopping = True
        if self.child is not None:
            await self._end(self.child, grace, reason or f"Stopping container {self.record.name}")

    async def exec(self, request: Exec) -> Running:
        """Starts a process in it. OSError when it cannot be started, or the container does not run."""
        made, child = self._setup, self.child
        if made is None or child is None or not child.running:
            raise OSError("container not running")
        environment = made.environment | dict(request.environment)
        if request.tty:
            environment.setdefault("TERM", "xterm")
        words = made.translation.run(request.command)

        async def start(streams: tuple[int, int, int], tty: bool) -> Child:
            self._execs += 1
            child = await self._host.processes.start(
                words, environment, made.directory, streams, mark=f"{self.mark}/{self._execs}", tty=tty
            )
            self._others.add(child)
            child.ended.add_done_callback(lambda _: self._others.discard(child))
            return child

        return await Running.start(start, self._signal, tty=request.tty, stdin=request.stdin)

    async def _signal(self, child: Child, number: int) -> None:
        await self._host.processes.signal(child, number, everything=True)

    async def run(self, words: list[str], timeout: float) -> tuple[int, str]:  # noqa: ASYNC109 (a probe's own)
        """Runs words in it: their exit code and what they print; 124 when they take too long."""
        try:
            process = await self.exec(Exec(tuple(words)))
        except OSError as error:
            return 126, str(error)
        printed = b""
        try:
            async with asyncio.timeout(timeout):
                while (piece := await process.read()) is not None:
                    printed += piece[1][: 10240 - len(printed)]
                return await process.wait(), printed.decode("utf-8", "replace")
        except TimeoutError:
            return 124, f'command timed out: "{" ".join(words)}" timed out after {timeout:g}s'
        finally:
            process.kill()

    async def _once(self) -> Exit:
        await self._host.awake.wait()
        made = self._setup = await self._prepare()
        run = uuid.uuid4().hex * 2
        log = self._open_log()
        container_id, spec = f"sandbox://{run}", self.record.spec
        self._event("Created", "Container created")

        async def start(streams: tuple[int, int, int], tty: bool) -> Child:
            environment = {"TERM": "xterm"} | made.environment if tty else made.environment
            words = self._words(made)
            return await self._host.processes.start(
                words, environment, made.directory, streams, mark=self.mark, tty=tty, litter=made.litter
            )

        stdin, tty = bool(spec.get("stdin")), bool(spec.get("tty"))
        try:
            process = await Running.start(start, self._signal, tty=tty, stdin=stdin)
        except OSError as error:
            return self._not_started(made.words[0] if made.words else "", error, container_id)
        self.child = child = process.child
        self.console = Attached(process, once=bool(spec.get("stdinOnce"))) if stdin else None
        printing = asyncio.create_task(process.each(log.feed), name="log")
        begun = now()
        self._remember()
        self.record.id, self.record.state = container_id, {"running": {"startedAt": begun}}
        self.record.started = "startupProbe" not in spec and self.record.kind != "init"
        self.record.ready = self.record.started and "readinessProbe" not in spec
        if self.record.started:
            self.started.set()
        self._event("Started", "Container started")
        self._changed()
        if self._stopping:
            self._ending = asyncio.create_task(self._end(child, 0, ""))
        self._watch(child)
        try:
            ended = await asyncio.shield(child.ended)
        finally:
            for task in self._probes:
                task.cancel()
            self._probes.clear()
        for other in list(self._others):
            await self._host.processes.signal(other, signal.SIGKILL, everything=True)
        # All that held its output is gone with it; what is in the pipes still is read.
        await asyncio.wait([printing], timeout=1)
        printing.cancel()
        process.kill()
        log.close()
        self.child = self.console = None
        self.record.ready = self.record.started = False
        said = _last_words(log) if ended.code and spec.get("terminationMessagePolicy") == _FALLBACK else ""
        self.record.state = terminated(ended.code, ended.signal, begun, container_id, said)
        self._changed()
        return ended

    def _words(self, made: setup.Setup) -> list[str]:
        """What it runs: its own program, or one that ends at once while somebody wants a crash loop of the pod."""
        meta = self._pod()["metadata"]
        code = self._host.crashing.get((meta["namespace"], meta["name"]))
        if code is None or self.record.kind != "main":
            return made.words
        said = f"the sandbox lets this container fail, until the fault crash-loop of {meta['name']} ends"
        return ["sh", "-c", f"echo '{said}' >&2; exit {code}"]

    async def _prepare(self) -> setup.Setup:
        """Waits until it can be started; says why it cannot."""
        attempt = 0
        while True:
            try:
                made = setup.make(self._host, self._pod(), self.record, self._address, self._volumes)
            except ConfigError as error:
                self._wait("CreateContainerConfigError", str(error))
                self._event("Failed", f"Error: {error}", "Warning")
                delay = 2.0
            except images.MissingProgramError as error:
                image = self.record.spec.get("image", "")
                if attempt % 2 == 0:
                    self._wait("ErrImagePull", str(error))
                    self._event("Failed", f'Failed to pull image "{image}": {error}', "Warning")
                    self._event("Failed", "Error: ErrImagePull", "Warning")
                    delay = 1.0
                else:
                    self._wait("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {error}')
                    self._event("BackOff", f'Back-off pulling image "{image}"')
                    self._event("Failed", "Error: ImagePullBackOff", "Warning")
                    delay = min(self._host.most, self._host.first * 2 ** (attempt // 2 + 1))
            else:
                image = self.record.spec.get("image", "")
                self._event(
                    "Pulled", f'Container image "{image}" already present on machine and can be accessed by the pod'
                )
                if made.stands_in and made.stands_in != self.stands_in:
                    self.stands_in = made.stands_in
                    self._event("StandsIn", made.stands_in)
                return made
            attempt += 1
            await asyncio.sleep(delay)

    def _not_started(self, word: str, error: OSError, container_id: str) -> Exit:
        message = f'exec: "{word}": {error.strerror or error}'
        self._event("Failed", f"Error: {message}", "Warning")
        self.record.id = container_id
        self._remember()
        self.record.state = terminated(128, 0, "1970-01-01T00:00:00Z", container_id, message, "StartError")
        if self.log is not None:
            self.log.close()
        self._changed()
        return Exit(128)

    def _again(self, ended: Exit) -> bool:
        policy = self._pod()["spec"].get("restartPolicy", "Always")
        if self.record.kind == "sidecar":
            return True
        if self.record.kind == "init":
            return ended.code != 0 and policy != "Never"
        return policy == "Always" or (policy == "OnFailure" and ended.code != 0)

    async def _back_off(self, delay: float) -> None:
        meta = self._pod()["metadata"]
        pod = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
        name = self.record.name
        self._wait("CrashLoopBackOff", f"back-off {delay:g}s restarting failed container={name} pod={pod}")
        self._event("BackOff", f"Back-off restarting failed container {name} in pod {pod}", "Warning")
        await asyncio.sleep(delay)

    def _watch(self, child: Child) -> None:
        spec = self.record.spec
        ports = {p["name"]: int(p["containerPort"]) for p in spec.get("ports") or [] if p.get("name")}
        target = probes.Target(self._address, ports, self.run)

        def start(key: str, purpose: probes.Purpose, said: Callable[[bool], None]) -> None:
            if probe := spec.get(key):
                path = str((probe.get("httpGet") or {}).get("path", "")).partition("?")[0]
                if self._setup is not None and path in self._setup.health:
                    kept = {name: value for name, value in probe.items() if name != "httpGet"}
                    probe = kept | self._setup.health[path]
                task = asyncio.create_task(probes.watch(probe, target, purpose, said, unhealthy, self._host.awake))
                self._probes.append(task)

        def unhealthy(message: str) -> None:
            if child.running and not self._stopping:
                self._event("Unhealthy", message, "Warning")

        def failed(purpose: str, key: str) -> None:
            reason = f"Container {self.record.name} failed {purpose} probe, will be restarted"
            grace = spec[key].get("terminationGracePeriodSeconds")
            grace = self._pod()["spec"].get("terminationGracePeriodSeconds", 30) if grace is None else grace
            self._ending = asyncio.create_task(self._end(child, float(grace), reason))

        def ready(good: bool) -> None:
            self.record.ready = good and child.running
            self._changed()

        def begun(good: bool) -> None:
            if not good:
                failed("startup", "startupProbe")
                return
            self.record.started = True
            self.started.set()
            self.record.ready = "readinessProbe" not in spec
            self._changed()
            rest()

        def rest() -> None:
            start("readinessProbe", "Readiness", ready)
            start("livenessProbe", "Liveness", lambda _: failed("liveness", "livenessProbe"))

        if self.record.kind == "init":
            return
        if hook := (spec.get("lifecycle") or {}).get("postStart"):
            self._probes.append(asyncio.create_task(self._post_start(child, hook)))
        if "startupProbe" in spec:
            start("startupProbe", "Startup", begun)
        else:
            rest()

    async def _post_start(self, child: Child, hook: Json) -> None:
        try:
            # Kubernetes sets it no limit; a server that starts slowly must not be killed by what fills it.
            await self._hook(hook, 300)
        except probes.ProbeError as error:
            self._event("FailedPostStartHook", f"PostStartHook failed: {error}", "Warning")
            self._ending = asyncio.create_task(self._end(child, 2, "FailedPostStartHook"))

    async def _hook(self, hook: Json, timeout: float) -> None:  # noqa: ASYNC109 (the grace that is left)
        if "sleep" in hook:
            await asyncio.sleep(min(timeout, float(hook["sleep"].get("seconds") or 0)))
            return
        ports = {p["name"]: int(p["containerPort"]) for p in self.record.spec.get("ports") or [] if p.get("name")}
        await probes.check({**hook, "timeoutSeconds": max(0.1, timeout)}, probes.Target(self._address, ports, self.run))

    async def _end(self, child: Child, grace: float, reason: str) -> None:
        if not child.running:
            return
        if reason:
            self._event("Killing", reason)
        until = time.monotonic() + grace
        hook = (self.record.spec.get("lifecycle") or {}).get("preStop")
        if hook and grace > 0 and self.record.kind != "init":
            try:
                async with asyncio.timeout(grace):
                    await self._hook(hook, grace)
            except (probes.ProbeError, TimeoutError) as error:
                self._event("FailedPreStopHook", f"PreStopHook failed: {error}", "Warning")
        if grace > 0:
            await self._host.processes.signal(child, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(2.0 if hook else 0.0, until - time.monotonic())):
                    await asyncio.shield(child.ended)
        await self._host.processes.signal(child, signal.SIGKILL, everything=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                await asyncio.shield(child.ended)

    def _remember(self) -> None:
        if "terminated" in self.record.state:
            self.record.last = self.record.state

    def _wait(self, reason: str, message: str) -> None:
        self._remember()
        self.record.state = {"waiting": {"message": message, "reason": reason}}
        self.record.ready = self.record.started = False
        self._changed()

    def _event(self, reason: str, message: str, kind: Literal["Normal", "Warning"] = "Normal") -> None:
        self._host.event(self._pod(), reason, message, kind)

    def log_path(self, restarts: int) -> str:
        """The file of one of its runs, inside the pod's directory."""
        return f"logs/{self.record.name}/{restarts}.log"

    def _open_log(self) -> Log:
        if self.log is not None:
            self.log.close()
        base = self._volumes.directory
        self.log = Log(base / self.log_path(self.record.restarts))
        for suffix in ("", ".1"):
            (base / (self.log_path(self.record.restarts - _KEPT_LOGS) + suffix)).unlink(missing_ok=True)
        return self.log
