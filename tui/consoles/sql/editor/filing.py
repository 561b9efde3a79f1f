"""The open buffer and its `.sql` file: opened, saved, never over what somebody else wrote without a question."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tui.consoles.prompts import Prompt, files
from tui.consoles.sql.editor.buffers import digest, read_file, write_file
from tui.problem import Cause, Problem, ProblemError
from tui.screens.forwards.question import Question

if TYPE_CHECKING:
    from tui.consoles.sql.editor.workbench import Workbench


class Filing:
    """Asks for paths and does it.

    Args:
        workbench: whose open buffer.
    """

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    def open(self) -> None:
        """Asks for a file and opens it."""
        path = self._workbench.buffer.path
        start = f"{path.parent}/" if path is not None else ""
        self._workbench.app.push_screen(Prompt("Open a .sql file", start, self._open, word="open", offer=files))

    def _open(self, typed: str) -> None:
        path = Path(typed).expanduser()
        text = read_file(path)
        self._workbench.call_later(self._workbench.opened, path.absolute(), text)

    def save(self) -> None:
        """Saves to the buffer's file, or asks for one."""
        buffer = self._workbench.buffer
        if buffer.path is None:
            self.save_as()
            return
        try:
            if buffer.path.exists() and digest(read_file(buffer.path)) != buffer.saved:
                self._ask(buffer.path, "The file was changed by somebody else since it was opened")
            else:
                self._save(buffer.path)
        except ProblemError as error:
            self._workbench.fail(error.problem)

    def save_as(self) -> None:
        """Asks for a file and saves there."""
        start = str(self._workbench.buffer.path or "")
        self._workbench.app.push_screen(Prompt("Save as a .sql file", start, self._typed, word="save", offer=files))

    def _typed(self, typed: str) -> None:
        if not typed.strip() or typed.endswith("/"):
            raise ProblemError(Problem(Cause.CONFIG, "This is no file's name", typed, "Type one, as report.sql"))
        path = Path(typed).expanduser()
        path = (path if path.suffix else path.with_suffix(".sql")).absolute()
        if path.exists() and path != self._workbench.buffer.path:
            self._workbench.call_later(self._ask, path, "There is a file of this name")
        else:
            self._save(path)

    def _ask(self, path: Path, told: str) -> None:
        def answered(yes: bool | None) -> None:
            if not yes:
                return
            try:
                self._save(path)
            except ProblemError as error:
                self._workbench.fail(error.problem)

        question = Question(f"Replace {path.name}?", [told, str(path)], yes="replace it")
        self._workbench.app.push_screen(question, answered)

    def _save(self, path: Path) -> None:
        self._workbench.saved(path, write_file(path, self._workbench.editor.text))
        self._workbench.app.notify(f"Saved {path}", markup=False)
