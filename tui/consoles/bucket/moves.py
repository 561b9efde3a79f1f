"""What the console moves and looks for: uploads, downloads, the transfer that is shown, filter and search."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from textual.widget import Widget
from textual.widgets import Input

from tui.consoles.bucket.client import Stage, Transfer
from tui.consoles.bucket.details import summed
from tui.consoles.forms import Field, Form
from tui.consoles.prompts import Prompt, files
from tui.problem import Cause, Problem, ProblemError
from tui.widgets.lines import Line

if TYPE_CHECKING:
    from tui.consoles.bucket.browsing import BrowsingScreen
    from tui.services.bucket.model import Entry

#: How many times it is looked, a refresh apart, whether a pane has come to be shown.
_LOOKS = 20


def wrong(what: str, remedy: str = "") -> ProblemError:
    """Something that was typed cannot be."""
    return ProblemError(Problem(Cause.CONFIG, what, "", remedy))


# --- moving bytes


def upload(console: BrowsingScreen) -> None:
    """Asks which file or folder, and under which name."""
    if not console.may_change():
        return
    place = console.place
    bucket = console.bucket.name if console.table.has_focus and console.bucket is not None else place.bucket
    prefix = place.prefix if bucket == place.bucket else ""
    if not bucket:
        console.tell("There is no bucket to upload to: n makes one", "warn")
        return

    def done(typed: Mapping[str, str]) -> None:
        path = Path(typed["from"].strip()).expanduser()
        if not typed["from"].strip():
            raise wrong("A file or a folder is needed")
        if not path.exists():
            raise wrong(
                f"{path} does not exist", "Relative paths are below the directory that statetui was started in."
            )
        if not os.access(path, os.R_OK):
            raise wrong(f"{path} may not be read")
        console.mover.upload([path], bucket, typed["below"])

    told = (
        Line(
            (("A folder is uploaded with all that is in it; what is there already under a name is replaced.", "dim"),)
        ),
    )
    fields = [Field("from", hint="file or folder of this machine", offer=lambda typed: files(typed, "")),
              Field("below", prefix, hint="the top of the bucket")]  # fmt: skip
    console.app.push_screen(Form(f"Upload to {bucket}", fields, done, word="upload", told=told))


def download(console: BrowsingScreen) -> None:
    """Asks into which folder."""
    chosen, place = console.chosen, console.place
    if not chosen and console.bucket is not None:  # a whole bucket
        bucket, keys, base, what = console.bucket.name, [("", "")], "", f"all of {console.bucket.name}"
    else:
        bucket, base, what = place.bucket, place.prefix, summed(chosen)
        keys = [(one.key, one.version if place.versions else "") for one in chosen if not one.deleted]
    if not keys:
        console.tell("A delete marker has nothing to download", "warn")
        return

    def done(typed: str) -> None:
        folder = Path(typed.strip() or ".").expanduser()
        if not folder.is_dir():
            raise wrong(
                f"{folder} is no folder", "Make it first: nothing is written outside of the folder that you name."
            )
        if not os.access(folder, os.W_OK):
            raise wrong(f"{folder} may not be written to")
        console.mover.download(bucket, keys, base, folder)

    title = f"Download {what} into which folder?"
    console.app.push_screen(Prompt(title, "./", done, word="download", offer=lambda typed: files(typed, "/")))


def current(transfers: Sequence[Transfer]) -> list[Transfer]:
    """Those that are not over, the one that the line shows first."""
    going = [one for one in transfers if one.stage in (Stage.RUNNING, Stage.PAUSED, Stage.WAITING)]
    return sorted(going, key=lambda one: one.stage is not Stage.RUNNING)


def failed(transfers: Sequence[Transfer]) -> Transfer | None:
    """The last one that failed."""
    return next((one for one in reversed(transfers) if one.stage is Stage.FAILED), None)


def pause(console: BrowsingScreen) -> None:
    """Lets the transfer rest that the line shows, or go on."""
    for one in current(console.transfers)[:1]:
        console.mover.pause(one.number)


def cancel(console: BrowsingScreen) -> None:
    """Gives it up."""
    for one in current(console.transfers)[:1]:
        console.mover.cancel(one.number)


def retry(console: BrowsingScreen) -> None:
    """Begins the last one again that failed, where it stopped."""
    one = failed(console.transfers)
    if one is not None:
        console.mover.retry(one.number)


# --- looking for keys


def turn_to(console: BrowsingScreen, pane: Widget) -> None:
    """Focuses a pane. A narrow terminal has room for one, and what is hidden takes no focus: it is shown first."""
    keys = pane is not console.table
    if console.has_class("-keys") is not keys and console.has_class("-narrow"):
        _show_and_focus(console, pane, _LOOKS, keys=keys)
    else:
        pane.focus()


def _show_and_focus(console: BrowsingScreen, pane: Widget, looks: int, *, keys: bool) -> None:
    # What is told late of a focus before this one turns the class back: it is set until the pane is there.
    console.set_class(keys, "-keys")
    if looks and not all(node.display for node in pane.ancestors_with_self):
        console.call_after_refresh(_show_and_focus, console, pane, looks - 1, keys=keys)
    else:
        pane.focus()


def open_filter(console: BrowsingScreen) -> None:
    """Shows the field."""
    console.add_class("-filter")
    console.query_one("#filter", Input).focus()


def drop_filter(console: BrowsingScreen) -> None:
    """Empties the field and hides it."""
    console.remove_class("-filter")
    console.query_one("#filter", Input).value = ""
    filter_by(console, "")
    turn_to(console, console.keys_list)


def filter_by(console: BrowsingScreen, text: str) -> None:
    """Shows only keys that hold a text."""
    listing = console.browser.listing if console.browser is not None else None
    if listing is not None and listing.filter != text:
        listing.arrange(filter=text)
        console.keys_list.cursor = 0
        console.look()


def search(console: BrowsingScreen) -> None:
    """Asks what to look for below where one is."""
    place = console.place
    if not place.bucket:
        return

    def done(typed: str) -> None:
        if not typed:
            raise wrong("Type a part of a name")
        console.go(replace(place, search=typed, versions=False))
        turn_to(console, console.keys_list)

    console.app.push_screen(Prompt(f"Search all keys below {place.text}", place.search, done, word="search"))


def copy_name(console: BrowsingScreen) -> None:
    """Copies `s3://bucket/key`, by way of the terminal."""
    names = [name_of(console, one) for one in console.chosen]
    if not names and console.bucket is not None:
        names = [f"s3://{console.bucket.name}"]
    if names:
        console.app.copy_to_clipboard("\n".join(names))
        console.tell(f"{names[0]} copied" if len(names) == 1 else f"{len(names)} names copied", "accent")


def name_of(console: BrowsingScreen, entry: Entry) -> str:
    """`s3://my-bucket/test.txt`."""
    return f"s3://{console.place.bucket}/{entry.key}"
