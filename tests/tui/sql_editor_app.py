"""The workbench alone in an app, with a catalogue that stands still."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tui.consoles.sql.editor.buffers import BufferStore
from tui.consoles.sql.editor.editor import SqlEditor
from tui.consoles.sql.editor.workbench import Workbench
from tui.screens import themes
from tui.screens.frugal import FrugalApp
from tui.screens.keyorder import OrderedKeys
from tui.services.sql.catalogue.model import Column, Function, Relation
from tui.services.sql.history import History
from tui.services.sql.language.names import NameIndex, Names
from tui.services.sql.model import Wire
from tui.widgets.keyline import KeyLine
from tui.widgets.statusline import Status, StatusLine

NOW = 1_800_000_000.0


class Still:
    """Names that are there, and a note of those that were asked for."""

    def __init__(self, tables: int = 3) -> None:
        names = ["orders", "customers", "order_items", *(f"table_{n}" for n in range(tables - 3))]
        self.names = Names(path=("public",), schemas=NameIndex(["public", "audit"]))
        self.names.add_relations("public", [Relation("public", name) for name in names], first=True)
        self.names.set_functions("public", [Function("public", "order_total")])
        columns = (Column("id", "bigint"), Column("customer", "text"), Column("total", "numeric(10,2)"))
        self.names.columns["public", "orders"] = columns
        self.wanted: list[tuple[str, str]] = []

    def want_columns(self, schema: str, relation: str) -> None:
        self.wanted.append((schema, relation))

    def want_schema(self, schema: str) -> None:
        self.wanted.append((schema, ""))


class Desk(Screen[None]):
    """As the console's screen will hold it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "Back")]

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self._workbench = workbench

    def compose(self) -> ComposeResult:
        yield StatusLine()
        yield self._workbench
        yield KeyLine()


class EditorApp(OrderedKeys, FrugalApp):
    """Keeps what is to be run.

    Args:
        text: what the first buffer has.
        wire: whose grammar.
        source: of names.
    """

    CSS_PATH = "../../tui/screens/app.tcss"
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, text: str = "", wire: Wire = Wire.POSTGRES, source: Any = None, **more: Any) -> None:
        self._shown = themes.load(more.pop("theme", "dark"))
        super().__init__(**more)
        self.status = Status("real-cluster")
        self.register_theme(self._shown)
        self.theme = self._shown.name
        self.wire, self.source = wire, source if source is not None else Still()
        self.first = text
        self.ran: list[SqlEditor.Run] = []
        self.copied = ""

    def clock(self) -> float:
        return NOW

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return {"cursor": "#1f2a35", "frame-focus": "#7fb2e5", "frame": "#3a444e"}

    async def on_mount(self) -> None:
        store, history = BufferStore("c/ns/orders", self.wire), History("c/ns/orders", self.wire)
        workbench = Workbench(self.wire, store, history, clock=self.clock)
        await self.push_screen(Desk(workbench))
        workbench.set_source(self.source)
        self.app_resume_signal.subscribe(self, lambda _: self.redraw())
        if self.first:
            workbench.editor.load_text(self.first)
        workbench.editor.focus()

    def redraw(self) -> None:
        """As the app does it when somebody else had the terminal."""
        if self._frames is not None:
            self._frames.invalidate()
        self.screen.refresh()

    @property
    def workbench(self) -> Workbench:
        return next(screen for screen in self.screen_stack if isinstance(screen, Desk)).query_one(Workbench)

    @property
    def editor(self) -> SqlEditor:
        return self.workbench.editor

    def on_sql_editor_run(self, message: SqlEditor.Run) -> None:
        self.ran.append(message)


if __name__ == "__main__":
    EditorApp(
        "-- What was sold\nSELECT u.id, count(*) AS n, sum(total)::numeric(10,2)\nFROM orders u\n"
        "WHERE u.customer = 'O''Neil (x' AND u.total >= 12.50 /* net */\nGROUP BY 1;\n\n"
        "INSERT INTO users (id, city) VALUES ($1, 'Paris'), (2, NULL);\n\n"
    ).run()
