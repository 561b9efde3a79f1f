"""The bucket console by its keys: browsing, looking into objects, changing, moving, and what is said when it fails."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bucket_fakes import (
    CONSOLE,
    EVIL,
    FORBIDDEN,
    ROOT,
    WHEN,
    FakeAccess,
    FakeStore,
    Stored,
    app,
    console,
    enter,
    full_store,
    opened,
    refused,
    until,
)
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from tui.consoles.bucket.browser import Place
from tui.consoles.bucket.client import Stage, Transfer
from tui.consoles.bucket.credentials import MASK, CredentialsView
from tui.consoles.bucket.dashboard import Dashboard
from tui.consoles.bucket.editor import TextEditor
from tui.consoles.bucket.links import LinkView, code_lines
from tui.consoles.bucket.preview import Drawn, Preview
from tui.consoles.bucket.progress import Waiting
from tui.consoles.bucket.screen import BucketConsole
from tui.consoles.bucket.transfersview import TransfersView
from tui.consoles.bucket.uploads import Uploads
from tui.consoles.bucket.usage import Usage
from tui.consoles.connecting import TYPED, Phase
from tui.consoles.dialogs import TextDialog
from tui.consoles.forms import Form, HeldQuestion
from tui.consoles.prompts import Prompt
from tui.problem import Cause, Problem
from tui.screens.chooser import ChoiceList, Chooser
from tui.screens.forwards.question import Question
from tui.services.bucket.model import Anonymous, Entry, StoreError
from tui.systems.bucketkeys import FoundKeys
from tui.widgets.lines import Lines, Words
from tui.widgets.oneline import OneLine
from tui.widgets.rows import RowTable


def lines(screen: BucketConsole) -> list[Entry]:
    listing = screen.keys_list.listing
    assert listing is not None
    return [entry for at in range(len(listing)) if (entry := listing.line(at)) is not None]


def names(screen: BucketConsole) -> list[str]:
    return [entry.key for entry in lines(screen)]


def text(screen: Any, of: str = "#text") -> str:
    return screen.query_one(of, Lines).text


async def shown(pilot: Pilot[Any], kind: type[Any]) -> Any:
    await until(pilot, lambda: isinstance(pilot.app.screen, kind))
    await pilot.pause()
    return pilot.app.screen


async def choose(pilot: Pilot[Any], typed: str) -> None:
    """Takes a line of a menu."""
    await shown(pilot, Chooser)
    await pilot.press(*typed, "enter")


async def fill(pilot: Pilot[Any], **fields: str) -> Form:
    """Fills a form's fields, by their names."""
    form = await shown(pilot, Form)
    for at, field in enumerate(form._fields):
        value = fields.get(field.name.replace(" ", "_"))
        if value is not None:
            form.query_one(f"#field-{at}", Input).value = value
    await pilot.pause()
    return form


# --- connecting


async def test_the_best_keys_are_used_and_the_first_bucket_is_listed() -> None:
    async with app().run_test(size=(140, 40)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        assert access.opened == [(ROOT, False)]
        assert [row.key for row in screen.table.rows] == ["archive", "backups", "hostile", "my-bucket", "public-site"]
        await until(pilot, lambda: screen.browser.anonymous.get("public-site") is Anonymous.READ)
        await until(pilot, lambda: "⚠ public" in str(screen.table.rows[4].cells))
        head = screen.query_one("#head", OneLine).text
        assert "MinIO 2026-02-07T10:41:15Z   no TLS   as CHAPTERACCESSKEY" in head
        assert "hunter2" not in head


async def test_keys_that_may_not_be_read_are_asked_for_and_kept_in_memory_only() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store(), FORBIDDEN)
        screen = console(access)
        await pilot.app.push_screen(screen)
        form = await shown(pilot, Form)
        assert "get secrets/creds in namespace stateful" in form.query_one("#why", Words).text
        assert form.query_one("#field-0", Input).value == "CHAPTERACCESSKEY"
        assert form.query_one("#field-1", Input).password
        await fill(pilot, secret_key=" with blanks ")
        await pilot.press("enter")
        await until(pilot, lambda: screen.connection.phase is Phase.OPEN)
        ((keys, _),) = access.opened
        assert (keys.access, keys.secret, keys.source) == ("CHAPTERACCESSKEY", " with blanks ", TYPED)


async def test_a_store_that_cannot_be_reached_says_why_and_r_tries_again() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        access.problem = Problem(Cause.UNREACHABLE, "No member of my-tenant is ready", "waited for 10 s", "Look at it.")
        screen = console(access)
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: screen.connection.phase is Phase.FAILED)
        await pilot.pause()
        assert screen.has_class("-words")
        access.problem = None
        await pilot.press("r")
        await until(pilot, lambda: screen.connection.phase is Phase.OPEN)


async def test_credentials_are_masked_until_they_are_asked_for() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        await opened(pilot, FakeAccess(full_store()))
        await pilot.press("f2")
        await choose(pilot, "show")
        view = await shown(pilot, CredentialsView)
        assert MASK in text(view)
        assert "hunter2" not in text(view)
        assert "Secret stateful/my-tenant-creds-secret, key secretkey" in text(view)
        await pilot.press("d")
        assert "hunter2-hunter2" in text(view)
        assert "swordfish" in text(view)
        await pilot.press("d")
        assert "hunter2" not in text(view)


async def test_other_keys_can_be_used() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        await opened(pilot, access)
        await pilot.press("f2")
        await choose(pilot, "console-user")
        await until(pilot, lambda: len(access.opened) == 2)
        assert access.opened[1][0] == CONSOLE
        assert access.store.closed


# --- browsing


async def test_folders_stand_first_and_up_marks_where_one_came_from() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        screen = await opened(pilot, FakeAccess(full_store()))
        await enter(pilot, screen, "my-bucket")
        assert names(screen) == ["photos/", "dump.bin", "empty", "logo.png", "orders.json", "test.txt"]
        await pilot.press("enter")
        await until(pilot, lambda: names(screen) == ["photos/2025/", "photos/2026/"])
        await pilot.press("down", "enter")
        await until(pilot, lambda: names(screen) == ["photos/2026/a.png", "photos/2026/b.png"])
        await pilot.press("left")
        await until(pilot, lambda: screen.keys_list.entry and screen.keys_list.entry.key == "photos/2026/")
        await pilot.press("left")
        await until(pilot, lambda: screen.keys_list.entry and screen.keys_list.entry.key == "photos/")
        await pilot.press("left")
        assert screen.table.has_focus


async def test_a_large_listing_is_read_as_it_is_looked_at() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        await enter(pilot, screen, "backups")
        listing = screen.keys_list.listing
        assert listing is not None
        assert listing.read == 1000
        pages = [one for one in access.store.asked if one[:2] == ("page", "backups")]
        assert len(pages) == 1
        await pilot.press("end")
        await until(pilot, lambda: listing.read == 2000)
        await pilot.press("end")
        await until(pilot, lambda: listing.whole)
        await pilot.press("end")
        assert screen.keys_list.entry is not None
        assert screen.keys_list.entry.key == "0002499.dump"


async def test_filter_and_order_hold_for_what_is_in_memory_and_say_so() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        screen = await opened(pilot, FakeAccess(full_store()))
        await enter(pilot, screen, "backups")
        await pilot.press("slash", *"77")
        await until(pilot, lambda: len(screen.keys_list.listing) == 19)
        path = screen.query_one("#path", OneLine)
        path.look()
        assert "/77: 19 of 1,000" in path.text
        await pilot.press("enter", "o")
        assert screen.keys_list.entry is not None
        assert screen.keys_list.entry.key == "0000977.dump"  # the largest
        await pilot.press("escape")
        assert len(screen.keys_list.listing) == 1000


@pytest.mark.parametrize("size", [(100, 30), (60, 15)])
async def test_how_many_a_search_found_is_seen_where_there_is_little_room(size: tuple[int, int]) -> None:
    async with app().run_test(size=size) as pilot:
        screen = await opened(pilot, FakeAccess(full_store()))
        await enter(pilot, screen, "backups")
        await pilot.press("f")
        await shown(pilot, Prompt)
        await pilot.press(*"0002499.dump", "enter")
        await until(pilot, lambda: names(screen) == ["0002499.dump"])
        path = screen.query_one("#path", OneLine)
        await until(pilot, lambda: "”: 1 of 2,500 keys" in path.text)
        assert "99.dump”" in path.text
        screen.go(Place("backups"))
        await until(pilot, lambda: len(names(screen)) >= 1000)
        await pilot.press("slash", *"0000999.dump")
        await until(pilot, lambda: "99.dump: 1 of " in path.text)


@pytest.mark.parametrize("size", [(100, 30), (60, 15)])
async def test_buckets_have_a_filter_of_their_own(size: tuple[int, int]) -> None:
    def shown() -> list[str]:
        return [row.key for row in screen.table.rows]

    async with app().run_test(size=size) as pilot:
        screen = await opened(pilot, FakeAccess(full_store()))
        every = shown()
        await pilot.press("slash", *"ARC")
        await until(pilot, lambda: shown() == ["archive"])
        assert screen.pane.entry.region.width, "what is typed is seen"
        line = screen.query_one("#bucket-count", OneLine)
        assert f"1 of {len(every)}" in line.text
        await pilot.press("enter")
        assert screen.table.has_focus
        await until(pilot, lambda: screen.place.bucket == "archive")
        await pilot.press("enter")
        await until(pilot, lambda: screen.keys_list.has_focus)
        assert shown() == ["archive"], "it holds while one looks at keys"
        await pilot.press("tab" if size[0] == 60 else "left")
        if size[0] == 100:
            await pilot.press("left")
        await until(pilot, lambda: screen.table.has_focus)
        await pilot.press("slash", *"x")
        await until(pilot, lambda: shown() == [])
        await pilot.press("escape")
        await until(pilot, lambda: shown() == every)
        assert screen.table.has_focus and not screen.pane.entry.region.width


async def test_a_bucket_that_is_made_is_seen_whatever_the_filter() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        screen = await opened(pilot, FakeAccess(full_store()))
        await pilot.press("slash", *"arc", "enter", "n")
        await shown(pilot, Form)
        await pilot.press(*"fresh", "enter")
        await until(pilot, lambda: screen.table.cursor_key == "fresh")
        assert not screen.pane.filtering


async def test_search_looks_below_and_goes_on_until_the_end() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        await enter(pilot, screen, "backups")
        await pilot.press("f")
        await shown(pilot, Prompt)
        await pilot.press(*"2499", "enter")
        await until(pilot, lambda: screen.place.search == "2499" and screen.keys_list.listing.whole)
        assert names(screen) == ["0002499.dump"]
        path = screen.query_one("#path", OneLine)
        path.look()
        assert "1 of 2,500 keys" in path.text
        await pilot.press("left")
        await until(pilot, lambda: not screen.place.search)


async def test_keys_that_would_hurt_are_shown_and_each_folder_can_be_entered_and_left() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        screen = await opened(pilot, FakeAccess(full_store()))
        await enter(pilot, screen, "hostile")
        assert names(screen) == ["../", "/", EVIL[: EVIL.index("/") + 1], "a/", " "]
        strips = [screen.keys_list.render_line(y).text for y in range(8)]
        assert not any("\x1b" in one or "\u202e" in one for one in strips)
        assert any("“ ”" in one for one in strips)
        await pilot.press("down", "enter")  # "/"
        await until(pilot, lambda: names(screen) == ["/lead"])
        await pilot.press("left")
        await until(pilot, lambda: screen.place.prefix == "")
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: names(screen) == ["a//"])
        await pilot.press("enter")
        await until(pilot, lambda: names(screen) == ["a//b"])
        await pilot.press("left")
        await until(pilot, lambda: screen.place.prefix == "a/")


async def test_access_denied_on_one_prefix_leaves_the_rest() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        access.store.denied = "photos/"
        screen = await opened(pilot, access)
        await enter(pilot, screen, "my-bucket")
        await pilot.press("enter")
        await until(pilot, lambda: screen.browser.problem is not None)
        await pilot.pause()
        assert "photos/ may not be listed" in screen.keys_list.render_line(1).text
        await pilot.press("left")
        await until(pilot, lambda: "test.txt" in names(screen))
        assert screen.browser.problem is None


async def test_details_are_asked_for_once_the_cursor_rests_and_never_interpreted() -> None:
    async with app().run_test(size=(140, 40)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        await enter(pilot, screen, "my-bucket")
        await pilot.press("end")
        await until(pilot, lambda: "Cache-Control" in screen.facts_pane.text)
        told = screen.facts_pane.text
        assert "hold: the server has no object lock" in told
        assert "shop␛[2J" in told
        asked = [one for one in access.store.asked if one[0] == "detail"]
        assert asked == [("detail", "my-bucket", "test.txt", "")]


async def test_versions_and_delete_markers_are_told_apart() -> None:
    async with app().run_test(size=(120, 30)) as pilot:
        screen = await opened(pilot, FakeAccess(full_store()))
        await enter(pilot, screen, "archive")
        await pilot.press("v")
        await until(pilot, lambda: screen.place.versions and len(screen.keys_list.listing) == 4)
        lines = [screen.keys_list.render_line(y).text for y in range(6)]
        assert "deleted" in lines[1]
        assert "● v9-9999" in lines[1]
        assert "● v3-3333" in lines[3]
        assert "● v2-2222" not in lines[4]


async def test_a_narrow_terminal_has_one_pane_and_does_not_crash() -> None:
    async with app().run_test(size=(60, 15)) as pilot:
        screen = await opened(pilot, FakeAccess(full_store()))
        await enter(pilot, screen, "my-bucket")
        assert screen.keys_list.display
        assert not screen.query_one("#buckets").region.width
        await pilot.press("tab")
        await until(pilot, lambda: screen.table.has_focus and screen.table.region.width == 60)
        await pilot.press("tab")
        await until(pilot, lambda: screen.keys_list.has_focus and screen.keys_list.region.width == 60)
        await pilot.press("left")
        await until(pilot, lambda: screen.table.has_focus)


# --- looking into objects


@pytest.mark.parametrize(
    ("key", "said", "head"),
    [
        ("test.txt", "Grüße aus dem Kapitel.", "text utf-8"),
        ("orders.json", '"total": 1.10', "JSON utf-8"),
        ("dump.bin", "000000f0  f0 f1", "hex"),
        ("empty", "it is empty: 0 bytes", "text"),
    ],
)
async def test_preview(key: str, said: str, head: str) -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        screen = await opened(pilot, FakeAccess(full_store()))
        await enter(pilot, screen, "my-bucket")
        screen.keys_list.go_to(key)
        await pilot.press("enter")
        view = await shown(pilot, Preview)
        await until(pilot, lambda: said in text(view))
        assert head in view.query_one("#head", OneLine).text
        await pilot.press("m")
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)


async def test_a_picture_is_drawn_in_half_blocks() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        screen = await opened(pilot, FakeAccess(full_store()))
        await enter(pilot, screen, "my-bucket")
        screen.keys_list.go_to("logo.png")
        await pilot.press("enter")
        view = await shown(pilot, Preview)
        await until(pilot, lambda: view.query_one(Drawn).display)
        await pilot.pause()
        line = view.query_one(Drawn).render_line(0)
        colours = {segment.style.color.triplet for segment in line if segment.text.startswith("▀")}
        assert (255, 0, 0) in colours
        assert line.text.count("▀") == 64  # no larger than it is


# --- changing


def _policy(effect: str, bucket: str) -> str:
    return json.dumps({"Statement": [{"Effect": effect, "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}]})


async def test_a_bucket_is_made_and_its_name_is_checked_first() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        await pilot.press("n")
        form = await fill(pilot, name="My_Bucket")
        await pilot.press("enter")
        assert "is no name for a bucket" in form.query_one("#keys", Words).text
        await fill(pilot, name="new-bucket", versioning="yes")
        await pilot.press("enter")
        await until(pilot, lambda: screen.place.bucket == "new-bucket")
        assert ("make", "new-bucket", True, False) in access.store.asked


async def test_a_bucket_that_exists_is_told_in_the_stores_words() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        await opened(pilot, FakeAccess(full_store()))
        await pilot.press("n")
        await fill(pilot, name="my-bucket")
        await pilot.press("enter")
        dialog = await shown(pilot, TextDialog)
        assert "It is yours already (BucketAlreadyOwnedByYou)" in text(dialog)


async def test_removing_a_bucket_names_what_goes_and_wants_its_name_typed() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        screen.table.move_to("archive")
        await pilot.press("D")
        question = await shown(pilot, HeldQuestion)
        told = question.query_one("#why", Words).text
        assert "with 1 object, 4B" in told
        assert "3 older versions (delete markers among them)" in told
        assert "2 incomplete uploads" in told
        await pilot.press(*"archiv", "enter")
        assert ("clear", "archive", "", True) not in access.store.asked
        await pilot.press("e", "enter")
        await until(pilot, lambda: ("remove", "archive") in access.store.asked)
        assert access.store.asked.index(("clear", "archive", "", True)) < access.store.asked.index(
            ("remove", "archive")
        )
        await until(pilot, lambda: "archive" not in [row.key for row in screen.table.rows])


async def test_only_what_was_marked_is_deleted_and_what_could_not_be_is_named() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        access.store.stored["my-bucket"].objects["held.txt"] = b"x"
        screen = await opened(pilot, access)
        await enter(pilot, screen, "my-bucket")
        screen.keys_list.go_to("empty")
        await pilot.press("space", "space")  # empty, held.txt
        assert len(screen.keys_list.marks) == 2
        await pilot.press("D")
        question = await shown(pilot, HeldQuestion)
        assert "deletes 2 objects (1B) of my-bucket" in question.query_one("#why", Words).text
        await pilot.press("enter")
        assert not any(one[0] == "delete" for one in access.store.asked), "enter alone is no yes"
        await pilot.press("y")
        dialog = await shown(pilot, TextDialog)
        assert "held.txt: Object is WORM protected (AccessDenied)" in text(dialog)
        assert [one for one in access.store.asked if one[0] == "delete"] == [
            ("delete", "my-bucket", (("empty", ""), ("held.txt", "")))
        ]


async def test_a_folder_is_counted_before_it_goes() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        await enter(pilot, screen, "my-bucket")
        await pilot.press("D")
        question = await shown(pilot, HeldQuestion)
        told = question.query_one("#why", Words).text
        assert "below photos/: 3 objects, 9.7Ki" in told
        assert "and, below it, keys below another object's name (a/b beside a), which MinIO does not list" in told
        await pilot.press("y")
        await until(pilot, lambda: ("clear", "my-bucket", "photos/", False) in access.store.asked)
        await until(pilot, lambda: "photos/" not in names(screen))


async def test_read_only_refuses_everything_and_says_why() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access, locked=True)
        assert access.opened == [(ROOT, True)]
        assert "read-only" in screen.query_one("#head", OneLine).text
        await enter(pilot, screen, "my-bucket")
        for key in ("u", "D", "c", "m"):
            await pilot.press(key)
            await pilot.pause()
            assert pilot.app.screen is screen
        changed = {"make", "remove", "delete", "clear", "copy", "tags", "policy", "anonymous"}
        assert not [one for one in access.store.asked if one[0] in changed]


async def test_a_protected_context_is_opened_by_its_name_and_each_deletion_wants_the_keys() -> None:
    async with app().run_test(size=(120, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access, protected=True)
        assert access.opened == [(ROOT, True)]
        await pilot.press("f2")
        await choose(pilot, "take changes")
        await shown(pilot, HeldQuestion)
        await pilot.press(*"real-cluster", "enter")
        await until(pilot, lambda: len(access.opened) == 2 and screen.connection.phase is Phase.OPEN)
        assert access.opened[1] == (ROOT, False)
        await until(pilot, lambda: screen.browser is not None and screen.browser.loaded)
        await enter(pilot, screen, "my-bucket")
        screen.keys_list.go_to("empty")
        await pilot.press("D")
        await shown(pilot, HeldQuestion)
        await pilot.press("y", "enter")
        assert not any(one[0] == "delete" for one in access.store.asked)
        await pilot.press("backspace", *"empty", "enter")
        await until(pilot, lambda: any(one[0] == "delete" for one in access.store.asked))


async def test_moving_deletes_only_after_the_copy_and_asks_before_it_replaces() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        await enter(pilot, screen, "my-bucket")
        screen.keys_list.go_to("empty")
        await pilot.press("m")
        form = await fill(pilot, key="empty")
        await pilot.press("enter")
        assert "That is where it is" in form.query_one("#keys", Words).text
        await fill(pilot, key="test.txt")
        await pilot.press("enter")
        await shown(pilot, HeldQuestion)
        await pilot.press("y")
        await until(pilot, lambda: ("delete", "my-bucket", (("empty", ""),)) in access.store.asked)
        copied = access.store.asked.index(("copy", "my-bucket", "empty", "", "my-bucket", "test.txt"))
        assert copied < access.store.asked.index(("delete", "my-bucket", (("empty", ""),)))


async def test_the_policy_is_checked_before_it_is_sent_and_what_was_typed_stays() -> None:
    async with app().run_test(size=(100, 40)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        screen.table.move_to("my-bucket")
        await pilot.press("x")
        await choose(pilot, "policy")
        editor = await shown(pilot, TextEditor)
        area = editor.query_one(TextArea)
        for typed, said in (
            ("{", "It is not JSON"),
            (_policy("Maybe", "my-bucket"), "Allow or Deny"),
            (_policy("Allow", "other"), "not in this bucket"),
        ):
            area.text = typed
            await pilot.press("ctrl+s")
            await until(pilot, lambda said=said: said in editor.query_one("#said", Words).text)
            assert area.text == typed
        area.text = good = (
            '{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::my-bucket/*"}]}'
        )
        await pilot.press("ctrl+s")
        await until(pilot, lambda: ("policy", "my-bucket", good) in access.store.asked)
        await until(pilot, lambda: pilot.app.screen is screen)


async def test_anonymous_access_is_asked_about_unless_it_is_taken_away() -> None:
    async with app().run_test(size=(100, 40)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        screen.table.move_to("my-bucket")
        await pilot.press("x")
        await choose(pilot, "without keys")
        await choose(pilot, "anyone may read")
        question = await shown(pilot, HeldQuestion)
        assert "anyone may read, from wherever" in question.query_one("#why", Words).text
        await pilot.press("y")
        await until(pilot, lambda: access.store.stored["my-bucket"].anonymous is Anonymous.READ)
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.press("x")
        await choose(pilot, "without keys")
        await choose(pilot, "private")
        await until(pilot, lambda: access.store.stored["my-bucket"].anonymous is Anonymous.NONE)


async def test_tags_versioning_and_lifecycle() -> None:
    async with app().run_test(size=(100, 40)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        screen.table.move_to("my-bucket")
        await pilot.press("x")
        await choose(pilot, "tags")
        form = await fill(pilot, tags="team")
        await pilot.press("enter")
        assert "“team” is no tag" in form.query_one("#keys", Words).text
        await fill(pilot, tags="team=shop, stage = test")
        await pilot.press("enter")
        await until(pilot, lambda: ("tags", "my-bucket", "", {"team": "shop", "stage": "test"}) in access.store.asked)
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.press("x")
        await choose(pilot, "versioning")
        await choose(pilot, "enabled")
        await until(pilot, lambda: ("versioning", "my-bucket", True) in access.store.asked)
        await pilot.press("x")
        await choose(pilot, "lifecycle")
        editor = await shown(pilot, TextEditor)
        await pilot.press("f5")
        await until(pilot, lambda: any(one[0] == "lifecycle" for one in access.store.asked))
        assert editor is not pilot.app.screen


# --- links, dashboard, clean-up


async def test_a_link_is_signed_for_the_public_endpoint_and_has_a_code() -> None:
    async with app().run_test(size=(120, 50)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        await enter(pilot, screen, "my-bucket")
        screen.keys_list.go_to("test.txt")
        await pilot.press("L")
        form = await fill(pilot, works_for="8d", endpoint="s3.example.com")
        assert "works nowhere else" in form.query_one("#why", Words).text
        await pilot.press("enter")
        assert "is no endpoint" in form.query_one("#keys", Words).text
        await fill(pilot, endpoint="https://s3.example.com/")
        await pilot.press("enter")
        assert "1s to 7d" in form.query_one("#keys", Words).text
        await fill(pilot, works_for="7d")
        await pilot.press("enter")
        view = await shown(pilot, LinkView)
        assert ("presign", "GET", "my-bucket", "test.txt", 604800, "https://s3.example.com") in access.store.asked
        link = "https://s3.example.com/my-bucket/test.txt?X-Amz-Expires=604800&X-Amz-Signature=0123"
        assert link in text(view)
        assert code_lines(link)[3] in text(view)


async def test_the_dashboard_says_what_is_unknown_and_why() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        await opened(pilot, FakeAccess(full_store()))
        await pilot.press("f3")
        view = await shown(pilot, Dashboard)
        await until(pilot, lambda: "unknown, because metrics: AccessDenied" in text(view))
        assert "● 4 of 4" in text(view)


async def test_incomplete_uploads_are_listed_and_one_is_given_up() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        screen.table.move_to("archive")
        await pilot.press("f4")
        await choose(pilot, "incomplete")
        view = await shown(pilot, Uploads)
        table = view.query_one(RowTable)
        await until(pilot, lambda: len(table.rows) == 2)
        assert "5Mi" in str(table.rows[0].cells)
        await pilot.press("d")
        await shown(pilot, HeldQuestion)
        await pilot.press("y")
        await until(pilot, lambda: len(table.rows) == 1)
        assert [one for one in access.store.asked if one[0] == "abort"] == [("abort", "archive", "upload-1")]


async def test_what_takes_the_room_is_a_tree_that_opens() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        screen = await opened(pilot, FakeAccess(full_store()))
        await enter(pilot, screen, "my-bucket")
        screen.keys_list.go_to("test.txt")
        await pilot.press("x")
        await choose(pilot, "what takes")
        view = await shown(pilot, Usage)
        table = view.query_one(RowTable)
        await until(pilot, lambda: len(table.rows) == 2 and "9.7Ki" in str(table.rows[0].cells))
        await pilot.press("enter")
        await until(
            pilot, lambda: [row.key for row in table.rows] == ["fphotos/", "fphotos/2026/", "fphotos/2025/", "o"]
        )
        assert "8.8Ki" in str(table.rows[1].cells)


async def test_old_versions_are_found_anywhere_below() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        screen = await opened(pilot, FakeAccess(full_store()))
        screen.table.move_to("archive")
        await pilot.press("f4")
        await choose(pilot, "old versions")
        await until(pilot, lambda: screen.place.old and screen.keys_list.listing.whole)
        assert [(one.key, one.version) for one in screen.keys_list.listing.entries()] == [
            ("gone.csv", "v9-9999"), ("gone.csv", "v8-8888"), ("report.csv", "v2-2222"),
        ]  # fmt: skip


# --- moving


async def test_a_file_is_uploaded_with_its_progress_in_the_strip(tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("x")
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        await enter(pilot, screen, "my-bucket")
        await pilot.press("u")
        form = await fill(pilot, **{"from": str(tmp_path / "nothing")})
        await pilot.press("enter")
        assert "does not exist" in form.query_one("#keys", Words).text
        await fill(pilot, **{"from": f"{tmp_path}/te"})
        await pilot.press("tab")  # takes the offer
        await pilot.press("enter")
        await until(pilot, lambda: access.mover.asked)
        assert access.mover.asked == [("upload", [tmp_path / "test.txt"], "my-bucket", "")]
        strip = screen.query_one("#activity", OneLine)
        await until(pilot, lambda: "upload test.txt to my-bucket/ ▕████      ▏ 43% 12Mi/s 0:08 left" in strip.text)
        await pilot.press("P")
        assert access.mover.asked[-1] == ("pause", 1)
        await pilot.press("f6")
        view = await shown(pilot, TransfersView)
        assert "paused" in str(view.query_one(RowTable).rows[0].cells)
        await pilot.press("X")
        assert access.mover.asked[-1] == ("cancel", 1)


async def test_keys_are_downloaded_below_a_folder_that_is_there(tmp_path: Path) -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        await enter(pilot, screen, "my-bucket")
        await pilot.press("space", "w")
        prompt = await shown(pilot, Prompt)
        prompt.query_one(Input).value = str(tmp_path / "nowhere")
        await pilot.press("enter")
        assert "is no folder" in prompt.query_one(Words).text
        prompt.query_one(Input).value = str(tmp_path)
        await pilot.press("enter")
        await until(pilot, lambda: access.mover.asked)
        assert access.mover.asked == [("download", "my-bucket", [("photos/", "")], "", tmp_path)]


async def test_a_transfer_that_failed_says_why_and_is_retried() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        why = Problem(Cause.UNREACHABLE, "Pod my-tenant-zone-0-0 was deleted", "", "")
        access.mover.put(Transfer(7, "upload big.iso to my-bucket/", Stage.FAILED, 40, 100, problem=why))
        strip = screen.query_one("#activity", OneLine)
        await until(pilot, lambda: "upload big.iso to my-bucket/: Pod my-tenant-zone-0-0 was deleted" in strip.text)
        await pilot.press("Y")
        assert access.mover.asked == [("retry", 7)]


async def test_leaving_asks_while_something_moves() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        access.mover.put(Transfer(1, "upload x", Stage.RUNNING, 1, 2))
        await pilot.press("escape")
        question = await shown(pilot, Question)
        assert "goes on where it stopped" in question.query_one(Words).text
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.press("escape", "enter")
        await until(pilot, lambda: access.store.closed)


async def test_the_keys_answer_while_a_listing_is_waited_for() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        access.store.gate = asyncio.Event()
        screen.table.move_to("my-bucket")
        await pilot.press("enter")
        await until(pilot, lambda: screen.browser.reading)
        await pilot.press("left")
        assert screen.table.has_focus
        access.store.gate.set()
        await until(pilot, lambda: not screen.browser.reading)


async def test_a_store_without_buckets_says_what_to_do() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        screen = await opened(pilot, FakeAccess(FakeStore()))
        assert not screen.table.rows
        assert "n makes one" in str(screen.table.empty_text)
        await pilot.press("x", "escape", "u")
        assert pilot.app.screen is screen


async def test_buckets_that_may_not_be_listed() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        store = FakeStore()
        store.stored["one"] = Stored({"a": b""})
        store.problem = refused(
            "AccessDenied", "Access Denied.", "The buckets may not be listed", "Use other keys: f2."
        )
        screen = console(FakeAccess(store))
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: screen.browser is not None and screen.browser.bucket_problem is not None)
        await pilot.pause()
        assert screen.has_class("-words")
        store.problem = None
        await pilot.press("r")
        await until(pilot, lambda: screen.table.rows)
        assert WHEN.year == 2026


# --- what keeps objects, and what must not go with a key that only leads on


async def test_tab_leads_through_a_form_and_answers_nothing() -> None:
    """Who goes from field to field with tab does not lock a bucket for good: the offer beside `no` is `yes`."""
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        await opened(pilot, access)
        await pilot.press("n")
        form = await shown(pilot, Form)
        await pilot.press(*"fresh", "tab", "tab", "tab")
        assert [form.query_one(f"#field-{at}", Input).value for at in range(3)] == ["fresh", "no", "no"]
        await pilot.press("tab", "down", "tab")
        assert [form.query_one(f"#field-{at}", Input).value for at in range(3)] == ["fresh", "yes", "no"]
        await pilot.press("enter")
        await until(pilot, lambda: any(one[0] == "make" for one in access.store.asked))


async def test_a_version_is_not_moved_and_a_marker_only_taken_away() -> None:
    async with app().run_test(size=(100, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        await enter(pilot, screen, "archive")
        await pilot.press("v")
        await until(pilot, lambda: any(one.deleted for one in lines(screen)))
        marker = next(one for one in lines(screen) if one.deleted)
        old = next(one for one in lines(screen) if not one.latest and not one.deleted)
        screen.keys_list.go_to(old.key, old.version)
        await pilot.press("m")
        await pilot.pause()
        assert pilot.app.screen is screen
        screen.keys_list.go_to(marker.key, marker.version)
        await pilot.press("D")
        question = await shown(pilot, HeldQuestion)
        words = question.query_one("#why", Words).text
        assert "takes the delete marker of" in words and "cannot be undone" not in words
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.press("x")
        offered = {choice.value for choice in (await shown(pilot, Chooser)).query_one(ChoiceList).choices}
        assert "undelete" in offered and not offered & {"move", "copy", "download"}


async def test_quota_hold_and_retention() -> None:
    async with app().run_test(size=(100, 40)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        screen.table.move_to("my-bucket")
        await pilot.press("x")
        await choose(pilot, "quota")
        form = await fill(pilot, bytes="much")
        await pilot.press("enter")
        assert "“much” is no size" in form.query_one("#keys", Words).text
        await fill(pilot, bytes="10Gi")
        await pilot.press("enter")
        await until(pilot, lambda: ("quota", "my-bucket", 10 << 30) in access.store.asked)
        await until(pilot, lambda: pilot.app.screen is screen)
        await enter(pilot, screen, "my-bucket")
        await until(pilot, lambda: screen.keys_list.entry is not None)
        one = next(one for one in lines(screen) if not one.folder)
        screen.keys_list.go_to(one.key)
        await pilot.press("x")
        await choose(pilot, "hold")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert not any(asked[0] == "hold" for asked in access.store.asked)  # the bucket has no lock
        access.store.stored["my-bucket"].lock = True
        await pilot.press("x")
        await choose(pilot, "hold")
        await until(pilot, lambda: ("hold", "my-bucket", one.key, True, "") in access.store.asked)
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.press("x")
        await choose(pilot, "retention")
        form = await fill(pilot, until="2020-01-01")
        await pilot.press("enter")
        assert "over already" in form.query_one("#keys", Words).text
        await fill(pilot, until="1d", mode="compliance")
        await pilot.press("enter")
        await shown(pilot, HeldQuestion)
        assert not any(asked[0] == "retention" for asked in access.store.asked)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert not any(asked[0] == "retention" for asked in access.store.asked)


@pytest.mark.parametrize("by", ["reading", "changing"])
async def test_keys_that_were_rotated_are_read_again(by: str) -> None:
    async with app().run_test(size=(120, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        await enter(pilot, screen, "my-bucket")
        screen.connection.forget_login()  # as when other keys than the best were chosen
        screen.connect(CONSOLE)
        await until(pilot, lambda: screen.connection.phase is Phase.OPEN and screen.connection.source == CONSOLE.source)
        await until(pilot, lambda: screen.browser is not None and screen.browser.loaded)
        fresh = replace(CONSOLE, secret="rotated")
        gone = Problem(Cause.CREDENTIALS, "The store does not know these keys", "SignatureDoesNotMatch: …")
        access.store.problem = StoreError("SignatureDoesNotMatch", "…", 403, gone)
        renewed = full_store()
        access.found, access.store = FoundKeys((ROOT, fresh)), renewed
        refused_store = screen.connection.opened.client if screen.connection.opened is not None else None
        if by == "reading":
            await pilot.press("r")
        else:
            screen.table.focus()
            await pilot.press("D")
        await until(pilot, lambda: access.opened[-1][0] == fresh)
        await until(pilot, lambda: screen.connection.phase is Phase.OPEN and screen.client is renewed)
        assert refused_store is not renewed and pilot.app.screen is screen
        assert [keys for keys, _ in access.opened].count(fresh) == 1


@pytest.mark.parametrize("there", [True, False], ids=["others", "the same"])
async def test_keys_that_were_rotated_while_something_moves(there: bool) -> None:
    """What moves goes on; only where there are no other keys it is asked whether it may end for a new connection."""
    async with app().run_test(size=(120, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        await enter(pilot, screen, "my-bucket")
        mover, fresh = access.mover, replace(ROOT, secret="rotated")
        mover.put(Transfer(1, "upload big.bin to my-bucket/", Stage.RUNNING, 43, 100))
        gone = Problem(Cause.CREDENTIALS, "The store does not know these keys", "SignatureDoesNotMatch: …")
        access.store.problem = StoreError("SignatureDoesNotMatch", "…", 403, gone)
        found = FoundKeys((fresh, CONSOLE))

        async def renew() -> bool:
            if there:
                access.store.problem = None
                mover.heard(fresh, found)
            return there

        mover.renew = renew  # type: ignore[method-assign]
        await pilot.press("r")
        if there:
            await until(pilot, lambda: screen.connection.opened.keys == fresh)
            browser = screen.browser
            await until(
                pilot, lambda: (browser.problem, browser.bucket_problem, browser.reading) == (None, None, False)
            )
            assert screen.connection.found == found and len(access.opened) == 1
            assert pilot.app.screen is screen and mover.transfers[0].stage is Stage.RUNNING
        else:
            question = await shown(pilot, Question)
            assert "1 transfer stops" in question.query_one(Words).text
            await pilot.press("escape")
            await until(pilot, lambda: pilot.app.screen is screen)
            assert ("close",) not in mover.asked


async def test_keys_that_were_typed_are_not_replaced_by_others() -> None:
    async with app().run_test(size=(120, 30)) as pilot:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        screen.connect(replace(ROOT, source=TYPED))
        await until(pilot, lambda: screen.connection.source == TYPED and screen.connection.phase is Phase.OPEN)
        await until(pilot, lambda: screen.browser is not None and screen.browser.loaded)
        count = len(access.opened)
        gone = Problem(Cause.CREDENTIALS, "The store does not know these keys", "SignatureDoesNotMatch: …")
        access.store.problem = StoreError("SignatureDoesNotMatch", "…", 403, gone)
        screen.table.focus()
        await pilot.press("D")
        dialog = await shown(pilot, TextDialog)
        assert "does not know these keys" in str(dialog.query_one(Lines).text) and len(access.opened) == count


# --- while something takes long


async def test_what_takes_long_ends_also_behind_another_dialog() -> None:
    async with app().run_test(size=(140, 40)) as pilot:
        store = full_store()
        screen = await opened(pilot, FakeAccess(store))
        store.gate = asyncio.Event()
        await pilot.press("number_sign")
        await shown(pilot, Waiting)
        screen.fail(refused("AccessDenied", "Access Denied.", "Something else failed"))
        await shown(pilot, TextDialog)
        store.gate.set()
        await until(pilot, lambda: screen.browser.buckets[0].objects == len(store.stored["archive"].objects))
        assert isinstance(pilot.app.screen, TextDialog), "nobody has read it yet"
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)


async def test_reading_anew_leaves_the_cursor_where_it_went_meanwhile() -> None:
    async with app().run_test(size=(140, 40)) as pilot:
        store = full_store()
        screen = await opened(pilot, FakeAccess(store))
        await enter(pilot, screen, "my-bucket")
        store.gate = asyncio.Event()
        await pilot.press("r")
        await until(pilot, lambda: screen.browser.reading)
        before = names(screen)
        assert len(before) > 2, "what was read stands until there is something newer"
        await pilot.press("down", "down")
        listing = screen.keys_list.listing
        store.gate.set()
        await until(pilot, lambda: screen.keys_list.listing is not listing and not screen.browser.reading)
        await pilot.pause()
        assert screen.keys_list.entry.key == before[2]


async def test_a_page_is_asked_for_before_page_down_comes_to_its_end() -> None:
    async with app().run_test(size=(140, 40)) as pilot:
        store = full_store()
        store.stored["my-bucket"].objects = {f"{number:05}": 1 for number in range(5000)}
        screen = await opened(pilot, FakeAccess(store))
        await enter(pilot, screen, "my-bucket")
        assert screen.keys_list.listing.read == 1000
        await pilot.press(*["pagedown"] * 10)
        assert screen.keys_list.cursor < 500 and screen.keys_list.listing.read == 1000
        await pilot.press(*["pagedown"] * 5)
        await until(pilot, lambda: screen.keys_list.listing.read == 2000)
        assert screen.keys_list.cursor < 700
