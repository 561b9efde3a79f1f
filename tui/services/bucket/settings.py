"""What is set for buckets and objects (versioning, tags, lifecycle, locks, quota), asked through the client library.

It goes over the session's own connections. Its errors become ours; its uploads, downloads and listings are not used.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from miniopy_async.api import Minio
from miniopy_async.commonconfig import COMPLIANCE, GOVERNANCE, Tags
from miniopy_async.credentials.providers import StaticProvider
from miniopy_async.error import InvalidResponseError, MinioAdminException, S3Error, ServerError
from miniopy_async.lifecycleconfig import LifecycleConfig
from miniopy_async.minioadmin import MinioAdmin
from miniopy_async.retention import Retention
from miniopy_async.versioningconfig import VersioningConfig
from miniopy_async.xml import marshal, unmarshal

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket import lacking, policies
from tui.services.bucket.documents import to_json, to_xml
from tui.services.bucket.errors import said, store_error
from tui.services.bucket.model import Anonymous, Lost
from tui.services.bucket.resigning import Resigning

if TYPE_CHECKING:
    from tui.services.bucket.session import StoreSession

#: What says that there is nothing, and is no failure.
_NONE = ("NoSuchBucketPolicy", "NoSuchTagSet", "NoSuchLifecycleConfiguration", "NoSuchObjectLockConfiguration",
         "ObjectLockConfigurationNotFoundError", "NoSuchTagSetError", "InvalidRequest")  # fmt: skip


class Settings:
    """Asks and changes settings."""

    def __init__(self, session: StoreSession) -> None:
        keys = session.keys
        self._session = session
        client = cast("aiohttp.ClientSession", Resigning(session))
        self._minio = Minio(
            session.host, access_key=keys.access, secret_key=keys.secret, session_token=keys.token or None,
            secure=session.https, region=session.signer.region, session=client,
        )  # fmt: skip
        self._admin = MinioAdmin(
            session.host, StaticProvider(keys.access, keys.secret, keys.token or None),
            region=session.signer.region, secure=session.https, session=client,
        )  # fmt: skip

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        method, _, rest = what.partition(" ")
        self._session.allow(method, rest)
        try:
            yield
        except S3Error as error:
            document = f"<Error><Code>{error.code}</Code><Message></Message></Error>".encode()
            refused = store_error(error.response.status, {}, document, what, self._session.keys)
            refused.message = error.message or ""
            evidence = f"{error.code}: {error.message}" if error.message else str(error.code)
            refused.problem = Problem(refused.problem.cause, refused.problem.what, evidence, refused.problem.remedy)
            raise refused from error
        except MinioAdminException as error:
            status, words = _admin_words(error)
            document = f"<Error><Code>{words[0]}</Code></Error>".encode()
            refused = store_error(status, {}, document, what, self._session.keys)
            refused.message = words[1]
            refused.problem = Problem(
                refused.problem.cause, refused.problem.what, f"{words[0]}: {words[1]}", refused.problem.remedy
            )
            raise refused from error
        except InvalidResponseError as error:  # a proxy's page, in most cases
            raise store_error(error._code, {}, str(error._body or "").encode(), what, self._session.keys) from error
        except ServerError as error:
            raise store_error(error.status_code, {}, b"", what, self._session.keys) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            ended = self._session.way.ended()
            raise Lost(ended or Problem(Cause.UNREACHABLE, f"The connection went ({what})", str(error))) from error
        except ValueError as error:  # the library checks before it sends
            wrong = Problem(Cause.CONFIG, f"{what} was not sent", str(error), "Nothing was changed.")
            raise ProblemError(wrong) from error

    async def versioning(self, bucket: str) -> str:
        """`Enabled`, `Suspended`, or empty for never."""
        with self._told(f"GET {bucket}?versioning"):
            status = (await self._minio.get_bucket_versioning(bucket)).status
        return "" if status == "Off" else status

    async def set_versioning(self, bucket: str, *, on: bool) -> None:
        """Enables or suspends it."""
        with self._told(f"PUT {bucket}?versioning"):
            await lacking.check_known(self._session, bucket, "", "versioning")
            await self._minio.set_bucket_versioning(bucket, VersioningConfig("Enabled" if on else "Suspended"))

    async def bucket_tags(self, bucket: str) -> dict[str, str]:
        """The tags of a bucket."""
        with self._told(f"GET {bucket}?tagging"):
            return dict(await self._minio.get_bucket_tags(bucket) or {})

    async def object_tags(self, bucket: str, key: str, version: str = "") -> dict[str, str]:
        """The tags of an object."""
        with self._told(f"GET {bucket}/{key}?tagging"):
            return dict(await self._minio.get_object_tags(bucket, key, version or None) or {})

    async def set_tags(self, bucket: str, key: str, tags: dict[str, str], version: str = "") -> None:
        """Replaces the tags of an object, or of the bucket where the key is empty.

        Raises:
            ProblemError: a key or value is too long or has characters that tags cannot have.
        """
        with self._told(f"PUT {bucket}/{key}?tagging"):
            await lacking.check_known(self._session, bucket, key, "tagging")
            made = Tags.new_object_tags() if key else Tags.new_bucket_tags()
            made.update(tags)
            if key:
                if tags:
                    await self._minio.set_object_tags(bucket, key, made, version or None)
                else:
                    await self._minio.delete_object_tags(bucket, key, version or None)
            elif tags:
                await self._minio.set_bucket_tags(bucket, made)
            else:
                await self._minio.delete_bucket_tags(bucket)

    async def policy(self, bucket: str) -> str:
        """The policy's JSON, empty for none."""
        try:
            with self._told(f"GET {bucket}?policy"):
                return str(await self._minio.get_bucket_policy(bucket))
        except Exception as error:
            if getattr(error, "code", "") in _NONE:
                return ""
            raise

    async def set_policy(self, bucket: str, text: str) -> None:
        """Sets it; empty takes it away.

        Raises:
            ProblemError: it is no policy.
        """
        with self._told(f"PUT {bucket}?policy"):
            await lacking.check_known(self._session, bucket, "", "policy")
            if text.strip():
                await self._minio.set_bucket_policy(bucket, policies.checked(text, bucket))
            else:
                await self._minio.delete_bucket_policy(bucket)

    async def anonymous(self, bucket: str) -> Anonymous:
        """What everybody may do."""
        return policies.anonymous_of(await self.policy(bucket), bucket)

    async def lifecycle(self, bucket: str) -> str:
        """The rules as JSON, empty for none."""
        with self._told(f"GET {bucket}?lifecycle"):
            found = await self._minio.get_bucket_lifecycle(bucket)
        return to_json(marshal(found)) if found is not None else ""

    async def set_lifecycle(self, bucket: str, text: str) -> None:
        """Sets them; empty takes them away.

        Raises:
            ProblemError: they are no rules.
        """
        with self._told(f"PUT {bucket}?lifecycle"):
            await lacking.check_known(self._session, bucket, "", "lifecycle")
            if not text.strip():
                await self._minio.delete_bucket_lifecycle(bucket)
                return
            config: LifecycleConfig = unmarshal(LifecycleConfig, to_xml(text, "LifecycleConfiguration"))
            await self._minio.set_bucket_lifecycle(bucket, config)

    async def retention(self, bucket: str, key: str, version: str = "") -> tuple[str, dt.datetime] | None:
        """(mode, until), None for none."""
        with self._told(f"GET {bucket}/{key}?retention"):
            found = await self._minio.get_object_retention(bucket, key, version or None)
        return (found.mode, found.retain_until_date) if found is not None else None

    async def set_retention(self, bucket: str, key: str, mode: str, until: dt.datetime, version: str = "") -> None:
        """Keeps a version from being deleted until a time (`GOVERNANCE` or `COMPLIANCE`)."""
        with self._told(f"PUT {bucket}/{key}?retention"):
            if mode not in (GOVERNANCE, COMPLIANCE):
                raise ValueError(f"a retention's mode is {GOVERNANCE} or {COMPLIANCE}")
            await lacking.check_known(self._session, bucket, key, "retention")
            await self._minio.set_object_retention(bucket, key, Retention(mode, until), version or None)

    async def hold(self, bucket: str, key: str, version: str = "") -> bool:
        """Whether a legal hold keeps a version."""
        with self._told(f"GET {bucket}/{key}?legal-hold"):
            return bool(await self._minio.is_object_legal_hold_enabled(bucket, key, version or None))

    async def set_hold(self, bucket: str, key: str, *, on: bool, version: str = "") -> None:
        """Puts a legal hold on a version, or takes it away."""
        with self._told(f"PUT {bucket}/{key}?legal-hold"):
            await lacking.check_known(self._session, bucket, key, "legal-hold")
            change = self._minio.enable_object_legal_hold if on else self._minio.disable_object_legal_hold
            await change(bucket, key, version or None)

    async def locked(self, bucket: str) -> bool:
        """Whether the bucket was made with object lock."""
        try:
            with self._told(f"GET {bucket}?object-lock"):
                await self._minio.get_object_lock_config(bucket)
        except Exception as error:
            if getattr(error, "code", "") in _NONE:
                return False
            raise
        return True

    async def quota(self, bucket: str) -> int:
        """Bytes that a bucket may hold, 0 for any number. MinIO only; it wants an administrator."""
        with self._told(f"GET the quota of {bucket}"):
            return int(json.loads(await self._admin.bucket_quota_get(bucket)).get("quota", 0))

    async def set_quota(self, bucket: str, size: int) -> None:
        """Sets it; 0 takes it away. MinIO only; it wants an administrator."""
        with self._told(f"PUT the quota of {bucket}"):
            if size:
                await self._admin.bucket_quota_set(bucket, size)
            else:
                await self._admin.bucket_quota_clear(bucket)

    async def server(self) -> dict[str, Any]:
        """What MinIO tells its administrators of itself: servers, drives, usage."""
        with self._told("GET the server's information"):
            found: dict[str, Any] = json.loads(await self._admin.info())
        return found

    async def usage(self) -> dict[str, Any]:
        """What MinIO counted when it last looked: objects and bytes of each bucket."""
        with self._told("GET the usage"):
            found: dict[str, Any] = json.loads(await self._admin.get_data_usage_info())  # type: ignore[no-untyped-call]
        return found


def _admin_words(error: MinioAdminException) -> tuple[int, tuple[str, str]]:
    """Status, code and words of a refusal of the admin API, which answers with JSON, or with S3's XML."""
    code, body = str(error._code), str(error._body)
    status = int(code) if code.isdigit() else 500
    try:
        told = json.loads(body)
    except ValueError:
        found = said(body.encode())
        return status, (found[0] or f"HTTP {status}", found[1] or body[:200])
    return status, (str(told.get("Code", f"HTTP {status}")), str(told.get("Message", "")))
