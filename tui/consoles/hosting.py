"""The app's part in consoles: one key opens the one that fits a workload, and none ends without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.consoles.keeping import KeepingApp
from tui.screens.base import BaseScreen
from tui.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.consoles.guard import Guard
    from tui.screens.chooser import Choice
    from tui.services.sql.model import Login
    from tui.systems.model import Workload
    from tui.systems.packaging import System


class ConsolesApp(KeepingApp):
    """An app whose screens open consoles."""

    def _console_for(self, key: str) -> Workload | None:
        """The workload, if there is a console for it."""
        return self._with(key, lambda system: system.sql is not None)

    def has_console(self, key: str) -> bool:
        """Whether there is a console for a workload."""
        return self._console_for(key) is not None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The key for a console is there where it leads somewhere."""
        if action in ("sql", "operations", "bucket", "queue"):
            of = {"bucket": self._bucket_for, "queue": self._queue_for}.get(action, self._console_for)
            return isinstance(self.screen, BaseScreen) and of(self.screen.reachable()[0]) is not None
        return super().check_action(action, parameters)

    def action_sql(self) -> None:
        """The SQL console of the workload under the cursor; on a member that takes no writes, of that member."""
        screen = self.screen
        if isinstance(screen, BaseScreen):
            self.open_sql(*screen.reachable())

    def open_sql(self, key: str, pod: str = "") -> None:
        """Opens the SQL console of a workload.

        Args:
            key: the workload's.
            pod: the member under the cursor; the primary unless it is known to take no writes.
        """
        from tui.consoles.sql.access import LiveAccess, Way  # noqa: PLC0415  (not needed to start)
        from tui.consoles.sql.guard import Guard  # noqa: PLC0415
        from tui.consoles.sql.screen import SqlConsole  # noqa: PLC0415
        from tui.services.sql.language.facts import Hold  # noqa: PLC0415

        workload, live = self._console_for(key), self._me.live
        if workload is None or live is None:
            return
        role = next((member.role for member in workload.members if member.pod == pod), None)
        # A replica may be meant; a tablet or an orchestrator beside the servers is not.
        served = live.reach is not None and any(one.pod == pod for one in live.reach.servers(workload))
        follows = served and role is not None and role.writes is False
        way = Way(member=pod) if follows else Way()
        kept = self.sql_consoles.get(key)
        if kept is not None:
            named = served and role is not None and role.writes is not None
            self.show_again(kept, way if named else None)
            return
        access, settings = LiveAccess(live, key), self._me.settings
        locked = settings.read_only
        guard = Guard(Hold(settings.sql.confirm), settings.protects(access.context) and not locked, locked)
        self.show_console(key, SqlConsole(access, workload.name, guard, kept_as=f"{access.context}/{key}", way=way))

    def action_operations(self) -> None:
        """What an operator asks of the database under the cursor."""
        screen = self.screen
        if isinstance(screen, BaseScreen):
            self.open_operations(screen.reachable()[0])

    def open_operations(self, key: str, login: Login | None = None) -> None:
        """Opens the panel of topology, sessions, locks, sizes and health.

        Args:
            key: the workload's.
            login: one that somebody typed, in place of what the packaging keeps.
        """
        from tui.consoles.sql.operations import SqlOperations  # noqa: PLC0415  (not needed to start)

        live = self._me.live
        if live is not None and self._console_for(key) is not None:
            self.push_screen(SqlOperations(live, key, login))

    def _bucket_for(self, key: str) -> Workload | None:
        """The workload, if it is an object store."""
        return self._with(key, lambda system: "s3" in system.ports)

    def _queue_for(self, key: str) -> Workload | None:
        """The workload, if it is a message broker."""
        return self._with(key, lambda system: "amqp" in system.ports)

    def _with(self, key: str, fits: Callable[[System], bool]) -> Workload | None:
        """The workload, if it can be reached and its system is of a kind."""
        live, workload = self._me.live, self._me.workloads.get(key)
        if live is None or workload is None or live.forwards is None or not workload.members:
            return None
        system = live.catalogue.systems.get(workload.system)
        return workload if system is not None and fits(system) else None

    def action_bucket(self) -> None:
        """The bucket console of the object store under the cursor."""
        screen = self.screen
        if isinstance(screen, BaseScreen):
            self.open_bucket(screen.reachable()[0])

    def open_bucket(self, key: str) -> None:
        """Opens the bucket console of a workload.

        Args:
            key: the workload's.
        """
        from tui.consoles.bucket.access import LiveAccess  # noqa: PLC0415  (not needed to start)
        from tui.consoles.bucket.screen import BucketConsole  # noqa: PLC0415

        workload, live = self._bucket_for(key), self._me.live
        if workload is not None and live is not None:
            access = LiveAccess(live, key)
            self.push_screen(BucketConsole(access, workload.name, self._guard(access.context)))

    def action_queue(self) -> None:
        """The queue console of the message broker under the cursor."""
        screen = self.screen
        if isinstance(screen, BaseScreen):
            self.open_queue(screen.reachable()[0])

    def open_queue(self, key: str) -> None:
        """Opens the queue console of a workload.

        Args:
            key: the workload's.
        """
        from tui.consoles.queue.access import LiveAccess  # noqa: PLC0415  (not needed to start)
        from tui.consoles.queue.screen import QueueConsole  # noqa: PLC0415

        workload, live = self._queue_for(key), self._me.live
        if workload is not None and live is not None:
            access = LiveAccess(live, key)
            self.push_screen(QueueConsole(access, workload.name, self._guard(access.context)))

    def _guard(self, context: str) -> Guard:
        """What may be changed in a context."""
        from tui.consoles.guard import Guard  # noqa: PLC0415  (not needed to start)

        settings = self._me.settings
        return Guard(settings.protects(context) and not settings.read_only, settings.read_only)

    def console_choices(self) -> list[Choice]:
        """What the palette offers."""
        from tui.screens.chooser import Choice  # noqa: PLC0415  (not needed to start)

        return [
            Choice(f"{what} {key}", f"{name} of {workload.name}",
                   f"{self._open(key) if what == 'sql' else ''}{workload.title}  {workload.namespace}")
            for key, workload in self._me.workloads.items()
            for what, name, of in (
                ("sql", "SQL console", self._console_for), ("operations", "Operations", self._console_for),
                ("bucket", "Bucket console", self._bucket_for), ("queue", "Queue console", self._queue_for),
            )
            if of(key) is not None
        ]  # fmt: skip

    def _open(self, key: str) -> str:
        """What goes on in a console that is open, for the palette."""
        console = self.sql_consoles.get(key)
        return f"● {console.state}  " if console is not None else ""

    async def action_quit(self) -> None:
        """Ends the program; what a console would lose by it is asked first, and `q` again is an answer."""
        from tui.screens.forwards.question import QuitQuestion  # noqa: PLC0415  (not needed to start)

        lost = [
            f"{getattr(screen, 'CALLED', 'SQL console')} of {one_line(getattr(screen, 'workload_name', '?'))}: {lost}."
            for screen in self.screen_stack
            if (lost := str(getattr(screen, "unfinished", "")))
        ] + self.lost_with_consoles()
        if not lost or isinstance(self.screen, QuitQuestion):
            await super().action_quit()
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.exit()

        self.push_screen(QuitQuestion("Quit?", lost, yes="quit", key="q"), answered)
