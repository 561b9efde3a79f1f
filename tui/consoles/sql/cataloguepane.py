"""The catalogue beside the editor: the tree, the line that filters it, and what is asked of a relation."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from tui.consoles.dialogs import TextDialog
from tui.consoles.sql.branches import Branches
from tui.consoles.sql.schemas import Schemas
from tui.consoles.sql.tree import CatalogueTree
from tui.services.sql.catalogue.model import Relation
from tui.services.sql.model import Lost, ServerError


class CataloguePane(Vertical):
    """Shows what `Schemas` read."""

    HELP: ClassVar[str] = CatalogueTree.HELP
    DEFAULT_CSS: ClassVar[str] = """
    CataloguePane {
        & CatalogueTree { height: 1fr; width: 1fr; }
        & Input { height: 1; border: none; padding: 0 1; background: $panel; color: $foreground; display: none; }
        & Input:focus { border: none; }
    }
    """

    class Preview(Message):
        """First rows are to be shown."""

        def __init__(self, statement: str) -> None:
            super().__init__()
            self.statement = statement

    class Failed(Message):
        """Something could not be read."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, schemas: Schemas, *, id: str) -> None:
        super().__init__(id=id)
        self._schemas = schemas
        self._branches: Branches | None = None

    def compose(self) -> ComposeResult:
        """The tree, and below it the line for filtering."""
        yield CatalogueTree()
        field = Input(id="filter", placeholder="names that have …")
        field.cursor_blink = False
        yield field

    @property
    def names(self) -> CatalogueTree:
        """The tree itself."""
        return self.query_one(CatalogueTree)

    def plant(self) -> None:
        """Shows the catalogue as it is now, from its first level on."""
        catalogue, facts = self._schemas.catalogue, self._schemas.facts
        if catalogue is None or facts is None:
            return
        branches = self._branches = Branches(catalogue, facts.database, self._grown)
        self.names.empty = "reading…"
        self.names.show(branches)
        self.run_worker(branches.begin(), exit_on_error=False, group="catalogue", exclusive=True)

    def _grown(self) -> None:
        if self.is_mounted:
            self.names.look()

    def reload(self) -> None:
        """Reads all anew."""
        self._schemas.forget()
        self.plant()

    def close_filter(self) -> bool:
        """Closes the line for filtering; False when it was not open."""
        field = self.query_one(Input)
        if not field.display:
            return False
        field.value, field.display = "", False
        self.names.focus()
        return True

    @on(CatalogueTree.FilterWanted)
    def _filter(self, message: CatalogueTree.FilterWanted) -> None:
        message.stop()
        field = self.query_one(Input)
        field.display = True
        field.focus()

    @on(Input.Changed)
    def _filtered(self, message: Input.Changed) -> None:
        message.stop()
        self.names.set_filter(message.value)

    @on(Input.Submitted)
    def _kept(self, message: Input.Submitted) -> None:
        message.stop()
        self.names.focus()

    @on(CatalogueTree.ReloadWanted)
    def _reload(self, message: CatalogueTree.ReloadWanted) -> None:
        message.stop()
        self.reload()

    @on(CatalogueTree.Wanted)
    def _wanted(self, message: CatalogueTree.Wanted) -> None:
        message.stop()
        catalogue = self._schemas.catalogue
        if catalogue is None:
            return
        if message.what == "preview":
            self.post_message(self.Preview(catalogue.preview(message.relation)))
        else:
            self.run_worker(self._show_definition(message.relation), exit_on_error=False)

    async def _show_definition(self, relation: Relation) -> None:
        catalogue = self._schemas.catalogue
        if catalogue is None:
            return
        try:
            text = await catalogue.definition(relation)
        except (ServerError, Lost) as error:
            self.post_message(self.Failed(error.message if isinstance(error, ServerError) else str(error.problem)))
            return
        title = f"{relation.schema}.{relation.name}"
        self.app.push_screen(TextDialog(title, text or "It is not there any more, or its definition may not be read."))
