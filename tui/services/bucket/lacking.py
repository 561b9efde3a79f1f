"""Servers that lack a part of S3: how that is noticed, and what keeps it from doing harm.

Some refuse what they do not know (501 NotImplemented). Others take no notice of a query that they do not know: to
`GET key?retention` they answer with the object, to `PUT key?retention` they put the question's document in the place
of the object, and `DELETE bucket?tagging` removes the bucket.
"""

from __future__ import annotations

from collections.abc import Mapping

from tui.problem import Cause, Problem
from tui.services.bucket.model import Exchange, Request, StoreError

#: Queries that ask for a setting, and not for what a bucket or a key holds.
SETTINGS = frozenset({
    "tagging", "retention", "legal-hold", "object-lock", "versioning", "policy", "lifecycle",
})  # fmt: skip
#: Queries without a value that say what a request is about.
_ABOUT = (*SETTINGS, "versions", "uploads", "delete")
_LISTING = b"<ListBucketResult"


def not_there(what: str) -> StoreError:
    """As a server refuses what it does not have, for one that takes no notice of what is asked.

    Args:
        what: as `GET shop/a.txt?retention`.
    """
    said = f"the server takes no notice of ?{what.rpartition('?')[2]}: it answered with something else"
    problem = Problem(Cause.REJECTED, f"The store does not know {what}", said, "This server does not have it.")
    return StoreError("NotImplemented", said, 501, problem)


def about(request: Request) -> str:
    """What a request is about, for people: `GET shop/?versions`."""
    asked = next((f"?{name}" for name in _ABOUT if name in request.query), "")
    where = f"{request.bucket}/{request.key}" if request.bucket else "/"
    return f"{request.method} {where}{asked}"


def is_object(headers: Mapping[str, str]) -> bool:
    """Whether an answer is an object: a setting has no ETag."""
    return any(name.lower() == "etag" for name in headers)


def is_listing(body: bytes) -> bool:
    """Whether an answer is a bucket's listing."""
    return _LISTING in body[:300]


async def check_known(exchange: Exchange, bucket: str, key: str, setting: str) -> None:
    """Asks for a setting before it is changed; whatever a server that knows it says to that is well.

    Args:
        exchange: asks.
        bucket: the bucket.
        key: the object's; empty for the bucket's setting.
        setting: one of `SETTINGS`.

    Raises:
        StoreError: NotImplemented: the server takes no notice of it, and nothing was sent that changes something.
        Lost: no answer came.
    """
    try:
        async with exchange.open(Request("GET", bucket, key, {setting: ""})) as answer:
            # An object may be of any size: only its headers are waited for.
            ignored = is_object(answer.headers) if key else is_listing(await answer.read())
    except StoreError:
        return  # it has none, or refuses: then it refuses the change, too, in its own words
    if ignored:
        raise not_there(f"{bucket}{f'/{key}' if key else ''}?{setting}")
