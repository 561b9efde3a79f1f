"""What goes on beside the screens: publications and moves, each with how far it is and why it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import TypeAlias

from tui.consoles.queue.client import ERRORS, problem_of
from tui.consoles.queue.values import Came, Far, Told
from tui.problem import Problem
from tui.services.queue.model import Lost

#: Does it.
Work: TypeAlias = Callable[[Told], Awaitable[Came]]
#: Samples by which the present rate is reckoned, and the seconds between two.
_SAMPLES, _EACH = 8, 0.25


class Stage(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    DONE = "done"
    PARTLY = "partly done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(eq=False)
class Job:
    """One of them.

    Attributes:
        done: in the past tense (`published`, `moved`).
        far: how far it is.
        came: what came of it, None before.
        problem: why it failed.
        unconfirmed: how many were sent without an answer when it ended.
        rate: messages a second.
    """

    number: int
    title: str
    done: str
    far: Far = field(default_factory=lambda: Far(0))
    stage: Stage = Stage.RUNNING
    came: Came | None = None
    problem: Problem | None = None
    unconfirmed: int = 0
    rate: float = 0.0
    task: asyncio.Task[None] | None = None
    samples: list[tuple[float, int]] = field(default_factory=list)

    def tell(self, far: Far) -> None:
        """Takes note of how far it is."""
        self.far = far
        now = asyncio.get_running_loop().time()
        if not self.samples or now - self.samples[-1][0] >= _EACH:
            self.samples = [*self.samples[-_SAMPLES:], (now, far.done)]
            (begun, before), (end, after) = self.samples[0], self.samples[-1]
            self.rate = (after - before) / (end - begun) if end > begun else 0.0


class Jobs:
    """All of a console.

    Args:
        changed: called when one has ended.
    """

    def __init__(self, changed: Callable[[Job], None] = lambda _: None) -> None:
        self._changed = changed
        self._numbers = count(1)
        self._jobs: list[Job] = []

    def all(self) -> Sequence[Job]:
        """All, the oldest first."""
        return self._jobs

    @property
    def running(self) -> list[Job]:
        """Those that are not over."""
        return [one for one in self._jobs if one.stage is Stage.RUNNING]

    def begin(self, title: str, done: str, work: Work) -> Job:
        """Begins one.

        Args:
            title: what it does.
            done: what it has done then, in the past tense.
            work: does it.
        """
        job = Job(next(self._numbers), title, done)
        self._jobs = [*self._jobs[-19:], job]
        job.task = asyncio.create_task(self._run(job, work), name=title)
        return job

    async def _run(self, job: Job, work: Work) -> None:
        try:
            came = await work(job.tell)
        except asyncio.CancelledError:
            job.stage = Stage.CANCELLED
        except ERRORS as error:
            job.stage, job.problem = Stage.FAILED, problem_of(error)
            job.unconfirmed = error.unconfirmed if isinstance(error, Lost) else 0
        else:
            job.came = came
            whole = not came.returned and not came.rejected and not came.doubled
            job.stage = Stage.DONE if whole else Stage.PARTLY
        self._changed(job)

    def cancel(self, number: int) -> None:
        """Gives one up; what was done until then is done."""
        for one in self._jobs:
            if one.number == number and one.task is not None:
                one.task.cancel()

    async def close(self) -> None:
        """Gives all up."""
        tasks = [one.task for one in self._jobs if one.task is not None and not one.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
