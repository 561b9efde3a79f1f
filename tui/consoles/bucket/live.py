"""The real store behind a console, and what moves bytes for it."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tui.consoles.bucket.client import Opened, Stage, Transfer
from tui.consoles.connecting import TYPED
from tui.memory import give_back
from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.model import Keys, Lost, StoreError
from tui.services.bucket.renewing import Renewing
from tui.services.bucket.store import open_store
from tui.services.bucket.transfers import wire
from tui.services.bucket.transfers.calls import Store
from tui.services.bucket.transfers.download import download_file
from tui.services.bucket.transfers.engine import Engine, Task
from tui.services.bucket.transfers.fetching import Origin
from tui.services.bucket.transfers.journal import DownloadRecord, Journal, UploadRecord
from tui.services.bucket.transfers.names import LocalName, Namer
from tui.services.bucket.transfers.planning import Options, files, keys
from tui.services.bucket.transfers.progress import Item, Job
from tui.services.bucket.transfers.progress import Stage as ItemStage
from tui.services.bucket.transfers.upload import Goal, upload_file
from tui.services.bucket.transfers.writing import Folder
from tui.systems.bucketroutes import StoreFinder

if TYPE_CHECKING:
    from tui.systems.bucketkeys import FoundKeys
    from tui.systems.live import Live

#: Makes the plan of a transfer for an engine.
Plan: TypeAlias = Callable[[Engine], AsyncIterator[Task]]


#: Looks for the keys of a store anew.
Look: TypeAlias = Callable[[], Awaitable["FoundKeys"]]


async def open_live(live: Live, key: str, keys: Keys, found: FoundKeys, look: Look, *, read_only: bool) -> Opened:
    """Connects to the store of a workload, over forwards that nothing listens for.

    Args:
        live: the context.
        key: the workload's.
        keys: who one is.
        found: how the store is spoken to.
        look: for the keys, when the store does not know these any more.
        read_only: the client refuses changes.

    Raises:
        ProblemError: it cannot be reached.
        StoreError: it does not let this user in.
    """
    store = await open_store(StoreFinder(live, key), keys, found.security, found.region, writes=not read_only)
    connection = wire.over(store.session, writes=not read_only)
    place = f"{live.context.name if live.context is not None else ''}/{key}"
    return Opened(store, LiveMover(connection, place, look), keys)


class Renewal:
    """Finds the keys anew that were changed in the cluster, and tells of it.

    Attributes:
        heard: told of the keys that have taken the place of others, and of all that was found.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self.heard: Callable[[Keys, FoundKeys], None] | None = None

    async def __call__(self, keys: Keys) -> Keys | None:
        """Those that stand now where these came from; None where they are the same, or were typed."""
        if keys.source == TYPED:
            return None
        try:
            found = await self._look()
        except ProblemError:
            return None
        # Another user than before may have other rights: only the same place will do.
        new = next((one for one in found.keys if one.source == keys.source and one != keys), None)
        if new is not None and self.heard is not None:
            self.heard(new, found)
        return new


@dataclass(eq=False)
class _Moving:
    """A transfer.

    Attributes:
        plan: makes its plan; again when it is tried again.
        work: what runs it; None before the first turn.
        problem: why all of it failed.
        cancelled: by the person.
        left: it stands half-way since before this console was connected, and waits to be asked for.
    """

    number: int
    title: str
    plan: Plan
    job: Job
    engine: Engine | None = None
    work: asyncio.Task[None] | None = None
    problem: Problem | None = None
    cancelled: bool = False
    left: bool = False

    @property
    def over(self) -> bool:
        """Nothing more happens."""
        return self.left or (self.work is not None and self.work.done())


class LiveMover:
    """Moves bytes with the engine; see `client.Mover`."""

    def __init__(self, connection: wire.Wire, place: str, look: Look) -> None:
        """Takes a store over.

        Args:
            connection: the transfers' own connections, ended with this.
            place: whose store, see `transfers.calls.Store`.
            look: for the keys, when the store does not know them any more.
        """
        self._connection = connection
        self._renewal = Renewal(look)
        self._renewing = Renewing(connection, connection.signer, self._renewal)
        self._store = store = Store(self._renewing, place)
        self._journal = Journal()
        self._numbers = count(1)
        self._moving: dict[int, _Moving] = {}
        for record in self._journal.unfinished(store.place):
            self._leave(record)

    def listen(self, heard: Callable[[Keys, FoundKeys], None]) -> None:
        """Has somebody told of keys that have taken the place of others, and of all that was found."""
        self._renewal.heard = heard

    async def renew(self) -> bool:
        """Looks for keys that have taken the place of those that are used; whether there are any."""
        return await self._renewing.others(self._connection.signer.keys)

    def all(self) -> Sequence[Transfer]:
        """All transfers, the oldest first."""
        return [_told(one) for one in self._moving.values()]

    @property
    def unfinished(self) -> int:
        """How many are not over."""
        return sum(not one.over for one in self._moving.values())

    def upload(self, paths: Sequence[Path], bucket: str, prefix: str) -> None:
        """Files, or folders with all that is in them, below a prefix."""
        goal = Goal(self._store, bucket, prefix)
        for path in paths:
            whole = path.absolute()
            self._begin(
                f"upload {path.name}{'/' if path.is_dir() else ''} to {bucket}/{prefix}", partial(_up, whole, goal)
            )

    def download(self, bucket: str, keys: Sequence[tuple[str, str]], base: str, folder: Path) -> None:
        """Keys (those that end in `/`: all below them), each with its version, below a folder."""
        names = [key[len(base) :] or bucket for key, _ in keys]
        what = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        origins = [Origin(self._store, bucket, key, version=version) for key, version in keys]
        self._begin(f"download {what} to {folder}", partial(_down, origins, base, folder.absolute()))

    def pause(self, number: int) -> None:
        """Lets one rest, or go on."""
        job = self._moving[number].job
        if job.paused:
            job.resume()
        else:
            job.pause()

    def cancel(self, number: int) -> None:
        """Gives one up; what was half written goes."""
        one = self._moving[number]
        if not one.over:
            one.cancelled = True
            self._stop(one, keep=False)

    def retry(self, number: int) -> None:
        """Begins one again that failed or was cancelled, where it stopped."""
        one = self._moving[number]
        if one.over:
            one.job, one.problem, one.cancelled, one.left = Job(one.title), None, False, False
            self._run(one)

    def forget(self) -> None:
        """Forgets those that are over."""
        self._moving = {number: one for number, one in self._moving.items() if not one.over}

    async def close(self) -> None:
        """Ends them; what was half-way is kept, and goes on when it is asked for again."""
        for one in self._moving.values():
            self._stop(one, keep=True)
        work = [one.work for one in self._moving.values() if one.work is not None]
        await asyncio.gather(*work, return_exceptions=True)
        await self._connection.close()

    def _leave(self, record: UploadRecord | DownloadRecord) -> None:
        """Takes note of what stands half-way since another run, for who wants it to go on."""
        path = Path(record.path)
        if isinstance(record, UploadRecord):
            title = f"upload {path.name} to {record.bucket}/{record.key}"
            plan: Plan = partial(_again_up, path, Goal(self._store, record.bucket, record.key))
            kept = f"its parts are kept in the incomplete upload {record.upload}"
        else:
            origin = Origin(self._store, record.bucket, record.key, version=record.version)
            title = f"download {record.key} to {path.parent}"
            plan = partial(_again_down, origin, path)
            kept = f"what came is kept beside {path} in {Path(record.beside).name}"
        since = dt.datetime.fromtimestamp(record.begun, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
        problem = Problem(Cause.REJECTED, "It stands half-way since an earlier run", f"begun {since} UTC; {kept}",
                          "Y goes on where it stopped.")  # fmt: skip
        number = next(self._numbers)
        self._moving[number] = _Moving(number, title, plan, Job(title), problem=problem, left=True)

    def _begin(self, title: str, plan: Plan) -> None:
        one = _Moving(next(self._numbers), title, plan, Job(title))
        self._moving[one.number] = one
        self._run(one)

    def _run(self, one: _Moving) -> None:
        one.engine = Engine(one.job, self._journal)
        one.engine.keep = True  # a failure (a pod that went) keeps its parts; giving up does not
        one.work = asyncio.create_task(_work(one, one.engine), name=f"transfer {one.number}")

    def _stop(self, one: _Moving, *, keep: bool) -> None:
        if one.engine is not None and one.work is not None and not one.work.done():
            one.engine.keep = keep
            one.job.resume()
            one.work.cancel()


async def _work(one: _Moving, engine: Engine) -> None:
    try:
        await engine.run(one.plan(engine))
    except (StoreError, Lost, ProblemError) as error:
        one.problem = error.problem
    except OSError as error:
        one.problem = Problem(Cause.REJECTED, f"{one.title} came to nothing", str(error))
    finally:
        engine.close()
        # The buffers of a large transfer, and what many small ones have left between them.
        asyncio.get_running_loop().run_in_executor(None, give_back)


async def _up(path: Path, goal: Goal, engine: Engine) -> AsyncIterator[Task]:
    """A file, or a folder under its own name."""
    if await engine.in_thread(path.is_dir):
        below = Goal(goal.store, goal.bucket, f"{goal.key}{path.name}/")
        async for task in files(engine, path, below, Options()):
            yield task
        return
    async for task in _again_up(path, Goal(goal.store, goal.bucket, f"{goal.key}{path.name}"), engine):
        yield task


async def _again_up(path: Path, target: Goal, engine: Engine) -> AsyncIterator[Task]:
    """A file under a key."""
    size = (await engine.in_thread(path.stat)).st_size
    item = Item(str(path), f"{target.bucket}/{target.key}", size)
    engine.job.add(item)
    engine.job.planned = True
    yield Task(item, partial(upload_file, engine, target, path, item))


async def _down(origins: Sequence[Origin], base: str, path: Path, engine: Engine) -> AsyncIterator[Task]:
    """Keys and what is below folders, under their names behind the base."""
    folder = await engine.in_thread(Folder, path)
    engine.held.callback(folder.close)
    namer = Namer(base)
    for origin in origins:
        if not origin.key or origin.key.endswith("/"):
            async for task in keys(engine, origin, folder, Options(cut=len(base))):
                yield task
            engine.job.planned = False
            continue
        name = namer.name(origin.key)
        item = Item(f"{origin.bucket}/{origin.key}", str(folder.path / name.path))
        if name.changed:
            item.add_note(f"as {name.path}: its key cannot be a file's name here")
        engine.job.add(item)
        yield Task(item, partial(download_file, engine, origin, folder, name, item))
    engine.job.planned = True


async def _again_down(origin: Origin, path: Path, engine: Engine) -> AsyncIterator[Task]:
    """A key as the file that it was to be."""
    folder = await engine.in_thread(Folder, path.parent)
    engine.held.callback(folder.close)
    item = Item(f"{origin.bucket}/{origin.key}", str(path))
    engine.job.add(item)
    engine.job.planned = True
    yield Task(item, partial(download_file, engine, origin, folder, LocalName((), path.name, False), item))


def _told(one: _Moving) -> Transfer:
    job = one.job
    current = job.running[0] if job.running else None
    return Transfer(
        one.number, one.title, _stage(one), job.done, job.size if job.planned and job.size else None,
        (sum(job.counts.values()), job.files if job.planned else None), job.rate, job.remaining, _problem(one),
        current.source if current is not None else "",
    )  # fmt: skip


def _stage(one: _Moving) -> Stage:
    if not one.over:
        return Stage.PAUSED if one.job.paused else Stage.RUNNING if one.job.files else Stage.WAITING
    if one.cancelled:
        return Stage.CANCELLED
    return Stage.FAILED if one.problem is not None or one.job.counts[ItemStage.FAILED] else Stage.DONE


def _problem(one: _Moving) -> Problem | None:
    """Why it failed, or what became of parts of it."""
    if one.problem is not None:
        return one.problem
    told = [item for item in one.job.remarkable if item.problem is not None]
    if not told:
        waits = next((item for item in one.job.running if item.problem is not None), None)
        noted = [f"{item.source}: {item.note}" for item in one.job.remarkable if item.note]
        if waits is not None:
            return waits.problem
        return Problem(Cause.REJECTED, "Not all is as it was asked for", "\n".join(noted[:20])) if noted else None
    first = told[0].problem
    failed = one.job.counts[ItemStage.FAILED]
    if failed == 1 and one.job.files == 1 and first is not None:
        # What is left of it comes first: there may be no room for all that the server says.
        return replace(first, evidence="\n".join(filter(None, (told[0].note, first.evidence))))
    evidence = "\n".join(f"{item.source}: {item.problem} {item.note}".rstrip() for item in told[:20])
    return Problem(Cause.REJECTED, f"{failed:,} of {one.job.files:,} files failed", evidence, "Y tries them again.")
