"""What the console shows on screens of their own, and how they are opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tui.consoles.bucket.browser import Place
from tui.consoles.bucket.links import LinkView, seconds_of
from tui.consoles.bucket.moves import wrong
from tui.consoles.bucket.progress import show_progress
from tui.consoles.bucket.words import size
from tui.consoles.forms import Field, Form
from tui.screens.chooser import Choice
from tui.text import counted, safe
from tui.widgets.lines import Line

if TYPE_CHECKING:
    from tui.consoles.bucket.browsing import BrowsingScreen
    from tui.services.bucket.model import Entry


def preview(console: BrowsingScreen, entry: Entry) -> None:
    """An object's beginning."""
    from tui.consoles.bucket.preview import Preview  # noqa: PLC0415  (not needed to start)

    version = entry.version if console.place.versions else ""
    console.app.push_screen(Preview(console.client, console.place.bucket, entry, version))


def dashboard(console: BrowsingScreen) -> None:
    """What an operator looks at."""
    from tui.consoles.bucket.dashboard import Dashboard  # noqa: PLC0415

    console.app.push_screen(Dashboard(console.client, console.workload_name))


def transfers(console: BrowsingScreen) -> None:
    """All transfers."""
    from tui.consoles.bucket.transfersview import TransfersView  # noqa: PLC0415

    console.app.push_screen(TransfersView(console.mover))


def uploads(console: BrowsingScreen, bucket: str) -> None:
    """Uploads that were begun and neither completed nor given up."""
    from tui.consoles.bucket.uploads import Uploads  # noqa: PLC0415

    console.app.push_screen(Uploads(console, bucket))


def usage(console: BrowsingScreen, bucket: str, prefix: str) -> None:
    """What takes the room, as a tree."""
    from tui.consoles.bucket.usage import Usage  # noqa: PLC0415

    console.app.push_screen(Usage(console.client, bucket, prefix))


def credentials(console: BrowsingScreen) -> None:
    """Whose keys were found, masked until somebody asks."""
    from tui.consoles.bucket.credentials import CredentialsView  # noqa: PLC0415

    if console.connection.found is not None:
        console.app.push_screen(CredentialsView(console.connection.found, console.workload_name))


def old_versions(console: BrowsingScreen, bucket: str, prefix: str) -> None:
    """All that is not the latest, and delete markers, below a prefix."""
    console.go(Place(bucket, prefix, versions=True, old=True))
    console.keys_list.focus()


async def count(console: BrowsingScreen) -> None:
    """Counts the bucket under the cursor, or what is below where one is or what is chosen."""
    place, bucket = console.place, console.bucket
    if bucket is None:
        return
    chosen = console.chosen
    prefix = "" if console.table.has_focus else (chosen[0].key if chosen and chosen[0].folder else place.prefix)
    name = f"{bucket.name}/{prefix}"
    found = await show_progress(
        console, f"Counting {safe(name)}", "keys", lambda told: console.client.count(bucket.name, prefix, told)
    )
    if found is None:
        return
    if not prefix and console.browser is not None:
        console.browser.put_count(bucket.name, found.objects, found.size)
    console.tell(f"{safe(name)}: {counted(found.objects, 'object')}, {size(found.size)}", "ready")
    console.rest()


#: How long a link works, as it is offered.
_TIMES = ("1h", "1d", "7d", "15m")


def link(console: BrowsingScreen) -> None:
    """Asks for the public endpoint and how long, and shows the link."""
    chosen, place = console.chosen, console.place
    one = chosen[0] if chosen else None
    key = place.prefix if one is None else one.key

    def done(typed: Mapping[str, str]) -> None:
        method = typed["for"].strip().upper()
        if method not in ("GET", "PUT"):
            raise wrong(f"“{typed['for']}” is neither GET nor PUT", "GET lets one download, PUT upload.")
        if not typed["key"] or typed["key"].endswith("/"):
            raise wrong("A key is needed", "A link is for one object.")
        endpoint = typed["endpoint"].strip().rstrip("/")
        if not endpoint.startswith(("http://", "https://")) or len(endpoint.partition("//")[2]) < 1:
            raise wrong(f"“{endpoint}” is no endpoint", "Write https://s3.example.com, as others reach the store.")
        seconds = seconds_of(typed["works for"])
        console.endpoint = endpoint
        text = console.client.presign(method, place.bucket, typed["key"], seconds, endpoint)
        console.call_later(console.app.push_screen, LinkView(text, method, typed["key"], typed["works for"]))

    told = (
        Line((("Whoever has the link may do it, without keys. It is signed for the name by which others reach the "
               "store: one that is signed for this console's own way works nowhere else.", "dim"),)),
    )  # fmt: skip
    fields = [
        Field("for", "GET", offer=lambda typed: [Choice(one, one) for one in ("GET", "PUT") if one != typed]),
        Field("key", key),
        Field("works for", "1h", offer=lambda typed: [Choice(one, one) for one in _TIMES if one != typed]),
        Field("endpoint", console.endpoint, hint="https://s3.example.com"),
    ]
    if one is not None and (one.folder or one.deleted):
        fields[0] = replace(fields[0], value="PUT")
    console.app.push_screen(Form("Link that works without keys", fields, done, word="make it", told=told))
