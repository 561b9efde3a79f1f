"""What all screens have in common."""

from __future__ import annotations

from typing import ClassVar

from textual.screen import Screen

from tui.widgets.statusline import StatusLine


class BaseScreen(Screen[None]):
    """A full, opaque screen with the status in its first line.

    A screen or a widget explains itself with `HELP`: plain text whose first line is the title. `?` shows that of the
    focused widget, or of the nearest one around it that has any.
    """

    ALLOW_SELECT = False
    AUTO_FOCUS = "*"
    HELP: ClassVar[str] = ""
    #: On a screen that is read and left again the app's switchers are out of place.
    ALONE: ClassVar[bool] = False
    #: Where something is under way that another context would end, its keys belong to what is done here.
    WORKING: ClassVar[bool] = False
    #: Actions of the app that lead to where one is already.
    HERE: ClassVar[frozenset[str]] = frozenset()

    def reachable(self) -> tuple[str, str]:
        """The key of the workload that a forward from here would lead to, and its pod if one is meant; or empty."""
        return "", ""

    def on_screen_resume(self) -> None:
        """Shows what the status became while another screen was in front."""
        status = getattr(self.app, "status", None)
        if status is not None:
            for line in self.query(StatusLine):
                line.show(status)
