"""What is done with forwards: opened, led elsewhere, started again. The dialog and the screen ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tui.kube.forward.book import Forwards
from tui.kube.forward.forward import Forward
from tui.kube.forward.listener import HOST, Address, TcpAddress, UnixAddress
from tui.kube.forward.targets import Target, Waiting
from tui.kube.forward.views import State
from tui.problem import Cause, Problem, ProblemError
from tui.screens.chooser import Choice
from tui.screens.forwards.rows import pod_cell
from tui.screens.forwards.wanted import (
    ANY,
    SAME,
    Typed,
    address_of,
    port_choices,
    suggested,
    target_of,
    way_of,
    ways,
)
from tui.systems import forwarding
from tui.systems.model import Workload
from tui.systems.reach import PortChoice, Reach
from tui.widgets.ink import Cell

if TYPE_CHECKING:
    from tui.settings_forwards import ForwardSetting
    from tui.systems.live import Live


class _Desk:
    """What opening and changing have in common."""

    def __init__(self, forwards: Forwards, reach: Reach, workload: Workload | None) -> None:
        self._forwards = forwards
        self._reach = reach
        self._workload = workload
        self._known: list[PortChoice] = reach.ports(workload) if workload is not None else []

    @property
    def ports(self) -> list[Choice]:
        """The ports to choose from."""
        return port_choices(self._known)

    @property
    def _now(self) -> Target | None:
        """Where it leads already."""
        return None

    @property
    def _mine(self) -> Forward | None:
        """The forward that it is about, None for one that is still to be opened."""
        return None

    def suggest(self, port: str) -> str:
        """The local address that goes with a remote port."""
        others = (forward for forward in self._forwards if forward is not self._mine)
        taken = {forward.listener.address for forward in others if forward.listener is not None}
        return suggested(port, self._known, taken)

    def preview(self, typed: Typed) -> Cell:
        """Where that would lead now.

        Raises:
            ProblemError: nowhere, ever.
        """
        target, _ = target_of(self._reach, self._workload, typed, self._now)
        found = target.resolve()
        if isinstance(found, Waiting):
            return (("○ ", "waiting"), (f"{found.reason}: connections wait for it", ""))
        more = f"  of {len(found)} that are ready" if len(found) > 1 else ""
        return (("● ", "ready"), ("leads to ", ""), *_pieces(pod_cell(found[0])), (more, "dim"))


class OpenDesk(_Desk):
    """Opens a forward to a workload.

    Attributes:
        opened: what was opened, None before.
    """

    def __init__(self, forwards: Forwards, reach: Reach, workload: Workload) -> None:
        super().__init__(forwards, reach, workload)
        self.opened: Forward | None = None
        self.ways = ways(workload)

    def start(self, pod: str = "") -> Typed:
        """What is suggested: the likeliest port, any ready member, or one of them."""
        port = str(self._known[0].number) if self._known else ""
        way = f"pod {pod}" if any(each.value == f"pod {pod}" for each in self.ways) else ANY
        return Typed(port, way, self.suggest(port))

    async def submit(self, typed: Typed) -> None:
        """Opens it.

        Raises:
            ProblemError: it leads nowhere, or the address cannot be had; nothing is left behind then.
        """
        target, sticky = target_of(self._reach, self._workload, typed)
        address = address_of(typed)
        self.opened = await _open(self._forwards, target, address, sticky=sticky)


class ChangeDesk(_Desk):
    """Leads a forward elsewhere; its connections stay where they are."""

    def __init__(self, forwards: Forwards, reach: Reach, workload: Workload | None, forward: Forward) -> None:
        super().__init__(forwards, reach, workload)
        self._forward = forward
        self._way = way_of(forward.target, sticky=forward.sticky) if workload is not None else SAME
        self.ways = ways(workload) if workload is not None else []
        if all(way.value != self._way for way in self.ways):
            self.ways.insert(0, Choice(self._way, forward.target.text, "as it is"))

    @property
    def _now(self) -> Target | None:
        return self._forward.target

    @property
    def _mine(self) -> Forward | None:
        return self._forward

    def start(self) -> Typed:
        """What it is now."""
        address = self._forward.listener.address if self._forward.listener is not None else ""
        return Typed(str(self._forward.target.port), self._way, address, suggested=False)

    async def submit(self, typed: Typed) -> None:
        """Changes it.

        Raises:
            ProblemError: it would lead nowhere, or the address cannot be had; it stays what it was then.
        """
        forward = self._forward
        if forward.state in (State.DRAINING, State.STOPPED):
            raise ProblemError(Problem(Cause.ABSENT, "The forward was stopped meanwhile", "", "Start it again first."))
        target, sticky = target_of(self._reach, self._workload, typed, forward.target)
        now = forward.listener.address if forward.listener is not None else ""
        address = address_of(typed)
        if address_text(address) != now and (now or typed.address.strip()):
            await forward.listen(address)
        if forward.name == plain_name(forward.target):
            forward.name = plain_name(target)
        forward.sticky = sticky
        forward.retarget(target)


def plain_name(target: Target) -> str:
    """What a forward is called that nobody named."""
    return f"{target.text}:{target.port}"


def address_text(address: Address) -> str:
    """An address as a listener tells it."""
    return f"{HOST}:{address.port}" if isinstance(address, TcpAddress) else f"unix:{address.path}"


def again(address: str) -> Address | None:
    """The address that was listened on, to be had again; None for none."""
    if address.startswith("unix:"):
        return UnixAddress(Path(address.removeprefix("unix:")))
    port = address.rpartition(":")[2]
    return TcpAddress(int(port)) if port.isdecimal() else None


async def restart(forwards: Forwards, forward: Forward) -> Forward:
    """Stops a forward, if it is not stopped yet, and makes another one like it.

    Raises:
        ProblemError: the address cannot be had any more; the new one stands without.
    """
    address = again(forward.view().address)
    await forwards.remove(forward)
    made = forwards.add(forward.target, name=forward.name, sticky=forward.sticky, patience=forward.patience)
    if address is not None:
        await made.listen(address)
    return made


async def start(live: Live, name: str, setting: ForwardSetting) -> Forward:
    """Starts a forward that the settings define.

    Raises:
        ProblemError: what it names is not there, or the address cannot be had; nothing is left behind then.
    """
    assert live.forwards is not None  # noqa: S101  (the screen is there only then)
    definition = forwarding.defined(name, setting)
    target = forwarding.target_of(definition, live)
    address = forwarding.address_of(definition, target, live)
    return await _open(live.forwards, target, address, name=name, sticky=definition.sticky)


async def _open(forwards: Forwards, target: Target, address: Address, *, name: str = "", sticky: bool) -> Forward:
    forward = forwards.add(target, name=name, sticky=sticky)
    try:
        await forward.listen(address)
    except ProblemError:
        await forwards.remove(forward, drain=0)
        raise
    return forward


def _pieces(cell: Cell) -> tuple[tuple[str, str], ...]:
    return ((cell, ""),) if isinstance(cell, str) else cell
