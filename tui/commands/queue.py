"""`statetui queue`: works on the broker of a workload."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass, replace

from tui.commands import exits, queue_asking, queue_changing, queue_messages
from tui.commands.given import first_line
from tui.commands.queue_output import Output
from tui.commands.queue_rows import argument_rows
from tui.commands.remarks import note
from tui.commands.service import ServiceRun
from tui.commands.wronguse import WrongUseError, wrong
from tui.kube.options import ConnectOptions
from tui.problem import Cause, ProblemError
from tui.services.queue.model import ClientCertificate, Login, Lost, Refused
from tui.settings import Settings
from tui.systems.model import Workload
from tui.systems.queuecertificates import given as certificate_given
from tui.systems.queuecertificates import read
from tui.systems.queuekeys import FoundLogins, find_logins
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
            return await queue_messages.run(given, session, self._far, output)
        if given.verb in queue_asking.VERBS:
            pods = self._service.live.workloads[self._own.key].members
            return await queue_asking.run(given, session, output, pods)
        return await queue_changing.run(given, session, output)

    def _workload(self, name: str) -> Workload:
        """The broker of that name.

        Raises:
            WrongUseError: it is none.
            ProblemError: there is nothing of that name.
        """
        workload = self._service.workload(name)
        if not serves(self._service.live, workload):
            raise wrong(
                f"{workload.title} {workload.name} is not known to speak AMQP",
                "`get` lists workloads with their systems.",
            )
        return workload

    async def _session(self) -> QueueSession:
        given = self._request.given
        workload = self._workload(self._request.workload)
        found = await find_logins(*self._service.sought(workload))
        if given.user:
            login = Login(given.user, first_line(given.password_file), found.vhost, "--password-file")
        else:
            login = _first(found, workload)
        shown = replace(login, vhost=given.vhost or login.vhost, certificate=_certificate(given))
        self._own = own = _Own(workload.key, await read(shown, *self._service.sought(workload)[::2]), found)
        messages = given.verb in queue_messages.VERBS
        try:
            return await self._open(own, messages=messages)
        except ProblemError as error:
            if messages:
                raise
            if not queue_changing.by_name(given):
                if error.problem.cause is Cause.CREDENTIALS:
                    raise
                what = f"{queue_changing.needs(given)} needs the management API: {error.problem.what}"
                raise ProblemError(replace(error.problem, what=what)) from error
            return await self._by_amqp(own, error)

    async def _open(self, own: _Own, *, messages: bool) -> QueueSession:
        member = self._request.given.member if own is self._own else ""
        wish = Wish(member, self._request.wait, not self._service.protected, amqp=messages, management=not messages)
        return await open_queue(self._service.live, own.key, own.login, own.found.security, wish)

    async def _by_amqp(self, own: _Own, error: ProblemError) -> QueueSession:
        """In place of the management API, for what AMQP can do as well."""
        try:
            session = await self._open(own, messages=True)
        except ProblemError as worse:
            raise (worse if worse.problem.cause is Cause.CREDENTIALS else error) from worse
        note(f"over AMQP alone ({error.problem.what}): by names and without patterns, and what is with consumers or "
             "of which type the virtual host's queues are is not told")  # fmt: skip
        return session

    async def _far(self, name: str, vhost: str) -> QueueSession:
        """A session of messages with another broker, or with the same one in another virtual host.

        Args:
            name: of the workload; empty for the same.
            vhost: empty for that of its packaging.
        """
        own, given = self._own, self._request.given
        workload = self._workload(name) if name else None
        if workload is not None and workload.key != own.key:
            found = await find_logins(*self._service.sought(workload))
            own = _Own(workload.key, _first(found, workload), found)
        own = replace(own, login=replace(own.login, vhost=vhost or own.login.vhost))
        here = self._own
        if (own.key, own.login.vhost, given.target) == (here.key, here.login.vhost, given.source):
            raise wrong(f"{given.source} is both source and target", "")
        return await self._open(own, messages=True)


@dataclass(frozen=True, slots=True)
class _Own:
    """A broker that is meant, and who one is to it."""

    key: str
    login: Login
    found: FoundLogins


def _certificate(given: argparse.Namespace) -> ClientCertificate | None:
    try:
        return certificate_given(given.cert, given.cert_key)
    except ProblemError as error:
        raise WrongUseError(error.problem) from error


def _first(found: FoundLogins, workload: Workload) -> Login:
    """The best login.

    Raises:
        ProblemError: none was found; with what would have served.
    """
    if not found.logins:
        raise ProblemError(found.problem(workload.name))
    return found.logins[0]
