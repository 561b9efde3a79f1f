"""What all dialogs have in common: help, and an end that waits for what stands in front of them."""

from __future__ import annotations

from typing import ClassVar

from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, ScreenResultType


class Modal(ModalScreen[ScreenResultType]):
    """A dialog. It explains itself with `HELP`, as a `BaseScreen` does."""

    ALLOW_SELECT = False
    HELP: ClassVar[str] = ""
    # Textual looks for no binding behind a modal screen: what the app binds must stand here again. Where text is typed
    # the question mark is text.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "app.help", "Help", id="app.help", show=False),
    ]

    _kept: tuple[ScreenResultType | None] | None = None

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Ends it with this result; once it is in front, as Textual would take away whatever is in front."""
        if self.app.screen is self:
            return super().dismiss(result)
        self._kept = (result,)
        return AwaitComplete()

    def on_screen_resume(self) -> None:
        """What was in front of it is gone."""
        if self._kept is not None:
            (result,), self._kept = self._kept, None
            super().dismiss(result)
