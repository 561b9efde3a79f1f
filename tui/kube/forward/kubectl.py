"""The last resort: a `kubectl port-forward` of this machine, where no protocol of ours gets through.

One program serves one port of one pod. It shares one connection among all tunnels and listens on 127.0.0.1, where every
user of this machine can reach it; that is kubectl's way, and why it comes last.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence

from tui.kube import program
from tui.kube.forward.remote import Sink
from tui.kube.forward.targets import PodPort
from tui.kube.forward.websocket import HIGH_WATER, LOW_WATER
from tui.problem import Cause, Problem, ProblemError

#: Seconds for kubectl to start and to listen.
START = 15.0
#: Characters of its complaints that are kept.
WORDS = 1000

_LISTENING = re.compile(rb"Forwarding from 127\.0\.0\.1:(\d+) ->")


class KubectlForwards:
    """The kubectl programs that run for one context.

    Args:
        arguments: what leads kubectl to the same cluster as the same user (`--kubeconfig`, `--context`, `--as`).
    """

    def __init__(self, arguments: Sequence[str] = ()) -> None:
        self._arguments = tuple(arguments)
        self._running: dict[tuple[str, int], _Running] = {}
        self._starting: dict[tuple[str, int], asyncio.Lock] = {}

    @property
    def available(self) -> bool:
        """Whether there is a kubectl on PATH."""
        return shutil.which("kubectl") is not None

    async def open(self, at: PodPort, sink: Sink) -> PipeRemote:
        """Connects through a kubectl, which is started if none leads to this port of this pod.

        Raises:
            ProblemError: it does not start; its complaint is the evidence.
        """
        async with self._starting.setdefault((at.uid, at.port), asyncio.Lock()):
            running = self._running.get((at.uid, at.port))
            if running is None or running.process.returncode is not None:
                if running is not None:
                    await running.end()
                running = await self._start(at)
                self._running[at.uid, at.port] = running
        remote = PipeRemote(sink, running)
        try:
            await asyncio.get_running_loop().create_connection(lambda: remote, "127.0.0.1", running.port)
        except OSError as error:
            problem = Problem(Cause.UNREACHABLE, "kubectl port-forward does not answer", str(error))
            raise ProblemError(problem) from error
        return remote

    async def close(self) -> None:
        """Ends them all."""
        running, self._running = list(self._running.values()), {}
        for item in running:
            await item.end()

    async def _start(self, at: PodPort) -> _Running:
        # The pod may be another one by now under the same name; nothing that kubectl offers would tell.
        try:
            process = await asyncio.create_subprocess_exec(
                "kubectl", *self._arguments, "--namespace", at.namespace,
                "port-forward", "--address", "127.0.0.1", f"pod/{at.pod}", f":{at.port}",
                stdin=DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True, preexec_fn=program.die_with_parent(),
            )  # fmt: skip
        except OSError as error:
            words = error.strerror or str(error)
            raise ProblemError(Problem(Cause.UNREACHABLE, "kubectl cannot be started", words)) from error
        program.started(process.pid)
        running = _Running(process)
        try:
            async with asyncio.timeout(START):
                assert process.stdout is not None  # noqa: S101  (a pipe)
                while line := await process.stdout.readline():
                    if found := _LISTENING.search(line):
                        running.port = int(found[1])
                        running.follow()
                        return running
                words = await running.words()
        except TimeoutError:
            words = f"it does not listen after {START:.0f} s"
        except BaseException:  # nobody waits for it any more
            await running.end()
            raise
        await running.end()
        raise ProblemError(Problem(Cause.UNREACHABLE, "kubectl port-forward did not start", words))


class _Running:
    """A kubectl that runs."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.port = 0
        self.complained = 0  # bytes so far
        self._complaint = b""
        self._followers: list[asyncio.Task[None]] = []

    def follow(self) -> None:
        """Reads what it prints, so that it never waits for us to read."""
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None  # noqa: S101  (pipes)
            keep = stream is self.process.stderr
            self._followers.append(asyncio.create_task(self._read(stream, keep=keep)))

    async def _read(self, stream: asyncio.StreamReader, *, keep: bool) -> None:
        while line := await stream.read(4096):
            if keep:
                self.complained += len(line)
                self._complaint = (self._complaint + line)[-WORDS:]

    async def words(self) -> str:
        """What it complained of, to its end."""
        assert self.process.stderr is not None  # noqa: S101  (a pipe)
        return program.shown(await self.process.stderr.read(WORDS))

    def complaint_since(self, mark: int) -> str:
        """What it complained of since `complained` had that value: of this connection, or of one beside it."""
        new = self.complained - mark
        return program.shown(self._complaint[-new:]) if new else ""

    async def end(self) -> None:
        """Kills it, with the credentials plugin that it may wait for: it has nothing to put in order."""
        for follower in self._followers:
            follower.cancel()
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()
        program.ended(self.process.pid)


class PipeRemote(asyncio.BufferedProtocol):
    """A far end that is a plain connection to a kubectl."""

    protocol = "kubectl"
    answered = True

    def __init__(self, sink: Sink, running: _Running) -> None:
        self.heard = 0.0
        self._sink = sink
        self._running = running
        self._mark = running.complained
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._over = False
        self._buffer = bytearray(64 << 10)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected to kubectl, which proves nothing of the pod."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (TCP)
        self._transport = transport
        self.heard = self._loop.time()
        transport.set_write_buffer_limits(high=HIGH_WATER, low=LOW_WATER)
        transport.pause_reading()  # until `resume`

    def get_buffer(self, sizehint: int) -> bytearray:
        """Where the next bytes go."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""
        self.heard = self._loop.time()
        self._sink.remote_data(memoryview(self._buffer)[:nbytes])

    def connection_lost(self, exc: Exception | None) -> None:
        """An end looks the same whether all is well or not: kubectl's complaint makes the difference."""
        if self._over:
            return
        self._over = True
        # What it has to say comes through another pipe, a moment later perhaps.
        self._loop.call_later(0.1, self._tell, exc)

    def _tell(self, exc: Exception | None) -> None:
        complaint = self._running.complaint_since(self._mark)
        if complaint or exc is not None or self._running.process.returncode is not None:
            self._sink.remote_refused(complaint or f"kubectl port-forward ended the connection: {exc or 'it is gone'}")
            self._sink.remote_lost(complaint)
        else:
            self._sink.remote_ended()

    def pause_writing(self) -> None:
        """Kubectl takes no more."""
        self._sink.remote_full()

    def resume_writing(self) -> None:
        """It takes more again."""
        self._sink.remote_drained()

    @property
    def waiting(self) -> int:
        """Bytes that wait to be sent."""
        return self._transport.get_write_buffer_size() if self._transport is not None and not self._over else 0

    def write(self, data: memoryview | bytes) -> None:
        """Sends bytes; copies them, because the data may be reused at once."""
        if self._transport is not None and not self._over:
            self._transport.write(bytes(data))

    def pause(self) -> None:
        """Reads no more."""
        if self._transport is not None and not self._over:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Reads again."""
        if self._transport is not None and not self._over:
            self._transport.resume_reading()

    def ping(self) -> None:
        """Kubectl pings by itself."""

    def info(self, name: str) -> object:
        """Nothing: the connection to the API server is kubectl's."""
        return None

    def close(self) -> None:
        """Closes once all is sent."""
        self._over = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Drops it."""
        self._over = True
        if self._transport is not None:
            self._transport.abort()
