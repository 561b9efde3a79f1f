"""`statetui bucket`: works on the object store of a workload."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from dataclasses import dataclass

from tui.commands import bucket_asking, bucket_moving, exits
from tui.commands.bucket_asking import Asking
from tui.commands.bucket_moving import Moving
from tui.commands.given import first_line
from tui.commands.remarks import note
from tui.commands.service import ServiceRun
from tui.commands.wronguse import wrong
from tui.kube.options import ConnectOptions
from tui.problem import ProblemError
from tui.services.bucket.model import Keys, Lost, StoreError
from tui.services.bucket.opening import open_session
from tui.services.bucket.session import StoreSession
from tui.services.bucket.store import Store as Connected
from tui.services.bucket.transfers import wire
from tui.services.bucket.transfers.calls import Store
from tui.settings import Settings
from tui.systems.bucketkeys import find_keys
from tui.systems.bucketroutes import StoreFinder, usual_port


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted.

    Attributes:
        workload: `NAME` or `NAMESPACE/NAME`.
        moving: what is to be moved; None for what is asked.
        asking: what is to be asked or changed; None for what is moved.
        access_key: in place of the packaging's; empty for that.
        secret_key_file: where that user's secret key is.
        region: empty to find it out.
        wait: seconds for the cluster and for a ready pod.
    """

    workload: str
    moving: Moving | None = None
    asking: Asking | None = None
    access_key: str = ""
    secret_key_file: str = ""
    region: str = ""
    wait: float = 30.0

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Request:
        """What the command line asks for; see `bucket_arguments`."""
        given = vars(arguments)
        ends = (arguments.access_key or "", arguments.secret_key_file or "", arguments.region, arguments.wait)
        if arguments.verb not in bucket_moving.VERBS:
            return cls(arguments.workload, None, Asking(arguments.verb, arguments, given.get("json")), *ends)
        headers = [(f"x-amz-meta-{name}", value) for name, _, value in
                   (one.partition("=") for one in given.get("metadata", ()))]  # fmt: skip
        if given.get("content_type"):
            headers.append(("Content-Type", arguments.content_type))
        moving = Moving(
            arguments.verb, tuple(arguments.sources), given.get("target", ""), given.get("recursive", False),
            given.get("dry_run", False), arguments.globs, given.get("json"), tuple(headers),
        )  # fmt: skip
        return cls(arguments.workload, moving, None, *ends)


def run(options: ConnectOptions, settings: Settings, request: Request) -> int:
    """Runs it, and returns the exit code.

    Raises:
        ProblemError: the cluster or the store cannot be reached.
    """
    return asyncio.run(_Bucket(options, settings, request).run())


class _Bucket:
    """One run of `bucket`."""

    def __init__(self, options: ConnectOptions, settings: Settings, request: Request) -> None:
        self._request = request
        self._service = ServiceRun(options, settings, request.wait)
        self._sessions: list[StoreSession] = []
        self._wires: list[wire.Wire] = []
        self._stores: dict[str, Store] = {}
        self._turn = asyncio.Lock()

    async def run(self) -> int:
        """Runs it, and returns the exit code."""
        try:
            return await self._service.run(self._work)
        except (StoreError, Lost) as error:
            return exits.complain(error.problem)

    async def _work(self) -> int:
        try:
            if self._request.asking is not None:
                return await self._ask(self._request.asking)
            assert self._request.moving is not None  # noqa: S101 (one of the two)
            return await bucket_moving.run(self._request.moving, self._open)
        finally:
            for one in self._wires:
                await one.close()
            for session in self._sessions:
                with contextlib.suppress(ProblemError, Lost):
                    await session.close()

    async def _open(self, name: str) -> Store:
        """The store of a workload, the command's own for an empty name."""
        async with self._turn:
            workload = name or self._request.workload
            if workload not in self._stores:
                self._stores[workload] = await self._opened(workload)
            return self._stores[workload]

    async def _opened(self, name: str) -> Store:
        session, place = await self._session(name)
        connection = wire.over(session, writes=not self._service.protected)
        self._wires.append(connection)
        return Store(connection, place)

    async def _ask(self, asking: Asking) -> int:
        session, _ = await self._session(self._request.workload)
        store = Connected(session)
        await store.learn()
        return await bucket_asking.run(asking, store)

    async def _session(self, name: str) -> tuple[StoreSession, str]:
        """A session with the store of a workload, and the name of its place."""
        request, service = self._request, self._service
        workload = service.workload(name)
        if not usual_port(service.live, workload):
            raise wrong(
                f"{workload.title} {workload.name} is not known to serve S3",
                "`get` lists workloads with their systems.",
            )
        finder = StoreFinder(service.live, workload.key, patience=request.wait)
        found = await find_keys(*service.sought(workload))
        own = name == request.workload and request.access_key
        if own:
            keys = Keys(request.access_key, first_line(request.secret_key_file), source="--secret-key-file")
        elif found.keys:
            keys = found.keys[0]
        else:
            raise ProblemError(found.problem(workload.name))
        session = await open_session(
            finder, keys, found.security, request.region or found.region, writes=not self._service.protected
        )  # fmt: skip
        self._sessions.append(session)
        if said := Connected(session).facts.clock:
            note(f"{said}: what is sent carries the server's time")
        return session, f"{service.context}/{workload.key}"
