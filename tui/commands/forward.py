"""`statetui forward`: opens forwards and looks after them until it is told to stop, or while a command runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tui.commands import exits, output
from tui.commands.forward_definitions import Request, check_context, definitions, listing, table
from tui.commands.forward_environment import EnvFile, environment, expanded, facts, variables
from tui.commands.forward_output import Entry, Reporter
from tui.commands.opening import Opening, live_for, tell_nowhere
from tui.commands.remarks import note
from tui.commands.signals import Signals
from tui.kube import program
from tui.kube.access import can
from tui.kube.forward.forward import DRAIN
from tui.kube.forward.views import State
from tui.kube.options import ConnectOptions
from tui.problem import Cause, Problem, ProblemError
from tui.settings import Settings
from tui.systems.forwarding import Definition, address_of, looked_up_in, target_of
from tui.text import one_line, safe

#: Seconds between two looks at what announces itself by no change: which pod is next.
TICK = 1.0
#: Exit codes of a command that is not there, or cannot be run, as shells and env(1) have them.
NOT_RUN, NOT_FOUND = 126, 127
#: Reasons of failed connections that are told when a command has failed.
TOLD = 3


def run(options: ConnectOptions, settings: Settings, request: Request) -> int:
    """Forwards until a signal comes or the command ends, and returns the exit code.

    Raises:
        ProblemError: the cluster cannot be reached, or allows nothing.
    """
    try:
        wanted = definitions(request, settings)
    except ProblemError as error:
        exits.complain(error.problem)
        return exits.USAGE
    return asyncio.run(_Forwarding(options, settings, request, wanted).run())


def show(settings: Settings, form: str) -> int:
    """Prints the forwards that the settings define."""
    if form == "json":
        print(output.json(listing(settings)))
        return exits.OK
    rows = table(settings)
    if len(rows) == 1:
        note("the settings define no forwards")
        return exits.OK
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("   ".join(safe(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return exits.OK


class _Forwarding:
    """One run of `forward`."""

    def __init__(
        self, options: ConnectOptions, settings: Settings, request: Request, wanted: Sequence[Definition]
    ) -> None:
        self._settings = settings
        self._request = request
        self._wanted = wanted
        self._live = live_for(options)
        self._opening = Opening(self._live, request.timeout)
        self._reporter = Reporter(self._live, json=request.output == "json", wake=self._opening.wake)
        self._entries: list[Entry] = []
        self._signals = Signals()
        self._arrived = False

    async def run(self) -> int:
        """Forwards, and returns the exit code."""
        work = asyncio.create_task(self._work())
        with self._signals.ending(work):
            try:
                return await work
            except asyncio.CancelledError:
                received = self._signals.received
                if received is None:
                    raise
                if received is signal.SIGINT:
                    return exits.INTERRUPTED
                return 128 + received if self._request.command else exits.OK
            except ProblemError as error:
                code = exits.complain(error.problem)
                # Until the cluster is there its causes decide; after that it is the forward that failed.
                return code if not self._arrived or error.problem.cause is Cause.FORBIDDEN else exits.FAILED

    async def _work(self) -> int:
        async with self._opening:
            needed = dict.fromkeys(map(looked_up_in, self._wanted))
            await self._opening.arrive_whole(*needed, option="--timeout")
            self._arrived = True
            try:
                await self._open()
                with contextlib.ExitStack() as stack:
                    if self._request.command:
                        await self._ready()
                    ours = variables(self._entries, self._live)
                    if self._request.env_file is not None:
                        stack.enter_context(EnvFile(Path(self._request.env_file), ours))
                    if self._request.command:
                        return await self._command(environment(os.environ, ours))
                    self._reporter.listening()
                    await self._follow()
            finally:
                await self._close()
        return exits.OK

    # --- opening and closing

    async def _open(self) -> None:
        """Finds what is asked for, asks whether it is allowed, and listens.

        Raises:
            ProblemError: one of them can never work, or its address cannot be had.
        """
        live = self._live
        assert live.forwards is not None and live.context is not None  # noqa: S101 (it has arrived)
        targets = []
        for wanted in self._wanted:
            check_context(wanted, self._settings, live.context.name)
            try:
                targets.append(target_of(wanted, live))
            except ProblemError as error:
                if error.problem.cause is Cause.ABSENT:
                    await tell_nowhere(live)
                raise
        for namespace in dict.fromkeys(target.namespace for target in targets):
            await self._ask(namespace)
        for wanted, target in zip(self._wanted, targets, strict=True):
            forward = live.forwards.add(
                target, name=wanted.name, sticky=wanted.sticky, patience=self._request.wait
            )  # fmt: skip
            await forward.listen(address_of(wanted, target, live))
            self._entries.append(Entry(wanted, forward))
        self._reporter.opened(self._entries)

    async def _ask(self, namespace: str) -> None:
        """Asks the server for the rights first: a refusal now is better than one for every connection.

        Raises:
            ProblemError: FORBIDDEN, naming verb and resource.
        """
        api, cluster = self._live.api, self._live.cluster
        assert api is not None and cluster is not None  # noqa: S101 (it has arrived)
        verbs = ("get", "create") if _minor(cluster.server_version) >= 35 else ("get",)
        answers = await asyncio.gather(
            *(can(api, verb, "pods", namespace=namespace, subresource="portforward") for verb in verbs)
        )
        refused = [verb for verb, answer in zip(verbs, answers, strict=True) if answer is False]
        if refused:
            raise ProblemError(
                Problem(
                    Cause.FORBIDDEN,
                    f"You may not {' or '.join(refused)} pods/portforward in namespace {namespace}",
                    "",
                    "Ask for the verbs get and create on pods/portforward; since Kubernetes 1.35 both are needed.",
                )
            )

    async def _close(self) -> None:
        """Lets connections finish for a moment, and closes; at once for somebody who is in a hurry."""
        book = self._live.forwards
        if book is None or not self._entries:
            return
        stopping = [asyncio.ensure_future(book.remove(entry.forward, drain=DRAIN)) for entry in self._entries]
        hurry = asyncio.ensure_future(self._signals.again.wait())
        try:
            await asyncio.sleep(0)
            self._flush()
            await asyncio.wait((hurry, asyncio.gather(*stopping)), return_when=asyncio.FIRST_COMPLETED)
            self._flush()
        finally:
            for task in (hurry, *stopping):
                task.cancel()
            await asyncio.gather(hurry, *stopping, return_exceptions=True)

    def _flush(self) -> None:
        """Says what has happened, while it ends: a reader who is gone must not cut connections short."""
        with contextlib.suppress(OSError):
            self._reporter.flush()

    # --- going on

    async def _follow(self) -> None:
        while True:
            self._reporter.flush()
            self._opening.tell_connection()
            await self._opening.wait(TICK)

    # --- a command

    async def _ready(self) -> None:
        """Waits until each forward has a pod.

        Raises:
            ProblemError: one has none in time.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._request.wait
        told: set[str] = set()
        while True:
            waiting = [entry.forward for entry in self._entries if entry.forward.state is State.WAITING]
            if not waiting:
                return
            for forward in waiting:
                if forward.reason not in told:
                    told.add(forward.reason)
                    note(f"waiting for up to {self._request.wait:g} s: {forward.reason}")
            if (left := deadline - loop.time()) <= 0:
                raise ProblemError(
                    Problem(
                        Cause.TIMEOUT,
                        f"There is no pod to connect to: {waiting[0].reason}",
                        f"waited for {self._request.wait:g} s",
                        "Wait longer with --wait SECONDS; --unready takes pods that are not ready.",
                    )
                )
            await self._opening.wait(left)

    async def _command(self, environ: dict[str, str]) -> int:
        """Runs the command in our place: it has the terminal, and its exit code is ours."""
        words = list(self._request.command)
        if self._request.expand:
            words = expanded(words, [facts(entry, self._live) for entry in self._entries])
        self._reporter.silence()
        try:
            child = await asyncio.create_subprocess_exec(
                *words, env=environ, preexec_fn=program.die_with_parent()
            )  # fmt: skip
        except OSError as error:
            print(f"statetui: {one_line(words[0])}: {error.strerror}", file=sys.stderr)
            return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUN
        try:
            with self._signals.passed_to(child):
                code = await child.wait()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if code:
            self._explain()
        return 128 - code if code < 0 else code

    def _explain(self) -> None:
        """Says why connections failed, which a client may have told in other words or not at all."""
        for why, problem in list(self._reporter.failures.items())[:TOLD]:
            remedy = f". {problem.remedy}" if problem is not None and problem.remedy else ""
            note(f"a connection failed: {why.rstrip('.')}{remedy}")


def _minor(version: str) -> int:
    """35 of `v1.35.0`; 0 when it cannot be told."""
    parts = version.removeprefix("v").split(".")
    return int(parts[1]) if len(parts) > 1 and parts[0] == "1" and parts[1].isdecimal() else 0
