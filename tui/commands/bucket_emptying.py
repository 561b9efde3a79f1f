"""`rb --force` and `rm --recursive`: what a bucket holds, told before it goes, and what no listing has told."""

from __future__ import annotations

from collections.abc import Sequence

from tui.commands.amounts import size
from tui.commands.bucket_counter import Counter
from tui.commands.bucket_places import StorePlace
from tui.commands.remarks import note
from tui.services.bucket.model import NOT_LISTED, Failure, Product
from tui.services.bucket.store import Store
from tui.text import counted

_OLD = ("older version or marker", "older versions and markers")
_ALL = ("object, version or marker", "objects, versions and markers")


async def empty(store: Store, bucket: str, *, dry: bool) -> Sequence[Failure]:
    """Deletes all that is in a bucket.

    Args:
        store: has it.
        bucket: its name.
        dry: only tells what there is.

    Returns:
        What is still there.
    """
    with Counter(f"counting what is in {bucket}") as counter:
        count = await store.count(bucket, "", counter, all_versions=True)
    what = (
        counted(count.objects, "object"),
        "older versions unknown: the server does not list them" if count.versions is None
        else counted(count.versions, *_OLD),
        "incomplete uploads unknown" if count.uploads is None else counted(count.uploads, "incomplete upload"),
        size(count.size + count.old_size),
    )  # fmt: skip
    note(f"{bucket} holds {', '.join(what)}")
    if count.objects and store.product is Product.MINIO:
        note(f"not counted are {NOT_LISTED}; they go, too")
    if dry:
        return ()
    with Counter(f"deleting what is in {bucket}") as counter:
        failures = await store.clear(bucket, "", counter, all_versions=True)
    # MinIO lists no `a/b` while there is an `a`: what was deleted may be more than what was counted.
    note(f"{bucket}: deleted {counted(counter.done, *_ALL)}")
    return failures


async def tell_hidden(store: Store, where: StorePlace, *, dry: bool) -> None:
    """Says of a deletion of all below a place what was not listed, and so neither told nor removed.

    Args:
        store: has it.
        where: below it.
        dry: nothing was removed.
    """
    if store.product is not Product.MINIO:
        return
    if dry:
        note(f"not told are {NOT_LISTED}: they stay when these are removed, and are listed then")
        return
    page = await store.page(where.bucket, where.key, "", deep=True)
    if page.entries:
        many = f"{len(page.entries):,}{' and more' if page.more else ''}"
        note(f"{many} below {where.text} came to light, and stay: {NOT_LISTED}; the same command removes them")
