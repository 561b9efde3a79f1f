"""What is tried again, how often, and after which time.

Everything that transfers send may be sent twice: a part replaces itself, a range is read again. Where that is not so (a
whole object in a versioned bucket, the completion of an upload) the caller looks before it sends again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.model import Lost, StoreError
from tui.services.bucket.transfers.progress import Item, Job, Stage

T = TypeVar("T")

#: Seconds for which one request is tried again: a pod of a StatefulSet is back after a minute or two.
PATIENCE = 300.0
#: Seconds for which one is tried again that a server which is up answers with a failure of its own, without saying
#: which: with SeaweedFS that may be a full disk (seen with 4.48).
ANSWERED = 60.0
_FIRST = 0.2
_LONGEST = 5.0
#: Refusals that pass by themselves (S3's error codes). ClientDisconnected (499) is MinIO's answer to what it has not
#: finished when it ends, to a client that is there still (seen with a build of 2026-02 whose pod was deleted).
_PASSING = frozenset({
    "InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout", "OperationAborted", "TooManyRequests",
    "SlowDownRead", "SlowDownWrite", "XMinioServerNotInitialized", "XMinioReadQuorum", "XMinioWriteQuorum",
    "IncompleteBody",    "BadDigest", "XAmzContentChecksumMismatch", "ServerBusy",
    "ClientDisconnected",
})  # fmt: skip
_PASSING_STATUS = frozenset({429, 500, 502, 503, 504})
_PASSING_CAUSES = frozenset({Cause.UNREACHABLE, Cause.TIMEOUT, Cause.THROTTLED, Cause.SERVER})


def passes(error: BaseException) -> bool:
    """Whether a failure may pass by itself."""
    if isinstance(error, Lost):
        return True
    if isinstance(error, StoreError):
        return error.code in _PASSING or (error.status in _PASSING_STATUS and not error.code.endswith("StorageFull"))
    return isinstance(error, ProblemError) and error.problem.cause in _PASSING_CAUSES


def problem_of(error: BaseException) -> Problem:
    """What a failure is for a person."""
    if isinstance(error, (Lost, StoreError, ProblemError)):
        return error.problem
    if isinstance(error, OSError):
        return Problem(Cause.REJECTED, "A local file cannot be read or written", error.strerror or str(error))
    return Problem(Cause.INTERNAL, "A defect of statetui's own", type(error).__name__, "The log file has the details.")


async def persist(
    job: Job, item: Item, send: Callable[[], Awaitable[T]], patience: float = PATIENCE,
    *, look: Callable[[], Awaitable[T | None]] | None = None,
) -> T:  # fmt: skip
    """Sends something until it is done, refused for good, or patience is at its end.

    Args:
        job: nothing is sent while it is paused.
        item: it shows that it is tried again, and why.
        send: the request.
        patience: seconds since the first failure after which nothing has moved.
        look: asked before something is sent again that may have been carried out; None to send it again.

    Raises:
        StoreError, Lost, ProblemError: the last failure.
    """
    first: float | None = None
    answered: float | None = None
    done = item.done
    wait = _FIRST
    while True:
        await job.go_ahead()
        try:
            if first is not None and look is not None:
                found = await look()
                if found is not None:
                    return found
            result = await send()
        except (StoreError, Lost, ProblemError) as error:
            now = time.monotonic()
            if first is None or item.done > done:
                first, wait, answered = now, _FIRST, None
            done = item.done
            internal = isinstance(error, StoreError) and error.code == "InternalError"
            answered = (answered or now) if internal else None
            if not passes(error) or now - first > patience or now - (answered or now) > ANSWERED:
                raise
            item.retries += 1
            item.stage = Stage.RETRYING
            item.problem = problem_of(error)
        else:
            if first is not None:
                item.stage = Stage.RUNNING
                item.problem = None
            return result
        await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 (so that connections do not come in step)
        wait = min(wait * 2, _LONGEST)
