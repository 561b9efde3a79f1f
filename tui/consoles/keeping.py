"""The app's part in consoles that stay when they are left: which there are, and what ends with them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.consoles.sql.kept import Kept
from tui.screens.forwards.hosting import ForwardingApp
from tui.text import one_line
from tui.widgets.ink import Piece

if TYPE_CHECKING:
    from tui.consoles.sql.access import Way
    from tui.consoles.sql.screen import SqlConsole
    from tui.consoles.sql.staying import StayingScreen
    from tui.kube.options import ConnectOptions


#: Consoles that are on their way out of memory.
_removing: set[asyncio.Task[None]] = set()


class KeepingApp(ForwardingApp):
    """An app whose SQL consoles outlive their being left."""

    _kept: Kept | None = None
    _told_kept = False

    @property
    def sql_consoles(self) -> Kept:
        """Those that are open, left or not."""
        if self._kept is None:
            self._kept = Kept()
        return self._kept

    def show_console(self, key: str, console: SqlConsole) -> None:
        """Puts a new console in front, and keeps it."""
        self.sql_consoles.put(key, console)
        self.install_screen(console, f"sql {key} {id(console)}")
        self.push_screen(console)
        self._tidy()

    def show_again(self, console: SqlConsole, way: Way | None) -> None:
        """Puts one that was left in front again, as it was.

        Args:
            console: it.
            way: whom to talk to; None for whoever it was.
        """
        if console.here:
            # It stands below others of its kind: those are left as they are.
            while self.screen is not console and len(self.screen_stack) > 1:
                above = self.screen
                other = next((each for each in self.sql_consoles if each is above), None)
                if other is not None:
                    self.console_left(other)
                else:
                    self.pop_screen()
        else:
            self.push_screen(console)
        console.come_back(way)

    def console_left(self, console: StayingScreen) -> None:
        """Leaves the one in front; it stays."""
        if self.screen is not console:
            return
        console.note_leaving()
        console.dismiss()
        goes_on = bool(console.working or console.unfinished)
        if goes_on or not self._told_kept:
            self._told_kept = True
            name: Piece = (one_line(console.workload_name), "strong")
            state: Piece = (f" stays as it is: {console.state}", "warn" if goes_on else "")
            self.tell((("The console of ", ""), name, state), (("   s", "key"), (" goes back", "dim")))
        self._tidy(spare=console)

    def console_gone(self, console: StayingScreen) -> None:
        """Closes one for good."""
        self.sql_consoles.drop(console)
        if self.screen is console:
            console.dismiss()
        if console in self.screen_stack:
            return  # something stands on it; it ends when it is left
        self.uninstall_screen(console)
        if console.is_running:
            task = asyncio.create_task(self._remove(console), name="end of a console that was left")
            _removing.add(task)
            task.add_done_callback(_removing.discard)

    @staticmethod
    async def _remove(console: StayingScreen) -> None:
        await console.remove()

    def make_room(self) -> None:
        """A console is about to take rows: those that were left hold on to few."""
        self.sql_consoles.make_room()

    def _tidy(self, spare: StayingScreen | None = None) -> None:
        for console in self.sql_consoles.surplus():
            self.console_gone(console)
        self.sql_consoles.make_room(spare=spare)

    def end_consoles(self) -> None:
        """Closes all: the context that they lead to goes."""
        for console in self.sql_consoles:
            self.console_gone(console)

    def lost_with_consoles(self) -> list[str]:
        """What would be lost with those that were left, a line each."""
        return [
            f"SQL console of {one_line(console.workload_name)}: {lost}."
            for console in self.sql_consoles.left()
            if (lost := console.unfinished)
        ]

    def leave_for(self, options: ConnectOptions) -> None:
        """Opens another context or scope; what consoles would lose by it is asked first."""
        from tui.screens.forwards.question import Question  # noqa: PLC0415  (not needed to start)

        lost = self.lost_with_consoles()
        rows = sum(len(console.desk.results.sets) for console in self.sql_consoles.left())
        if rows:
            lost.append(f"SQL consoles close, {rows} result{'' if rows == 1 else 's'} with them; their editors stay.")
        leave = super().leave_for
        if not lost:
            leave(options)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                leave(options)

        self.push_screen(Question("Leave this context?", lost, yes="leave it"), answered)
