"""How the app writes to the terminal and reads from it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rich.color import ColorSystem
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.driver import Driver
from textual.screen import Screen

from tui.screens.driver import PromptDriver
from tui.screens.frames import FrameDiff

if TYPE_CHECKING:
    from rich.console import RenderableType


class FrugalApp(App[None]):
    """An app that writes only what differs, and hears an escape in time."""

    _frames: FrameDiff | None = None

    def get_driver_class(self) -> type[Driver]:
        """Textual's choice, but with an escape key that is heard in time where that is a terminal."""
        chosen = super().get_driver_class()
        return PromptDriver if chosen is PromptDriver.__base__ else chosen

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Writes what differs from what the terminal shows, and nothing when nothing does."""
        driver = self._driver
        if not isinstance(renderable, LayoutUpdate | ChopsUpdate) or self._batch_count or self.is_headless:
            super()._display(screen, renderable)
            return
        try:
            if self._running and not self._closed and driver is not None:
                data = self._encode(renderable)
                if data:
                    self._begin_update()
                    driver.write(data)
                    self._end_update()
                    driver.flush()
        finally:
            self.post_display_hook()

    def _encode(self, update: LayoutUpdate | ChopsUpdate) -> str:
        if self._frames is None:
            system = self.console._color_system or ColorSystem.TRUECOLOR
            self._frames = FrameDiff(system, no_color=bool(os.environ.get("NO_COLOR")))
        width, height = self.size
        data = self._frames.encode(update, width, height)
        x, y = self.cursor_position
        at = self.screen.outer_size.clamp_offset(self.cursor_position)
        if data or at != self._previous_cursor_position:
            self._previous_cursor_position = at
            data += f"\x1b[{y + 1};{x + 1}H"
        return data
