"""The export of a console that goes on while somebody works: how far it is, giving it up, what came of it.

Without a screen. One at a time: two would read through the same session, or race for the same disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tui.consoles.sql.export import Export, Taken
from tui.consoles.sql.resultset import seconds
from tui.problem import ProblemError
from tui.text import one_line
from tui.widgets.ink import Piece


def size_text(count: float) -> str:
    """Bytes for a person, in units of 1000 as disks and files have them: `12.3 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


class Exports:
    """Runs an export in the background.

    Attributes:
        current: the one that goes on, None when none does.
        said: what came of the last one; empty before, and again once it is `hushed`.
    """

    def __init__(self, ended: Callable[[], None] = lambda: None) -> None:
        """Runs nothing yet.

        Args:
            ended: called when one has ended, however it did.
        """
        self.current: Export | None = None
        self.said: tuple[Piece, ...] = ()
        self._ended = ended
        self._task: asyncio.Task[None] | None = None

    def start(self, export: Export) -> None:
        """Lets an export go on by itself; the one before must have ended."""
        assert self.current is None  # noqa: S101  (who asks for one looks first)
        self.current, self.said = export, ()
        self._task = asyncio.create_task(self._run(export), name="export")

    async def _run(self, export: Export) -> None:
        try:
            await export.run()
        except asyncio.CancelledError:
            # How far it came: what had been read for it alone is not in the grid.
            said = f"export to {export.path.name} cancelled after {export.rows:,} rows: nothing of the file stays"
            self.said = (("■ ", "stopped"), (one_line(said), ""))
        except Taken as error:
            self.said = (("✗ ", "failing"), (one_line(f"not exported: {error}"), "failing"))
        except ProblemError as error:
            self.said = (("✗ ", "failing"), (one_line(str(error.problem)), "failing"))
        else:
            took = export.seconds
            rate = f", {export.rows / took:,.0f} rows/s" if took > 0.5 else ""
            many = f"{export.rows:,} row{'' if export.rows == 1 else 's'}"
            told = f"exported {many}, {size_text(export.size)} in {seconds(took)}{rate}: {export.path}"
            self.said = (("✓ ", "ready"), (one_line(told), ""))
        finally:
            self.current = self._task = None
            self._ended()

    @property
    def progress(self) -> tuple[Piece, ...]:
        """How far it is; empty when none goes on."""
        export = self.current
        if export is None:
            return ()
        of = f" of {export.total:,}" if export.total is not None else ""
        rate = export.rows / max(export.seconds, 0.001)
        told = f"{export.rows:,}{of} rows · {size_text(export.size)} · {rate:,.0f} rows/s"
        return (("⇣ ", "running"), (f"{told} → {one_line(export.path.name)}", ""))

    @property
    def unfinished(self) -> str:
        """What would be lost by leaving, in words; empty when nothing would."""
        return f"the export to {one_line(self.current.path.name)} is given up" if self.current is not None else ""

    def hush(self) -> None:
        """What came of the last one was read."""
        self.said = ()

    async def cancel(self) -> None:
        """Gives it up: nothing of the file stays, and reading pauses where it is."""
        if (task := self._task) is not None:
            task.cancel()
            await asyncio.wait([task])
        if (never := self.current) is not None:  # it was given up before its first step
            self.current = self._task = None
            never.discard()
