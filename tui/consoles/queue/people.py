"""Virtual hosts, users, and what users may there: made, changed and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tui.consoles.forms import Field, Form
from tui.consoles.queue.values import Permission, User
from tui.consoles.queue.words import counted
from tui.services.queue import facts
from tui.services.queue.arguments import wrong
from tui.services.queue.model import Kind
from tui.text import one_line, safe

if TYPE_CHECKING:
    from tui.consoles.queue.browsing import BrowsingScreen

_TAGS = "administrator monitoring policymaker management"
_ALL = ".*"


def vhost(console: BrowsingScreen) -> None:
    """Makes a virtual host, which the login may use then."""
    if not console.may_change():
        return

    def done(typed: Mapping[str, str]) -> None:
        name, kind = typed["name"], typed["queues are"].strip()
        if not name:
            raise wrong("A virtual host needs a name")
        if kind not in ("", *Kind):
            raise wrong(f"“{kind}” is no type of a queue", f"There are: {', '.join(Kind)}.")

        async def work() -> None:
            await console.client.declare_vhost(name, kind)
            me = console.client.facts.user
            await console.client.set_permission(Permission(me, name, _ALL, _ALL, _ALL))
            console.tell(f"Virtual host {name} is there, and {me} may everything in it", "ready")
            await console.reload()
            console.listed.move_to(name)

        console.do(work())

    fields = [Field("name"), Field("queues are", hint="that do not say theirs; empty: classic")]
    console.app.push_screen(Form("New virtual host", fields, done, word="make it"))


async def delete_vhost(console: BrowsingScreen) -> None:
    """Deletes the virtual host under the cursor with all that is in it."""
    under = console.item
    if not isinstance(under, facts.Vhost) or not console.may_change():
        return
    inside = (await console.client.queues(vhost=under.name, name="", regex=False, page=1, size=1)).filtered_count
    held = "an unknown number of messages" if under.messages is None else counted(under.messages, "message")
    does = (f"deletes virtual host {safe(under.name)} with {counted(inside, 'queue')} and {held}",
            "exchanges, bindings, policies and permissions in it go as well, and its clients lose it")  # fmt: skip
    held_back = console.guard.held(f"Delete {under.name}?", does, "delete", under.name, always=True)
    if not await console.confirm(held_back):
        return
    await console.client.delete_vhost(under.name)
    console.tell(f"Virtual host {under.name} deleted", "ready")
    await console.reload()


def user(console: BrowsingScreen) -> None:
    """Makes a user, or changes the one under the cursor."""
    if not console.may_change():
        return
    one = console.item if isinstance(console.item, User) else None

    def done(typed: Mapping[str, str]) -> None:
        name, password = typed["name"], typed["password"]
        if not name:
            raise wrong("A user needs a name")
        if not password and (one is None or name != one.name):
            raise wrong("A new user needs a password")
        tags = typed["tags"].replace(",", " ").split()

        async def work() -> None:
            await console.client.set_user(name, password or None, tags)
            console.tell(f"User {name} is set", "ready")
            await console.reload()
            console.listed.move_to(name)

        console.do(work())

    same = "empty: it stays" if one is not None else ""
    fields = [Field("name", one.name if one else ""), Field("password", hint=same, hidden=True),
              Field("tags", " ".join(one.tags) if one else "", hint=_TAGS)]  # fmt: skip
    console.app.push_screen(Form("User: the name of one that is there changes that one", fields, done, word="set it"))


async def delete_user(console: BrowsingScreen) -> None:
    """Deletes the user under the cursor."""
    under = console.item
    if not isinstance(under, User) or not console.may_change():
        return
    many = counted(len(under.permissions), "virtual host")
    does = [f"deletes user {safe(under.name)}, who may something in {many}", "his connections are closed"]
    if under.name == console.client.facts.user:
        does.append("this console is connected as this very user")
    if not await console.confirm(console.guard.held(f"Delete {under.name}?", tuple(does), "delete", under.name)):
        return
    await console.client.delete_user(under.name)
    console.tell(f"User {under.name} deleted", "ready")
    await console.reload()


def permission(console: BrowsingScreen, under: User) -> None:
    """Says what the user under the cursor may in a virtual host."""
    if not console.may_change():
        return
    first = under.permissions[0] if under.permissions else None

    def done(typed: Mapping[str, str]) -> None:
        if not typed["vhost"]:
            raise wrong("A permission is for a virtual host")
        made = Permission(under.name, typed["vhost"], typed["configure"], typed["write"], typed["read"])

        async def work() -> None:
            await console.client.set_permission(made)
            console.tell(f"What {under.name} may in {made.vhost} is set", "ready")
            await console.reload()

        console.do(work())

    names = ("configure", "write", "read")
    fields = [
        Field("vhost", first.vhost if first else console.client.facts.vhost),
        *(Field(name, getattr(first, name) if first else _ALL, hint="names that match; empty: none") for name in names),
    ]
    console.app.push_screen(Form(f"What {one_line(under.name)} may", fields, done, word="set it"))


async def take_away(console: BrowsingScreen, one: Permission) -> None:
    """Takes away all that a user may in a virtual host."""
    if not console.may_change():
        return
    does = (f"user {safe(one.user)} may nothing any more in virtual host {safe(one.vhost)}",)
    if not await console.confirm(console.guard.held("Take it away?", does, "take away", one.user)):
        return
    await console.client.delete_permission(one.vhost, one.user)
    console.tell(f"{one.user} may nothing in {one.vhost}", "ready")
    await console.reload()
