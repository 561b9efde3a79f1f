"""Questions in one line: a file's path, a snippet's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input

from tui.problem import Problem, ProblemError
from tui.screens.chooser import LOW, NARROW, Choice, ChoiceList
from tui.screens.modal import Modal
from tui.text import one_line
from tui.widgets.lines import Line, Words

#: Entries of a folder that are looked at: one with a million must not hold the keys.
_MOST = 2000


class Prompt(Modal[bool]):
    """One field, below it what could stand there. Yields True when it was done.

    Args:
        title: what is asked.
        start: what stands in the field at first.
        done: does it with what was typed; a ProblemError is shown, and everything typed stays.
        word: what enter does, in a word or two.
        offer: what could stand in the field, given what does.
    """

    CSS_PATH = "prompts.tcss"
    HELP: ClassVar[str] = "Question\nType it, or take one of the offers with tab and the arrows; enter does it."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="prompt.leave", priority=True),
        Binding("enter", "done", "Do it", id="prompt.done", priority=True),
        Binding("tab", "take", "Take the offer", id="prompt.take", priority=True),
        Binding("up,alt+k", "move(-1)", "Up", show=False, id="prompt.up", priority=True),
        Binding("down,alt+j", "move(1)", "Down", show=False, id="prompt.down", priority=True),
    ]

    def __init__(
        self,
        title: str,
        start: str,
        done: Callable[[str], None],
        *,
        word: str,
        offer: Callable[[str], Sequence[Choice]] = lambda _: (),
    ) -> None:
        super().__init__()
        self._title, self._start, self._done, self._word, self._offer = title, start, done, word, offer

    def compose(self) -> ComposeResult:
        """A frame with the field, the offers, and a few words."""
        with Vertical(id="prompt") as frame:
            frame.border_title = Content(one_line(self._title))
            field = Input(self._start)
            field.cursor_blink = False
            yield field
            yield ChoiceList()
            yield Words()

    def on_mount(self) -> None:
        """Begins."""
        self.set_focus(self.query_one(Input))
        self.query_one(Input).action_end()
        self._show()
        self._tell()

    def on_resize(self) -> None:
        """On a small screen it takes all of it."""
        self.set_class(self.size.height < LOW or self.size.width < NARROW, "-low")

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        message.stop()
        self._show()
        self._tell()

    def _show(self) -> None:
        self.query_one(ChoiceList).put(list(self._offer(self.query_one(Input).value)), 0)

    def _tell(self, problem: Problem | None = None) -> None:
        lines = list[Line]()
        if problem is not None:
            lines.append(Line((("✗ ", "failing"), (problem.what, "failing")), hang=2))
            lines += [Line((("  ", ""), (text, "")), hang=2) for text in (problem.evidence, problem.remedy) if text]
        offers = (("tab", "key"), (" take the offer   ", "dim")) if self.query_one(ChoiceList).choices else ()
        keys = (("⏎", "key"), (f" {self._word}   ", "dim"), *offers, ("esc", "key"), (" back", "dim"))
        self.query_one(Words).set_lines([*lines, Line(keys)])

    def action_move(self, by: int) -> None:
        """Marks the offer above or below."""
        listed = self.query_one(ChoiceList)
        listed.put(listed.choices, max(0, listed.at + by))

    @on(ChoiceList.Clicked)
    def action_take(self) -> None:
        """Takes the marked offer into the field."""
        listed = self.query_one(ChoiceList)
        if 0 <= listed.at < len(listed.choices):
            field = self.query_one(Input)
            field.value = listed.choices[listed.at].value
            field.action_end()

    def action_done(self) -> None:
        """Does it."""
        try:
            self._done(self.query_one(Input).value)
        except ProblemError as error:
            self._tell(error.problem)
        else:
            self.dismiss(True)

    def action_leave(self) -> None:
        """Leaves everything as it is."""
        self.dismiss(False)


def files(typed: str, suffix: str = ".sql") -> list[Choice]:
    """Folders and files that what was typed can become.

    Args:
        typed: what stands in the field.
        suffix: of the files that are offered; empty for all of them, `/` for none.
    """
    folder, begun = (typed.rpartition("/")[0] + "/", typed.rpartition("/")[2]) if "/" in typed else ("", typed)
    found = list[tuple[bool, str]]()
    try:
        for number, entry in enumerate(Path(folder or ".").expanduser().iterdir()):
            if number >= _MOST:
                break
            name = entry.name
            if not name.lower().startswith(begun.lower()) or (name.startswith(".") and not begun.startswith(".")):
                continue
            if entry.is_dir() or (suffix != "/" and name.lower().endswith(suffix)):
                found.append((not entry.is_dir(), name))
    except OSError:
        return []
    return [Choice(folder + name + ("" if file else "/"), name + ("" if file else "/")) for file, name in sorted(found)]
