"""What stores refuse, in their words and with what to do about it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from xml.etree import ElementTree

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.model import Keys, Request, StoreError

#: Of an answer that is no error document, as evidence.
_SHOWN = 300
_KEYS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken")
_REMEDIES = {
    "AccessDenied": "Another access key, or a policy that allows it, would do.",
    "BucketAlreadyExists": "Somebody else has a bucket of that name: choose another one.",
    "BucketAlreadyOwnedByYou": "It is yours already: there is nothing to do.",
    "BucketNotEmpty": "Remove it with its contents, or empty it first (versions and incomplete uploads count).",
    "InternalError": "The server's log tells more; SeaweedFS also says this when its disks are full.",
    "InvalidBucketName": "3 to 63 small letters, digits, dots and hyphens; it begins and ends with a letter or digit.",
    "KeyTooLongError": "A key has at most 1,024 bytes.",
    "NoSuchBucket": "It may have been removed; list the buckets anew.",
    "NoSuchKey": "It may have been removed; list the keys anew.",
    "NoSuchUpload": "It was completed or aborted by somebody else.",
    "NotImplemented": "This server does not have it.",
    "MethodNotAllowed": "This server does not have it, or the newest version is a delete marker.",
    "PreconditionFailed": "It was changed meanwhile.",
    "QuotaExceeded": "Raise the bucket's quota, or remove something.",
    "RequestTimeTooSkewed": "Set this machine's clock, or the server's.",
    "SlowDown": "The server has too much to do; try again later.",
    "XMinioInvalidObjectName": "MinIO keeps objects as files: two slashes in a row cannot be in a key, nor 256 bytes"
    " between two of them.",
    "XMinioInvalidResourceName": "MinIO keeps objects as files: . and .. cannot stand between the slashes of a key.",
    "XMinioStorageFull": "The server's drives are full: remove something, or enlarge them.",
    "InsufficientStorage": "The server's drives are full: remove something, or enlarge them.",
    "EntityTooLarge": "One request carries 5 GiB at most; larger objects go in parts.",
    "XMinioServerNotInitialized": "The server still starts, or has too few drives.",
    "InvalidObjectState": "It lies in an archive, and must be restored first.",
    "ObjectLocked": "A retention or a legal hold keeps it.",
}
_BY_STATUS = {403: "AccessDenied", 404: "NoSuchKey", 405: "MethodNotAllowed", 412: "PreconditionFailed",
              429: "SlowDown", 501: "NotImplemented", 503: "SlowDown", 507: "InsufficientStorage"}  # fmt: skip
_CAUSES = {401: Cause.CREDENTIALS, 403: Cause.FORBIDDEN, 404: Cause.ABSENT, 429: Cause.THROTTLED}


def store_error(
    status: int, headers: Mapping[str, str], body: bytes, what: str, keys: Keys, *, bucket_only: bool = False
) -> StoreError:
    """The refusal of a request.

    Args:
        status: of HTTP.
        headers: of the answer.
        body: the error document; nothing for HEAD.
        what: what was asked, in words (`GET shop/a.txt`).
        keys: with which.
        bucket_only: no key was asked for: 404 without a document is the bucket's.
    """
    code, message = said(body)
    code = code or headers.get("x-minio-error-code", "")
    message = message or headers.get("x-minio-error-desc", "").strip('"')
    if not code:
        code = "NoSuchBucket" if status == 404 and bucket_only else _BY_STATUS.get(status, f"HTTP {status}")
        if not message and body and b"<Error" not in body:
            message = body[:_SHOWN].decode("utf-8", "replace")
    if code in _KEYS:
        problem = Problem(
            Cause.CREDENTIALS, f"The store does not know these keys ({what})", f"{code}: {message}",
            f"They came from {keys.source or 'nowhere'}; they may have been changed since.",
        )  # fmt: skip
    else:
        cause = Cause.SERVER if status >= 500 else _CAUSES.get(status, Cause.REJECTED)
        words = f"{code}: {message}" if message else code
        problem = Problem(cause, f"The store refused {what}", words, _REMEDIES.get(code, ""))
    return StoreError(code, message, status, problem)


def certificate_problem(error: BaseException | None, where: str) -> Problem | None:
    """What it means that a certificate was not accepted; None when the error is about something else.

    Args:
        error: what a client raised; what it was raised from is looked through, too.
        where: whose certificate it is.
    """
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__
    if error is None:
        return None
    return Problem(
        Cause.CREDENTIALS, f"The certificate of {where} is not what it should be", error.verify_message or str(error),
        "It may be expired, made for another name, or by another authority than the workload's Secret has.",
    )  # fmt: skip


def check_key(server: str, request: Request) -> None:
    """Refuses a key that the server would take for another one: what has that name would be replaced, or deleted.

    MinIO takes the slash away with which a key begins (seen with the source of 2026-02).

    Args:
        server: its Server header.
        request: before it is sent.

    Raises:
        ProblemError: REJECTED.
    """
    if request.key.startswith("/") and server.lower().startswith("minio"):
        raise ProblemError(Problem(
            Cause.REJECTED, f"{request.method} {request.bucket}/{request.key} was not sent",
            f"MinIO has no keys that begin with a slash: it would take {request.key.lstrip('/')} for what is meant",
            "Leave the slash out.",
        ))  # fmt: skip


def said(body: bytes) -> tuple[str, str]:
    """Code and message of an error document; empty when it is none."""
    if b"<Error" not in body[:_SHOWN]:
        return "", ""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 (expat refuses entity bombs since 2.4.1)
    except ElementTree.ParseError:
        return "", ""
    found = {one.tag.rpartition("}")[2]: one.text or "" for one in root}
    return found.get("Code", ""), found.get("Message", "")
