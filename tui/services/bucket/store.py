"""A connected store: everything that a console or a command asks of one, in one place."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket import deleting, health, listing, objects
from tui.services.bucket.lacking import not_there
from tui.services.bucket.model import (
    Anonymous,
    Bucket,
    Count,
    Detail,
    Entry,
    Facts,
    Failure,
    Keys,
    Lost,
    Page,
    Product,
    Progress,
    Request,
    Security,
    StoreError,
    Told,
    Upload,
)  # fmt: skip
from tui.services.bucket.opening import open_session
from tui.services.bucket.session import StoreSession
from tui.services.bucket.settings import Settings
from tui.services.way import Finder

#: Seconds for which a link may be good (S3's limit).
LONGEST_LINK = 7 * 86400
#: How many incomplete uploads are asked at once how much they hold.
_AT_ONCE = 8


class Store:
    """A store with one user's keys.

    Attributes:
        session: sends requests; an `Exchange`.
        settings: asks for and changes what is set.
    """

    def __init__(self, session: StoreSession) -> None:
        self.session = session
        self.settings = Settings(session)
        self._version = ""

    @property
    def facts(self) -> Facts:
        """What is known of it."""
        session = self.session
        return Facts(
            self.product, self._version, session.tls, session.keys.access, session.signer.region, session.signer.skew
        )

    @property
    def product(self) -> Product:
        """What the server says it is."""
        return health.product_of(self.session.server)

    async def close(self) -> None:
        """Ends the connections, and the way."""
        await self.session.close()

    # Looking.

    async def buckets(self) -> Sequence[Bucket]:
        """All of them, by name, with their sizes where the server tells."""
        found = await listing.buckets(self.session)
        if self.product is Product.MINIO and found:
            try:
                return health.sized(found, await self.settings.usage())
            except (StoreError, Lost, ProblemError):
                return found  # it wants an administrator
        return found

    async def page(self, bucket: str, prefix: str, more: str, *, deep: bool = False, versions: bool = False) -> Page:
        """The next piece of a listing; see `listing`."""
        if versions:
            return await listing.versions(self.session, bucket, prefix, more, deep=deep)
        return await listing.page(self.session, bucket, prefix, more, deep=deep)

    def pages(
        self, bucket: str, prefix: str, *, deep: bool = True, all_versions: bool = False
    ) -> AsyncIterator[Sequence[Entry]]:
        """All entries, page by page."""
        return listing.pages(self.session, bucket, prefix, deep=deep, all_versions=all_versions)

    async def count(self, bucket: str, prefix: str, progress: Progress, *, all_versions: bool = False) -> Count:
        """Counts what lies below a prefix, by listing it."""
        return await listing.count(self.session, bucket, prefix, progress, all_versions=all_versions)

    async def detail(self, bucket: str, key: str, version: str = "") -> Detail:
        """All that is known of an object."""
        return await objects.detail(self.session, self.settings, bucket, key, version)

    async def read(self, bucket: str, key: str, version: str, length: int) -> bytes:
        """The beginning of an object."""
        return await objects.read(self.session, bucket, key, version, length)

    async def dashboard(self) -> Sequence[Told]:
        """What an operator looks at."""
        told = await health.dashboard(self.session, self.settings, await self.buckets(), self.product)
        return [*health.clocks(self.facts), *told]

    async def learn(self) -> None:
        """Finds the version out; what cannot be known stays empty."""
        if self.product is not Product.MINIO:
            self._version = self.session.server.rpartition(" ")[2] if " " in self.session.server else ""
            return
        try:
            servers = (await self.settings.server()).get("servers") or [{}]
            self._version = str(servers[0].get("version", ""))
        except (StoreError, Lost, ProblemError):
            self._version = ""

    # Changing.

    async def make_bucket(self, bucket: str, *, versioning: bool = False, lock: bool = False) -> None:
        """Makes a bucket; one with object lock has versioning, too.

        Raises:
            StoreError: it was not made; or it was, and the server lacks what it should have had, which is said.
        """
        region = self.session.signer.region
        body = b""
        if region != "us-east-1":  # S3's default, which must not be named
            inner = f"<LocationConstraint>{escape(region)}</LocationConstraint>"
            body = f"<CreateBucketConfiguration>{inner}</CreateBucketConfiguration>".encode()
        headers = {"x-amz-bucket-object-lock-enabled": "true"} if lock else {}
        await self.session(Request("PUT", bucket, "", {}, headers, body))
        try:
            if lock and not await self.settings.locked(bucket):
                raise not_there(f"{bucket}?object-lock")
            if versioning and not lock:
                await self.settings.set_versioning(bucket, on=True)
        except StoreError as error:
            less = f"The bucket {bucket} was made, but without {'object lock' if lock else 'versioning'}"
            error.problem = replace(error.problem, what=less)
            raise

    async def remove_bucket(self, bucket: str) -> None:
        """Removes an empty bucket.

        Some servers remove one with all that is in it: it is looked at before.

        Raises:
            StoreError: BucketNotEmpty.
        """
        known = await listing.knows_versions(self.session, bucket)
        if (await self.page(bucket, "", "", deep=True, versions=known)).entries:
            said = "The bucket you tried to delete is not empty"
            raise StoreError("BucketNotEmpty", said, 409, Problem(
                Cause.REJECTED, f"The bucket {bucket} is not empty", f"BucketNotEmpty: {said}",
                "Remove it with its contents, or empty it first (versions and incomplete uploads count).",
            ))  # fmt: skip
        await self.session(Request("DELETE", bucket))

    async def delete(self, bucket: str, keys: Sequence[tuple[str, str]], progress: Progress) -> Sequence[Failure]:
        """Deletes keys, each with its version; without one it leaves a marker where there are versions."""
        return await deleting.delete(self.session, bucket, keys, progress)

    async def clear(self, bucket: str, prefix: str, progress: Progress, *, all_versions: bool) -> Sequence[Failure]:
        """Deletes all that lies below a prefix; with all versions also markers and incomplete uploads.

        What comes meanwhile was not meant: it stays, and is told.
        """
        # The server tells its time in whole seconds.
        begun = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.session.ahead + 1)
        return await deleting.clear(self.session, bucket, prefix, progress, begun=begun, all_versions=all_versions)

    async def copy(self, bucket: str, key: str, version: str, to_bucket: str, to_key: str) -> None:
        """Copies an object on the server."""
        await objects.copy(self.session, bucket, key, version, to_bucket, to_key)

    async def set_tags(self, bucket: str, key: str, tags: dict[str, str]) -> None:
        """Replaces the tags of an object, or of the bucket where the key is empty."""
        await self.settings.set_tags(bucket, key, tags)

    async def bucket_tags(self, bucket: str) -> dict[str, str]:
        """The tags of a bucket."""
        return await self.settings.bucket_tags(bucket)

    async def versioning(self, bucket: str) -> str:
        """`Enabled`, `Suspended`, or empty for never."""
        return await self.settings.versioning(bucket)

    async def set_versioning(self, bucket: str, *, on: bool) -> None:
        """Enables or suspends it."""
        await self.settings.set_versioning(bucket, on=on)

    async def policy(self, bucket: str) -> str:
        """The policy's JSON, empty for none."""
        return await self.settings.policy(bucket)

    async def set_policy(self, bucket: str, text: str) -> None:
        """Sets it; empty takes it away."""
        await self.settings.set_policy(bucket, text)

    async def anonymous(self, bucket: str) -> Anonymous:
        """What everybody may do; UNKNOWN where the policy may not be read."""
        try:
            return await self.settings.anonymous(bucket)
        except StoreError as error:
            if error.code == "AccessDenied" or error.lacking:
                return Anonymous.UNKNOWN
            raise

    async def set_anonymous(self, bucket: str, access: Anonymous) -> None:
        """Lets everybody do something, or nothing. It takes the place of the whole policy."""
        from tui.services.bucket.policies import policy_for  # noqa: PLC0415

        await self.settings.set_policy(bucket, policy_for(bucket, access))

    async def lifecycle(self, bucket: str) -> str:
        """The rules as JSON, empty for none."""
        return await self.settings.lifecycle(bucket)

    async def set_lifecycle(self, bucket: str, text: str) -> None:
        """Sets them; empty takes them away."""
        await self.settings.set_lifecycle(bucket, text)

    async def quota(self, bucket: str) -> int:
        """Bytes that a bucket may hold, 0 for any number.

        Raises:
            ProblemError: the server is not MinIO.
        """
        self._only_minio("quotas")
        return await self.settings.quota(bucket)

    async def set_quota(self, bucket: str, size: int) -> None:
        """Sets it; 0 takes it away. Raises as `quota`."""
        self._only_minio("quotas")
        await self.settings.set_quota(bucket, size)

    async def locked(self, bucket: str) -> bool:
        """Whether the bucket was made with object lock."""
        return await self.settings.locked(bucket)

    async def set_hold(self, bucket: str, key: str, *, on: bool, version: str = "") -> None:
        """Puts a legal hold on a version, or takes it away."""
        await self.settings.set_hold(bucket, key, on=on, version=version)

    async def set_retention(self, bucket: str, key: str, mode: str, until: dt.datetime, version: str = "") -> None:
        """Keeps a version from being deleted until a time (`GOVERNANCE` or `COMPLIANCE`)."""
        await self.settings.set_retention(bucket, key, mode, until, version)

    def _only_minio(self, what: str) -> None:
        # To another server the path of MinIO's admin API is an object in a bucket `minio`, which it would make.
        if self.product is not Product.MINIO:
            raise ProblemError(Problem(Cause.CONFIG, f"{self.product} has no {what} that can be asked for", "",
                                       "Only MinIO's admin API is known."))  # fmt: skip

    async def uploads(self, bucket: str, prefix: str) -> Sequence[tuple[Upload, int | None]]:
        """The incomplete multipart uploads, each with the bytes that it holds (None where they cannot be told)."""
        found = await listing.uploads(self.session, bucket, prefix)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def held(upload: Upload) -> int | None:
            async with gate:
                try:
                    return sum(part.size for part in await listing.parts(self.session, bucket, upload))
                except StoreError:
                    return None

        return list(zip(found, await asyncio.gather(*map(held, found)), strict=True))

    async def abort(self, bucket: str, upload: Upload) -> None:
        """Gives one up, with its parts."""
        await deleting.abort(self.session, bucket, upload)

    def presign(self, method: str, bucket: str, key: str, seconds: int, endpoint: str) -> str:
        """A link that works without keys for a while; nothing is asked of the server.

        Args:
            method: GET or PUT.
            bucket: where.
            key: what.
            seconds: for how long, at most seven days.
            endpoint: where others reach the store (`https://s3.example.com`): its name is signed with the link.

        Raises:
            ProblemError: the endpoint is no address that others could use, or the time is too long.
        """
        parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise _endpoint(
                f"{endpoint!r} is not the address of a store", "as https://s3.example.com or http://10.1.2.3:9000"
            )
        if not 0 < seconds <= LONGEST_LINK:
            raise _endpoint(f"A link is good for 1 s to 7 days, not for {seconds} s", "S3 allows no more")
        usual = {"http": 80, "https": 443}[parts.scheme]
        where = parts.hostname if parts.port in (None, usual) else f"{parts.hostname}:{parts.port}"
        return self.session.signer.presign(method, parts.scheme, where, bucket, key, seconds, {})


def _endpoint(what: str, evidence: str) -> ProblemError:
    return ProblemError(Problem(
        Cause.CONFIG, what, evidence,
        "Name the public address of the store: a link that is signed for a forward's address works nowhere else.",
    ))  # fmt: skip


async def open_store(finder: Finder, keys: Keys, security: Security, region: str = "", *, writes: bool = True) -> Store:
    """Connects to a store.

    Args:
        finder: finds the way.
        keys: who one is.
        security: how it is spoken to.
        region: empty to find out.
        writes: whether anything may be changed.

    Raises:
        StoreError: the store does not let this user in.
        ProblemError: it cannot be reached.
    """
    store = Store(await open_session(finder, keys, security, region, writes=writes))
    try:
        await store.learn()
    except BaseException:
        await store.close()
        raise
    return store
