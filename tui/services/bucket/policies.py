"""What everybody may do with a bucket: read out of its policy, and written as one."""

from __future__ import annotations

import json
from typing import Any

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.model import Anonymous

_READ_BUCKET = {"s3:GetBucketLocation", "s3:ListBucket"}
_WRITE_BUCKET = {"s3:GetBucketLocation", "s3:ListBucketMultipartUploads"}
_WRITE = {"s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts"}
_READ = {"s3:GetObject"}
_EVERYBODY = ("*", ["*"], {"AWS": "*"}, {"AWS": ["*"]})


def policy_for(bucket: str, access: Anonymous) -> str:
    """The policy that `mc anonymous set` would write; empty for NONE.

    Args:
        bucket: its name is in it.
        access: NONE, READ, WRITE or BOTH.
    """
    if access is Anonymous.NONE:
        return ""
    on_bucket = (_READ_BUCKET if access is not Anonymous.WRITE else set()) | (
        _WRITE_BUCKET if access is not Anonymous.READ else set()
    )
    on_objects = (_READ if access is not Anonymous.WRITE else set()) | (
        _WRITE if access is not Anonymous.READ else set()
    )
    everybody = {"AWS": ["*"]}
    statements = [
        {"Effect": "Allow", "Principal": everybody, "Action": sorted(on_bucket),
         "Resource": [f"arn:aws:s3:::{bucket}"]},
        {"Effect": "Allow", "Principal": everybody, "Action": sorted(on_objects),
         "Resource": [f"arn:aws:s3:::{bucket}/*"]},
    ]  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)


def anonymous_of(policy: str, bucket: str) -> Anonymous:
    """What a policy lets everybody do. Anything that is allowed and is not one of the plain cases is CUSTOM."""
    if not policy.strip():
        return Anonymous.NONE
    try:
        told = json.loads(policy)
    except ValueError:
        return Anonymous.UNKNOWN
    allowed: set[str] = set()
    of_bucket = False
    whole = True
    for one in _statements(told):
        if one.get("Effect") != "Allow" or one.get("Principal") not in _EVERYBODY:
            whole = whole and one.get("Effect") == "Allow"  # a Deny takes away from what others allow
            continue
        resources = set(_several(one.get("Resource")))
        actions = set(_several(one.get("Action")))
        # NotAction and NotResource allow all but what they name.
        plain = not one.get("Condition") and bool(actions) and bool(resources)
        plain = plain and resources <= {f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"}
        whole = whole and plain
        of_bucket = True
        if f"arn:aws:s3:::{bucket}/*" in resources or not plain:
            allowed |= actions or {"s3:*"}
    if not allowed:  # who may do something with the bucket alone may list its keys, perhaps
        return Anonymous.CUSTOM if of_bucket else Anonymous.NONE
    if not whole:
        return Anonymous.CUSTOM
    reads = bool(allowed & {"s3:GetObject", "s3:*", "*"})
    writes = bool(allowed & {"s3:PutObject", "s3:*", "*"})
    return {(True, True): Anonymous.BOTH, (True, False): Anonymous.READ, (False, True): Anonymous.WRITE}.get(
        (reads, writes), Anonymous.CUSTOM
    )


def checked(text: str, bucket: str) -> str:
    """A policy that somebody has written, as it is sent.

    Raises:
        ProblemError: it is no JSON (with line and column), or no policy of this bucket.
    """
    try:
        told = json.loads(text)
    except ValueError as error:
        raise _wrong(f"The policy is no JSON: {error}") from error
    if not isinstance(told, dict) or not _statements(told):
        raise _wrong('A policy is an object with a list "Statement"', '{"Version": "2012-10-17", "Statement": [...]}')
    for number, one in enumerate(_statements(told), 1):
        for needed in ("Effect", "Action", "Resource"):
            if needed not in one and f"Not{needed}" not in one:
                raise _wrong(f"Statement {number} has no {needed}")
        if one.get("Effect") not in ("Allow", "Deny"):
            raise _wrong(f'Statement {number}: Effect is "Allow" or "Deny", not {one.get("Effect")!r}')
        for resource in _several(one.get("Resource")):
            name = str(resource).removeprefix("arn:aws:s3:::").partition("/")[0]
            if name not in (bucket, "*") and "*" not in name:
                raise _wrong(f"Statement {number} is about another bucket: {resource}",
                             f"arn:aws:s3:::{bucket} and arn:aws:s3:::{bucket}/* are this one's")  # fmt: skip
    return json.dumps(told)


def _wrong(what: str, evidence: str = "") -> ProblemError:
    return ProblemError(Problem(Cause.CONFIG, what, evidence, "Nothing was changed."))


def _statements(policy: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (whatever JSON holds)
    found = policy.get("Statement") if isinstance(policy, dict) else None
    return [one for one in _several(found) if isinstance(one, dict)]


def _several(value: Any) -> list[Any]:  # noqa: ANN401 (whatever JSON holds)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
