"""The YAML tab: any object of the workload, whole, read when it is asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from tui.kube.objects import Object
from tui.kube.resources import CLAIMS, PODS, VOLUMES, Resource
from tui.kube.times import clock
from tui.problem import Cause, Problem, ProblemError
from tui.screens.workload.fetch import Document, Reader, fetch
from tui.screens.workload.headline import Sheet, Sides
from tui.screens.workload.panel import WIDE, Tab
from tui.screens.workload.view import View
from tui.widgets.columns import Column
from tui.widgets.ink import Piece
from tui.widgets.lines import Line, Lines
from tui.widgets.row import Row
from tui.widgets.rows import RowTable

log = logging.getLogger(__name__)


_OFFLINE = Problem(Cause.UNREACHABLE, "Not connected to a cluster yet", "", "Press r to read again.")


@dataclass(frozen=True, slots=True)
class Target:
    """An object that can be read."""

    resource: Resource
    namespace: str
    name: str

    @property
    def key(self) -> str:
        """The row's key."""
        return f"{self.resource.key}/{self.name}"


class YamlText(Lines):
    """The text of an object."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "sideways(8)", "Right", show=False, id="yaml.right"),
        Binding("left,h", "leave_or_left", "Left", show=False, id="yaml.left"),
    ]

    class Left(Message):
        """The reader wants to go to the list of objects."""

    def action_leave_or_left(self) -> None:
        """Scrolls back to the left; at the left edge, goes to the list."""
        if self.scroll_offset.x:
            self.action_sideways(-8)
        else:
            self.post_message(self.Left())


class YamlTab(Tab):
    """A list of the workload's objects, and the text of the one under the cursor."""

    HELP: ClassVar[str] = """YAML
An object as the API server has it, read when you come to it and again on r; a note says when it changed since.
Values that are secrets are masked: the data of Secrets, variables and fields whose name speaks of a password, a token
or a key, passwords in addresses. Managed fields and the last applied configuration are folded, m unfolds them.
y goes to the next object, / searches (n, N: next, previous), w wraps long lines, → and ← go to the text and back."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "next_object(1)", "Next object", id="yaml.next-object"),
        Binding("Y", "next_object(-1)", "Previous object", show=False, id="yaml.previous-object"),
        Binding("slash", "search", "Search", id="yaml.search"),
        Binding("n", "match(1)", "Next match", show=False, id="yaml.next-match"),
        Binding("N", "match(-1)", "Previous match", show=False, id="yaml.previous-match"),
        Binding("m", "fold", "Managed fields", id="yaml.fold"),
        Binding("w", "wrap", "Wrap", id="yaml.wrap"),
        Binding("r", "read", "Read again", id="yaml.read"),
        Binding("right,l", "text", "Text", show=False, id="yaml.text"),
    ]

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        super().__init__()
        self._resources = resources
        self._api: Reader | None = None
        self._view: View | None = None
        self._targets: dict[str, Target] = {}
        self._shown: Target | None = None
        self._document: Document | None = None
        self._problem: Problem | None = None
        self._read_at: float | None = None
        self._reading = False
        self._folded = True
        self._wrap = True

    def compose(self) -> ComposeResult:
        """The list of objects; beside or below it the state of the text, the text, and the search line."""
        yield RowTable([Column("object", "OBJECT", min_width=10, grow=1)], show_header=False)
        with Vertical():
            yield Sheet()
            yield YamlText()
            yield Input(placeholder="search", select_on_focus=True)

    def on_mount(self) -> None:
        """The search line appears when it is asked for."""
        search = self.query_one(Input)
        search.display = False
        search.cursor_blink = False

    def on_resize(self, event: events.Resize) -> None:
        """Turns the text from below the list to beside it."""
        self.set_class(event.size.width >= WIDE, "-wide")

    def main(self) -> Widget:
        """The text: it is what one comes for; the objects are chosen with y."""
        return self.query_one(YamlText)

    # --- what to show

    def connect(self, api: Reader | None) -> None:
        """Says who reads."""
        self._api = api

    def show(self, view: View) -> None:
        """Lists the objects; the text stays, and its state line says whether the object has changed."""
        another = self._view is not None and self._view.workload.key != view.workload.key
        self._view = view
        self._targets = {target.key: target for target in targets(view, self._resources)}
        table = self.query_one(RowTable)
        table.set_rows([_row(target) for target in self._targets.values()])
        if another or self._shown is None:
            self._turn_to(self._targets.get(table.cursor_key or ""))
        self._show_state()

    def go_to(self, resource: str, name: str) -> None:
        """Shows one object, when it is among those of the workload."""
        if self.query_one(RowTable).move_to(f"{resource}/{name}"):
            self._turn_to(self._targets.get(f"{resource}/{name}"))

    def _turn_to(self, target: Target | None) -> None:
        if target is None or target == self._shown:
            return
        self._shown = target
        self._document = self._problem = self._read_at = None
        self.query_one(YamlText).set_lines((), top=True)
        self.action_read()

    @on(RowTable.Highlighted)
    def _another_object(self, message: RowTable.Highlighted) -> None:
        self._turn_to(self._targets.get(message.key or ""))

    # --- reading

    def action_read(self) -> None:
        """Reads the object, again if need be; the text stays until the new one is there."""
        if self._shown is not None:
            self._reading = True
            self._read(self._shown)
            self._show_state()

    @work(exclusive=True, exit_on_error=False, group="yaml")
    async def _read(self, target: Target) -> None:
        first = self._document is None
        try:
            self._problem = _OFFLINE if self._api is None else None
            if self._api is not None:
                self._document = await fetch(self._api, target.resource, target.namespace, target.name)
                self._read_at = self._view.now if self._view else None
        except ProblemError as error:
            self._problem = error.problem
        except Exception as error:
            log.exception("an object could not be shown")
            self._problem = Problem(
                Cause.INTERNAL, "statetui could not show this object", repr(error), "The log has more."
            )
        self._reading = False
        self._show_text(top=first)
        self._show_state()

    def _show_text(self, *, top: bool = False) -> None:
        document = self._document
        text = self.query_one(YamlText)
        if document is not None and self._problem is None:
            text.set_lines(document.folded if self._folded else document.unfolded, top=top)
        elif self._problem is not None:
            kept = () if document is None else (Line(), *(document.folded if self._folded else document.unfolded))
            text.set_lines((*problem_lines(self._problem), *kept), top=True)

    def _show_state(self) -> None:
        """The line above the text: which object, how fresh, what was found."""
        target, view = self._shown, self._view
        if target is None or view is None:
            self.query_one(Sheet).set_sides([Sides((("nothing to read", "dim"),))])
            return
        pieces: list[Piece] = [(target.resource.kind, "dim"), (f" {target.name}", "strong")]
        if self._reading:
            pieces.append(("   reading …", "dim"))
        elif self._document is not None and self._read_at is not None:
            pieces.append((f"   as of {clock(self._read_at)}", "dim"))
            pieces.append((self._changed(target, view), "warn"))
        text = self.query_one(YamlText)
        at, count = text.found
        right: tuple[Piece, ...] = ((f"{at} of {count} ", "accent"),) if self.query_one(Input).value else ()
        self.query_one(Sheet).set_sides([Sides(tuple(pieces), right)])

    def _changed(self, target: Target, view: View) -> str:
        """What became of the object since it was read, as far as the watch tells."""
        if view.store is None or self._document is None or not view.store.count(target.resource.key):
            return ""
        now = view.store.named(target.resource.key, target.namespace, target.name, Object)
        if now is None:
            return "   deleted since"
        if now.metadata.uid != self._document.uid:
            return "   deleted and created anew since: r reads it again"
        if now.metadata.resource_version != self._document.resource_version:
            return "   changed since: r reads it again"
        return ""

    # --- keys

    def action_next_object(self, step: int) -> None:
        """Goes round the objects."""
        table, keys = self.query_one(RowTable), list(self._targets)
        if (key := table.cursor_key) in self._targets:
            table.move_to(keys[(keys.index(key) + step) % len(keys)])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While nothing is sought, n is the key for namespaces, as everywhere."""
        return bool(self.query_one(Input).value) if action == "match" and self.is_mounted else True

    def action_text(self) -> None:
        """Goes to the text."""
        self.screen.set_focus(self.query_one(YamlText))

    @on(RowTable.Selected)
    def _read_selected(self) -> None:
        self.action_text()

    @on(YamlText.Left)
    def _leave_text(self) -> None:
        self.screen.set_focus(self.query_one(RowTable))

    def action_fold(self) -> None:
        """Folds or unfolds what only machines read."""
        self._folded = not self._folded
        self._show_text()

    def action_wrap(self) -> None:
        """Wraps long lines, or lets them run on."""
        self._wrap = not self._wrap
        self.query_one(YamlText).set_wrap(self._wrap)

    def action_search(self) -> None:
        """Opens the search line."""
        search = self.query_one(Input)
        search.display = True
        self.screen.set_focus(search)

    def action_match(self, step: int) -> None:
        """Goes to the next or the previous match."""
        self.query_one(YamlText).find_next(step)
        self._show_state()

    @on(Input.Changed)
    def _seek(self, message: Input.Changed) -> None:
        self.query_one(YamlText).find(message.value)
        self._show_state()

    @on(Input.Submitted)
    def _sought(self) -> None:
        self.query_one(Input).display = bool(self.query_one(Input).value)
        self.screen.set_focus(self.query_one(YamlText))

    def leave_search(self) -> bool:
        """Closes the search line and forgets what was sought; False when there was none."""
        search = self.query_one(Input)
        if not search.display:
            return False
        search.value = ""
        search.display = False
        self.screen.set_focus(self.query_one(YamlText))
        return True


def targets(view: View, resources: Mapping[str, Resource]) -> Iterable[Target]:
    """The objects of a workload that can be read: its pods, its claims, its sets and custom resources, its volumes."""
    workload = view.workload
    for member in workload.members:
        yield Target(PODS, workload.namespace, member.pod)
    for claim in workload.claims:
        yield Target(CLAIMS, workload.namespace, claim.name)
    for reference in workload.objects:
        if (resource := resources.get(reference.resource)) is not None:
            yield Target(resource, reference.namespace, reference.name)
    for claim in workload.claims:
        if claim.volume:
            yield Target(VOLUMES, "", claim.volume)


def _row(target: Target) -> Row:
    return Row(target.key, (((f"{target.resource.kind} ", "dim"), (target.name, "")),))


def problem_lines(problem: Problem) -> Iterable[Line]:
    """A problem as lines: what, the evidence in the other side's words, what to do."""
    yield Line((("✗ ", "failing"), (problem.what, "failing")), hang=2)
    for part in problem.evidence.splitlines():
        yield Line((("  │ ", "frame"), (part, "dim")), hang=4)
    if problem.remedy:
        yield Line((("  → ", "accent"), (problem.remedy, "accent")), hang=4)
