"""Pictures of the bucket console in every state, at the sizes that people have. Look at them before you accept them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from bucket_fakes import (
    EVIL,
    FACTS,
    FORBIDDEN,
    SIZES,
    FakeAccess,
    FakeStore,
    app,
    console,
    enter,
    full_store,
    opened,
    refused,
    until,
)
from fakes import NOW
from looking import still
from textual.pilot import Pilot

from tui.consoles.bucket.client import Stage, Transfer
from tui.consoles.bucket.dashboard import Dashboard
from tui.consoles.bucket.editor import TextEditor
from tui.consoles.bucket.links import LinkView
from tui.consoles.bucket.preview import Preview
from tui.consoles.bucket.transfersview import TransfersView
from tui.consoles.bucket.uploads import Uploads
from tui.consoles.bucket.usage import Usage
from tui.consoles.connecting import Phase
from tui.consoles.forms import Form, HeldQuestion
from tui.problem import Cause, Problem
from tui.screens.chooser import Chooser
from tui.services.bucket.model import Told
from tui.systems.bucketkeys import FoundKeys
from tui.systems.credentialsearch import Looked, Outcome

Show = Callable[[Pilot[Any]], Awaitable[None]]
MANY = ("my-tenant-env-configuration", "my-tenant-tls", "my-tenant-creds-secret", "my-tenant-console-secret")
POLICY = """{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": {"AWS": ["*"]},
      "Action": ["s3:GetObject"],
      "Resource": ["arn:aws:s3:::my-bucket/*"]
    }
  ]
}"""
GONE = Problem(
    Cause.UNREACHABLE, "Pod my-tenant-zone-0-0 was deleted", "the API server: deleted at 12:03:07",
    "R goes on where it stopped.",
)  # fmt: skip


@pytest.fixture(autouse=True)
def same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the time of day nor the folder is in a picture."""
    monkeypatch.setattr("tui.consoles.bucket.dashboard.time", SimpleNamespace(time=lambda: NOW))
    monkeypatch.setattr("tui.consoles.bucket.uploads.age", lambda begun, now: "3d" if begun else "?")
    monkeypatch.chdir("/")


async def in_bucket(pilot: Pilot[Any], bucket: str = "my-bucket", key: str = "", **guard: Any) -> Any:
    """The console, with the cursor on a key."""
    screen = await opened(pilot, FakeAccess(full_store()), **guard)
    await enter(pilot, screen, bucket)
    if key:
        screen.keys_list.go_to(key)
    return screen


async def shown(pilot: Pilot[Any], kind: type[Any]) -> Any:
    await until(pilot, lambda: isinstance(pilot.app.screen, kind))
    await pilot.pause()
    return pilot.app.screen


async def choose(pilot: Pilot[Any], typed: str) -> None:
    await shown(pilot, Chooser)
    await pilot.press(*typed, "enter")


async def connecting(pilot: Pilot[Any]) -> None:
    access = FakeAccess(full_store())
    access.gate = asyncio.Event()
    await pilot.app.push_screen(console(access))
    await until(pilot, lambda: access.opened)


async def asked(pilot: Pilot[Any]) -> None:
    await pilot.app.push_screen(console(FakeAccess(full_store(), FORBIDDEN)))
    await shown(pilot, Form)


async def asked_of_many(pilot: Pilot[Any]) -> None:
    looked = tuple(
        Looked(f"Secret stateful/{name}, key accesskey", Outcome.FORBIDDEN,
               f'secrets "{name}" is forbidden: User "viewer" cannot get resource "secrets" in API group "" in the '
               'namespace "stateful"', f"get secrets/{name} in namespace stateful")
        for name in MANY
    )  # fmt: skip
    await pilot.app.push_screen(console(FakeAccess(full_store(), FoundKeys((), looked=looked))))
    await shown(pilot, Form)


async def failed(pilot: Pilot[Any]) -> None:
    access = FakeAccess(full_store())
    access.problem = Problem(
        Cause.UNREACHABLE, "No member of my-tenant is ready",
        "waited for 10 s; my-tenant-zone-0-0: 0/1 ready, CrashLoopBackOff since 12:01:44",
        "Look at its members: esc goes back to them.",
    )  # fmt: skip
    screen = console(access)
    await pilot.app.push_screen(screen)
    await until(pilot, lambda: screen.connection.phase is Phase.FAILED)


async def forbidden(pilot: Pilot[Any]) -> None:
    store = FakeStore()
    store.problem = refused(
        "AccessDenied", "Access Denied.", "The store refused GET /", "Another access key, or a policy that allows it."
    )
    screen = console(FakeAccess(store))
    await pilot.app.push_screen(screen)
    await until(pilot, lambda: screen.browser is not None and screen.browser.bucket_problem is not None)


async def denied(pilot: Pilot[Any]) -> None:
    access = FakeAccess(full_store())
    access.store.denied = "photos/"
    screen = await opened(pilot, access)
    await enter(pilot, screen, "my-bucket")
    await pilot.press("enter")
    await until(pilot, lambda: screen.browser.problem is not None)


async def empty(pilot: Pilot[Any]) -> None:
    await opened(pilot, FakeAccess(FakeStore()))


async def loading(pilot: Pilot[Any]) -> None:
    access = FakeAccess(full_store())
    screen = await opened(pilot, access)
    access.store.gate = asyncio.Event()
    screen.table.move_to("my-bucket")
    await pilot.press("enter")
    await until(pilot, lambda: screen.browser.reading)


async def buckets(pilot: Pilot[Any]) -> None:
    screen = await opened(pilot, FakeAccess(full_store()))
    await until(pilot, lambda: "⚠ public" in str(screen.table.rows[4].cells))


async def keys(pilot: Pilot[Any]) -> None:
    screen = await in_bucket(pilot, key="test.txt")
    await pilot.press("space", "down")
    await until(pilot, lambda: screen.facts_pane.text or not screen.facts_pane.display)


async def facts(pilot: Pilot[Any]) -> None:
    screen = await in_bucket(pilot, key="test.txt")
    if not screen.facts_pane.display:
        await pilot.press("i")
    await until(pilot, lambda: "Cache-Control" in screen.facts_pane.text)


async def many(pilot: Pilot[Any]) -> None:
    await in_bucket(pilot, "backups")
    await pilot.press("slash", *"77", "enter", "o")


async def versions(pilot: Pilot[Any]) -> None:
    screen = await in_bucket(pilot, "archive")
    await pilot.press("v")
    await until(pilot, lambda: screen.place.versions and len(screen.keys_list.listing) == 4)


async def hostile(pilot: Pilot[Any]) -> None:
    access = FakeAccess(full_store())
    access.store.facts = replace(FACTS, version=EVIL, access=EVIL)
    screen = await opened(pilot, access)
    await enter(pilot, screen, "hostile")


def preview_of(key: str) -> Show:
    async def show(pilot: Pilot[Any]) -> None:
        await in_bucket(pilot, key=key)
        await pilot.press("p")
        view = await shown(pilot, Preview)
        await until(pilot, lambda: view.query_one("#head").text)

    return show


def moving(*transfers: Transfer) -> Show:
    async def show(pilot: Pilot[Any]) -> None:
        access = FakeAccess(full_store())
        screen = await opened(pilot, access)
        await enter(pilot, screen, "my-bucket")
        access.mover.put(*transfers)
        strip = screen.query_one("#activity")
        await until(pilot, lambda: "upload" in strip.text)

    return show


RUNNING = Transfer(
    1, "upload backup-2026-11-27.tar.zst to my-bucket/nightly/", Stage.RUNNING, 451 * 2**20, 2**30, rate=93 * 2**20,
    remaining=6.4, current="/srv/backup-2026-11-27.tar.zst",
)  # fmt: skip
OTHERS = (
    Transfer(2, "upload photos/ to my-bucket/", Stage.PAUSED, 7 * 2**20, 90 * 2**20, (214, 3000)),
    Transfer(3, "download logs/ to /home/ada/logs", Stage.WAITING, 0, None, (0, None)),
    Transfer(4, "upload test.txt to my-bucket/", Stage.DONE, 24, 24, (1, 1)),
    Transfer(5, "upload big.iso to my-bucket/", Stage.FAILED, 40 * 2**20, 2**30, (0, 1), problem=GONE),
    Transfer(6, "upload other.iso to my-bucket/", Stage.CANCELLED, 0, 2**30, (0, 1)),
)


async def transfers(pilot: Pilot[Any]) -> None:
    await moving(RUNNING, *OTHERS)(pilot)
    await pilot.press("f6")
    await shown(pilot, TransfersView)
    await pilot.press("down", "down", "down", "down")


class Chapter(FakeStore):
    """A store whose dashboard is that of the real tenant."""

    async def dashboard(self) -> list[Told]:
        host = "my-tenant-zone-0-{}.my-tenant-hl.stateful.svc.cluster.local:9000"
        found = [
            Told("Store", "Buckets", "5"), Told("Store", "Objects", "9 (the server's count of 12:02)"),
            Told("Store", "Usage", "14Ki"),
            Told("Store", "Health", "writes have their quorum", ink="ready"), Told("Store", "Write quorum", "3 drives"),
            Told("Store", "Drain", "no: without the server that answered writes would stop", ink="warn"),
            Told("Servers", host.format(0), "online, up 2h 23m, 2026-02-07T10:41:15Z", ink="ready"),
            Told("Servers", host.format(1), "offline", ink="failing"),
            Told("Drives", "Drives", "3 online, 1 offline, 1 healing", ink="failing"),
        ]  # fmt: skip
        for at in range(4):
            told = (("ok, 34Gi of 91Gi", "ready"), ("ok, healing, 34Gi of 91Gi", "warn"), ("ok, 34Gi of 91Gi", "ready"),
                    ("offline, size unknown", "failing"))[at]  # fmt: skip
            found.append(Told("Drives", f"http://{host.format(at // 2)}/export{at % 2}", told[0], ink=told[1]))
        return [*found, Told("Quota", "my-bucket", "", "the admin API says AccessDenied: Access Denied.")]


async def dashboard(pilot: Pilot[Any]) -> None:
    store = Chapter()
    store.stored = full_store().stored
    await opened(pilot, FakeAccess(store))
    await pilot.press("f3")
    await shown(pilot, Dashboard)


async def delete(pilot: Pilot[Any]) -> None:
    await in_bucket(pilot)
    await pilot.press("home", "space", "end", "space", "D")
    await shown(pilot, HeldQuestion)


async def remove(pilot: Pilot[Any]) -> None:
    screen = await opened(pilot, FakeAccess(full_store()))
    screen.table.move_to("archive")
    await pilot.press("D")
    await shown(pilot, HeldQuestion)


async def upload(pilot: Pilot[Any]) -> None:
    await in_bucket(pilot)
    await pilot.press("u")
    await shown(pilot, Form)
    await pilot.press(*"/nowhere", "enter")


async def make(pilot: Pilot[Any]) -> None:
    await opened(pilot, FakeAccess(full_store()))
    await pilot.press("n")
    await shown(pilot, Form)
    await pilot.press(*"My_Bucket", "enter")


async def actions(pilot: Pilot[Any]) -> None:
    await in_bucket(pilot, key="test.txt")
    await pilot.press("x")
    await shown(pilot, Chooser)


async def policy(pilot: Pilot[Any]) -> None:
    screen = await opened(pilot, FakeAccess(full_store()))
    screen.browser.client.stored["my-bucket"].policy = POLICY
    screen.table.move_to("my-bucket")
    await pilot.press("x")
    await choose(pilot, "policy")
    await shown(pilot, TextEditor)
    await pilot.press("ctrl+end", "x", "ctrl+s")


async def link(pilot: Pilot[Any]) -> None:
    await in_bucket(pilot, key="test.txt")
    await pilot.press("L")
    await shown(pilot, Form)
    for at, text in ((2, "7d"), (3, "https://s3.example.com")):
        pilot.app.screen.query_one(f"#field-{at}").value = text
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, LinkView))


async def uploads(pilot: Pilot[Any]) -> None:
    screen = await opened(pilot, FakeAccess(full_store()))
    screen.table.move_to("archive")
    await pilot.press("f4")
    await choose(pilot, "incomplete")
    view = await shown(pilot, Uploads)
    await until(pilot, lambda: len(view.query_one("RowTable").rows) == 2)


async def usage(pilot: Pilot[Any]) -> None:
    await in_bucket(pilot, key="test.txt")
    await pilot.press("x")
    await choose(pilot, "what takes")
    view = await shown(pilot, Usage)
    await until(pilot, lambda: len(view.query_one("RowTable").rows) == 2)


async def credentials(pilot: Pilot[Any]) -> None:
    await opened(pilot, FakeAccess(full_store()))
    await pilot.press("f2")
    await choose(pilot, "show")
    await pilot.pause(0.1)
    await pilot.press("d")


async def help_(pilot: Pilot[Any]) -> None:
    await in_bucket(pilot)
    await pilot.press("question_mark")


async def locked(pilot: Pilot[Any]) -> None:
    await in_bucket(pilot, locked=True)


STATES: dict[str, Show] = {
    "connecting": connecting, "asked": asked, "asked-of-many": asked_of_many, "failed": failed, "forbidden": forbidden,
    "denied": denied, "empty": empty, "loading": loading, "buckets": buckets, "keys": keys, "facts": facts,
    "many": many, "versions": versions, "hostile": hostile, "locked": locked,
    "preview-text": preview_of("test.txt"), "preview-json": preview_of("orders.json"),
    "preview-hex": preview_of("dump.bin"), "preview-picture": preview_of("logo.png"),
    "moving": moving(RUNNING), "moving-several": moving(RUNNING, *OTHERS),
    "moved": moving(OTHERS[2]), "moving-failed": moving(OTHERS[3]), "transfers": transfers,
    "dashboard": dashboard, "delete": delete, "remove": remove, "upload": upload, "make": make, "actions": actions,
    "policy": policy, "link": link, "uploads": uploads, "usage": usage, "credentials": credentials, "help": help_,
}  # fmt: skip


def picture(snap_compare: Any, state: str, size: tuple[int, int], **more: Any) -> bool:
    async def before(pilot: Pilot[Any]) -> None:
        await STATES[state](pilot)
        await pilot.pause(0.3)  # facts are asked for once the cursor rests
        await still(pilot.app, pilot)

    return bool(snap_compare(app(**more), terminal_size=size, run_before=before))


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "140x40"])
@pytest.mark.parametrize("state", list(STATES))
def test_states(snap_compare: Any, state: str, size: tuple[int, int]) -> None:
    assert picture(snap_compare, state, size)


@pytest.mark.parametrize("state", ["buckets", "keys", "asked-of-many", "moving", "dashboard", "delete"])
def test_small(snap_compare: Any, state: str) -> None:
    assert picture(snap_compare, state, (60, 15))


@pytest.mark.parametrize("theme", ["light", "colour-blind", "terminal"])
def test_themes(snap_compare: Any, theme: str) -> None:
    assert picture(snap_compare, "buckets", (80, 24), theme=theme)


def test_no_color(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert picture(snap_compare, "moving-several", (80, 24))
