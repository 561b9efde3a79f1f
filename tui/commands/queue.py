"""`statetui queue`: works on the broker of a workload."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass, replace

from tui.commands import exits, queue_asking, queue_changing, queue_messages
from tui.commands.given import first_line
from tui.commands.queue_output import Output
from tui.commands.queue_rows import argument_rows
from tui.commands.service import ServiceRun
from tui.commands.wronguse import wrong
from tui.kube.options import ConnectOptions
from tui.problem import ProblemError
from tui.services.queue.model import Login, Lost, Refused
from tui.settings import Settings
from tui.systems.queuekeys import find_logins
from tui.systems.queueroutes import serves
from tui.systems.queuesession import QueueSession, Wish, open_queue


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted.

    Attributes:
        workload: `NAME` or `NAMESPACE/NAME`.
        given: the verb's arguments.
        wait: seconds for the cluster and for a ready pod.
    """

    workload: str
    given: argparse.Namespace
    wait: float = 30.0


def run(options: ConnectOptions, settings: Settings, request: Request) -> int:
    """Runs it, and returns the exit code.

    Raises:
        ProblemError: the cluster or the broker cannot be reached.
    """
    if request.given.verb == "ls" and request.given.what == "arguments":
        Output(request.given.output).table(*argument_rows())
        return exits.OK
    return asyncio.run(_Queue(options, settings, request).run())


class _Queue:
    """One run of `queue`."""

    def __init__(self, options: ConnectOptions, settings: Settings, request: Request) -> None:
        self._request = request
        self._service = ServiceRun(options, settings, request.wait)

    async def run(self) -> int:
        """Runs it, and returns the exit code."""
        try:
            return await self._service.run(self._work)
        except (Refused, Lost) as error:
            return exits.complain(error.problem)

    async def _work(self) -> int:
        session = await self._session()
        try:
            return await self._do(session)
        finally:
            await session.close()

    async def _do(self, session: QueueSession) -> int:
        given = self._request.given
        output = Output(given.output)
        if given.verb in queue_messages.VERBS:
            return await queue_messages.run(given, session, self._other, output)
        assert session.management is not None  # noqa: S101 (it was wanted, and is there)
        if given.verb in queue_asking.VERBS:
            pods = self._service.live.workloads[self._key].members
            return await queue_asking.run(given, session, output, pods)
        return await queue_changing.run(given, session.management, session.login, output)

    async def _session(self) -> QueueSession:
        request, service, given = self._request, self._service, self._request.given
        live, workload = service.live, service.workload(request.workload)
        if not serves(live, workload):
            raise wrong(
                f"{workload.title} {workload.name} is not known to speak AMQP",
                "`get` lists workloads with their systems.",
            )
        self._key = workload.key
        found = await find_logins(*service.sought(workload))
        if given.user:
            login = Login(given.user, first_line(given.password_file), found.vhost, "--password-file")
        elif found.logins:
            login = found.logins[0]
        else:
            raise ProblemError(found.problem(workload.name))
        login = replace(login, vhost=given.vhost or login.vhost)
        writes = not service.protected
        messages = given.verb in queue_messages.VERBS
        wish = Wish(given.member, request.wait, writes, amqp=messages, management=not messages)

        async def other(vhost: str) -> QueueSession:
            return await open_queue(live, workload.key, replace(login, vhost=vhost), found.security, wish)

        self._other = other
        return await open_queue(live, workload.key, login, found.security, wish)
