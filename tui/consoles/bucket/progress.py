"""A dialog over something that takes a while: how far it is, and a key to give it up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content

from tui.consoles.bucket.headline import bar
from tui.consoles.dialogs import Dialog
from tui.services.bucket.model import Progress
from tui.text import one_line
from tui.widgets.lines import Line, Words

if TYPE_CHECKING:
    from tui.consoles.bucket.browsing import BrowsingScreen

T = TypeVar("T")
#: Seconds after which it is shown at all: what is over before needs no dialog. And between two looks.
SOON, LOOK = 0.4, 0.25


class Waiting(Dialog):
    """Says how far it is; yields True when it is given up.

    Args:
        title: what goes on.
        unit: what is counted.
    """

    HELP: ClassVar[str] = "Under way\nEscape gives it up; what was done until then is done."
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Give up", id="bucket-waiting.leave")]

    def __init__(self, title: str, unit: str) -> None:
        super().__init__()
        self._title = title
        self._unit = unit
        self.far: tuple[int, int | None] = (0, None)

    def compose(self) -> ComposeResult:
        """A frame with a line."""
        with Vertical(id="dialog") as frame:
            frame.border_title = Content(one_line(self._title))
            yield Words(id="why")
            yield Words(id="keys")

    def on_mount(self) -> None:
        """Looks now and then."""
        self.query_one("#keys", Words).set_lines([Line((("esc", "key"), (" give up", "dim")))])
        self.set_interval(LOOK, self._look)
        self._look()

    def _look(self) -> None:
        done, total = self.far
        whole = f" of {total:,}" if total is not None else ""
        told = ((f"{bar(done, total, 30)} ", "bar"), (f"{done:,}{whole} {self._unit}", "strong"))
        self.query_one("#why", Words).set_lines([Line(told)])

    def action_leave(self) -> None:
        """Gives it up."""
        self.dismiss(True)


async def show_progress(
    console: BrowsingScreen,
    title: str,
    unit: str,
    work: Callable[[Progress], Awaitable[T]],
    *,
    total: int | None = None,
) -> T | None:
    """Does something, and shows how far it is if it takes a while.

    Args:
        console: in front of which it is shown.
        title: what goes on.
        unit: what is counted.
        work: does it, and tells how far it is.
        total: how much it will be, if that is known.

    Returns:
        What comes of it; None when it was given up.

    Raises:
        StoreError, Lost, ProblemError: what `work` raises.
    """
    dialog = Waiting(title, unit)
    dialog.far = (0, total)

    def told(done: int, whole: int | None) -> None:
        dialog.far = (done, whole if whole is not None else total)

    task = asyncio.ensure_future(work(told))
    given_up = asyncio.Event()
    try:
        await asyncio.wait({task}, timeout=SOON)
        if not task.done():
            console.app.push_screen(dialog, lambda answer: given_up.set() if answer else None)
            waiting = asyncio.create_task(given_up.wait())
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not given_up.is_set():
                dialog.dismiss(False)
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
            return None
        return task.result()
    finally:
        if not task.done():
            task.cancel()
