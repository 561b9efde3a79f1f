"""What the console asks of a store, and of whoever moves bytes: two protocols, so that tests have others.

`live` fulfils them with `tui.services.bucket`. All that is asked may raise one of `ERRORS`: StoreError (the store's own
words), Lost (no whole answer came) or ProblemError.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from tui.problem import Problem, ProblemError
from tui.services.bucket.model import (
    Anonymous,
    Bucket,
    Count,
    Detail,
    Facts,
    Failure,
    Keys,
    Lost,
    Page,
    Progress,
    StoreError,
    Told,
    Upload,
)  # fmt: skip
from tui.systems.bucketkeys import FoundKeys

#: What a store may raise.
ERRORS = (StoreError, Lost, ProblemError)


def problem_of(error: Exception) -> Problem:
    """What a store's error says."""
    if isinstance(error, StoreError | Lost | ProblemError):
        return error.problem
    raise error


class Client(Protocol):
    """A connected store."""

    @property
    def facts(self) -> Facts:
        """What is known of it."""
        ...

    async def buckets(self) -> Sequence[Bucket]:
        """All of them, by name, with their sizes where the server tells."""
        ...

    async def anonymous(self, bucket: str) -> Anonymous:
        """What everybody may do."""
        ...

    async def page(self, bucket: str, prefix: str, more: str, *, deep: bool = False, versions: bool = False) -> Page:
        """The next piece of a listing.

        Args:
            bucket: the bucket.
            prefix: what the keys begin with.
            more: where to go on, empty for the beginning.
            deep: all keys below, in place of folders.
            versions: older ones and delete markers, too.
        """
        ...

    async def count(self, bucket: str, prefix: str, progress: Progress, *, all_versions: bool = False) -> Count:
        """Counts what lies below a prefix, by listing it."""
        ...

    async def detail(self, bucket: str, key: str, version: str = "") -> Detail:
        """All that is known of an object."""
        ...

    async def read(self, bucket: str, key: str, version: str, length: int) -> bytes:
        """The beginning of an object."""
        ...

    async def make_bucket(self, bucket: str, *, versioning: bool = False, lock: bool = False) -> None:
        """Makes a bucket."""
        ...

    async def remove_bucket(self, bucket: str) -> None:
        """Removes an empty bucket."""
        ...

    async def delete(self, bucket: str, keys: Sequence[tuple[str, str]], progress: Progress) -> Sequence[Failure]:
        """Deletes keys, each with its version; without one it leaves a marker where there are versions."""
        ...

    async def clear(self, bucket: str, prefix: str, progress: Progress, *, all_versions: bool) -> Sequence[Failure]:
        """Deletes all that lies below a prefix; with all versions also markers and incomplete uploads."""
        ...

    async def copy(self, bucket: str, key: str, version: str, to_bucket: str, to_key: str) -> None:
        """Copies an object on the server."""
        ...

    async def set_tags(self, bucket: str, key: str, tags: dict[str, str]) -> None:
        """Replaces the tags of an object, or of the bucket where the key is empty."""
        ...

    async def bucket_tags(self, bucket: str) -> dict[str, str]:
        """The tags of a bucket."""
        ...

    async def versioning(self, bucket: str) -> str:
        """`Enabled`, `Suspended`, or empty for never."""
        ...

    async def set_versioning(self, bucket: str, *, on: bool) -> None:
        """Enables or suspends it."""
        ...

    async def policy(self, bucket: str) -> str:
        """The policy's JSON, empty for none."""
        ...

    async def set_policy(self, bucket: str, text: str) -> None:
        """Sets it; empty takes it away."""
        ...

    async def set_anonymous(self, bucket: str, access: Anonymous) -> None:
        """Lets everybody do something, or nothing."""
        ...

    async def lifecycle(self, bucket: str) -> str:
        """The rules as JSON, empty for none."""
        ...

    async def set_lifecycle(self, bucket: str, text: str) -> None:
        """Sets them; empty takes them away."""
        ...

    async def quota(self, bucket: str) -> int:
        """Bytes that a bucket may hold, 0 for any number; refused where the server is not MinIO."""
        ...

    async def set_quota(self, bucket: str, size: int) -> None:
        """Sets it; 0 takes it away."""
        ...

    async def locked(self, bucket: str) -> bool:
        """Whether the bucket was made with object lock."""
        ...

    async def set_hold(self, bucket: str, key: str, *, on: bool, version: str = "") -> None:
        """Puts a legal hold on a version, or takes it away."""
        ...

    async def set_retention(self, bucket: str, key: str, mode: str, until: dt.datetime, version: str = "") -> None:
        """Keeps a version from being deleted until a time (`GOVERNANCE` or `COMPLIANCE`)."""
        ...

    async def uploads(self, bucket: str, prefix: str) -> Sequence[tuple[Upload, int | None]]:
        """The incomplete multipart uploads, each with the bytes that it holds (None where they cannot be told)."""
        ...

    async def abort(self, bucket: str, upload: Upload) -> None:
        """Gives one up, with its parts."""
        ...

    def presign(self, method: str, bucket: str, key: str, seconds: int, endpoint: str) -> str:
        """A link that works without keys for a while; nothing is asked of the server."""
        ...

    async def dashboard(self) -> Sequence[Told]:
        """What an operator looks at."""
        ...

    async def close(self) -> None:
        """Ends it."""
        ...


class Stage(StrEnum):
    """Where a transfer stands."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer as it is now.

    Attributes:
        number: its name among others.
        title: `upload test.txt to my-bucket/`.
        files: how many are done, and of how many (None while they are still being found).
        done: bytes.
        total: bytes; None while not known.
        rate: bytes a second, of late.
        remaining: seconds; None while not known.
        problem: why it failed, or what became of parts of it.
        current: the file that moves, for the view of all.
    """

    number: int
    title: str
    stage: Stage
    done: int = 0
    total: int | None = None
    files: tuple[int, int | None] = (0, 1)
    rate: float = 0.0
    remaining: float | None = None
    problem: Problem | None = None
    current: str = ""


class Mover(Protocol):
    """Moves bytes, beside everything else."""

    def all(self) -> Sequence[Transfer]:
        """All transfers, the oldest first."""
        ...

    def upload(self, paths: Sequence[Path], bucket: str, prefix: str) -> None:
        """Files, or folders with all that is in them, below a prefix."""
        ...

    def download(self, bucket: str, keys: Sequence[tuple[str, str]], base: str, folder: Path) -> None:
        """Keys (those that end in `/`: all below them), each with its version, below a folder.

        Args:
            bucket: the bucket.
            keys: what to fetch.
            base: the prefix that does not become part of local names.
            folder: exists; nothing is ever written outside of it.
        """
        ...

    def pause(self, number: int) -> None:
        """Lets one rest, or go on."""
        ...

    def cancel(self, number: int) -> None:
        """Gives one up; what was half written goes."""
        ...

    def retry(self, number: int) -> None:
        """Begins one again that failed, where it stopped."""
        ...

    def forget(self) -> None:
        """Forgets those that are over."""
        ...

    @property
    def unfinished(self) -> int:
        """How many are not over."""
        ...

    def listen(self, heard: Callable[[Keys, FoundKeys], None]) -> None:
        """Has somebody told of keys that have taken the place of others, and of all that was found.

        Transfers go on with them: what a store refuses because its keys were changed is asked again once their Secret
        was read anew.
        """
        ...

    async def renew(self) -> bool:
        """Looks for keys that have taken the place of those that are used; whether there are any."""
        ...

    async def close(self) -> None:
        """Ends them; they can be resumed later."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A store that is connected, and what moves bytes for it."""

    client: Client
    mover: Mover
    keys: Keys

    async def close(self) -> None:
        """Ends both, the transfers first."""
        try:
            await self.mover.close()
        finally:
            await self.client.close()
