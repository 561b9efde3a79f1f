"""What the parts of the sandbox share: objects as they travel, changes of them, refusals, and who keeps them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

#: An object of Kubernetes as JSON. One that comes from `Objects` must not be changed: `copy.deepcopy` makes another.
Json = dict[str, Any]

#: Says of an object's labels, and of the uid of its controller (empty without one), whether it is meant.
Meant = Callable[[Mapping[str, str], str], bool]

#: How dependents are deleted.
Propagation = Literal["Background", "Foreground", "Orphan"]


class ApiError(Exception):
    """A refusal, as the API answers it: a Status of kind Failure.

    Attributes:
        code: the HTTP status.
        reason: the machine-readable reason (`NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, `Forbidden`, `Gone` …).
        message: one sentence.
        details: what the Status carries under `details` (`causes`, `kind`, `name`, `retryAfterSeconds`).
    """

    def __init__(self, code: int, reason: str, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details or {}


@dataclass(frozen=True, slots=True)
class Change:
    """What became of an object.

    Attributes:
        type: as a watch names it.
        resource: the resource's key: the plural, with its group behind a dot where it has one (`statefulsets.apps`).
        object: as it is now; when deleted, as it was last, with the resource version of its deletion.
        old: as it was before, None when added.
        revision: the store's revision with this change.
    """

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    resource: str
    object: Json
    old: Json | None
    revision: int


class Objects(Protocol):
    """The API for what runs inside the sandbox: controllers and kubelet. The rules of HTTP hold, but no rights.

    Namespaces are empty for objects of the whole cluster. Every call returns at once. Every refusal is an `ApiError`.
    """

    def get(self, resource: str, namespace: str, name: str) -> Json | None:
        """One object, None when there is none."""

    def select(self, resource: str, namespace: str, meant: Meant) -> list[Json]:
        """The objects of a namespace that are meant, by name; the others cost next to nothing."""

    def list(self, resource: str, namespace: str | None = None, labels: Mapping[str, str] | None = None) -> list[Json]:
        """The objects of a resource, in one namespace or in all, that bear all the labels; by namespace and name."""

    def create(self, resource: str, obj: Json, *, manager: str = "sandbox") -> Json:
        """Adds an object (`generateName` is honoured). 409 AlreadyExists, 422 Invalid."""

    def update(self, resource: str, obj: Json, *, subresource: str = "", manager: str = "sandbox") -> Json:
        """Replaces an object, or its status alone. 409 Conflict when its `resourceVersion` is not the current one."""

    def patch(
        self, resource: str, namespace: str, name: str, patch: Json, *, subresource: str = "", manager: str = "sandbox"
    ) -> Json:
        """Merges into an object (RFC 7386). 404 NotFound."""

    def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        grace: int | None = None,
        propagation: Propagation = "Background",
    ) -> None:
        """Deletes an object, or marks it (finalizers; pods that run are removed by the kubelet with a grace of 0).

        404 NotFound; 409 Conflict when `uid` is not its.
        """

    def subscribe(self, resources: Iterable[str]) -> AsyncIterator[Change]:
        """All objects of some resources as ADDED, then every change for as long as it is iterated; nothing is lost."""

    def event(
        self, about: Json, reason: str, message: str, *, kind: Literal["Normal", "Warning"] = "Normal", source: str = ""
    ) -> None:
        """Records an Event about an object; the same one again is counted up."""


@dataclass(frozen=True, slots=True)
class Exec:
    """A process that runs inside a container for somebody; see `Pods.exec`."""

    command: tuple[str, ...]
    tty: bool = False
    stdin: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Logs:
    """Which part of a log is wanted, as `kubectl logs` asks for it; `since` is seconds of the wall clock."""

    follow: bool = False
    previous: bool = False
    tail: int | None = None
    since: float | None = None
    timestamps: bool = False
    limit: int | None = None


class Console(Protocol):
    """The standard input of a process inside a container, and its terminal where it has one, from outside."""

    async def write(self, data: bytes) -> None:
        """Sends to its standard input."""

    def end_input(self) -> None:
        """The sender's input has ended."""

    def resize(self, width: int, height: int) -> None:
        """Tells it the terminal's size."""


class Process(Console, Protocol):
    """A process inside a container, from outside."""

    async def read(self) -> tuple[Literal["stdout", "stderr"], bytes] | None:
        """The next output, None after the last."""

    async def wait(self) -> int:
        """Its exit code; 128 + n for signal n."""

    def kill(self) -> None:
        """Kills it with everything that it started."""


class Pods(Protocol):
    """What the API server asks of the kubelet. Every refusal is an `ApiError`."""

    async def exec(self, namespace: str, pod: str, container: str, request: Exec) -> Process:
        """Starts a process in a container that runs."""

    def attach(self, namespace: str, pod: str, container: str) -> AsyncIterator[tuple[str, bytes]]:
        """What a container prints from now on: (`stdout` or `stderr`, bytes)."""

    def console(self, namespace: str, pod: str, container: str) -> Console | None:
        """The input of a container's own process, for one who is attached; None when its manifest wants no `stdin`."""

    def logs(self, namespace: str, pod: str, container: str, wanted: Logs) -> AsyncIterator[bytes]:
        """A container's log, in pieces of whole lines."""

    async def connect(self, namespace: str, pod: str, port: int, uid: str = "") -> tuple[Any, Any]:
        """A connection to a port of a pod: (asyncio.StreamReader, asyncio.StreamWriter). OSError when it is refused.

        With a uid it is that very pod's, and a 404 when another one has its name by now.
        """

    def stats(self) -> Json:
        """The kubelet's `stats/summary` of the one node."""

    def metrics(self) -> list[Json]:
        """`PodMetrics` of metrics.k8s.io."""
