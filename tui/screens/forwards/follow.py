"""Word of what changes among forwards, passed on at once, but not for each of a thousand connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.message_pump import MessagePump

if TYPE_CHECKING:
    from tui.kube.forward.book import Forwards

#: Seconds between two looks while connections come and go.
CALM = 0.1


class Follower:
    """Calls back in a widget's own turn: at once when all was quiet, else once for a tenth of a second."""

    def __init__(self, node: MessagePump, forwards: Forwards, then: Callable[[], None]) -> None:
        """Begins to follow.

        Args:
            node: in whose turn it is called back.
            forwards: what is followed.
            then: what is called.
        """
        self.forwards = forwards
        self._node = node
        self._then = then
        self._calm = True
        self._due = False
        forwards.on_change.append(self._changed)

    def close(self) -> None:
        """Follows no more."""
        if self._changed in self.forwards.on_change:
            self.forwards.on_change.remove(self._changed)

    def _changed(self) -> None:
        if self._due:
            return
        self._due = True
        if self._calm:
            self._node.call_later(self._tell)

    def _tell(self) -> None:
        self._due, self._calm = False, False
        self._node.set_timer(CALM, self._rest)
        self._then()

    def _rest(self) -> None:
        self._calm = True
        if self._due:
            self._tell()
