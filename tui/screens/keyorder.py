"""Keys are answered in the order in which they were pressed, however fast they come.

Over a thin line, from a paste or a macro, `/orders⏎` arrives in one piece. Textual hands each key to the widget that
has the focus when the key is read, and looks for bindings only when it has come back from there through every queue
above that widget: the letters would reach the list, and its bindings, before the line that `/` opens exists. Here a
key is answered before the next one is looked at. To its answer belongs what it has the app do later, above all giving
the focus to another widget: `Widget.focus` only queues that, behind the keys that have come by then.

The answer is also drawn at once. Textual draws with the next of its frames, up to a thirtieth of a second later, and
the contents of a new screen not before its second frame.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from functools import partial

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.screen import UPDATE_PERIOD

#: Seconds that one key may hold up the next: a widget that is busy for longer must not stop the keys for ever. On a
#: machine with much else to do, half a second was seen to be too short: the next key went to the wrong widget.
PATIENCE = 2.0


class OrderedKeys(App[None]):
    """An app that finishes with a key before it takes the next."""

    _drawn_at = 0.0  # monotonic seconds
    _left_for_later: list[Callable[[], object]] | None = None  # while a key is being answered

    async def on_event(self, event: events.Event) -> None:
        """Answers bindings at once, unless text is being typed; then waits until those concerned have taken it in."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
            return
        await self._until_mounted()
        focused = self.focused
        later = self._left_for_later = []
        try:
            await self._answer(event)
        finally:
            self._left_for_later = None
        for callback in later:
            if inspect.isawaitable(result := callback()):
                await result
        await self._draw(focused)

    async def _answer(self, event: events.Key) -> None:
        focused = self.focused
        if focused is not None and focused.check_consume_key(event.key, event.character):
            await super().on_event(event)
        elif not await self._check_bindings(event.key, priority=True):
            await self._check_bindings(event.key)
        await _taken_in(focused or self.screen)

    def call_later(self, callback: Callable[..., object], *args: object, **kwargs: object) -> bool:
        """Has something done after what is queued; while a key is answered, before the keys that are queued."""
        if self._left_for_later is None:
            return super().call_later(callback, *args, **kwargs)
        self._left_for_later.append(partial(callback, *args, **kwargs))
        return True

    async def draw_now(self, changed: MessagePump) -> None:
        """Draws without waiting for the next frame, for what somebody waits for.

        Args:
            changed: the widget that has something new. Not to be awaited by it, nor by what is above it: they are
                waited for.
        """
        await _taken_in(changed)
        if self._running and self.is_attached:
            self._drawn_at = time.monotonic()
            self.screen._on_timer_update()

    async def _draw(self, focused: MessagePump | None) -> None:
        """Draws what the key has changed; of keys that come faster than frames only some, the frames draw the rest."""
        now = time.monotonic()
        if now - self._drawn_at < UPDATE_PERIOD:
            return
        self._drawn_at = now
        await self._until_mounted()
        if self.focused is not focused:
            await _taken_in(self.focused or self.screen)
        if self._running and self.is_attached:
            self.screen._on_timer_update()

    async def _until_mounted(self) -> None:
        """A screen that was pushed by the key before may not have its widgets, and its focus, yet."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self.screen._mounted_event.wait()
        except TimeoutError:
            self.log.warning("a screen takes long to mount; its keys may come too early")


async def _taken_in(focused: MessagePump) -> None:
    """Waits until the widget with the focus, and those above it that it tells, have answered what they were sent."""
    try:
        async with asyncio.timeout(PATIENCE):
            for node in (focused, focused, *_above(focused)):
                answered = asyncio.Event()
                if not node.call_later(answered.set):
                    return
                await answered.wait()
    except TimeoutError:
        focused.log.warning("a widget takes long to answer a key")


def _above(node: MessagePump) -> list[MessagePump]:
    found: list[MessagePump] = []
    parent = node._parent
    while parent is not None and not isinstance(parent, App):
        found.append(parent)
        parent = parent._parent
    return found
