"""What there is to move: folders and prefixes, one item after the other, so that a million of them take no memory."""

from __future__ import annotations

import fnmatch
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tui.problem import Cause, Problem
from tui.services.bucket.model import Entry
from tui.services.bucket.transfers import calls
from tui.services.bucket.transfers.copying import copy_object
from tui.services.bucket.transfers.download import download_file
from tui.services.bucket.transfers.engine import Engine, Task
from tui.services.bucket.transfers.fetching import Origin
from tui.services.bucket.transfers.names import LocalName, Namer, folded, key_of
from tui.services.bucket.transfers.progress import Item
from tui.services.bucket.transfers.reading import Found, walk
from tui.services.bucket.transfers.upload import Goal, upload_file
from tui.services.bucket.transfers.writing import Folder

#: Files that a walk reads ahead in its thread.
_AHEAD = 500


@dataclass(frozen=True, slots=True)
class Options:
    """How things are moved.

    Attributes:
        remove: what was moved is deleted, each when it is there and verified.
        pattern: only keys or paths (below the prefix or folder) that match; empty for all.
        newer_only: what is there already, of the same size and not older, is left alone (mirror).
        dry: nothing is moved, everything is told.
        cut: how many characters of each key are left out of the new name; None for those up to the prefix's last slash.
    """

    remove: bool = False
    pattern: str = ""
    newer_only: bool = False
    dry: bool = False
    cut: int | None = None

    def left_out(self, prefix: str) -> int:
        """How many characters of each key are left out of the new name."""
        return prefix.rfind("/") + 1 if self.cut is None else self.cut

    def takes(self, relative: str) -> bool:
        """Whether it is among what is meant. `*` stays between two slashes; `**` does not."""
        if not self.pattern:
            return True
        if "**" not in self.pattern and relative.count("/") != self.pattern.count("/"):
            return False
        return fnmatch.fnmatchcase(relative, self.pattern)


async def files(engine: Engine, folder: Path, goal: Goal, options: Options) -> AsyncIterator[Task]:
    """The files below a folder, to keys that begin with the goal's key.

    Args:
        engine: whose job it is.
        folder: what is uploaded.
        goal: its key is the prefix (`backup/`, or nothing).
        options: how.
    """
    there = _There(goal) if options.newer_only else None
    found = walk(folder)
    while batch := await engine.in_thread(_next, found):
        for one in batch:
            if not options.takes(one.relative):
                continue
            path = folder / one.relative
            try:
                key = key_of(goal.key, one.relative)
            except ValueError as error:
                item = Item(str(path), "")
                engine.job.refuse(item, Problem(Cause.REJECTED, f"{path} cannot be uploaded", str(error), "Rename it."))
                continue
            item = Item(str(path), f"{goal.bucket}/{key}", one.size)
            if one.skipped:
                engine.job.skip(item, one.skipped)
                continue
            if there is not None and _same(await there.get(key), one.size, one.modified / 1e9):
                engine.job.skip(item, "")
                continue
            engine.job.add(item)
            yield Task(item, _uploading(engine, replace(goal, key=key), path, item, options))
    engine.job.planned = True


def _uploading(engine: Engine, goal: Goal, path: Path, item: Item, options: Options) -> Callable[[], Awaitable[None]]:
    async def move() -> None:
        if not options.dry:
            await upload_file(engine, goal, path, item, remove=options.remove)

    return move


def _next(found: Iterator[Found]) -> list[Found]:
    batch = []
    for one in found:
        batch.append(one)
        if len(batch) >= _AHEAD:
            break
    return batch


class _There:
    """What a prefix holds: (size, time) by key, listed whole at the first question.

    A walk meets `a/b` before `a-b`, a listing after it: the two cannot simply go along side by side.
    """

    def __init__(self, goal: Goal) -> None:
        self._goal = goal
        self._known: dict[str, tuple[int, float]] | None = None

    async def get(self, key: str) -> tuple[int, float] | None:
        """What bears a key."""
        if self._known is None:
            self._known = {}
            async for page in calls.objects(self._goal.store, self._goal.bucket, self._goal.key):
                for entry in page:
                    self._known[entry.key] = (entry.size or 0, entry.modified.timestamp() if entry.modified else 0.0)
        return self._known.get(key)


def _same(there: tuple[int, float] | None, size: int, modified: float) -> bool:
    """Whether a mirror leaves an item alone: of the same size, and the copy not older than the source."""
    if there is None or there[0] != size:
        return False
    # Some stores, and every Last-Modified header, tell whole seconds.
    return there[1] >= (int(modified) if there[1].is_integer() else modified)


async def keys(engine: Engine, origin: Origin, folder: Folder, options: Options) -> AsyncIterator[Task]:
    """The objects whose keys begin with a prefix, to files below a folder.

    Args:
        engine: whose job it is.
        origin: its key is the prefix.
        folder: the chosen one; nothing is written outside of it.
        options: how.
    """
    namer = Namer(origin.key[: options.left_out(origin.key)])
    ignores_case = await engine.in_thread(folder.ignores_case)
    used: set[str] = set()
    async for page in calls.objects(origin.store, origin.bucket, origin.key):
        for entry in page:
            if not options.takes(entry.key.removeprefix(namer.prefix)):
                continue
            marker = entry.key.endswith("/")
            name = namer.content_of_folder(entry.key) if marker and entry.size else namer.name(entry.key)
            item = Item(f"{origin.bucket}/{entry.key}", str(folder.path / name.path), entry.size)
            if ignores_case and (low := folded(name.path)) in used:
                engine.job.refuse(item, _collides(item))
                continue
            if ignores_case:
                used.add(low)
            if name.changed:
                item.add_note(f"as {name.path}: its key cannot be a file's name here")
            if not name.name:
                engine.job.add(item)
                yield Task(item, _making(engine, folder, name, options))
                continue
            if options.newer_only and await engine.in_thread(_is_there, folder, name, entry):
                engine.job.skip(item, "")
                continue
            engine.job.add(item)
            source = replace(origin, key=entry.key, size=entry.size)
            yield Task(item, _downloading(engine, source, folder, name, item, options))
    engine.job.planned = True


def _downloading(
    engine: Engine, origin: Origin, folder: Folder, name: LocalName, item: Item, options: Options
) -> Callable[[], Awaitable[None]]:  # fmt: skip
    async def move() -> None:
        if not options.dry:
            await download_file(engine, origin, folder, name, item, remove=options.remove)

    return move


def _making(engine: Engine, folder: Folder, name: LocalName, options: Options) -> Callable[[], Awaitable[None]]:
    async def move() -> None:
        if not options.dry:
            await engine.in_thread(folder.make, name)

    return move


def _is_there(folder: Folder, name: LocalName, entry: Entry) -> bool:
    status = folder.status(name)
    there = None if status is None else (status.st_size, status.st_mtime)
    return _same(there, entry.size or 0, entry.modified.timestamp() if entry.modified else 0.0)


def _collides(item: Item) -> Problem:
    return Problem(
        Cause.REJECTED, f"{item.source} was not downloaded: another key has the same name on this disk",
        "This file system does not tell upper from lower case, or composed from decomposed letters.",
        "Download it by itself into another folder.",
    )  # fmt: skip


async def copies(engine: Engine, origin: Origin, goal: Goal, options: Options) -> AsyncIterator[Task]:
    """The objects whose keys begin with a prefix, to keys that begin with the goal's key.

    Args:
        engine: whose job it is.
        origin: its key is the prefix.
        goal: its key is the new prefix.
        options: how.
    """
    cut = options.left_out(origin.key)
    there = _There(goal) if options.newer_only else None
    async for page in calls.objects(origin.store, origin.bucket, origin.key):
        for entry in page:
            relative = entry.key[cut:]
            if not options.takes(relative):
                continue
            key = goal.key + relative
            item = Item(f"{origin.bucket}/{entry.key}", f"{goal.bucket}/{key}", entry.size)
            modified = entry.modified.timestamp() if entry.modified else 0.0
            if there is not None and _same(await there.get(key), entry.size or 0, modified):
                engine.job.skip(item, "")
                continue
            engine.job.add(item)
            source, target = replace(origin, key=entry.key, size=entry.size), replace(goal, key=key)
            yield Task(item, _copying(engine, source, target, item, options))
    engine.job.planned = True


def _copying(engine: Engine, origin: Origin, goal: Goal, item: Item, options: Options) -> Callable[[], Awaitable[None]]:
    async def move() -> None:
        if not options.dry:
            await copy_object(engine, origin, goal, item, remove=options.remove)

    return move
