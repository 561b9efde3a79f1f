"""`statetui bucket W cp|mv|mirror|cat`: plans what was asked for, and moves it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from tui.commands import descriptors, exits
from tui.commands.bucket_places import LocalPlace, StorePlace, place
from tui.commands.bucket_progress import Telling
from tui.commands.remarks import note
from tui.commands.wronguse import wrong
from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.transfers import calls
from tui.services.bucket.transfers.calls import Store
from tui.services.bucket.transfers.copying import copy_object
from tui.services.bucket.transfers.download import download_file, download_stream
from tui.services.bucket.transfers.engine import Engine, Task, listed
from tui.services.bucket.transfers.fetching import Origin
from tui.services.bucket.transfers.journal import Journal, UploadRecord
from tui.services.bucket.transfers.names import LocalName, Namer, component
from tui.services.bucket.transfers.planning import Options, copies, files, keys
from tui.services.bucket.transfers.progress import Item, Job, Stage
from tui.services.bucket.transfers.upload import Goal, upload_file, upload_stream
from tui.services.bucket.transfers.writing import Folder

#: What is moved by this.
VERBS = ("cp", "mv", "mirror", "cat")
#: Opens the store of a workload, once for each; empty for the command's own.
Opener: TypeAlias = Callable[[str], Awaitable[Store]]


@dataclass(frozen=True, slots=True)
class Moving:
    """What is to be moved.

    Attributes:
        verb: `cp`, `mv`, `mirror` or `cat`.
        sources: words, see `bucket_places`.
        target: a word; nothing for `cat`.
        recursive: folders and prefixes with all that is below.
        dry: only tells.
        globs: whether keys may be patterns.
        json: tells in JSON lines; None where stdout is no terminal.
        headers: of new objects (`Content-Type`, `x-amz-meta-…`).
    """

    verb: str
    sources: tuple[str, ...]
    target: str = ""
    recursive: bool = False
    dry: bool = False
    globs: bool = True
    json: bool | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def remove(self) -> bool:
        """Whether what was moved is deleted at its old place."""
        return self.verb == "mv"


async def run(moving: Moving, opener: Opener) -> int:
    """Moves it, and returns the exit code. Cancelled, it keeps what can go on later, and says so.

    Args:
        moving: what.
        opener: opens stores.

    Raises:
        WrongUseError: the words do not fit together.
        ProblemError, StoreError, Lost: the plan cannot be made.
    """
    if moving.verb == "cat":
        return await _cat(moving, opener)
    job = Job(moving.verb)
    engine = Engine(job, Journal())
    engine.keep = True
    places: set[str] = set()

    async def noted(workload: str) -> Store:
        store = await opener(workload)
        places.add(store.place)
        return store

    try:
        plan = await _plan(engine, moving, noted)
        async with Telling(job, lines=moving.json, quiet=moving.target == "-", dry=moving.dry):
            await engine.run(plan)
    finally:
        engine.close()
        _mention(engine.journal, places)
    return exits.FAILED if job.counts[Stage.FAILED] else exits.OK


def _mention(journal: Journal, places: set[str]) -> None:
    """Says what stands half-way in the stores that were used, be it of this run or of one that was killed."""
    for record in (one for place_ in sorted(places) for one in journal.unfinished(place_)):
        key = f"{record.bucket}/{record.key}"
        if isinstance(record, UploadRecord):
            note(f"unfinished: {record.path} -> {key} (upload {record.upload}); the same command goes on with it")
        else:
            note(f"unfinished: {key} -> {record.path} (as {record.beside}); the same command goes on with it")


# --- cat


async def _cat(moving: Moving, opener: Opener) -> int:
    job = Job("cat")
    engine = Engine(job, Journal())
    try:
        for word in moving.sources:
            source = place(word, globs=moving.globs, bare=True)
            if not isinstance(source, StorePlace) or (not source.key and not source.pattern):
                raise wrong(f"{word} is no key", "Name BUCKET/KEY.")
            store = await opener(source.workload)
            async for origin in _origins(store, source):
                await _to_stdout(engine, origin)
    finally:
        engine.close()
    return exits.OK


async def _origins(store: Store, source: StorePlace) -> AsyncIterator[Origin]:
    """The object, or those that match."""
    if not source.pattern:
        yield Origin(store, source.bucket, source.key)
        return
    options = Options(pattern=source.pattern)
    met = False
    async for page in calls.objects(store, source.bucket, source.key):
        for entry in page:
            if options.takes(entry.key.removeprefix(source.key)):
                met = True
                yield Origin(store, source.bucket, entry.key, size=entry.size)
    if not met:
        raise ProblemError(Problem(Cause.ABSENT, f"nothing matches {source.text}", "", "`ls` lists what there is."))


async def _to_stdout(engine: Engine, origin: Origin) -> None:
    item = Item(f"{origin.bucket}/{origin.key}", "-")
    async with contextlib.aclosing(download_stream(engine, origin, item)) as pieces:
        async for piece in pieces:
            await descriptors.write(sys.stdout.fileno(), piece)


# --- cp, mv, mirror


async def _plan(engine: Engine, moving: Moving, opener: Opener) -> AsyncIterator[Task]:
    words = [place(word, globs=moving.globs) for word in moving.sources]
    target = place(moving.target, globs=False)
    if moving.verb == "mirror" and len(words) != 1:
        raise wrong("a mirror has one source", "")
    if all(isinstance(one, LocalPlace) for one in (*words, target)):
        raise wrong("neither the source nor the target is in a store", "Write :BUCKET/KEY for what is.")
    several = len(words) > 1 or any(isinstance(one, StorePlace) and one.pattern for one in words)
    if isinstance(target, LocalPlace) and target.stream:
        if several or moving.recursive or moving.remove:
            raise wrong("one object at a time goes to stdout, and stays where it is", "`cat` takes several.")
        assert isinstance(words[0], StorePlace)  # noqa: S101 (not all are local)
        store = await opener(words[0].workload)
        origin = Origin(store, words[0].bucket, words[0].key)
        item = Item(words[0].text, "-")
        engine.job.add(item)
        return listed([Task(item, lambda: _to_stdout(engine, origin))])
    plans = [await _one(engine, moving, one, target, opener, several) for one in words]
    return _chained(engine, plans)


async def _chained(engine: Engine, plans: list[AsyncIterator[Task]]) -> AsyncIterator[Task]:
    for plan in plans:
        engine.job.planned = False
        async for task in plan:
            yield task
    engine.job.planned = True


async def _one(
    engine: Engine, moving: Moving, source: LocalPlace | StorePlace, target: LocalPlace | StorePlace, opener: Opener,
    several: bool,
) -> AsyncIterator[Task]:  # fmt: skip
    mirror = moving.verb == "mirror"
    options = Options(remove=moving.remove, dry=moving.dry, newer_only=mirror)
    recursive = moving.recursive or mirror
    if isinstance(source, LocalPlace):
        assert isinstance(target, StorePlace)  # noqa: S101 (not both are local)
        goal = Goal(await opener(target.workload), target.bucket, target.key, dict(moving.headers))
        return _up(engine, source, goal, target.prefix_meant or several, recursive, options)
    origin = Origin(await opener(source.workload), source.bucket, source.key)
    if source.pattern:
        options = replace(options, pattern=source.pattern, cut=len(source.key))
    elif recursive:
        # `:b/logs` puts the folder `logs` into the target, `:b/logs/` what is in it; as cp and mc do.
        inner = mirror and origin.key and not origin.key.endswith("/")
        key = origin.key + "/" if origin.key and not origin.key.endswith("/") else origin.key
        cut = len(key) if key == origin.key or inner else origin.key.rfind("/") + 1
        origin, options = replace(origin, key=key), replace(options, cut=cut)
    elif source.prefix_meant:
        raise wrong(f"{source.text} is a prefix or a bucket", "Add --recursive to move all that is below.")
    many = bool(source.pattern) or recursive
    if isinstance(target, LocalPlace):
        return await _down(engine, origin, target, many, several, options)
    goal = Goal(await opener(target.workload), target.bucket, target.key, dict(moving.headers))
    if many:
        key = goal.key if target.prefix_meant else goal.key + "/"
        return copies(engine, origin, replace(goal, key=key), options)
    if target.prefix_meant or several:
        goal = replace(goal, key=_below(goal.key) + origin.key.rpartition("/")[2])
    item = Item(source.text, f"{goal.bucket}/{goal.key}")
    return _single(engine, item, options, lambda: copy_object(engine, origin, goal, item, remove=options.remove))


def _up(
    engine: Engine, source: LocalPlace, goal: Goal, into: bool, recursive: bool, options: Options
) -> AsyncIterator[Task]:  # fmt: skip
    if source.stream:
        if options.remove or not goal.key or goal.key.endswith("/"):
            raise wrong("a stream is copied to a key", "Write - :BUCKET/KEY.")
        item = Item("-", f"{goal.bucket}/{goal.key}")
        return _single(engine, item, options, lambda: upload_stream(engine, goal, _stdin(), item))
    path = source.path
    if path.is_dir():
        if not recursive:
            raise wrong(f"{source.text} is a folder", "Add --recursive to move all that is below.")
        inner = source.text.endswith("/") or options.newer_only or path.name in ("", ".", "..")
        prefix = _below(goal.key) + ("" if inner else path.name + "/")
        return files(engine, path, replace(goal, key=prefix), options)
    if into:
        goal = replace(goal, key=_below(goal.key) + path.name)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ProblemError(Problem(Cause.REJECTED, f"{source.text} cannot be read", error.strerror or "")) from error
    item = Item(str(path), f"{goal.bucket}/{goal.key}", size)
    return _single(
        engine, item, options, lambda: upload_file(engine, goal, path.absolute(), item, remove=options.remove)
    )  # fmt: skip


async def _down(
    engine: Engine, origin: Origin, target: LocalPlace, many: bool, several: bool, options: Options
) -> AsyncIterator[Task]:  # fmt: skip
    if many:
        return keys(engine, origin, await _folder(engine, target.path, options), options)
    if target.folder_meant or several:
        folder = await _folder(engine, target.path, options)
        name = Namer(origin.key[: origin.key.rfind("/") + 1]).name(origin.key)
    else:
        folder = await _folder(engine, target.path.parent, options)
        name = LocalName((), target.path.name, False)
        if component(target.path.name) != target.path.name:
            raise wrong(f"{target.text} is no name for a file", "Name another one.")
    item = Item(f"{origin.bucket}/{origin.key}", str(folder.path / name.path))
    if name.changed:
        item.add_note(f"as {name.path}: its key cannot be a file's name here")
    return _single(
        engine, item, options, lambda: download_file(engine, origin, folder, name, item, remove=options.remove)
    )  # fmt: skip


async def _folder(engine: Engine, path: Path, options: Options) -> Folder:
    try:
        return await engine.in_thread(lambda: Folder(path.absolute(), make=not options.dry))
    except OSError as error:
        raise ProblemError(
            Problem(Cause.REJECTED, f"{path} cannot be used as a folder", error.strerror or "", "Choose another one.")
        ) from error  # fmt: skip


async def _single(
    engine: Engine, item: Item, options: Options, move: Callable[[], Awaitable[None]]
) -> AsyncIterator[Task]:  # fmt: skip
    async def maybe() -> None:
        if not options.dry:
            await move()

    engine.job.add(item)
    yield Task(item, maybe)


def _below(key: str) -> str:
    return key if not key or key.endswith("/") else key + "/"


async def _stdin() -> AsyncIterator[bytes]:
    while data := await descriptors.read(0):
        yield data
