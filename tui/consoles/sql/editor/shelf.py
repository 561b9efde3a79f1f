"""Snippets: statements that are kept under a name, taken into the editor or added from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.consoles.prompts import Prompt
from tui.screens.chooser import Choice, Chooser
from tui.services.sql import snippets

if TYPE_CHECKING:
    from tui.consoles.sql.editor.workbench import Workbench

#: The value of the line that keeps; of the others it is a number.
_KEEP = "keep"


class Shelf:
    """The list of snippets.

    Args:
        workbench: where they go, and come from.
    """

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    def open(self) -> None:
        """Lists them; the last line keeps what is written as a new one."""
        found, problems = snippets.read_all()
        for problem in problems:
            self._workbench.fail(problem)
        editor = self._workbench.editor
        kept = self._worth_keeping()
        choices = [Choice(str(number), one.name, one.about) for number, one in enumerate(found)]
        if kept:
            what = "the statement at the cursor" if editor.selection.is_empty else "the selection"
            choices.append(Choice(_KEEP, f"keep {what} …", "under a name"))
        chooser = Chooser("Snippets", choices)

        def chosen(value: str | None) -> None:
            if value == _KEEP:
                self._ask_name(kept)
            elif value is not None:
                self._workbench.put_statement(found[int(value)].text.rstrip())

        self._workbench.app.push_screen(chooser, chosen)
        if not choices:
            chooser.call_after_refresh(chooser.set_choices, (), f"none yet: files *.sql in {snippets.folder()}")

    def _worth_keeping(self) -> str:
        editor = self._workbench.editor
        if chosen := editor.selected_text.strip():
            return chosen
        piece = editor.statement()
        return f"{piece.text}{piece.delimiter}" if piece is not None else ""

    def _ask_name(self, text: str) -> None:
        def keep(name: str) -> None:
            snippets.save(name.strip(), text)
            self._workbench.app.notify(f"Kept as {name.strip()}", markup=False)

        self._workbench.app.push_screen(Prompt("Keep as a snippet", "", keep, word="keep it"))
