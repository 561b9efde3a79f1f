"""The app's part in switching: palette, namespaces, contexts, themes; what they need is loaded when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.app import App

if TYPE_CHECKING:
    from tui.screens.app import StatetuiApp


class SwitchingApp(App[None]):
    """An app whose keys lead to lists to choose from."""

    @property
    def _switched(self) -> StatetuiApp:
        return cast("StatetuiApp", self)

    def action_palette(self) -> None:
        """Everything that can be done here, by name."""
        from tui.screens import switchers  # noqa: PLC0415  (not needed to start)

        switchers.palette(self._switched)

    def action_namespace(self) -> None:
        """Chooses the namespaces to watch."""
        from tui.screens import switchers  # noqa: PLC0415  (not needed to start)

        switchers.namespaces(self._switched)

    def action_context(self) -> None:
        """Chooses another context; that works while the present one cannot be reached."""
        from tui.screens import switchers  # noqa: PLC0415  (not needed to start)

        switchers.contexts(self._switched, self._switched.gateway)

    def action_theme(self) -> None:
        """Chooses a theme."""
        from tui.screens import switchers  # noqa: PLC0415  (not needed to start)

        switchers.theme(self._switched)
