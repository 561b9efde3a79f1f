"""A real cluster for tests, named by STATETUI_TEST_KUBECONFIG (an administrator's).

What a test breaks, it breaks in a namespace of its own, made and deleted with `kubectl`. Tests that kill or stop
components of the cluster also need STATETUI_TEST_CLUSTER_UP: the script that brings them back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tui.kube.api import Api
from tui.kube.cluster import Cluster
from tui.kube.context import ConnectOptions, load_context
from tui.kube.objects import Object
from tui.kube.resources import BUILT_IN, Resource
from tui.kube.store import Change

KUBECONFIG = os.environ.get("STATETUI_TEST_KUBECONFIG", "")
UP = os.environ.get("STATETUI_TEST_CLUSTER_UP", "")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here not in item.path.parents:
            continue
        if not KUBECONFIG:
            item.add_marker(pytest.mark.skip(reason="STATETUI_TEST_KUBECONFIG names no cluster"))
        elif "components" in getattr(item, "fixturenames", ()) and not UP:
            item.add_marker(
                pytest.mark.skip(reason="STATETUI_TEST_CLUSTER_UP names no script to repair the cluster with")
            )


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """Runs kubectl as the administrator; what it prints, or an error with its words."""
    done = subprocess.run(
        ["kubectl", "--kubeconfig", KUBECONFIG, *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def apply(*objects: dict[str, Any]) -> None:
    kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


@pytest.fixture
def namespace() -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"statetui-test-{secrets.token_hex(3)}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def user() -> Iterator[Callable[..., str]]:
    """Makes users by impersonation: rules in a namespace (or, without one, in the cluster) for a fresh name."""
    made: list[tuple[str, ...]] = []

    def make(namespace: str | None = None, rules: list[dict[str, Any]] | None = None, name: str = "") -> str:
        name = name or f"statetui-user-{secrets.token_hex(3)}"
        kind = "Role" if namespace else "ClusterRole"
        meta = {"name": name, **({"namespace": namespace} if namespace else {})}
        rbac = "rbac.authorization.k8s.io"
        apply(
            {"apiVersion": f"{rbac}/v1", "kind": kind, "metadata": meta, "rules": rules or []},
            {
                "apiVersion": f"{rbac}/v1",
                "kind": f"{kind}Binding",
                "metadata": meta,
                "roleRef": {"apiGroup": rbac, "kind": kind, "name": name},
                "subjects": [{"kind": "User", "apiGroup": rbac, "name": name}],
            },
        )
        if not namespace:
            made.append(("clusterrole,clusterrolebinding", name))
        return name

    yield make
    for what, name in made:
        kubectl("delete", what, name, "--ignore-not-found")


class Watch:
    """A cluster that is being watched, whose progress can be awaited, and compared with what the server lists."""

    def __init__(self, *, server: str = "", poll_usage: bool = False, **options: Any) -> None:
        context = load_context(ConnectOptions(kubeconfig=KUBECONFIG, **options))
        if server:
            context = replace(context, server=server)
        self.api = Api(context)
        self.cluster = Cluster(self.api, namespace=options.get("namespace"), poll_usage=poll_usage)
        self.changes: list[Change] = []
        self.states: list[str] = []
        self._told = asyncio.Event()
        self.cluster.on_feed.append(self._note)

    def _note(self) -> None:
        state = self.cluster.connection.state
        if not self.states or self.states[-1] != state:
            self.states.append(state)
        self._told.set()

    async def __aenter__(self) -> Watch:
        self._task = asyncio.create_task(self.cluster.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self.api.close()

    async def until(self, wanted: Callable[[], bool], seconds: float = 60, what: str = "it never came to that") -> None:
        """Waits until something is so, looking whenever the store or a feed changes."""
        store = self.cluster.store
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self.changes.extend(store.drain())
                    if wanted():
                        return
                    self._told.clear()
                    waits = [asyncio.ensure_future(store.changed()), asyncio.ensure_future(self._told.wait())]
                    try:
                        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED, timeout=1)
                    finally:
                        for wait in waits:
                            wait.cancel()
        except TimeoutError:
            raise AssertionError(f"{what}; {self.cluster.connection}") from None

    async def settled(self) -> None:
        """Waits until every feed has settled."""
        await self.until(lambda: self.cluster.complete and len({key for key, _ in self.cluster.feeds}) >= len(BUILT_IN))
        await self.until(lambda: all(feed.settled for feed in self.cluster.feeds.values()))

    async def state(self, state: str, seconds: float = 60) -> None:
        await self.until(lambda: self.cluster.connection.state == state, seconds, f"never {state}")

    def held(self, resource: Resource, namespace: str | None = None) -> dict[str, str]:
        """Resource versions by uid, as the store has them."""
        items = self.cluster.store.all(resource.key, Object)
        return {
            item.uid: item.metadata.resource_version
            for item in items
            if namespace is None or item.namespace == namespace
        }

    async def equals_server(self, resource: Resource, namespace: str | None = None, seconds: float = 20) -> None:
        """Fails unless the store comes to hold exactly what the server lists, at the same versions."""
        deadline = time.monotonic() + seconds
        while True:
            listed = await asyncio.to_thread(self._listed, resource, namespace)
            with contextlib.suppress(AssertionError):
                await self.until(lambda listed=listed: self.held(resource, namespace) == listed, 1)
                return
            if time.monotonic() > deadline:
                held = self.held(resource, namespace)
                assert held == listed, f"{resource.plural} differ"

    def _listed(self, resource: Resource, namespace: str | None) -> dict[str, str]:
        for version in resource.versions:
            with contextlib.suppress(AssertionError):
                body = json.loads(kubectl("get", "--raw", resource.path(version, namespace)))
                return {item["metadata"]["uid"]: item["metadata"]["resourceVersion"] for item in body["items"]}
        raise AssertionError(f"{resource.plural} cannot be listed")


class Components:
    """The cluster's own processes, to be killed and stopped."""

    def __init__(self, port: int) -> None:
        self.port = port

    def api_server(self) -> int:
        """The process that serves our API server's port."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0")
                if words[0].endswith(b"kube-apiserver") and f"--secure-port={self.port}".encode() in words:
                    return int(process.name)
        raise AssertionError("the API server does not run on this machine")

    def etcd(self) -> str:
        """Where the API server's etcd listens."""
        words = Path(f"/proc/{self.api_server()}/cmdline").read_bytes().decode().split("\0")
        return next(word.split("=", 1)[1] for word in words if word.startswith("--etcd-servers="))

    def kill_api_server(self) -> None:
        os.kill(self.api_server(), signal.SIGKILL)

    @contextlib.contextmanager
    def frozen_api_server(self) -> Iterator[None]:
        pid = self.api_server()
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def up(self) -> None:
        """Starts again whatever does not run."""
        done = subprocess.run([UP], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def compact(self) -> None:
        """Makes etcd forget all history."""
        etcdctl = ["etcdctl", "--endpoints", self.etcd()]
        environment = {**os.environ, "ETCDCTL_API": "3"}
        said = subprocess.run(
            [*etcdctl, "endpoint", "status", "-w", "json"], capture_output=True, text=True, env=environment, check=True
        )
        revision = json.loads(said.stdout)[0]["Status"]["header"]["revision"]
        subprocess.run([*etcdctl, "compact", str(revision)], capture_output=True, env=environment, check=True)


@pytest.fixture
def components() -> Iterator[Components]:
    server = load_context(ConnectOptions(kubeconfig=KUBECONFIG)).server
    components = Components(int(server.rsplit(":", 1)[1]))
    yield components
    components.up()
