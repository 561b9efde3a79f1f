"""The app's part in forwards: from any screen one is opened, all are shown, and none ends without a word."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import App
from textual.binding import Binding, BindingType

from tui.screens.base import BaseScreen
from tui.screens.forwards.follow import Follower
from tui.screens.forwards.signs import badge, state_sign
from tui.widgets.ink import Cell, Piece
from tui.widgets.note import NoteLine

if TYPE_CHECKING:
    from tui.kube.forward.book import Forwards
    from tui.kube.forward.forward import Forward
    from tui.kube.options import ConnectOptions
    from tui.screens.app import StatetuiApp
    from tui.systems.live import Live
    from tui.systems.model import Workload

log = logging.getLogger(__name__)

#: Seconds that connections get to finish when the program ends.
DRAIN = 2.0
#: Seconds that a note stands.
NOTE = 8.0


class ForwardingApp(App[None]):
    """An app whose screens open forwards.

    Attributes:
        badges: what stands on the workloads that forwards lead to, by workload key.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("F", "forwards", "Forwards", id="app.forwards"),
        # Before the screen's own keys, for as long as the note with the address stands.
        Binding("y", "copy_new", "Copy the new address", show=False, id="app.copy-address", priority=True),
    ]

    badges: Mapping[str, tuple[Piece, ...]] = {}
    _follower: Follower | None = None
    _note: NoteLine | None = None
    _new_address = ""
    _possible = (False, False)

    @property
    def _me(self) -> StatetuiApp:
        return cast("StatetuiApp", self)

    @property
    def forwards(self) -> Forwards | None:
        """The forwards of the opened context, None while there is none."""
        live = self._me.live
        return live.forwards if live is not None else None

    # --- badges

    def follow_forwards(self) -> None:
        """Follows the forwards of the opened context, those and no others."""
        forwards = self.forwards
        if self._follower is not None and self._follower.forwards is not forwards:
            self._follower.close()
            self._follower, self.badges = None, {}
        if self._follower is None and forwards is not None:
            self._follower = Follower(self, forwards, self._forwards_changed)
            self._count_badges()
        possible = (forwards is not None, bool(self._me.workloads))
        if possible != self._possible:
            self._possible = possible
            self.screen.refresh_bindings()  # the keys for forwards come and go

    def _forwards_changed(self) -> None:
        before = self.badges
        self._count_badges()
        if self.badges != before:
            self._me.refresh_view()

    def _count_badges(self) -> None:
        from tui.systems.forwarding import workload_of  # noqa: PLC0415  (not needed to start)

        found: dict[str, list[tuple[str, str]]] = {}
        live = self._me.live
        for forward in (live.forwards or ()) if live is not None else ():
            # What a console opens for itself comes and goes with it, and has no address that anybody could use.
            if forward.private:
                continue
            if live is not None and (workload := workload_of(forward.target, live)) is not None:
                address = forward.listener.address if forward.listener is not None else ""
                found.setdefault(workload.key, []).append((forward.state.value, address))
        self.badges = {key: told for key, each in found.items() if (told := badge(each))}

    # --- opening and showing

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The key that copies does so only while the note with the address stands; forwards need a context."""
        if action == "copy_new":
            note = self._note
            return bool(self._new_address) and note is not None and note.is_attached and note.screen is self.screen
        if action in ("forward", "forwards"):
            screen = self.screen
            out_of_place = not isinstance(screen, BaseScreen) or screen.ALONE or action in screen.HERE
            known = action == "forwards" or bool(self._me.workloads)
            return self.forwards is not None and known and not out_of_place
        return super().check_action(action, parameters)

    def action_forwards(self) -> None:
        """All forwards, on a screen of their own."""
        from tui.screens.forwards.screen import ForwardsScreen  # noqa: PLC0415  (not needed to start)

        live = self._me.live
        if live is not None and live.forwards is not None and not isinstance(self.screen, ForwardsScreen):
            self.push_screen(ForwardsScreen(live))

    def action_forward(self) -> None:
        """Opens a forward to the workload under the cursor, or to one that is chosen first."""
        from tui.screens.chooser import Choice, Chooser  # noqa: PLC0415  (not needed to start)

        screen = self.screen
        key, pod = screen.reachable() if isinstance(screen, BaseScreen) else ("", "")
        if key in self._me.workloads:
            self.open_forward(key, pod)
            return
        choices = [
            Choice(workload.key, workload.name, f"{workload.title}  {workload.namespace}", workload.key == key)
            for workload in self._me.workloads.values()
        ]

        def chosen(value: str | None) -> None:
            if value is not None:
                self.open_forward(value)

        self.push_screen(Chooser("Forward to", choices), chosen)

    def open_forward(self, key: str, pod: str = "") -> None:
        """The dialog for a forward to a workload, or to one of its pods."""
        from tui.screens.forwards.desk import OpenDesk  # noqa: PLC0415  (not needed to start)
        from tui.screens.forwards.dialog import ForwardDialog  # noqa: PLC0415

        live, workload = self._me.live, self._me.workloads.get(key)
        if live is None or live.forwards is None or live.reach is None or workload is None:
            return
        desk = OpenDesk(live.forwards, live.reach, workload)
        title = f"Forward {workload.name}"

        def done(opened: bool | None) -> None:
            if opened and desk.opened is not None:
                self._opened(desk.opened)

        self.push_screen(
            ForwardDialog(title, desk, desk.ports, desk.ways, desk.start(pod), name=f"statetui-{workload.name}"), done
        )

    def _opened(self, forward: Forward) -> None:
        from tui.screens.forwards.screen import ForwardsScreen  # noqa: PLC0415  (not needed to start)

        address = forward.view().address
        where: Cell = (("⇄ ", "accent"), (forward.name, "strong"), (" at ", ""), (address, "accent"))
        screen = self.screen
        if isinstance(screen, ForwardsScreen):  # its own y copies
            self.tell(where)
            screen.show(forward.number)
        else:
            keys = (("   y", "key"), (" copy   ", "dim"), ("F", "key"), (" all forwards", "dim"))
            self.tell(where, keys, address=address)

    # --- notes

    def tell(self, cell: Cell, keys: Cell = "", *, address: str = "", seconds: float = NOTE) -> None:
        """Says something in the last line for a while.

        Args:
            cell: what.
            keys: what can be done about it.
            address: what `y` copies while it stands there.
            seconds: how long.
        """
        if self._note is not None:
            self._note.remove()
        note = self._note = NoteLine(cell, keys)
        self._new_address = address
        self.screen.mount(note)

        def over() -> None:
            if self._note is note:
                self._note, self._new_address = None, ""
                note.remove()
                self.screen.refresh_bindings()

        self.set_timer(seconds, over)

    def copy(self, address: str) -> None:
        """Copies an address, by way of the terminal."""
        self.copy_to_clipboard(address.removeprefix("unix:"))
        self.tell((("copied ", ""), (address.removeprefix("unix:"), "accent")), seconds=3.0)

    def action_copy_new(self) -> None:
        """Copies the address of the forward that was opened just now."""
        self.copy(self._new_address)

    # --- ending

    def leave_for(self, options: ConnectOptions) -> None:
        """Opens another context or scope; the forwards of this one end with it, and that is asked first."""
        from tui.screens.forwards.question import Question, counted, ending  # noqa: PLC0415  (not needed to start)

        open_now = [view for forward in self.forwards or () if (view := forward.view()).state.value != "stopped"]
        if not open_now:
            self._me.connect(options)
            return
        tunnels = sum(len(view.tunnels) for view in open_now)
        told = [
            f"{counted(len(open_now), 'forward')} and {counted(tunnels, 'connection')} of this context end with it.",
            *ending(open_now),
        ]

        def answered(yes: bool | None) -> None:
            if yes:
                self._me.connect(options)

        self.push_screen(Question("Leave this context?", told, yes="leave it"), answered)

    async def action_quit(self) -> None:
        """Ends the program. Where other programs have connections open, that is asked once; `q` again is an answer."""
        forwards = self.forwards
        views = [forward.view() for forward in forwards or () if forward.listener is not None]
        if not any(view.tunnels for view in views):
            self.exit()
            return
        from tui.screens.forwards.question import QuitQuestion, counted, ending  # noqa: PLC0415  (not needed to start)

        if isinstance(self.screen, QuitQuestion):
            self.exit()
            return
        tunnels = sum(len(view.tunnels) for view in views)

        def answered(yes: bool | None) -> None:
            if yes:
                self.exit()

        told = [f"{counted(tunnels, 'connection')} of other programs end:", *ending(views)]
        self.push_screen(QuitQuestion("Quit?", told, yes="quit", key="q"), answered)

    async def close_forwards(self) -> None:
        """Ends forwards in order: what is under way may finish for a moment."""
        forwards = self.forwards
        if forwards is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(forwards.close(drain=DRAIN), DRAIN + 0.5)


def workload_badge(live: Live, workload: Workload) -> tuple[Piece, ...]:
    """What stands in the headline of a workload that forwards lead to: their addresses in full."""
    from tui.systems.forwarding import workload_of  # noqa: PLC0415  (not needed to start)

    pieces: list[Piece] = []
    for forward in live.forwards or ():
        state = forward.state.value
        target = workload_of(forward.target, live)
        if forward.private or state == "stopped" or target is None or target.key != workload.key:
            continue
        glyph, ink = state_sign(state)
        address = forward.listener.address if forward.listener is not None else str(forward.target.port)
        pieces += [("⇄ ", "accent" if state == "ready" else ink)]
        pieces += [(f"{glyph} ", ink)] if state != "ready" else []
        pieces += [(f"{address}   ", "accent" if state == "ready" else ink)]
    return tuple(pieces)
