"""What takes the room: folders with what lies below them, the largest first, each opened in its place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from tui.consoles.bucket.client import ERRORS, Client, problem_of
from tui.consoles.bucket.headline import bar
from tui.consoles.bucket.words import name_below, size
from tui.consoles.view import View
from tui.problem import Problem
from tui.text import safe
from tui.widgets.columns import Column
from tui.widgets.ink import Piece
from tui.widgets.keyline import KeyLine
from tui.widgets.oneline import OneLine
from tui.widgets.row import Row
from tui.widgets.rows import RowTable

#: Folders that are counted at once, and that are looked at of one with very many.
AT_ONCE, MOST = 2, 1000
#: Seconds between two looks while something is counted.
LOOK = 0.3
_COLUMNS = (
    Column("name", "FOLDER", min_width=20, grow=1),
    Column("bar", "", min_width=12, priority=1),
    Column("share", "SHARE", min_width=5, align="right", priority=2),
    Column("size", "SIZE", min_width=7, align="right"),
    Column("objects", "OBJECTS", min_width=8, align="right"),
)


@dataclass(eq=False)
class Node:
    """A folder, or the objects that lie in one beside its folders.

    Attributes:
        prefix: of its keys.
        own: whether it stands for the objects beside the folders.
        children: None while it was not opened.
        counted: whether the figures are whole.
    """

    prefix: str
    level: int
    own: bool = False
    size: int = 0
    objects: int = 0
    counted: bool = False
    open: bool = False
    children: list[Node] | None = None
    problem: Problem | None = None
    cut: bool = field(default=False)

    @property
    def key(self) -> str:
        """Its row's name."""
        return f"{'o' if self.own else 'f'}{self.prefix}"


class Usage(View):
    """The tree below a prefix.

    Args:
        client: the store.
        bucket: the bucket.
        prefix: where it begins.
    """

    HELP: ClassVar[str] = """What takes the room
Folders with the bytes and the number of objects below them, the largest first; a bar is the share of what stands one
level above. enter opens a folder in its place, or closes it. It is counted by listing, current versions only, and
without what MinIO does not list (a/b beside an object a); escape stops that."""

    def __init__(self, client: Client, bucket: str, prefix: str) -> None:
        super().__init__()
        self._client = client
        self._bucket = bucket
        self._root = Node(prefix, 0)
        self._shown: dict[str, Node] = {}
        self._going = 0
        self._slots = asyncio.Semaphore(AT_ONCE)

    def compose(self) -> ComposeResult:
        """The tree."""
        yield OneLine(self._head, id="head")
        yield RowTable(_COLUMNS, id="list", empty_text="counting…")
        yield KeyLine()

    def on_mount(self) -> None:
        """Counts."""
        self.query_one(RowTable).focus()
        self.set_interval(LOOK, self._look)
        self._open(self._root)
        self._look()

    def _head(self, width: int) -> list[Piece]:
        root = self._root
        total = f"   {size(root.size)} in {root.objects:,} objects"
        state = f"   ◌ counting ({self._going} to go)" if self._going else ""
        cut = f"   ▲ the first {MOST:,} folders" if root.cut else ""
        return [
            (f" {safe(self._bucket)}/{safe(root.prefix)}", "title"),
            (total, ""),
            (state, "starting"),
            (cut, "warn"),
        ]

    # --- counting

    def _open(self, node: Node) -> None:
        node.open = True
        if node.children is None:
            node.children = []
            self._going += 1
            self.run_worker(self._list(node), group="usage", exit_on_error=False)

    async def _list(self, node: Node) -> None:
        assert node.children is not None  # noqa: S101  (opened)
        own = Node(node.prefix, node.level + 1, own=True, counted=True)
        more = ""
        try:
            while True:
                page = await self._client.page(self._bucket, node.prefix, more)
                for one in page.entries:
                    if not one.folder:
                        own.objects += 1
                        own.size += one.size or 0
                    elif len(node.children) < MOST:
                        child = Node(one.key, node.level + 1)
                        node.children.append(child)
                        self._going += 1
                        self.run_worker(self._count(child), group="usage", exit_on_error=False)
                    else:
                        node.cut = True
                more = page.more
                if not more:
                    break
        except ERRORS as error:
            node.problem = problem_of(error)
        finally:
            self._going -= 1
        if own.objects:
            node.children.append(own)

    async def _count(self, node: Node) -> None:
        try:
            async with self._slots:
                found = await self._client.count(self._bucket, node.prefix, lambda *_: None)
        except ERRORS as error:
            node.problem = problem_of(error)
        else:
            node.size, node.objects, node.counted = found.size, found.objects, True
        finally:
            self._going -= 1

    # --- drawing

    def _look(self) -> None:
        root = self._root
        root.size = sum(one.size for one in root.children or ())
        root.objects = sum(one.objects for one in root.children or ())
        self._shown = {}
        rows = list(self._rows(root))
        table = self.query_one(RowTable)
        table.set_rows(rows)
        if root.problem is not None:
            table.set_empty_text(((f"✗ {root.problem.what}  ", "failing"), (root.problem.evidence, "dim")))
        elif not self._going:
            table.set_empty_text("there is nothing")
        self.query_one(OneLine).look()

    def _rows(self, above: Node) -> Iterator[Row]:
        for node in sorted(above.children or (), key=lambda one: (-one.size, one.prefix)):
            self._shown[node.key] = node
            name = "(objects beside the folders)" if node.own else name_below(node.prefix, above.prefix)
            sign = "  " if node.own else ("▾ " if node.open else "▸ ")
            lead: Piece = ("  " * (node.level - 1) + sign, "dim")
            if node.problem is not None:
                yield Row(node.key, ((lead, (name, ""), (f"  ✗ {node.problem.what}", "failing")), "", "", "?", "?"))
            elif not node.counted:
                yield Row(node.key, ((lead, (name, "")), "", "", (("◌", "starting"),), ""))
            else:
                share = f"{100 * node.size // above.size}%" if above.size else ""
                yield Row(node.key, ((lead, (name, "")), ((bar(node.size, above.size or 1), "bar"),), share,
                                     size(node.size), f"{node.objects:,}"))  # fmt: skip
            if node.open:
                yield from self._rows(node)

    @on(RowTable.Selected)
    def _selected(self, message: RowTable.Selected) -> None:
        message.stop()
        node = self._shown.get(message.key)
        if node is None or node.own:
            return
        if node.open:
            node.open = False
        else:
            self._open(node)
        self._look()

    def action_leave(self) -> None:
        """Goes back; what is being counted is given up."""
        self.workers.cancel_group(self, "usage")
        self.dismiss()
