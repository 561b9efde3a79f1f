"""`statetui queue`: works on the broker of a workload."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

from tui import paths
from tui.commands import exits, queue_asking, queue_changing, queue_messages
from tui.commands.opening import Opening
from tui.commands.queue_output import Output
from tui.commands.queue_rows import argument_rows
from tui.commands.remarks import note
from tui.commands.signals import Signals
from tui.commands.wronguse import WrongUseError
from tui.kube.options import ConnectOptions
from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.model import Login, Lost, Refused
from tui.settings import Settings
from tui.systems.catalogue import load_catalogue
from tui.systems.forwarding import Definition, target_of, workload_of
from tui.systems.live import Live
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
        catalogue = load_catalogue([paths.config_dir() / "systems"])
        for problem in catalogue.problems:
            note(str(problem))
        self._settings = settings
        self._request = request
        self._live = Live(options, catalogue, usage=False)
        self._opening = Opening(self._live, request.wait)
        self._signals = Signals()

    async def run(self) -> int:
        """Runs it, and returns the exit code."""
        work = asyncio.create_task(self._work())
        with self._signals.ending(work):
            try:
                return await work
            except asyncio.CancelledError:
                if self._signals.received is None:
                    raise
                return 128 + self._signals.received
            except WrongUseError as error:
                exits.complain(error.problem)
                return exits.USAGE
            except (Refused, Lost, ProblemError) as error:
                return exits.complain(error.problem)

    async def _work(self) -> int:
        async with self._opening:
            if not await self._opening.arrive():
                late = ", ".join(self._opening.late)
                raise ProblemError(
                    Problem(Cause.TIMEOUT, f"not all has come within {self._request.wait:g} s",
                            f"still waiting for {late}", "Give it longer with --wait, or name a namespace with -n.")
                )  # fmt: skip
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
            pods = self._live.workloads[self._key].members
            return await queue_asking.run(given, session, output, pods)
        return await queue_changing.run(given, session.management, session.login, output)

    async def _session(self) -> QueueSession:
        request, live, given = self._request, self._live, self._request.given
        workload = workload_of(target_of(Definition(request.workload), live), live)
        if workload is None:
            raise WrongUseError(
                Problem(Cause.CONFIG, f"{request.workload} is no workload", "", "Name one that `get` lists.")
            )
        if not serves(live, workload):
            raise WrongUseError(
                Problem(Cause.CONFIG, f"{workload.title} {workload.name} is not known to speak AMQP", "",
                        "`get` lists workloads with their systems.")
            )  # fmt: skip
        self._key = workload.key
        assert live.api is not None and live.cluster is not None and live.context is not None  # noqa: S101 (arrived)
        found = await find_logins(live.api, live.cluster.store, workload, live.catalogue)
        if given.user:
            login = Login(given.user, _password(given.password_file), found.vhost, "--password-file")
        elif found.logins:
            login = found.logins[0]
        else:
            raise ProblemError(found.problem(workload.name))
        login = replace(login, vhost=given.vhost or login.vhost)
        writes = not self._settings.protects(live.context.name)
        messages = given.verb in queue_messages.VERBS
        wish = Wish(given.member, request.wait, writes, amqp=messages, management=not messages)

        async def other(vhost: str) -> QueueSession:
            return await open_queue(live, workload.key, replace(login, vhost=vhost), found.security, wish)

        self._other = other
        return await open_queue(live, workload.key, login, found.security, wish)


def _password(file: str) -> str:
    """The first line of a file.

    Raises:
        ProblemError: CONFIG, it cannot be read.
    """
    try:
        return Path(file).read_text(encoding="utf-8").split("\n", 1)[0].removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ProblemError(Problem(Cause.CONFIG, f"{file} cannot be read", said or "")) from error
