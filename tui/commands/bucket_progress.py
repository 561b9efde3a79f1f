"""How transfers are told: a bar on a terminal, a line of JSON for each item otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
from typing import Any

from tui.commands.amounts import clock, size
from tui.problem import Cause, Problem
from tui.services.bucket.transfers.progress import Item, Job, Stage
from tui.text import one_line, safe

#: Seconds between two looks.
_EVERY = 0.2
#: Between two looks for what is tried again: what passes faster is counted in the line of its item.
_RETRIES = 0.1
#: What is waited for before the next attempt.
_WAIT = "for the store to take it"
_WAITS = {
    Cause.UNREACHABLE: "for the store to be reached again",
    Cause.TIMEOUT: "for the store to answer again",
    Cause.THROTTLED: "for the store to take requests again",
    Cause.SERVER: "for the store to be well again",
}


class Telling:
    """Tells what a job does while this is entered.

    Args:
        job: told of.
        lines: JSON lines on stdout in place of a bar on stderr; None to decide by what stdout and stderr are.
        quiet: tells nothing but what failed (for `cat`, whose stdout is the object's).
        dry: nothing is moved: each item is told as what would be.
    """

    def __init__(self, job: Job, *, lines: bool | None = None, quiet: bool = False, dry: bool = False) -> None:
        self._job = job
        self._quiet = quiet
        self._dry = dry
        self._lines = not sys.stdout.isatty() if lines is None else lines
        self._bar = not quiet and not self._lines and sys.stderr.isatty()
        self._shown = False
        self._retried: dict[Item, int] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Telling:
        """Begins."""
        self._job.heard = self._hear
        if self._bar:
            self._task = asyncio.create_task(self._draw())
        elif not (self._quiet or self._dry):
            self._task = asyncio.create_task(self._look_for_retries())
        return self

    async def __aexit__(self, *error: object) -> None:
        """Says how it ended."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._wipe()
        if not self._quiet:
            self._sum_up()

    def _hear(self, item: Item) -> None:
        if not item.stage.ended:
            return
        self._retried.pop(item, None)
        if self._lines and not self._quiet:
            print(json.dumps({**_record(item), **self._would()}), flush=True)
        elif self._dry and item.stage is Stage.DONE:
            self._wipe()
            print(f"{safe(item.source)} -> {safe(item.target)}")
        if item.problem is not None:
            self._say(f"{item.source}: {item.problem}")
        if item.note:
            self._say(f"{item.source}: {item.note}")

    def _say(self, text: str) -> None:
        self._wipe()
        with contextlib.suppress(OSError):
            print(f"statetui: {one_line(text)}", file=sys.stderr, flush=True)

    def _sum_up(self) -> None:
        job = self._job
        if self._lines:
            print(json.dumps({**_summary(job), **self._would()}), flush=True)
            return
        if self._dry:
            self._say(f"{job.counts[Stage.DONE]:,} would be moved ({size(job.size)}); nothing was")
            return
        counts = ", ".join(f"{job.counts[stage]:,} {stage}" for stage in Stage if job.counts[stage])
        speed = f", {size(job.rate)}/s" if job.done else ""
        self._say(f"{counts or 'nothing to move'}; {size(job.done)} in {job.seconds:.1f} s{speed}")

    def _would(self) -> dict[str, Any]:
        return {"dryRun": True} if self._dry else {}

    # --- what is tried again

    async def _look_for_retries(self) -> None:
        while True:
            await asyncio.sleep(_RETRIES)
            self.tell_retries()

    def tell_retries(self) -> None:
        """Tells of each item that waits to be tried again, once for each failure; of parts that fail at once, one."""
        for item in self._job.running:
            again = item.stage is Stage.RETRYING and item.retries > self._retried.get(item, 0)
            if not again or item.problem is None:
                continue
            self._retried[item] = item.retries
            if self._lines:
                print(json.dumps(_retry(item, item.problem)), flush=True)
            else:
                self._say(f"{item.source}: tried again ({item.retries}): {item.problem}")

    # --- the bar

    async def _draw(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            text = self.bar(shutil.get_terminal_size().columns - 1)
            with contextlib.suppress(OSError):
                sys.stderr.write(f"\r{text}\x1b[K")
                sys.stderr.flush()
            self._shown = True

    def bar(self, width: int) -> str:
        """One line: how far, how fast, how long still, and what is on its way."""
        job = self._job
        ended = sum(job.counts.values())
        total = f"{job.files:,}" if job.planned else f"{job.files:,}+"
        known = job.planned and job.size > 0
        share = f"{100 * job.done // job.size:3d} %  " if known else ""
        left = f"  {clock(job.remaining)} left" if job.remaining is not None else ""
        counts = f"{ended:,}/{total}  " if job.files != 1 else ""
        whole = f" of {size(job.size)}" if job.size else ""
        text = f"{share}{counts}{size(job.done)}{whole}  {size(job.rate)}/s{left}"
        waits = next((item for item in job.running if item.stage is Stage.RETRYING), None)
        if waits is not None and waits.problem is not None:
            text += f"  retrying: {one_line(waits.problem.what)}"
        room = width - len(text) - 4
        if known and room >= 10:
            full = min(room, 40)
            done = full * job.done // job.size
            text = f"[{'#' * done}{'.' * (full - done)}] {text}"
        return text[:width]

    def _wipe(self) -> None:
        if self._shown:
            self._shown = False
            with contextlib.suppress(OSError):
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()


def _record(item: Item) -> dict[str, Any]:
    found: dict[str, Any] = {
        "status": item.stage.value, "source": item.source, "target": item.target,
        "size": item.done if item.size is None and item.stage is Stage.DONE else item.size,
    }  # fmt: skip
    extra = {"verified": str(item.verified), "note": item.note, "retries": item.retries, "resumed": item.resumed}
    found |= {name: value for name, value in extra.items() if value}
    if item.problem is not None:
        found["error"] = str(item.problem)
    return found


def _retry(item: Item, problem: Problem) -> dict[str, Any]:
    return {
        "status": Stage.RETRYING.value, "source": item.source, "target": item.target, "size": item.size,
        "done": item.done, "retries": item.retries, "error": str(problem), "waits": _WAITS.get(problem.cause, _WAIT),
    }  # fmt: skip


def _summary(job: Job) -> dict[str, Any]:
    return {
        "status": "summary", "files": job.files, "bytes": job.done, "seconds": round(job.seconds, 3),
        **{stage.value: job.counts[stage] for stage in Stage if job.counts[stage]},
    }  # fmt: skip
