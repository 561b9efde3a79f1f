"""The console's lists to choose from: all that can be done here, credentials, what can be cleaned up."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tui.consoles.bucket import keeping, settings, views
from tui.consoles.menus import Item, choose, of_protection
from tui.screens.chooser import Choice
from tui.services.bucket.model import Anonymous

if TYPE_CHECKING:
    from tui.consoles.bucket.screen import BucketConsole


def actions(console: BucketConsole) -> None:
    """All that can be done with the bucket, or with the keys that are chosen."""
    if console.table.has_focus or not console.place.bucket:
        choose(console, f"Bucket {console.bucket.name}" if console.bucket is not None else "Buckets", _bucket(console))
    else:
        choose(console, console.place.text, _keys(console))


def _bucket(console: BucketConsole) -> list[Item]:
    items: list[Item] = [(Choice("make", "New bucket", "n"), console.action_make)]
    bucket = console.bucket
    if bucket is None:
        return items
    name = bucket.name
    return [
        (Choice("upload", "Upload into it", "u"), console.action_upload),
        (Choice("download", "Download all of it", "w"), console.action_download),
        (
            Choice("anonymous", "Who may read or write without keys", "public or private"),
            lambda: anonymous(console, name),
        ),
        (Choice("policy", "Policy", "view and change, as JSON"), lambda: settings.policy(console, name)),
        (Choice("versioning", "Versioning", "on, or suspended"), lambda: console.do(versioning(console, name))),
        (Choice("lifecycle", "Lifecycle", "what expires and when"), lambda: settings.lifecycle(console, name)),
        (Choice("quota", "Quota", "how much it may hold"), lambda: keeping.quota(console, name)),
        (Choice("tags", "Tags", "of the bucket"), lambda: settings.tags(console, name, "")),
        (Choice("count", "Count objects and bytes", "#"), console.action_count),
        (Choice("usage", "What takes the room", "largest folders first"), lambda: views.usage(console, name, "")),
        (Choice("uploads", "Incomplete uploads", "size, age, abort"), lambda: views.uploads(console, name)),
        *items,
        (Choice("remove", "Remove it", "D, with all that is in it"), console.action_delete),
    ]


def _keys(console: BucketConsole) -> list[Item]:
    chosen, place = console.chosen, console.place
    items: list[Item] = [(Choice("upload", "Upload here", "u"), console.action_upload)]
    one = chosen[0] if len(chosen) == 1 else None
    if one is not None and not one.folder and not one.deleted:
        items += [
            (Choice("preview", "Look at it", "enter: text, JSON, picture, bytes"), console.action_preview),
            (
                Choice("link", "Link that works without keys", "L: to download or upload, for a while"),
                console.action_link,
            ),
            (Choice("tags", "Tags", "of the object"), lambda: settings.tags(console, place.bucket, one.key)),
            (Choice("hold", "Legal hold", "on or off: kept until it is taken away"),
             lambda: console.do(keeping.hold(console, one))),
            (Choice("retention", "Retention", "kept until a day"), lambda: console.do(keeping.retention(console, one))),
        ]  # fmt: skip
    if one is not None and place.versions and not one.latest and not one.deleted:
        items.append((Choice("restore", "Restore this version", "copies it on top"),
                      lambda: console.do(settings.restore(console, one))))  # fmt: skip
    if one is not None and place.versions and one.deleted:
        items.append((Choice("undelete", "Take the delete marker away", "the version before is seen again"),
                      console.action_delete))  # fmt: skip
    if chosen and not all(each.deleted for each in chosen):
        items += [
            (Choice("download", "Download", "w"), console.action_download),
            (Choice("copy", "Copy", "c"), console.action_copy),
        ]
        if not place.versions:
            items.append((Choice("move", "Move or rename", "m"), console.action_move))
    if chosen:
        items += [
            (Choice("name", "Copy its name", "y"), console.action_copy_name),
        ]
    prefix = one.key if one is not None and one.folder else place.prefix
    items += [
        (Choice("search", "Search below here", "f"), console.action_search),
        (Choice("versions", "Old versions", "v: show them, or not"), console.action_versions),
        (Choice("count", "Count what is below", "#"), console.action_count),
        (Choice("usage", "What takes the room", "largest folders first"),
         lambda: views.usage(console, place.bucket, prefix)),
    ]  # fmt: skip
    if chosen:
        items.append((Choice("delete", "Delete", "D"), console.action_delete))
    return items


def connection(console: BucketConsole) -> None:
    """Whose keys, and whether changes are taken."""
    link = console.connection
    found = link.found.keys if link.found is not None else ()
    here = link.opened.keys if link.opened is not None else None
    items: list[Item] = []
    if found:
        items.append((Choice("show", "Show the credentials", "masked until you ask for them"),
                      lambda: views.credentials(console)))  # fmt: skip
    for at, keys in enumerate(found):
        current = here is not None and (keys.access, keys.secret) == (here.access, here.secret)
        items.append((Choice(f"as {at}", f"Use {keys.access}", keys.source, current),
                      partial(console.connect, keys)))  # fmt: skip
    items += [
        (Choice("other", "Use other keys", "typed, kept in memory only"), lambda: console.connect(as_other=True)),
        (Choice("again", "Connect anew", link.source), console.connect),
    ]
    choose(console, "Credentials", [*items, *of_protection(console)])


def anonymous(console: BucketConsole, bucket: str) -> None:
    """What everybody may do without keys."""
    known = console.browser.anonymous.get(bucket) if console.browser is not None else None
    words = {
        Anonymous.NONE: "only who has keys", Anonymous.READ: "anyone may list and download",
        Anonymous.WRITE: "anyone may upload", Anonymous.BOTH: "anyone may list, download and upload",
    }  # fmt: skip

    def set_to(access: Anonymous) -> None:
        console.do(_set_anonymous(console, bucket, access))

    items: list[Item] = [
        (Choice(access.value, access.value.capitalize(), said, access is known),
         partial(set_to, access))
        for access, said in words.items()
    ]  # fmt: skip
    choose(console, f"Without keys, in {bucket}", items)


async def _set_anonymous(console: BucketConsole, bucket: str, access: Anonymous) -> None:
    if not console.may_change():
        return
    browser = console.browser
    replaced = browser is not None and browser.anonymous.get(bucket) is Anonymous.CUSTOM
    if access is not Anonymous.NONE or replaced:
        does = [f"{bucket}: {access}, from wherever the store can be reached"] if access is not Anonymous.NONE else []
        does += ["replaces the policy that the bucket has"] if replaced else []
        if not await console.confirm(console.guard.held("Is this meant?", tuple(does), "do it", bucket)):
            return
    await console.client.set_anonymous(bucket, access)
    if browser is not None:
        browser.anonymous[bucket] = await console.client.anonymous(bucket)
    console.look()
    console.tell(f"{bucket}: {access}", "ready")


async def versioning(console: BucketConsole, bucket: str) -> None:
    """Enables or suspends versioning."""
    state = await console.client.versioning(bucket)
    items: list[Item] = [
        (Choice("on", "Enabled", "each upload makes a version; deleting hides", state == "Enabled"),
         lambda: console.do(_set_versioning(console, bucket, on=True))),
        (Choice("off", "Suspended", "versions that are there stay; it can never be taken away again",
                state == "Suspended"), lambda: console.do(_set_versioning(console, bucket, on=False))),
    ]  # fmt: skip
    choose(console, f"Versioning of {bucket}: {state or 'never switched on'}", items)


async def _set_versioning(console: BucketConsole, bucket: str, *, on: bool) -> None:
    if console.may_change():
        await console.client.set_versioning(bucket, on=on)
        console.tell(f"Versioning of {bucket}: {'enabled' if on else 'suspended'}", "ready")


def clean(console: BucketConsole) -> None:
    """Incomplete uploads, old versions, what takes the room."""
    place = console.place
    bucket = console.bucket.name if console.bucket is not None else place.bucket
    if not bucket:
        console.tell("There is no bucket to clean up", "warn")
        return
    prefix = place.prefix if bucket == place.bucket else ""
    choose(console, f"Clean up {bucket}/{prefix}", [
        (Choice("uploads", "Incomplete uploads", "size, age, abort"), lambda: views.uploads(console, bucket)),
        (Choice("old", "Old versions and delete markers", "all below here; mark and delete"),
         lambda: views.old_versions(console, bucket, prefix)),
        (Choice("usage", "What takes the room", "largest folders first"), lambda: views.usage(console, bucket, prefix)),
    ])  # fmt: skip
