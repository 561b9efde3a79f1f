"""The bucket console: its keys, and what each of them does."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from tui.consoles.bucket import changes, menus, moves, views
from tui.consoles.bucket.browsing import BrowsingScreen
from tui.consoles.bucket.listing import Order
from tui.consoles.connecting import Phase
from tui.services.bucket.model import Entry

_ORDERS = (Order.NAME, Order.SIZE, Order.MODIFIED)
#: What needs a store.
_OF_STORE = frozenset({
    "make", "upload", "download", "delete", "copy", "move", "link", "actions", "filter", "search", "sort", "reverse",
    "versions", "preview", "details", "copy_name", "count", "dashboard", "clean", "transfers", "pause", "stop", "retry",
    "pane",
})  # fmt: skip


class BucketConsole(BrowsingScreen):
    """One console; see `BrowsingScreen`.

    Args:
        access: to the workload.
        name: the workload's.
        guard: what may be changed.
    """

    CSS_PATH = "console.tcss"
    WORKING = True
    HELP: ClassVar[str] = """Bucket console
The first line says where you are: workload, product, TLS, the access key, read-only. tab goes from buckets to keys and
facts. u uploads files and folders, w writes keys to a folder of this machine, c copies, m moves, D deletes; x lists all
that can be done with what is marked or under the cursor. f2 has credentials and read-only, f3 the dashboard, f4 what
can be cleaned up, f6 the transfers. Transfers go on while you look around; they end with the console, and what was
begun goes on where it stopped when it is asked for again."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="bucket.back"),
        Binding("tab", "pane(1)", "Next pane", show=False, id="bucket.pane"),
        Binding("shift+tab", "pane(-1)", "Pane before", show=False, id="bucket.pane-before"),
        Binding("x", "actions", "All actions", id="bucket.actions"),
        Binding("n", "make", "New bucket", id="bucket.make"),
        Binding("u", "upload", "Upload", id="bucket.upload"),
        Binding("w", "download", "Download", id="bucket.download"),
        Binding("D,delete", "delete", "Delete", id="bucket.delete"),
        Binding("c", "copy", "Copy", id="bucket.copy", show=False),
        Binding("m", "move", "Move", id="bucket.move", show=False),
        Binding("L", "link", "Link", id="bucket.link", show=False),
        Binding("slash", "filter", "Filter", id="bucket.filter"),
        Binding("f", "search", "Search below", id="bucket.search", show=False),
        Binding("o", "sort", "Sort", id="bucket.sort", show=False),
        Binding("O", "reverse", "Other way round", id="bucket.reverse", show=False),
        Binding("v", "versions", "Versions", id="bucket.versions", show=False),
        Binding("p", "preview", "Preview", id="bucket.preview", show=False),
        Binding("i", "details", "Facts", id="bucket.details", show=False),
        Binding("y", "copy_name", "Copy its name", id="bucket.copy-name", show=False),
        Binding("number_sign", "count", "Count", id="bucket.count", show=False),
        Binding("r,f5", "reload", "Read again", id="bucket.reload", show=False),
        Binding("f2", "connection", "Credentials", id="bucket.connection"),
        Binding("f3", "dashboard", "Dashboard", id="bucket.dashboard"),
        Binding("f4", "clean", "Clean up", id="bucket.clean", show=False),
        Binding("f6", "transfers", "Transfers", id="bucket.transfers", show=False),
        Binding("P", "pause", "Pause", id="bucket.pause", show=False),
        Binding("X", "stop", "Cancel", id="bucket.cancel", show=False),
        Binding("Y", "retry", "Retry", id="bucket.retry", show=False),
    ]

    # --- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What needs a store, keys or a transfer is there only with it."""
        if action in ("back", "connection", "reload"):
            return True
        if self.connection.phase is not Phase.OPEN:
            return False if action in _OF_STORE else super().check_action(action, parameters)
        if action in ("pause", "stop"):
            return bool(moves.current(self._moved))
        if action == "retry":
            return moves.failed(self._moved) is not None
        if action == "make":
            return self.table.has_focus
        if action in ("copy", "move", "link", "preview"):
            # A move takes the newest version away: of an older one that is not what is meant.
            return bool(self.chosen) and not (action == "move" and self.place.versions)
        if action in ("upload", "download", "delete"):
            return bool(self.chosen) or self.bucket is not None
        return super().check_action(action, parameters)

    def action_back(self) -> None:
        """Drops the filter, goes up, to the buckets, or leaves the console."""
        if self.pane.filtering and (self.table.has_focus or self.pane.entry.has_focus):
            self.pane.drop_filter()
        elif self.query_one("#filter", Input).has_focus or self.has_class("-filter"):
            moves.drop_filter(self)
        elif self.has_class("-facts"):
            self.remove_class("-facts")
            self.keys_list.focus()
        elif self.keys_list.marks:
            self.keys_list.action_mark_all()
        elif self.keys_list.has_focus or self.facts_pane.has_focus:
            self.action_up()
        else:
            self.leave()

    def action_pane(self, step: int) -> None:
        """Goes to the next pane: buckets, keys, facts."""
        panes = [self.table, self.keys_list, *([self.facts_pane] if self.facts_pane.display else [])]
        at = next((at for at, pane in enumerate(panes) if pane.has_focus), -1)
        moves.turn_to(self, panes[(at + step) % len(panes)])

    def action_details(self) -> None:
        """Shows the facts, or hides them."""
        self.toggle_class("-nofacts" if self.has_class("-wide") else "-facts")
        self.rest()

    def action_sort(self) -> None:
        """By name, size, or time."""
        listing = self.browser.listing if self.browser is not None else None
        if listing is not None:
            order = _ORDERS[(_ORDERS.index(listing.order) + 1) % len(_ORDERS)]
            listing.arrange(order=order, descending=order is not Order.NAME)
            self.keys_list.look()

    def action_reverse(self) -> None:
        """The other way round."""
        listing = self.browser.listing if self.browser is not None else None
        if listing is not None:
            listing.arrange(descending=not listing.descending)
            self.keys_list.look()

    def action_versions(self) -> None:
        """Old versions and delete markers, or not."""
        if self.place.bucket:
            self.go(replace(self.place, versions=not self.place.versions, search="", old=False))
            self.keys_list.focus()

    def action_reload(self) -> None:
        """Reads anew; without a store, tries again."""
        if self.connection.phase is Phase.OPEN:
            self.do(self.reload())
        elif self.connection.phase is Phase.FAILED:
            self.connect()

    def look_into(self, entry: Entry) -> None:
        """Shows an object's beginning."""
        views.preview(self, entry)

    def action_preview(self) -> None:
        """Shows an object's beginning."""
        if self.chosen and not self.chosen[0].folder and not self.chosen[0].deleted:
            self.look_into(self.chosen[0])

    def action_make(self) -> None:
        """Makes a bucket."""
        changes.make_bucket(self)

    def action_upload(self) -> None:
        """Uploads files or a folder."""
        moves.upload(self)

    def action_download(self) -> None:
        """Writes keys to a folder of this machine."""
        moves.download(self)

    def action_delete(self) -> None:
        """Deletes keys, or the bucket."""
        self.do(changes.remove_bucket(self) if self.table.has_focus else changes.delete(self))

    def action_copy(self) -> None:
        """Copies keys on the server."""
        changes.copy(self, move=False)

    def action_move(self) -> None:
        """Moves or renames keys."""
        changes.copy(self, move=True)

    def action_link(self) -> None:
        """A link that works without keys for a while."""
        views.link(self)

    def action_actions(self) -> None:
        """All that can be done here."""
        menus.actions(self)

    def action_filter(self) -> None:
        """Shows only keys, or buckets where they have the focus, that hold something."""
        if self.table.has_focus:
            self.pane.open_filter()
        else:
            moves.open_filter(self)

    def action_search(self) -> None:
        """Looks for keys anywhere below."""
        moves.search(self)

    def action_copy_name(self) -> None:
        """Copies the name, by way of the terminal."""
        moves.copy_name(self)

    def action_count(self) -> None:
        """Counts what lies in the bucket or below the folder."""
        self.do(views.count(self), group="count")

    def action_connection(self) -> None:
        """Credentials, other keys, read-only."""
        menus.connection(self)

    def action_dashboard(self) -> None:
        """What an operator looks at."""
        views.dashboard(self)

    def action_clean(self) -> None:
        """Incomplete uploads, old versions, what takes the room."""
        menus.clean(self)

    def action_transfers(self) -> None:
        """All transfers."""
        views.transfers(self)

    def action_pause(self) -> None:
        """Lets the transfer rest that is shown, or go on."""
        moves.pause(self)

    def action_stop(self) -> None:
        """Gives up the transfer that is shown."""
        moves.cancel(self)

    def action_retry(self) -> None:
        """Begins the one again that failed."""
        moves.retry(self)

    @on(Input.Changed, "#filter")
    def _filtered(self, message: Input.Changed) -> None:
        message.stop()
        moves.filter_by(self, message.value)

    @on(Input.Submitted, "#filter")
    def _keep_filter(self, message: Input.Submitted) -> None:
        message.stop()
        self.keys_list.focus()
