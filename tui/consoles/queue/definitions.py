"""The topology out and in: to a file, and from one, after a look at what it would change."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.consoles.prompts import Prompt, files
from tui.consoles.queue.details import words
from tui.consoles.queue.words import counted
from tui.consoles.view import View
from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.arguments import wrong
from tui.services.queue.definitions import KEYS, Change, Difference, differences, read
from tui.text import one_line, safe
from tui.widgets.ink import Piece
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line, Lines
from tui.widgets.oneline import OneLine

if TYPE_CHECKING:
    from tui.consoles.queue.browsing import BrowsingScreen

#: What one of a part is called.
_ONE = {
    "users": "user", "vhosts": "virtual host", "permissions": "permission", "topic_permissions": "topic permission",
    "parameters": "parameter", "global_parameters": "global parameter", "policies": "policy", "queues": "queue",
    "exchanges": "exchange", "bindings": "binding",
}  # fmt: skip
#: A file that is larger is none of definitions.
LARGEST = 64 << 20


def read_file(path: Path) -> dict[str, Any]:
    """Definitions out of a file.

    Raises:
        ProblemError: it cannot be read, or holds none.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise wrong(f"{path} is too large for definitions", "64 MiB at most.")
        content = path.read_bytes()
    except OSError as error:
        raise ProblemError(Problem(Cause.CONFIG, f"{path} cannot be read", str(error))) from error
    return read(content, str(path))


def export(console: BrowsingScreen, vhost: str, *, secrets: bool = False) -> None:
    """Asks for a file and writes the definitions into it."""

    def done(typed: str) -> None:
        path = Path(typed).expanduser()
        if path.exists():
            raise wrong(f"{path} is there already", "Another name would do.")
        console.do(_export(console, path, vhost, secrets=secrets))

    def offers(typed: str) -> Any:  # noqa: ANN401  (choices)
        return files(typed, "")

    start = f"definitions-{console.workload_name}.json"
    console.app.push_screen(Prompt("Write definitions to", start, done, word="write them", offer=offers))


async def _export(console: BrowsingScreen, path: Path, vhost: str, *, secrets: bool) -> None:
    found = await console.client.definitions(vhost, secrets=secrets)
    text = json.dumps(found, indent=2, ensure_ascii=False, default=str) + "\n"
    await asyncio.to_thread(_write, path, text)
    many = ", ".join(f"{len(value):,} {part}" for part in KEYS if (value := found.get(part)))
    console.tell(f"Written to {path}: {many}{'' if secrets else '; without password hashes'}", "ready")


def _write(path: Path, text: str) -> None:
    """A new file that only its owner can read: hashes of passwords are nobody else's."""
    with open(path, "x", opener=_private, encoding="utf-8") as file:
        file.write(text)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def import_(console: BrowsingScreen, vhost: str) -> None:
    """Asks for a file and shows what it would change."""
    if not console.may_change():
        return

    def done(typed: str) -> None:
        wanted = read_file(Path(typed).expanduser())
        console.do(_preview(console, wanted, vhost, Path(typed).name))

    console.app.push_screen(
        Prompt("Read definitions from", "", done, word="compare", offer=lambda typed: files(typed, ""))
    )


async def _preview(console: BrowsingScreen, wanted: Mapping[str, Any], vhost: str, name: str) -> None:
    there = await console.client.definitions(vhost, secrets=True)
    console.app.push_screen(ImportView(console, wanted, vhost, name, list(differences(there, wanted, vhost))))


class ImportView(View):
    """What an import would do; nothing was sent yet."""

    HELP: ClassVar[str] = """Import
+ is new, ~ is changed, = is there and alike; ! is a queue or an exchange that is there and was declared otherwise:
that cannot be changed, and stays as it is; what is marked with a dot is not in the file, and stays. An import deletes
nothing. f5 sends it, after a question."""
    BINDINGS: ClassVar[list[BindingType]] = [Binding("f5,ctrl+s", "send", "Import", id="queue-import.send")]

    def __init__(
        self, console: BrowsingScreen, wanted: Mapping[str, Any], vhost: str, name: str, found: list[Difference]
    ) -> None:
        super().__init__()
        self._of, self._wanted, self._vhost, self._file, self._found = console, wanted, vhost, name, found

    def compose(self) -> ComposeResult:
        """Counts, and one line for each difference."""
        yield OneLine(self._head, id="head")
        yield Lines(id="text")
        yield KeyLine()

    def _count(self, change: Change) -> int:
        return sum(one.change is change for one in self._found)

    def _head(self, _: int) -> list[Piece]:
        told: list[Piece] = [(f" import of {one_line(self._file)}", "title")]
        for change, ink in ((Change.ADDED, "accent"), (Change.CHANGED, "warn"), (Change.REFUSED, "failing"),
                            (Change.SAME, "dim"), (Change.HERE, "dim")):  # fmt: skip
            if count := self._count(change):
                told.append((f"   {count:,} {change}", ink))
        return told

    def on_mount(self) -> None:
        """Shows them, what is the same last."""
        signs = {Change.ADDED: ("+ ", "accent"), Change.CHANGED: ("~ ", "warn"), Change.REFUSED: ("! ", "failing"),
                 Change.SAME: ("= ", "dim"), Change.HERE: ("· ", "dim")}  # fmt: skip
        lines: list[Line] = []
        for change, sign in signs.items():
            for one in self._found:
                if one.change is change:
                    told = "".join(
                        f"   {safe(name)}: {safe(here)} → {safe(wanted)}" for name, here, wanted in one.fields
                    )
                    part = (f"{_ONE.get(one.part, one.part)} ", "dim")
                    lines.append(Line((sign, part, (safe(one.name), ""), (told, "warn")), hang=4))
        if not lines:
            lines = words(["it holds nothing"])
        self.query_one(Lines).set_lines(lines)
        self.query_one(Lines).focus()
        self.query_one(OneLine).look()

    def action_send(self) -> None:
        """Sends it, after a question."""
        self._of.do(self._send())

    async def _send(self) -> None:
        new, changed = self._count(Change.ADDED), self._count(Change.CHANGED)
        if not new and not changed:
            self._of.tell("Nothing would change", "ready")
            return
        does = (f"makes {counted(new, 'thing')} and changes {changed:,}", "an import deletes nothing")
        held = self._of.guard.held("Import?", does, "import", self._of.workload_name)
        if not await self._of.confirm(held):
            return
        await self._of.client.put_definitions(self._wanted, self._vhost)
        self._of.tell(f"Definitions of {self._file} imported", "ready")
        self.dismiss()
        await self._of.reload()
