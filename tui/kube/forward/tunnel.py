"""One connection through a forward: a near end, a far end, and everything that can happen between them.

The promises, each from a failure of others:

- Bytes are never altered, doubled or silently cut: an end that is not known to be whole reaches the program as a reset.
- When the program half-closes, what the application still sends is delivered; the other direction is never cut first.
- Neither side is read faster than the other takes it.
- A stream that merely stalls is not taken for dead.
- A connection that the kubelet could not make is made again elsewhere, as long as the application cannot have seen it.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time

from tui.kube.forward import liveness, refusals
from tui.kube.forward.attempts import Attempts
from tui.kube.forward.local import NearEnd
from tui.kube.forward.opener import Opener
from tui.kube.forward.remote import Remote
from tui.kube.forward.targets import PodPort
from tui.kube.forward.views import Phase, TunnelView
from tui.problem import Cause, Problem, ProblemError

log = logging.getLogger(__name__)

#: Bytes from the program that are kept until the application has answered, so that they can be sent again.
REPLAY = 64 << 10
#: Seconds without a byte after which a tunnel is closed whose program sends no more, where it cannot be known whether
#: the program still waits for something.
LINGER = 30.0
#: Seconds after a half-close at which it is looked whether the program is gone altogether; then again and again.
LOOKS = (0.02, 0.1, 0.5, 2.0)
#: Seconds without a refusal after which a connection counts as made, though the application has said nothing.
UNREFUSED = 1.5
#: Seconds that a far end which reported an error gets to finish its words.
LAST_WORDS = 1.0

_numbers = itertools.count(1)


class Tunnel:
    """One connection. It is both the near end's and the far end's listener."""

    def __init__(self, opener: Opener, patience: float) -> None:
        """Waits for a near end.

        Args:
            opener: finds the far end.
            patience: seconds that the program is made to wait for one.
        """
        self.number = next(_numbers)
        self.pod: PodPort | None = None
        self.sent = self.received = 0
        self.opened = time.time()
        self.closed_at: float | None = None
        self.phase = Phase.CONNECTING
        self.why = ""
        self.clean = False
        self.problem: Problem | None = None
        self._opener = opener
        self._attempts = Attempts(opener, patience)
        self._loop = asyncio.get_running_loop()
        self._local: NearEnd | None = None
        self._remote: Remote | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._replay: bytearray | None = bytearray()
        self._words = ""
        self._proved = False
        self._began = self._loop.time()
        self._last_byte = 0.0
        self._last_sent = 0.0
        self._pulse = liveness.Pulse()
        self._timer: asyncio.TimerHandle | None = None
        self._settled = asyncio.Event()
        self._local_stalls = self._remote_stalls = False
        self._local_ended = self._remote_ended = False

    # --- for the forward and the screen

    def view(self) -> TunnelView:
        """The tunnel as it is now."""
        stalled = "program" if self._local_stalls else "application" if self._remote_stalls else ""
        last = time.time() - (self._loop.time() - self._last_byte) if self._last_byte else None
        protocol = self._remote.protocol if self._remote is not None else ""
        return TunnelView(
            self.number, self.phase, self.pod, protocol, self.opened, self.closed_at, self.sent, self.received,
            last, stalled, self.why, self.clean,
        )  # fmt: skip

    def busy(self, idle: float) -> bool:
        """Whether a byte has moved within so many seconds, or some are still on their way to the program."""
        if self._local is not None and self._local.undelivered:
            return True
        return self._loop.time() - (self._last_byte or self._began) < idle

    async def attached(self) -> None:
        """Waits until there is a far end.

        Raises:
            ProblemError: there will be none.
        """
        await self._settled.wait()
        if self.phase is Phase.CLOSED:
            raise ProblemError(self.problem or Problem(Cause.UNREACHABLE, "The connection was closed", self.why))

    def check(self, now: float, *, resumed: bool) -> None:
        """Looks after a connection that is open; called every few seconds.

        Args:
            now: the loop's time.
            resumed: whether the machine has just woken: the path may be gone, and is asked at once.
        """
        remote = self._remote
        if remote is None or self.phase is Phase.CLOSED or self._remote_ended:
            return
        why = self._pulse.check(remote, now, last_sent=self._last_sent, held_back=self._local_stalls, resumed=resumed)
        if why:
            self._break(why)

    def evict(self, why: str) -> None:
        """The pod is gone: a connection to it is over, whatever its last state looks like."""
        if self.phase in (Phase.OPEN, Phase.LINGERING) and not self._remote_ended:
            self._break(why)

    def close(self, why: str) -> None:
        """Ends it because the forward ends. The program is reset: who knows what it still waits for."""
        if self.phase is not Phase.CLOSED:
            if self._connecting is not None:
                self._connecting.cancel()
            if self._remote is not None:
                self._remote.close()
            if self._local is not None:
                self._local.reset()
            self._finish(why, clean=False)

    # --- the near end

    def local_connected(self, local: NearEnd) -> None:
        """A program has connected: finds it a pod."""
        self._local = local
        self._attempts.begin()
        self._connect()

    def local_data(self, data: memoryview) -> None:
        """Passes bytes on, and keeps the first ones until the application has answered."""
        self._last_byte = self._last_sent = self._loop.time()
        self.sent += len(data)
        replay = self._replay
        if replay is not None:
            if len(replay) + len(data) <= REPLAY or self._remote is None:
                replay += data
            else:
                self._replay = None
        if self._remote is not None:
            if not self._remote_ended:
                self._remote.write(data)
        elif replay is not None and len(replay) >= REPLAY and self._local is not None:
            self._local.pause()

    def local_ended(self) -> None:
        """The program sends no more. The application cannot be told, by no protocol; it is heard to its end."""
        self._local_ended = True
        if self._remote_ended:
            self._close_local()
        elif self.phase is Phase.OPEN:
            self.phase = Phase.LINGERING
        self._look_after_the_program(0)

    def local_lost(self) -> None:
        """The program is gone."""
        if self.phase is Phase.CLOSED:
            return
        if self._connecting is not None:
            self._connecting.cancel()
        if self._remote is not None and not self._remote_ended:
            self._remote.close()
        self._finish(self.why if self._remote_ended else "closed by the program", clean=True)

    def local_full(self) -> None:
        """The program does not read: neither do we."""
        self._local_stalls = True
        if self._remote is not None:
            self._remote.pause()

    def local_drained(self) -> None:
        """The program reads again."""
        self._local_stalls = False
        if self._remote is not None:
            self._remote.resume()

    # --- the far end

    def remote_data(self, data: memoryview) -> None:
        """Passes bytes on."""
        self._last_byte = self._loop.time()
        self.received += len(data)
        if not self._proved:
            self._prove()
        self._replay = None
        if self._local is not None:
            self._local.write(data)

    def remote_refused(self, words: str) -> None:
        """Something went wrong inside the pod. The far end closes by itself then; if it does not, it is helped."""
        if not self._words:
            self._loop.call_later(LAST_WORDS, self._after_words, self._remote)
        self._words = words or "an error without words"

    def remote_ended(self) -> None:
        """The application has closed its connection, unless an error was told before."""
        if self.phase is Phase.CLOSED:
            return
        if self._words:
            self._refused()
            return
        self._remote_ended = True
        self.why = "closed by the application"
        if self._local is None:
            return
        if self.pod is not None and self._opener.is_going(self.pod):
            # A server that is being ended closes its connections wherever they are. What the program has may be half.
            self._local.reset_when_sent()
            self._finish(f"closed by the application while pod {self.pod.pod} was being deleted", clean=False)
        elif self._local_ended:
            self._close_local()
        else:
            # Not closed outright: what the program still sends would turn into a reset that destroys what it has not
            # read yet. It is told, and has some time to go.
            self.phase = Phase.LINGERING
            self._local.end()
            self._local.resume()
            self._remote_stalls = False
            self._set_timer(LINGER, self._close_local)

    def remote_lost(self, why: str) -> None:
        """The connection broke on the way."""
        if self.phase is Phase.CLOSED:
            return
        if self._words:
            self._refused()
        elif not self.received and not self.sent and self._may_try_again():
            self._again(why, refused=False)
        else:
            self._break(why)

    def remote_full(self) -> None:
        """The application does not read, or the line is slow: the program has to wait."""
        self._remote_stalls = True
        if self._local is not None:
            self._local.pause()

    def remote_drained(self) -> None:
        """There is room again."""
        self._remote_stalls = False
        if self._local is not None:
            self._local.resume()

    # --- connecting

    def _connect(self, *, again: bool = False) -> None:
        self._connecting = self._loop.create_task(self._open(again=again), name=f"tunnel {self.number}")

    async def _open(self, *, again: bool) -> None:
        """Finds a pod and opens the far end."""
        try:
            remote = await self._attempts.open(self, again=again)
        except ProblemError as error:
            self._connecting = None
            self._fail(error.problem)
        except Exception as error:
            log.exception("a connection could not be opened")
            self._connecting = None
            what = "statetui made a mistake opening a connection"
            self._fail(Problem(Cause.INTERNAL, what, repr(error), "The log file has the details."))
        else:
            self._connecting = None
            self._attach(remote)

    def _attach(self, remote: Remote) -> None:
        """Joins the two ends."""
        self._remote = remote
        self.phase = Phase.LINGERING if self._local_ended else Phase.OPEN
        self.why = ""
        self._pulse = liveness.Pulse()
        self._opener.opened(self)
        self._loop.call_later(UNREFUSED, self._prove)
        self._settled.set()
        if self._replay:
            remote.write(bytes(self._replay))
        if self._local is not None and not self._remote_stalls:
            self._local.resume()
        if not self._local_stalls:
            remote.resume()  # it has not been read before: nothing can have come that nobody listened to

    def _prove(self) -> None:
        """The application has answered, or has not refused for long enough."""
        if not self._proved and self._remote is not None and not self._words and self.phase is not Phase.CLOSED:
            self._proved = True
            self._opener.succeeded(self)

    def _refused(self) -> None:
        """The kubelet told an error: connects elsewhere if the application can have seen nothing, else breaks."""
        words, self._words = self._words, ""
        unseen = not self.received and self._replay is not None and (refusals.never_connected(words) or not self.sent)
        if unseen and self._may_try_again():
            self._again(words, refused=True)
            return
        problem = refusals.explain(self.pod, words)
        self._opener.troubled(problem)
        self._break(words, problem)

    def _may_try_again(self) -> bool:
        return self.pod is not None and self._attempts.time_left and self.phase is not Phase.CLOSED

    def _again(self, why: str, *, refused: bool) -> None:
        """Leaves this far end for another one; what the program has sent goes there."""
        assert self.pod is not None  # noqa: S101  (`_may_try_again`)
        left, self._remote = self._remote, None
        if left is not None:
            left.abort()
        self._remote_stalls = False
        self.phase, self.why = Phase.CONNECTING, why
        if refused:
            self._attempts.refused(self.pod, refusals.explain(self.pod, why))
        else:
            self._attempts.lost(self.pod)
        self._connect(again=True)

    def _after_words(self, remote: Remote | None) -> None:
        """The far end told an error and did not close."""
        if self._words and remote is self._remote and self.phase is not Phase.CLOSED:
            self._refused()

    # --- ending

    def _fail(self, problem: Problem) -> None:
        """No far end came about: the program is reset, and the reason is kept."""
        self.problem = problem
        self._opener.troubled(problem)
        self._break(str(problem), problem)

    def _break(self, why: str, problem: Problem | None = None) -> None:
        """Ends it so that the program knows that something is missing."""
        if self.phase is Phase.CLOSED:
            return
        self.problem = self.problem or problem
        if self._connecting is not None:
            self._connecting.cancel()
        if self._remote is not None:
            self._remote.abort()
        if self._local is not None:
            self._local.reset()
        self._finish(why, clean=False)

    def _close_local(self) -> None:
        """Both sides have said all. What the program has not taken yet keeps it open, until `local_lost`."""
        if self.phase is not Phase.CLOSED and self._local is not None:
            self._local.close()
            if self._local.waiting:
                self.phase = Phase.LINGERING
                return
            self._finish(self.why or "closed by the program", clean=True)

    def _finish(self, why: str, *, clean: bool) -> None:
        self.phase, self.why, self.clean, self.closed_at = Phase.CLOSED, why, clean, time.time()
        self._replay = None
        self._connecting = None
        self._set_timer(None)
        self._opener.closed(self)
        self._settled.set()

    def _look_after_the_program(self, look: int) -> None:
        """After a half-close: closes when the program is gone altogether, or when nothing has come for too long."""
        if self.phase is Phase.CLOSED or self._local is None or self._remote_ended:
            return
        abandoned = self._local.abandoned
        if abandoned and (self._connecting is None or not self.sent):
            if self._connecting is not None:
                self._connecting.cancel()
            if self._remote is not None:
                self._remote.close()
            self._local.close()
            self._finish("closed by the program", clean=True)
        elif abandoned is None and self._remote is not None and not self._local_stalls and self._silent(self._remote):
            self._remote.close()
            self._break(f"the program sends no more, and nothing has come for {LINGER:.0f} s")
        else:
            self._set_timer(LOOKS[min(look, len(LOOKS) - 1)], self._look_after_the_program, look + 1)

    def _silent(self, remote: Remote) -> bool:
        return self._loop.time() - max(self._last_byte, remote.heard) > LINGER

    def _set_timer(self, seconds: float | None, what: object = None, *arguments: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, what, *arguments) if seconds is not None else None  # type: ignore[arg-type]
