"""The catalogue tree: what is on the server, opened level by level."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.consoles.sql.branches import Branches, Node, Sort, relation_of
from tui.services.sql.catalogue.model import Relation
from tui.text import one_line
from tui.widgets.columns import fit, width_of
from tui.widgets.ink import Piece, inks
from tui.widgets.strips import strip_of


class CatalogueTree(ScrollView, can_focus=True):
    """Shows `Branches`; draws lines itself, and only those that changed.

    Attributes:
        filter_text: what names must have to be shown.
    """

    HELP: ClassVar[str] = """Catalogue
What is on the server, read when it is opened and over a connection of its own, so that your transaction stands. Enter
opens and closes; on another database it connects there. i writes the name into the editor, p runs a statement that
shows the first 100 rows, d shows the statements that would make it anew, / filters what was read, r reads all anew.
Rows and sizes are the server's estimates; nothing stands there when it never counted."""
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"tree--cursor"}
    DEFAULT_CSS: ClassVar[str] = """
    CatalogueTree {
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size: 1 1;
        .tree--cursor { background: $cursor; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="catalogue.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="catalogue.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="catalogue.page-up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="catalogue.page-down"),
        Binding("home,g", "edge(0)", "First", show=False, id="catalogue.first"),
        Binding("end,G", "edge(1)", "Last", show=False, id="catalogue.last"),
        Binding("enter,space", "fold", "Open", id="catalogue.open"),
        Binding("right,l", "into", "Open", show=False, id="catalogue.into"),
        Binding("left,h", "out", "Close", show=False, id="catalogue.out"),
        Binding("i", "insert", "Insert name", id="catalogue.insert"),
        Binding("p", "preview", "Preview", id="catalogue.preview"),
        Binding("d", "definition", "Definition", id="catalogue.definition"),
        Binding("slash", "filter", "Filter", id="catalogue.filter"),
        Binding("r", "reload", "Read anew", id="catalogue.reload"),
    ]

    class Insert(Message):
        """A name is to stand in the editor."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Wanted(Message):
        """Something is wanted of a relation.

        Attributes:
            relation: which.
            what: `preview` or `definition`.
        """

        def __init__(self, relation: Relation, what: str) -> None:
            super().__init__()
            self.relation, self.what = relation, what

    class Connect(Message):
        """Another database is to be connected to."""

        def __init__(self, database: str) -> None:
            super().__init__()
            self.database = database

    class FilterWanted(Message):
        """Names are to be filtered."""

    class ReloadWanted(Message):
        """All is to be read anew."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.auto_links = False
        self.filter_text = ""
        self.empty = "no session yet"
        self._branches: Branches | None = None
        self._shown: list[Node] = []
        self._drawn: list[tuple[bool, list[Piece]]] = []
        self._at = 0

    # --- what it shows

    @property
    def node(self) -> Node | None:
        """The node under the cursor."""
        return self._shown[self._at] if self._at < len(self._shown) else None

    @property
    def nodes(self) -> list[Node]:
        """The lines that are shown."""
        return self._shown

    def show(self, branches: Branches | None) -> None:
        """Shows another tree."""
        self._branches = branches
        self._at = 0
        self.scroll_to(0, 0, animate=False, force=True)
        self.look()

    def set_filter(self, text: str) -> None:
        """Shows only what has this in its name."""
        if text != self.filter_text:
            self.filter_text = text
            self.look()

    def look(self) -> None:
        """Takes what has come; the cursor stays on its node."""
        here = self.node
        self._shown = self._branches.visible(self.filter_text) if self._branches is not None else []
        at = next((at for at, node in enumerate(self._shown) if node is here), None)
        self._at = min(self._at, max(0, len(self._shown) - 1)) if at is None else at
        size = Size(0, len(self._shown))
        if size != self.virtual_size:
            self.virtual_size = size
        self._repaint()

    def _repaint(self) -> None:
        """Repaints the visible lines that came out different."""
        before, top = self._drawn, self.scroll_offset.y
        self._drawn = [(self._is_marked(top + y), self._pieces(top + y)) for y in range(self.size.height)]
        changed = [
            Region(0, y, self.size.width, 1)
            for y in range(self.size.height)
            if y >= len(before) or before[y] != self._drawn[y]
        ]
        if changed:
            self.refresh(*changed)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Other lines are in sight."""
        super().watch_scroll_y(old_value, new_value)
        self._repaint()

    def on_resize(self) -> None:
        """Lines are longer or shorter."""
        self._drawn = []
        self._repaint()

    def on_focus(self) -> None:
        """The cursor shows."""
        self._repaint()

    def on_blur(self) -> None:
        """The cursor hides."""
        self._repaint()

    def _pieces(self, at: int) -> list[Piece]:
        width = self.size.width
        if at >= len(self._shown):
            words = "nothing matches what was read" if self.filter_text else self.empty
            return fit(((f" {words}", "dim"),), width) if at == 0 and not self._shown else []
        node = self._shown[at]
        sign = "◌ " if node.loading else ("▾ " if node.opened else "▸ ") if node.leads else "  "
        if node.sort is Sort.DATABASE and not node.mark:
            sign = "○ "
        ink = "dim" if node.dim or node.sort is Sort.WORDS else ("strong" if node.mark else "")
        mark: Piece = ("▌" if self._is_marked(at) else " ", "accent")
        indent = "  " * node.depth
        name = one_line(node.name) or "(no name)"
        left: list[Piece] = [mark, (indent, ""), (sign, "dim"), (name, ink)]
        if node.mark:
            left.append((" ●", "accent"))
        used = sum(width_of(text) for text, _ in left)
        detail = one_line(node.detail)
        room = width - used - 3
        if detail and room >= 4:
            told = fit(((detail, "dim"),), min(room, width_of(detail)))
            gap = width - used - sum(width_of(text) for text, _ in told) - 1
            left += [(" " * gap, ""), *told]
        return fit(tuple(left), width)

    def _is_marked(self, at: int) -> bool:
        return at == self._at and self.has_focus and bool(self._shown)

    def render_line(self, y: int) -> Strip:
        """One line of it."""
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        at = self.scroll_offset.y + y
        marked, pieces = self._drawn[y] if y < len(self._drawn) else (self._is_marked(at), self._pieces(at))
        if marked:
            ground += Style(bgcolor=self.get_component_rich_style("tree--cursor").bgcolor)
        return strip_of(pieces, inks(self.app), ground, self.size.width)

    # --- moving

    def _go(self, at: int) -> None:
        self._at = max(0, min(at, len(self._shown) - 1))
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if self._at < top:
            self.scroll_to(y=self._at, animate=False, force=True)
        elif self._at >= top + height:
            self.scroll_to(y=self._at - height + 1, animate=False, force=True)
        self._repaint()
        self.refresh_bindings()

    def action_move(self, by: int) -> None:
        """The next line, or the one before."""
        self._go(self._at + by)

    def action_page(self, pages: int) -> None:
        """A screenful."""
        self._go(self._at + pages * max(1, self.size.height - 1))

    def action_edge(self, end: int) -> None:
        """The first line or the last."""
        self._go(len(self._shown) - 1 if end else 0)

    def on_click(self, event: events.Click) -> None:
        """Goes to a line; a second click opens it."""
        at = self.scroll_offset.y + event.y
        if at < len(self._shown):
            if at == self._at and event.chain > 1:
                self.action_fold()
            self._go(at)

    # --- opening

    def action_fold(self) -> None:
        """Opens or closes a node; another database is connected to."""
        node = self.node
        if node is None or self._branches is None:
            return
        if node.sort is Sort.DATABASE and not node.mark:
            self.post_message(self.Connect(node.name))
        elif node.opened:
            self._branches.close(node)
        elif node.leads:
            self.run_worker(self._branches.open(node), exit_on_error=False)
        else:
            self.action_insert()

    def action_into(self) -> None:
        """Opens a node, or goes to the first one in it."""
        node = self.node
        if node is not None and node.leads and not node.opened and not (node.sort is Sort.DATABASE and not node.mark):
            self.action_fold()
        elif node is not None and node.children:
            self._go(self._at + 1)

    def action_out(self) -> None:
        """Closes a node, or goes to the one that it lies in."""
        node = self.node
        if node is None or self._branches is None:
            return
        if node.opened and node.leads:
            self._branches.close(node)
        elif node.parent is not None:
            self._go(next((at for at, each in enumerate(self._shown) if each is node.parent), self._at))

    # --- what is wanted of a node

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Relations can be looked at; names can be written."""
        if action in ("preview", "definition"):
            return relation_of(self.node) is not None
        if action == "insert":
            return self.node is not None and self.node.sort not in (Sort.WORDS, Sort.GROUP)
        return True

    def action_insert(self) -> None:
        """Has the name written into the editor."""
        if self.node is not None and self._branches is not None and self.node.sort not in (Sort.WORDS, Sort.GROUP):
            self.post_message(self.Insert(self._branches.name_of(self.node)))

    def action_preview(self) -> None:
        """Has the first rows shown."""
        if (relation := relation_of(self.node)) is not None:
            self.post_message(self.Wanted(relation, "preview"))

    def action_definition(self) -> None:
        """Has the statements shown that would make it."""
        if (relation := relation_of(self.node)) is not None:
            self.post_message(self.Wanted(relation, "definition"))

    def action_filter(self) -> None:
        """Filters names."""
        self.post_message(self.FilterWanted())

    def action_reload(self) -> None:
        """Reads all anew."""
        self.post_message(self.ReloadWanted())
