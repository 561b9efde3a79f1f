"""What the console changes: buckets and keys. Each thing says first what goes with it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from tui.consoles.bucket.browser import Place
from tui.consoles.bucket.details import summed
from tui.consoles.bucket.moves import wrong
from tui.consoles.bucket.progress import show_progress
from tui.consoles.bucket.words import size
from tui.consoles.dialogs import TextDialog
from tui.consoles.forms import Field, Form
from tui.screens.chooser import Choice
from tui.services.bucket.model import NOT_LISTED, Count, Failure, Product, Progress, StoreError
from tui.text import counted, safe
from tui.widgets.lines import Line

if TYPE_CHECKING:
    from tui.consoles.bucket.browsing import BrowsingScreen
    from tui.services.bucket.model import Entry

T = TypeVar("T")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
#: Failures that are listed one by one.
LISTED = 20


def check_name(name: str) -> str:
    """A bucket's name as S3 takes it.

    Raises:
        ProblemError: it cannot be one; says which rule.
    """
    if not 3 <= len(name) <= 63:
        raise wrong(f"“{name}” has {counted(len(name), 'character')}", "A bucket's name has 3 to 63.")
    if not _NAME.fullmatch(name):
        rule = "Lower-case letters, digits, dots and hyphens; the first and the last is a letter or a digit."
        raise wrong(f"“{name}” is no name for a bucket", rule)
    if ".." in name or ".-" in name or "-." in name:
        raise wrong(f"“{name}” is no name for a bucket", "No dot stands beside another or beside a hyphen.")
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return name
    raise wrong(f"“{name}” is an IP address", "A bucket cannot be called like one.")


def make_bucket(console: BrowsingScreen) -> None:
    """Asks for its name, and what cannot be changed later."""
    if not console.may_change():
        return
    answers = [Choice("no", "no"), Choice("yes", "yes")]

    def done(typed: Mapping[str, str]) -> None:
        name = check_name(typed["name"].strip())
        lock, versions = typed["object lock"].startswith("y"), typed["versioning"].startswith("y")
        console.do(_make(console, name, versioning=versions or lock, lock=lock))

    def offers(typed: str) -> list[Choice]:
        return [one for one in answers if one.value != typed]

    told = (Line((("Object lock cannot be switched on later, nor off; it brings versioning with it.", "dim"),)),)
    fields = [Field("name", hint="my-bucket"), Field("versioning", "no", offer=offers),
              Field("object lock", "no", offer=offers)]  # fmt: skip
    console.app.push_screen(Form("New bucket", fields, done, word="make it", told=told))


async def _make(console: BrowsingScreen, name: str, *, versioning: bool, lock: bool) -> None:
    try:
        await console.client.make_bucket(name, versioning=versioning, lock=lock)
        console.tell(f"Bucket {name} made", "ready")
    except StoreError as error:
        if not error.lacking:
            raise
        console.fail(error)  # it was made all the same, without what the server lacks
    if console.browser is not None:
        await console.browser.load()
        console.look()
        if name not in {one.name for one in console.browser.buckets}:
            return
        if not console.table.move_to(name):
            console.pane.drop_filter()  # which its name does not hold
            console.table.move_to(name)
        console.go(Place(name))


async def remove_bucket(console: BrowsingScreen) -> None:
    """Counts what goes with it, asks, deletes it with progress."""
    bucket = console.bucket
    if bucket is None or not console.may_change():
        return
    name = bucket.name
    count = await show_progress(
        console, f"Counting what is in {name}", "keys",
        lambda told: console.client.count(name, "", told, all_versions=True),
    )  # fmt: skip
    if count is None:
        return
    does = (f"removes bucket {name}", *_goes(count))
    if console.client.facts.product is Product.MINIO and count.objects:
        does = (*does, f"and {NOT_LISTED}")
    question = console.guard.held(f"Remove {name}?", does, "remove", name, always=bool(count.objects or count.versions))
    if not await console.confirm(question):
        return
    failures: Sequence[Failure] | None = ()
    if count.objects or count.versions or count.uploads:
        failures = await show_progress(
            console, f"Deleting what is in {name}", "keys",
            lambda told: console.client.clear(name, "", told, all_versions=True),
        )  # fmt: skip
    if failures is None:
        console.tell(f"Given up: what was deleted of {name} until then is gone", "warn")
    elif failures:
        tell_failures(console, failures)
    else:
        await console.client.remove_bucket(name)
        console.tell(f"Bucket {name} removed", "ready")
        if console.browser is not None and console.browser.place.bucket == name:
            console.browser.listing, console.browser.place = None, Place()
    await console.reload()


def _goes(count: Count) -> tuple[str, ...]:
    """What goes, as far as it was counted."""
    told = [f"with {counted(count.objects, 'object')}, {size(count.size)}" if count.objects else "it holds no objects"]
    if count.versions:
        told.append(
            f"and {counted(count.versions, 'older version')} (delete markers among them), {size(count.old_size)}"
        )
    if count.versions is None:
        told.append("older versions are not known of: the server does not list them")
    if count.uploads:
        told.append(f"and {counted(count.uploads, 'incomplete upload')}")
    if count.uploads is None:
        told.append("incomplete uploads could not be counted")
    return tuple(told)


async def delete(console: BrowsingScreen) -> None:
    """Deletes what is marked, or under the cursor; folders with all that is below them."""
    chosen, place = console.chosen, console.place
    if not chosen or not console.may_change():
        return
    folders = [one for one in chosen if one.folder]
    files = [one for one in chosen if not one.folder]
    versioned = place.versions
    stays = await _what_stays(console, place.bucket) if not versioned else "that cannot be undone"
    does = [f"deletes {summed(chosen)} of {place.bucket}"]
    if len(files) == 1 and not folders:
        does = [f"deletes {'this version of ' if versioned else ''}{safe(files[0].key)}, {size(files[0].size or 0)}"]
        if files[0].deleted:
            does = [f"takes the delete marker of {safe(files[0].key)} away", *_seen_again(files[0])]
    for one in folders:
        count = await show_progress(console, f"Counting {safe(one.key)}", "keys", _counting(console, one.key))
        if count is None:
            return
        does.append(f"below {safe(one.key)}: {counted(count.objects, 'object')}, {size(count.size)}")
    if folders and console.client.facts.product is Product.MINIO:
        does.append(f"and, below {'it' if len(folders) == 1 else 'them'}, {NOT_LISTED}")
    if not all(one.deleted for one in chosen):
        does.append(stays)
    name = chosen[0].key if len(chosen) == 1 else place.bucket
    if not await console.confirm(console.guard.held("Delete?", tuple(does), "delete", name)):
        return
    keys = [(one.key, one.version if versioned else "") for one in files]
    work = [_deleting(console, keys), *(_clearing(console, one.key) for one in folders)] if keys else [
        _clearing(console, one.key) for one in folders
    ]  # fmt: skip
    failures: list[Failure] = []
    for each in work:
        done = await show_progress(console, "Deleting", "keys", each)
        if done is None:
            console.tell("Given up: what was deleted until then is gone", "warn")
            break
        failures += done
    else:
        if not failures:
            console.tell(f"Deleted: {summed(chosen)}", "ready")
    if failures:
        tell_failures(console, failures)
    await console.reload()


async def _what_stays(console: BrowsingScreen, bucket: str) -> str:
    """What a deletion without a version leaves. Whether it may be asked for is no reason not to delete."""
    try:
        keeps = await console.client.versioning(bucket) == "Enabled"
    except StoreError as error:
        if error.lacking:
            return "that cannot be undone: the server has no versions"
        return f"whether older versions stay is not known: {error.problem.evidence}"
    return "a delete marker hides it, older versions stay" if keeps else "that cannot be undone"


def _seen_again(marker: Entry) -> tuple[str, ...]:
    """What comes of a delete marker's end: only the newest one hides anything."""
    return ("the version before is seen again",) if marker.latest else ()


#: Does something and tells how far it is.
Work: TypeAlias = Callable[[Progress], Awaitable[T]]


def _counting(console: BrowsingScreen, prefix: str) -> Work[Count]:
    bucket = console.place.bucket
    return lambda told: console.client.count(bucket, prefix, told)


def _clearing(console: BrowsingScreen, prefix: str) -> Work[Sequence[Failure]]:
    bucket = console.place.bucket
    return lambda told: console.client.clear(bucket, prefix, told, all_versions=False)


def _deleting(console: BrowsingScreen, keys: Sequence[tuple[str, str]]) -> Work[Sequence[Failure]]:
    bucket = console.place.bucket
    return lambda told: console.client.delete(bucket, keys, told)


def tell_failures(console: BrowsingScreen, failures: Sequence[Failure]) -> None:
    """Names what was not done, with the store's words."""
    lines = [f"{safe(one.key)}{f' ({one.version})' if one.version else ''}: {one.said}" for one in failures[:LISTED]]
    if len(failures) > LISTED:
        lines.append(f"… and {len(failures) - LISTED:,} more")
    console.app.push_screen(TextDialog(f"{counted(len(failures), 'key')} could not be deleted", "\n".join(lines)))


def copy(console: BrowsingScreen, *, move: bool) -> None:
    """Copies what is chosen to another name, folder or bucket of the same store."""
    chosen, place = console.chosen, console.place
    if not chosen or not console.may_change():
        return
    if any(one.deleted for one in chosen):
        console.tell("A delete marker has nothing to copy", "warn")
        return
    if move and place.versions:
        # The key that a move takes away would be the newest version, which nobody has named.
        console.tell("Old versions are not moved: copy one, or go back to the newest ones with v", "warn")
        return
    if any(one.folder for one in chosen):
        console.tell("Folders are copied with statetui bucket cp --recursive; mark the keys in one here", "warn")
        return
    one = chosen[0] if len(chosen) == 1 else None
    target = one.key if one is not None else place.prefix
    word = "move" if move else "copy"
    buckets = [
        Choice(each.name, each.name) for each in (console.browser.buckets if console.browser is not None else ())
    ]

    def done(typed: Mapping[str, str]) -> None:
        bucket, to = typed["bucket"].strip(), typed["key" if one is not None else "below"]
        if bucket not in {each.value for each in buckets}:
            raise wrong(f"There is no bucket “{bucket}”")
        if one is not None and not to:
            raise wrong("A key is needed")
        pairs = [(each, to if one is not None else to + each.key.removeprefix(place.prefix)) for each in chosen]
        if bucket == place.bucket and any(each.key == name and not each.version for each, name in pairs):
            raise wrong("That is where it is")
        console.do(_copy(console, pairs, bucket, move=move))

    def offers(typed: str) -> list[Choice]:
        return [each for each in buckets if typed in each.value and typed != each.value]

    fields = [Field("bucket", place.bucket, offer=offers), Field("key" if one is not None else "below", target)]
    told = (Line((("The server copies it; what stands there under that name is replaced.", "dim"),)),)
    console.app.push_screen(Form(f"{word.title()} {summed(chosen)}", fields, done, word=word, told=told))


async def _copy(console: BrowsingScreen, pairs: Sequence[tuple[Entry, str]], bucket: str, *, move: bool) -> None:
    place = console.place
    there: list[str] = []
    for _, name in pairs:
        page = await console.client.page(bucket, name, "", deep=True)
        there += [name for one in page.entries[:1] if one.key == name]
    if there:
        does = (f"replaces {counted(len(there), 'object')} of {bucket}: {safe(there[0])}{' …' if there[1:] else ''}",)
        if not await console.confirm(console.guard.held("Replace?", does, "replace", bucket)):
            return

    failures: list[Failure] = []

    async def work(told: Progress) -> int:
        for at, (one, name) in enumerate(pairs):
            await console.client.copy(place.bucket, one.key, one.version if place.versions else "", bucket, name)
            if move:  # only what was copied goes, each once its copy is there
                failures.extend(await console.client.delete(place.bucket, [(one.key, "")], lambda *_: None))
            told(at + 1, len(pairs))
        return len(pairs)

    count = await show_progress(console, "Moving" if move else "Copying", "objects", work, total=len(pairs))
    if failures:
        tell_failures(console, failures)
    elif count is not None:
        console.tell(f"{counted(count, 'object')} {'moved' if move else 'copied'} to {bucket}", "ready")
    await console.reload()
