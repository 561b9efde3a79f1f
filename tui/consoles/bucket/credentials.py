"""The keys that were found: where each lies, and what it is once somebody asks."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.consoles.bucket.details import fact
from tui.consoles.view import View
from tui.systems.bucketkeys import FoundKeys
from tui.systems.credentialsearch import Outcome
from tui.text import safe
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line, Lines
from tui.widgets.oneline import OneLine

#: What stands for a secret: always the same, so that not even its length is told.
MASK = "••••••••"


class CredentialsView(View):
    """Keys, masked until asked for.

    Args:
        found: what was found.
        name: the workload's.
    """

    HELP: ClassVar[str] = """Credentials
What the workload's packaging keeps of keys, and where. Secrets are masked; d decodes them on the screen, and masks
them again. y copies the first secret by way of the terminal, without showing it. Nothing of it is stored or logged."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "decode", "Decode, or mask", id="bucket-credentials.decode"),
        Binding("y", "copy", "Copy the first secret", id="view.copy"),
    ]

    def __init__(self, found: FoundKeys, name: str) -> None:
        super().__init__()
        self._found = found
        self._of = name
        self._shown = False

    def compose(self) -> ComposeResult:
        """The keys."""
        yield OneLine(lambda _: [(f" Credentials of {safe(self._of)}", "title")], id="head")
        yield Lines(id="text")
        yield KeyLine()

    def on_mount(self) -> None:
        """Masked."""
        self.query_one(OneLine).look()
        self.query_one(Lines).focus()
        self._look()

    def _look(self) -> None:
        lines: list[Line] = []
        for at, keys in enumerate(self._found.keys):
            lines += [Line() for _ in range(bool(at))]
            lines.append(fact("access key", keys.access, "strong"))
            lines.append(fact("secret key", keys.secret if self._shown else MASK, "strong" if self._shown else "dim"))
            lines.append(fact("from", keys.source, "dim"))
        missed = [one for one in self._found.looked if one.outcome is not Outcome.FOUND]
        if missed:
            lines += [Line(), Line((("LOOKED FOR AND NOT FOUND", "dim"),))]
            for one in missed:
                said = f": {safe(one.says)}" if one.says else ""
                lines.append(Line(((f"{safe(one.what)}  {one.outcome}{said}", "dim"),), hang=2))
        self.query_one(Lines).set_lines(lines)

    def action_decode(self) -> None:
        """Shows the secrets, or masks them again."""
        self._shown = not self._shown
        self._look()

    def action_copy(self) -> None:
        """Copies the first secret, by way of the terminal."""
        if self._found.keys:
            self.app.copy_to_clipboard(self._found.keys[0].secret)
