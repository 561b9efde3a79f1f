"""What the screens of all consoles have in common: dialogs, what leaving would lose, and an end nobody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.screen import Screen

from tui.screens.base import BaseScreen
from tui.screens.forwards.question import Question

if TYPE_CHECKING:
    from tui.screens.app import StatetuiApp

T = TypeVar("T")
#: What is being ended after its screen was left.
_ending: set[asyncio.Task[Any]] = set()


class ConsoleScreen(BaseScreen):
    """A screen that is connected to a service of a workload, or about to be.

    Attributes:
        workload_name: the workload's.
    """

    #: What `Quit?` calls it.
    CALLED: ClassVar[str]

    def __init__(self, name: str) -> None:
        super().__init__()
        self.workload_name = name
        self._opening: asyncio.Task[None] | None = None

    # --- what each console knows for itself

    @property
    def unfinished(self) -> str:
        """What would be lost by leaving, in words; empty when nothing would."""
        raise NotImplementedError

    async def _end(self) -> None:
        """Ends the connection and all that goes on over it."""
        raise NotImplementedError

    # --- the app

    @property
    def host(self) -> StatetuiApp:
        """The app."""
        return cast("StatetuiApp", self.app)

    def _clock(self) -> float:
        return self.host.clock()

    def tell(self, text: str, ink: str = "") -> None:
        """Says something in the last line for a while."""
        self.host.tell(((text, ink),))

    # --- dialogs

    async def shown(self, screen: Screen[T]) -> T | None:
        """Shows a dialog and waits for what it yields; None when it was left."""
        answer: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()

        def answered(value: T | None) -> None:
            if not answer.done():
                answer.set_result(value)

        self.app.push_screen(screen, answered)
        return await answer

    def unless_lost(self, title: str, then: Callable[[], object], yes: str) -> None:
        """Does something at once, or asks first where something would be lost.

        Args:
            title: the question.
            then: what is done.
            yes: what the answer does, in a word or two.
        """
        lost = self.unfinished
        if not lost:
            then()
            return

        def answered(meant: bool | None) -> None:
            if meant:
                self._give_up(then)

        self.app.push_screen(Question(title, [f"With it {lost}."], yes=yes), answered)

    def _give_up(self, then: Callable[[], object]) -> None:
        """Does something although it loses what is unfinished."""
        then()

    # --- connecting and leaving

    def _open_with(self, work: Coroutine[Any, Any, None]) -> None:
        """Connects, in place of what was about to be connected."""
        if self._opening is not None:
            self._opening.cancel()
        self._opening = asyncio.create_task(work, name="connect a console")

    def closing(self, work: Coroutine[Any, Any, Any]) -> None:
        """Ends something after its screen was left, without anybody waiting for it."""
        ending = asyncio.create_task(work, name="end of a console's part")
        _ending.add(ending)
        ending.add_done_callback(_ending.discard)

    def on_unmount(self) -> None:
        """Ends the connection, without anybody waiting for it."""
        if self._opening is not None:
            self._opening.cancel()
        self.closing(self._end())
