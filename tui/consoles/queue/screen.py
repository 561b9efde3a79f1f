"""The queue console: its keys, and what each of them does."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from tui.consoles.connecting import Phase
from tui.consoles.dialogs import TextDialog
from tui.consoles.prompts import Prompt
from tui.consoles.queue import declaring, menus, people, publishing, removing
from tui.consoles.queue.browsing import BrowsingScreen
from tui.consoles.queue.graph import GraphView, Spot
from tui.consoles.queue.jobsview import JobsView
from tui.consoles.queue.messages import MessagesView
from tui.consoles.queue.panes import CONNECTIONS, EXCHANGES, POLICIES, QUEUES, TABS, USERS, VHOSTS
from tui.consoles.queue.queuelist import Order
from tui.consoles.queue.tailing import TailView
from tui.consoles.queue.values import Place
from tui.services.queue import facts
from tui.services.queue.arguments import wrong
from tui.systems.queuesession import Half, Lack
from tui.widgets.rows import RowTable

_ORDERS = tuple(Order)
#: The column that bears the arrow.
_COLUMNS = {
    Order.MESSAGES: "total", Order.UNACKNOWLEDGED: "unacked", Order.INTO: "in", Order.OUT: "out",
    Order.CONSUMERS: "consumers", Order.MEMORY: "memory",
}  # fmt: skip
#: What makes something, by tab.
_MAKES = {QUEUES: declaring.queue, EXCHANGES: declaring.exchange, POLICIES: declaring.policy, VHOSTS: people.vhost,
          USERS: people.user}  # fmt: skip
#: What needs a broker.
_OF_BROKER = frozenset({
    "make", "publish", "look", "tail", "move", "copy", "walk", "purge", "delete", "actions", "filter", "sort",
    "reverse",    "read_all", "definitions", "jobs", "details", "open_tab", "turn", "stop",
})  # fmt: skip
#: What needs messages.
_OF_AMQP = frozenset({"publish", "look", "tail", "move", "copy"})


class QueueConsole(BrowsingScreen):
    """One console; see `BrowsingScreen`.

    Args:
        access: to the workload.
        name: the workload's.
        guard: what may be changed.
    """

    CSS_PATH = "console.tcss"
    WORKING = True
    HELP: ClassVar[str] = """Queue console
The first line says where you are: workload, product, node, user, virtual host, TLS; the line below it what is missing
or wrong, alarms among it. tab and the keys 1 to 8 turn the tabs. enter looks at a queue's messages, or walks from an
exchange; p publishes, t tails, m moves and c copies messages, n makes something, P purges, D deletes or closes; x
lists all that can be done. f2 has the login, the virtual host, a certificate to show and read-only, f4 definitions,
f6 the jobs. Jobs go on while you look around, and end with the console; it asks first."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="queue.back"),
        Binding("tab", "turn(1)", "Next tab", show=False, id="queue.next-tab", priority=True),
        Binding("shift+tab", "turn(-1)", "Tab before", show=False, id="queue.previous-tab", priority=True),
        *(
            Binding(str(at + 1), f"open_tab({at})", tab.name, show=False, id=f"queue.{tab.name.lower()}")
            for at, tab in enumerate(TABS)
        ),
        Binding("n", "make", "New", id="queue.make"),
        Binding("p", "publish", "Publish", id="queue.publish"),
        Binding("t", "tail", "Tail", id="queue.tail"),
        Binding("m", "move", "Move", id="queue.move"),
        Binding("c", "copy", "Copy", id="queue.copy", show=False),
        Binding("B", "walk", "Bindings", id="queue.walk", show=False),
        Binding("P", "purge", "Purge", id="queue.purge", show=False),
        Binding("D,delete", "delete", "Delete", id="queue.delete"),
        Binding("x", "actions", "All", id="queue.actions"),
        Binding("slash", "filter", "Filter", id="queue.filter"),
        Binding("o", "sort", "Sort", id="queue.sort", show=False),
        Binding("O", "reverse", "Other way round", id="queue.reverse", show=False),
        Binding("A", "read_all", "Read all", id="queue.read-all", show=False),
        Binding("i", "details", "Facts", id="queue.details", show=False),
        Binding("r", "reload", "Ask again", id="queue.reload", show=False),
        Binding("f2", "connection", "Login", id="queue.connection"),
        Binding("f4", "definitions", "Definitions", id="queue.definitions", show=False),
        Binding("f6", "jobs", "Jobs", id="queue.jobs", show=False),
        Binding("X", "stop", "Cancel", id="queue.cancel", show=False),
    ]

    # --- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What needs a broker, a queue or a job is there only with it."""
        if action in _OF_BROKER and not self.connection.usable:
            return False
        if action in _OF_AMQP and self.client.facts.lack(Half.AMQP) is not None:
            return False
        match action:
            case "turn":
                return not self.query_one("#filter", Input).has_focus
            case "stop":
                return bool(self.jobs.running)
            case "look" | "move" | "copy" | "purge":
                return self.queue is not None
            case "walk" | "tail":
                return isinstance(self.item, facts.Queue | facts.Exchange)
            case "publish":
                return self.tab in (QUEUES, EXCHANGES)
            case "delete":
                return self.tab in (*_MAKES, CONNECTIONS) and self.item is not None
            case "make":
                return self.tab in _MAKES
            case "sort" | "reverse" | "read_all":
                return self.tab == QUEUES
        return super().check_action(action, parameters)

    def action_back(self) -> None:
        """Drops the filter, hides the facts, or leaves the console."""
        entry = self.query_one("#filter", Input)
        if entry.has_focus or self.filters.get(self.tab):
            self.close_filter()
            entry.value = ""
            self.find("")
        elif self.has_class("-facts"):
            self.remove_class("-facts")
            self.listed.focus()
        elif self.facts_pane.has_focus:
            self.listed.focus()
        else:
            self.leave()

    def action_turn(self, step: int) -> None:
        """Opens the next tab."""
        self.go((self.tab + step) % len(TABS))

    def action_open_tab(self, at: int) -> None:
        """Opens a tab."""
        self.go(at)

    @on(RowTable.Selected)
    def _selected(self, message: RowTable.Selected) -> None:
        message.stop()
        if self.tab == QUEUES:
            self.action_look()
        elif self.tab == EXCHANGES:
            self.action_walk()
        elif self.tab == VHOSTS:
            self.show_vhost(message.key)
        else:
            self.action_details()

    def action_look(self) -> None:
        """Looks at messages."""
        queue = self.queue
        if queue is None:
            return
        if (why := self.client.facts.lack(Half.AMQP)) is not None:
            self.tell(f"Messages need AMQP: {why.what}", "warn")
        elif queue.kind == "stream":
            publishing.browse(self, queue)
        else:
            self.app.push_screen(MessagesView(self, queue))

    def look_by_name(self) -> None:
        """Looks at messages of a queue that is not listed: without the management API none is."""

        def done(typed: str) -> None:
            if not typed:
                raise wrong("A queue has a name")
            queue = facts.Queue(typed, self.vhost)
            self.call_after_refresh(lambda: self.app.push_screen(MessagesView(self, queue)))

        self.app.push_screen(Prompt(f"Queue in {self.vhost}", "", done, word="look at its messages"))

    def action_publish(self) -> None:
        """Publishes."""
        publishing.publish(self)

    def action_tail(self) -> None:
        """Follows what comes."""
        item = self.item
        if isinstance(item, facts.Queue):
            self.app.push_screen(TailView(self, item.vhost, queue=item.name))
        elif isinstance(item, facts.Exchange):
            if not item.name:
                self.tell("The default exchange cannot be bound, so it cannot be overheard", "warn")
                return
            self.app.push_screen(TailView(self, item.vhost, exchange=item.name))

    def action_move(self) -> None:
        """Moves messages."""
        publishing.move(self, copy=False)

    def action_copy(self) -> None:
        """Copies messages."""
        publishing.move(self, copy=True)

    def action_walk(self) -> None:
        """Walks along bindings."""
        item = self.item
        if isinstance(item, facts.Queue | facts.Exchange):
            self.app.push_screen(GraphView(self, item.vhost, Spot(isinstance(item, facts.Queue), item.name)))

    def action_make(self) -> None:
        """Makes what the tab lists."""
        _MAKES[self.tab](self)

    def action_purge(self) -> None:
        """Deletes what is ready."""
        self.do(removing.purge(self))

    def action_delete(self) -> None:
        """Deletes what is under the cursor, or closes it."""
        if self.tab == CONNECTIONS:
            removing.connection(self)
        elif self.tab == EXCHANGES:
            self.do(removing.exchange(self))
        elif self.tab == POLICIES:
            self.do(removing.policy(self))
        elif self.tab == VHOSTS:
            self.do(people.delete_vhost(self))
        elif self.tab == USERS:
            self.do(people.delete_user(self))
        else:
            self.do(removing.queue(self))

    def action_actions(self) -> None:
        """All that can be done here."""
        menus.actions(self)

    def action_filter(self) -> None:
        """Shows only what holds something."""
        self.open_filter()

    def action_sort(self) -> None:
        """Sorts what was read by the next figure."""
        if self.queues is not None:
            self.queues.arrange(_ORDERS[(_ORDERS.index(self.queues.order) + 1) % len(_ORDERS)], descending=True)
            self._sorted()

    def action_reverse(self) -> None:
        """The other way round."""
        if self.queues is not None:
            self.queues.arrange(descending=not self.queues.descending)
            self._sorted()

    def _sorted(self) -> None:
        queues = self.queues
        if queues is not None:
            self.listed.show_sort(_COLUMNS.get(queues.order), queues.descending)
            self.look()
            self.listed.action_first()

    def action_read_all(self) -> None:
        """Reads all pages."""
        self.do(self.read_all(), group="reading")

    def action_details(self) -> None:
        """Shows the facts, or hides them."""
        if self.has_class("-wide"):
            self.facts_pane.focus()
            return
        self.toggle_class("-facts")
        if self.has_class("-facts"):
            self.facts_pane.focus()
        self.rest()

    def action_reload(self) -> None:
        """Asks anew; without a broker, tries again."""
        if self.connection.usable:
            self.do(self.reload())
            queues = self.queues
            if self.tab == QUEUES and queues is not None and queues.arranged and queues.whole and queues.last_page > 1:
                self.do(self.read_all(anew=True), group="reading")  # where it stands depends on all of them
        elif self.connection.phase is Phase.FAILED:
            self.connect()

    def action_connection(self) -> None:
        """Login, virtual host, read-only."""
        menus.connection(self)

    def action_definitions(self) -> None:
        """Definitions out and in."""
        menus.topology(self)

    def action_jobs(self) -> None:
        """All jobs."""
        self.app.push_screen(JobsView(self))

    def action_stop(self) -> None:
        """Cancels the job that is shown."""
        if self.jobs.running:
            self.jobs.cancel(self.jobs.running[0].number)

    # --- for menus

    def turn_vhost(self, name: str) -> None:
        """Connects to another virtual host."""
        if self.connection.opened is not None:
            self.connect(replace(self.connection.opened.login, vhost=name))

    def tell_lack(self, lack: Lack) -> None:
        """Tells what is missing, why, and what would help."""
        problem = lack.problem
        parts = (f"{lack.costs}.", problem.what, problem.evidence, problem.remedy)
        self.app.push_screen(TextDialog(f"Without {lack.half}", "\n\n".join(part for part in parts if part)))

    async def show_queue(self, place: Place) -> None:
        """Goes to a queue: asked for by its name where it was not read."""
        self.go(QUEUES)
        await self.reload()
        if not self.listed.move_to(place.key) and self.queues is not None and self.queues.last_page > 1:
            await self.read_all(anew=True)
            self.listed.move_to(place.key)
