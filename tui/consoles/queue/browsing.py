"""The console's screen as far as it shows and goes: tabs, lists, facts. What is done is `screen`'s."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Input

from tui.consoles.connecting import Phase
from tui.consoles.headline import login_of, words
from tui.consoles.headparts import Part
from tui.consoles.queue import details
from tui.consoles.queue.filters import HINT, Filter, parse
from tui.consoles.queue.following import FollowingScreen
from tui.consoles.queue.headline import activity, came, of_broker, warnings
from tui.consoles.queue.jobs import Job, Stage
from tui.consoles.queue.panes import QUEUES, TABS, Facts
from tui.consoles.queue.queuelist import Order
from tui.consoles.queue.rows import rows_of
from tui.consoles.queue.values import Place
from tui.problem import ProblemError
from tui.screens.workload.headline import TabLine
from tui.services.queue import facts
from tui.systems.queuesession import Half
from tui.text import one_line
from tui.widgets.ink import Piece, plain
from tui.widgets.keyline import KeyLine
from tui.widgets.notice import Notice, Text
from tui.widgets.oneline import OneLine
from tui.widgets.row import Row
from tui.widgets.rows import RowTable

#: Columns from which facts stand beside the list, and below which tabs have short names.
WIDE, ROOMY = 110, 100
#: Seconds between two questions to the broker, between two looks at what goes on, and that the cursor rests first.
EACH, LOOK, REST = 5.0, 0.5, 0.2
#: Seconds without a key after which the server is asked for what was typed: each letter would cost it a walk through
#: all of its queues.
TYPED = 0.3
#: Rows before the end of the list at which the next page is read.
NEAR = 40


class BrowsingScreen(FollowingScreen):
    """Tabs with lists."""

    #: Which list has the keys is decided here: of what is hidden, the filter's entry among it, Textual would take one.
    AUTO_FOCUS = ""

    # --- what it is made of

    def compose(self) -> ComposeResult:
        """Head, what is wrong, tabs, lists, facts, what goes on, keys."""
        # Before there is anything in it: afterwards each widget's style would be found a second time.
        self.set_class(self.app.size.width >= WIDE, "-wide")
        yield OneLine(self._head, id="head")
        yield OneLine(self._wrong, id="wrong")
        yield TabLine(id="tabs")
        yield OneLine(self._path, id="path")
        entry = Input(id="filter", placeholder=HINT)
        entry.cursor_blink = False
        yield entry
        with Container(id="body"):
            for at, tab in enumerate(TABS):
                yield tab.table(tab.columns, id=f"list-{at}", empty_text="asking…")
            yield Facts(id="facts")
        yield Notice(Text("◌", "starting", "Connecting…"), id="words")
        yield OneLine(self._activity, id="activity")
        yield KeyLine()

    @property
    def listed(self) -> RowTable:
        """The list of the open tab."""
        return self.query_one(f"#list-{self.tab}", RowTable)

    @property
    def facts_pane(self) -> Facts:
        """What is known of one."""
        return self.query_one(Facts)

    def _of_service(self) -> Sequence[Part]:
        return of_broker(self.client.facts) if self.connection.opened is not None else ()

    def _wrong(self, _: int) -> list[Piece]:
        opened = self.connection.opened
        told = warnings(opened.client.facts, self.nodes, opened.client.blocked()) if opened is not None else []
        if self.connection.phase is Phase.LOST and self.connection.problem is not None:
            told = [(f" ✗ {one_line(str(self.connection.problem))}", "failing"), ("  r tries again", "dim")]
        return told

    def _path(self, _: int) -> list[Piece]:
        told: list[Piece] = []
        if self.said is not None:
            return [(f" ✗ {one_line(self.said.what)}", "failing"), (f" {one_line(self.said.remedy)}", "dim")]
        typed = self.filters.get(self.tab, "")
        if typed and not self.query_one("#filter", Input).has_focus:
            told.append((f" /{one_line(typed)}", "accent"))
        queues = self.queues
        if self.tab != QUEUES or queues is None or not queues.begun:
            if self.tab != QUEUES:
                of = len(self.items.get(self.tab, ()))
                shown = len(self.listed.rows)
                told.append((f" {shown:,} of {of:,}" if shown != of else f" {of:,}", "dim"))
            return told
        read, total = queues.read, queues.total
        many = f" {len(queues.shown):,} shown," if queues.filter.local else ""
        told.append((f"{many} {read:,} of {total:,} read" if read < total else f" {total:,}", "dim"))
        if queues.filter.local and many and read >= total:
            told.insert(0, (f"{many}", "accent"))
        if queues.order is not Order.SERVER:
            way = "most first" if queues.descending else "least first"
            part = "" if read >= total else f" of the {read:,} read"
            told.append((f"   by {queues.order}, {way}{part}", "accent"))
        if queues.reading_all:
            told.append(("   ◌ reading all: with many queues this takes the server a while", "running"))
        elif not queues.whole:
            told += [("   ", ""), ("A", "key"), (" reads all", "dim")]
        if (problem := queues.problem or queues.gap) is not None:
            told.append((f"   ✗ {one_line(problem.what)}", "failing"))
        return told

    def _activity(self, width: int) -> list[Piece]:
        return activity(self.jobs.all(), login_of(self.connection), width)

    # --- the beginning

    def on_mount(self) -> None:
        """Connects."""
        self._turn_to(QUEUES)
        self.listed.focus()
        self.set_interval(LOOK, self._tick)
        self.set_interval(EACH, self._poll)
        self.connect()

    # --- looking

    def on_resize(self, event: events.Resize) -> None:
        """What stands beside what."""
        self.set_class(event.size.width >= WIDE, "-wide")
        self.call_later(self.look)

    def _changed(self) -> None:
        """Something is new; it is drawn once, however much it is."""
        if not self._dirty and self.is_mounted:
            self._dirty = True
            self.call_later(self.look)

    def look(self) -> None:
        """Draws what is new; what is the same costs nothing."""
        self._dirty = False
        if not self.is_mounted:
            return
        usable = self.connection.usable
        missing = self.client.facts.lack(Half.MANAGEMENT) if usable else None
        problem = self.problems.get(self.tab) or missing
        nothing = not self.listed.rows and problem is not None
        self.set_class(not usable or nothing, "-words")
        if self.has_class("-words") and self.focused is self.listed:
            self.set_focus(None)  # its keys lead nowhere while it is hidden
        elif not self.has_class("-words") and self.focused is None:
            self.set_focus(self.listed)  # at once: a moment later it would be taken from a filter that was opened
        self.query_one("#words", Notice).show(words(self.connection, problem if usable else None))
        if usable:
            self._rows()
        names = [(tab.name if self.size.width >= ROOMY else tab.short, "") for tab in TABS]
        self.query_one(TabLine).set_tabs(names, self.tab)
        self.query_one("#wrong", OneLine).display = bool(self._wrong(0))
        for line in self.query(OneLine):
            line.look()
        self._tell()
        self.refresh_bindings()
        if self.queues is not None and self.queues.problem is None:
            self._read_on()  # the cursor may have come to the end while another page was being read

    def _rows(self) -> None:
        tab, listed = TABS[self.tab], self.listed
        if self.tab == QUEUES:
            queues = self.queues
            if queues is None or not queues.begun:
                return
            listed.set_empty_text("nothing matches" if queues.filter != Filter() else tab.empty)
            listed.set_rows(rows_of(queues.shown))
            return
        if self.tab not in self.items:
            return
        around, typed = self._around(), self.filters.get(self.tab, "").casefold()
        every = [tab.row(one, around) for one in self.items[self.tab]]
        listed.set_empty_text("nothing matches" if typed else tab.empty)
        listed.set_rows([row for row in every if typed in _text(row)] if typed else every)

    def _tell(self) -> None:
        """Tells what is known of what the cursor is on."""
        pane, item = self.facts_pane, self.item
        if item is None or not self.connection.usable:
            pane.set_lines([])
            return
        other = getattr(pane, "of", None) != (self.tab, self.listed.cursor_key)
        pane.of = (self.tab, self.listed.cursor_key)  # type: ignore[attr-defined]
        if isinstance(item, facts.Queue) and self.queues is not None:
            key = self.listed.cursor_key or ""
            bindings, consumers = self._loaded.get(key, (None, None))
            pane.set_lines(details.of_queue(item, self.queues.history(key), bindings, consumers), top=other)
            return
        pane.set_lines(TABS[self.tab].told(item, self._around()), top=other)

    def rest(self) -> None:
        """Once the cursor has rested, bindings and consumers of the queue under it are asked for."""
        self.set_timer(REST, self._rested)

    def _rested(self) -> None:
        queue, key = self.queue, self.listed.cursor_key
        if queue is None or key is None or key in self._loaded or not self.facts_pane.display:
            return
        if not self.connection.usable:
            return

        async def ask() -> None:
            found = await self.client.queue(Place(queue.vhost, queue.name))
            self._loaded[key] = (found.bindings, found.consumers)
            self._tell()

        self.do(ask(), group="detail")

    async def _tick(self) -> None:
        """What goes on has gone on."""
        for line in self.query(OneLine):
            line.look()

    def _job_ended(self, job: Job) -> None:
        """Tells it, and asks what has become of the queues."""
        if not self.is_mounted:
            return
        if not self.is_current:  # here the line of what goes on says it
            text, _ = came(job)
            ink = {Stage.DONE: "ready", Stage.FAILED: "failing"}.get(job.stage, "warn")
            self.tell(f"{job.title}: {text}", ink)
        self._changed()
        self.do(self._again(), group="poll")

    # --- going somewhere

    def _turn_to(self, at: int) -> None:
        self.tab, self.said = at, None
        if self._typing is not None:  # it was meant for the tab before
            self._typing.stop()
            self._typing = None
        for number in range(len(TABS)):
            self.query_one(f"#list-{number}").display = number == at
        self.remove_class("-facts")
        self.query_one("#filter", Input).placeholder = HINT if at == QUEUES else "part of what stands there"

    def go(self, at: int) -> None:
        """Opens a tab."""
        if at != self.tab:
            self._turn_to(at)
            self.close_filter()
            self.look()
            self.do(self.load(), group="poll")

    @on(TabLine.Chosen)
    def _clicked(self, message: TabLine.Chosen) -> None:
        message.stop()
        self.go(message.index)

    @on(RowTable.Highlighted)
    def _moved(self, message: RowTable.Highlighted) -> None:
        message.stop()
        if message.table is self.listed:
            self._tell()
            self.rest()
            self.refresh_bindings()
            self._read_on()

    def _read_on(self) -> None:
        """Reads the next page when the cursor is near the end of what was read."""
        queues, listed = self.queues, self.listed
        if self.tab != QUEUES or queues is None or queues.arranged:
            return
        if not queues.begun or queues.whole or queues.reading:
            return  # what is being read has this looked at again
        keys = [row.key for row in listed.rows[-NEAR:]]
        if listed.cursor_key in keys:
            self.do(self._more(), group="reading")

    async def _more(self) -> None:
        if self.queues is not None:
            await self.queues.more()
            self.look()

    async def read_all(self, *, anew: bool = False) -> None:
        """Reads all that match, also where they were read if `anew`; another filter, or leaving, ends it."""
        queues = self.queues
        if queues is not None and (anew or not queues.whole):
            self._judge(QUEUES, None if await queues.rest(self.look, rows_of) else queues.problem)
            self.look()

    # --- the filter

    def open_filter(self) -> None:
        """Begins to filter."""
        self.add_class("-filter")
        entry = self.query_one("#filter", Input)
        entry.value = self.filters.get(self.tab, "")
        # At once: what is typed quickly would go to the list, where letters are commands.
        entry.display = True
        self.set_focus(entry)

    def close_filter(self) -> None:
        """Goes back to the list; the filter holds."""
        self.remove_class("-filter")
        self.query_one("#filter", Input).display = False
        self.set_focus(self.listed)

    @on(Input.Changed, "#filter")
    def _filtered(self, message: Input.Changed) -> None:
        message.stop()
        if self.has_class("-filter"):
            self.find(message.value, typing=True)

    @on(Input.Submitted, "#filter")
    def _keep_filter(self, message: Input.Submitted) -> None:
        message.stop()
        self.close_filter()
        if self._typing is not None:
            self.find(message.value)

    def find(self, typed: str, *, typing: bool = False) -> None:
        """Shows only what is wanted; a word that cannot be is told and changes nothing.

        Args:
            typed: the filter.
            typing: more may follow: the server is asked a moment later.
        """
        self.filters[self.tab] = typed
        self.said = None
        if self._typing is not None:
            self._typing.stop()
            self._typing = None
        if self.tab != QUEUES or self.queues is None:
            self.look()
            return
        try:
            wanted = parse(typed)
        except ProblemError as error:
            self.said = error.problem
            self.look()
            return
        if typing and wanted != self.queues.filter:
            self._typing = self.set_timer(TYPED, lambda: self.find(typed))
            return
        self.do(self._find(wanted), group="reading")

    async def _find(self, wanted: Filter) -> None:
        queues = self.queues
        if queues is None:
            return
        if wanted != queues.filter or not queues.begun:
            good = await queues.find(wanted)
            self._judge(QUEUES, None if good else queues.problem)
            await asyncio.sleep(0)  # with many queues either is all that a key should wait for
        self.look()
        if wanted.local:  # what the server does not answer is looked for in all
            await self.read_all()

    def show_vhost(self, name: str) -> None:
        """Shows the queues of a virtual host."""
        self.go(QUEUES)
        self.filters[QUEUES] = f"vhost:{name}"
        self.find(f"vhost:{name}")


def _text(row: Row) -> str:
    return " ".join(plain(cell) for cell in row.cells).casefold()
