"""Runs transfers: many small ones at once or the parts of a large one, within a bound of memory."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from tui.problem import Problem, ProblemError
from tui.services.bucket.model import Lost, StoreError
from tui.services.bucket.transfers import patience
from tui.services.bucket.transfers.budget import Budget
from tui.services.bucket.transfers.buffers import Buffers
from tui.services.bucket.transfers.journal import Journal
from tui.services.bucket.transfers.parts import MIB, USUAL
from tui.services.bucket.transfers.progress import Item, Job, Stage

log = logging.getLogger(__name__)
T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much happens at once.

    Attributes:
        part: bytes of a part; what is not larger goes in one request.
        objects: files on their way at once.
        parts: of one object at once.
        memory: bytes of content in memory at once.
        patience: seconds for which one request is tried again.
    """

    part: int = USUAL
    objects: int = 16
    parts: int = 3
    memory: int = 48 * MIB
    patience: float = patience.PATIENCE


class DiskFullError(ProblemError):
    """The local disk is full: what comes next fails likewise, and is not begun."""


@dataclass(frozen=True, slots=True)
class Task:
    """One item and what moves it."""

    item: Item
    move: Callable[[], Awaitable[None]]


class Engine:
    """Moves the items of one job.

    Args:
        job: what is told how far things are.
        journal: where half-way transfers are noted.
        limits: how much happens at once.

    Attributes:
        keep: whether what is cancelled stays half-way, to go on later; it is aborted and removed otherwise.
        budget: of memory.
        buffers: where content lies in memory.
    """

    def __init__(self, job: Job, journal: Journal, limits: Limits | None = None) -> None:
        self.job = job
        self.journal = journal
        self.limits = limits or Limits()
        self.keep = False
        self.budget = Budget(self.limits.memory)
        self.buffers = Buffers(self.limits.memory)
        self._threads = ThreadPoolExecutor(max_workers=6, thread_name_prefix="transfer")
        self._stopped: Problem | None = None
        #: What a plan has opened and its tasks use: it is closed with the engine.
        self.held = contextlib.ExitStack()

    async def in_thread(self, function: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Runs what blocks. A thread cannot be stopped: who is cancelled meanwhile waits for its end."""
        return await self.acquire(lambda: function(*args, **options), None)

    async def acquire(self, function: Callable[[], T], release: Callable[[T], None] | None) -> T:
        """Runs what blocks and gives something that must be given back.

        Args:
            function: runs in a thread.
            release: gives it back when the caller was cancelled, and nobody takes it.
        """
        future = asyncio.get_running_loop().run_in_executor(self._threads, function)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            # Its failure, too, is nobody's any more: unread, the loop would tell of it in the log.
            if not future.cancelled() and future.exception() is None and release is not None:
                release(future.result())
            raise

    async def run(self, plan: AsyncIterator[Task]) -> None:
        """Moves all that a plan names. A failure of one item is told there, and the others go on.

        Args:
            plan: it is asked for the next item when there is somebody to move it.

        Raises:
            StoreError, Lost, ProblemError: the plan itself fails (a listing was refused). What was begun has ended.
        """
        turn = asyncio.Lock()

        async def work() -> None:
            while self._stopped is None:
                await self.job.go_ahead()
                async with turn:
                    task = await anext(plan, None)
                if task is None:
                    self.job.planned = True
                    return
                await self._move(task)

        try:
            await together(work() for _ in range(self.limits.objects))
            if self._stopped is not None:
                raise DiskFullError(self._stopped)
        finally:
            self.job.close()

    async def _move(self, task: Task) -> None:
        item, job = task.item, self.job
        job.begin(item)
        stage = Stage.FAILED
        try:
            await task.move()
            item.problem = None
            stage = Stage.DONE
        except asyncio.CancelledError:
            stage = Stage.CANCELLED
            raise
        except DiskFullError as error:
            item.problem = self._stopped = error.problem
        except (StoreError, Lost, ProblemError, OSError) as error:
            item.problem = patience.problem_of(error)
        except Exception as error:
            log.exception("a transfer failed")
            item.problem = patience.problem_of(error)
        finally:
            job.end(item, stage)

    def close(self) -> None:
        """Ends the threads, and closes what is held."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.buffers.close()
        self.held.close()


async def together(work: Iterable[Awaitable[None]]) -> None:
    """Runs all at once. The first failure ends the others, and is raised once they have ended."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        failed = next((one for one in done if not one.cancelled() and one.exception()), None)
        if failed is not None:
            raise failed.exception() or AssertionError
    finally:
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def each(things: Iterable[T], workers: int, work: Callable[[T], Awaitable[None]]) -> None:
    """Does something with each of many things, so many at once; ends at the first failure."""
    rest = iter(things)

    async def go() -> None:
        for thing in rest:
            await work(thing)

    await together(go() for _ in range(workers))


async def listed(tasks: Iterable[Task]) -> AsyncIterator[Task]:
    """A plan of what is known beforehand."""
    for task in tasks:
        yield task
