"""Exporting a result: the rows that are here, then those that are still to be read, into a file. Without a screen."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from tui.consoles.sql.files import Taken, Written
from tui.consoles.sql.resultset import ResultSet
from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.formats import FormatError, Writer, writer
from tui.services.sql.model import Lost, Row, ServerError, Wire

#: Formats for files, and what their names end in.
ENDINGS = {
    "csv": ".csv", "jsonl": ".jsonl", "json": ".json", "parquet": ".parquet", "tsv": ".tsv", "markdown": ".md",
    "insert": ".sql",
}  # fmt: skip


class _CutError(Exception):
    """A value that lost its end must not be taken for a whole one."""


class Export:
    """One export, from its beginning to a whole file or none.

    Attributes:
        path: where to.
        rows: rows written so far.
    """

    def __init__(
        self, result: ResultSet, path: Path, form: str, *, replace: bool = False, wire: Wire, table: str = "t"
    ) -> None:
        """Does nothing yet.

        Args:
            result: what is exported; when it is not wholly read, it is read on through its open cursor.
            path: where to.
            form: one of `ENDINGS`.
            replace: whether another file may be replaced.
            wire: the dialect of INSERT.
            table: its table.
        """
        self.path = path
        self._result, self._replace = result, replace
        self._form, self._wire, self._table = form, wire, table
        self._began = time.monotonic()
        self._file: Written | None = None
        self._made: Writer | None = None
        self.rows = 0

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._file.size if self._file is not None else 0

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    @property
    def total(self) -> int | None:
        """Rows that it will have written; None while nobody knows, for the result is still being read."""
        return len(self._result.store) if not self._result.open else None

    def reads(self, result: ResultSet | None) -> bool:
        """Whether it reads a result on through its open cursor."""
        return self._result is result and self._result.open

    def begin(self) -> None:
        """Opens the file and writes its head, so that what cannot work is known while somebody still looks.

        Raises:
            ProblemError: it cannot be written there, or the format cannot hold the result.
            Taken: another file stands there.
        """
        self._began = time.monotonic()
        try:
            self._made = writer(self._form, wire=self._wire, table=self._table)
            with contextlib.ExitStack() as undo:
                self._file = undo.enter_context(Written(self.path, replace=self._replace))
                self._file.write(self._made.start(self._result.columns))
                undo.pop_all()
        except FormatError as error:
            raise self._unfit(error) from None
        except OSError as error:
            raise self._unwritten(error) from None

    def discard(self) -> None:
        """Leaves nothing of a file that was begun and will not be written."""
        if self._file is not None:
            self._file.__exit__(None, None, None)

    async def run(self) -> None:
        """Writes all rows. Cancelled, it leaves no file, and reading pauses where it is.

        Raises:
            ProblemError: why there is no file.
            Taken: another file stands there.
        """
        if self._made is None or self._file is None:
            self.begin()
        made, opened = self._made, self._file
        assert made is not None and opened is not None  # noqa: S101  (begun)
        try:
            with opened as file:

                async def tap(rows: Sequence[Row]) -> None:
                    self._whole()
                    file.write(made.rows(rows))
                    self.rows += len(rows)

                await self._result.stream(tap)
                file.write(made.finish())
                # Not waiting for the disk would hold up the screen for as long as it takes.
                await asyncio.to_thread(file.done)
        except _CutError as error:
            raise self._problem(
                "The result has a value that is too long to be taken whole, so nothing was written",
                str(error),
                "Export it without that column, or in parts: substr(column, 1, 1000000). psql and mysql take it whole: "
                "statetui sql WORKLOAD --psql, or --mysql.",
            ) from None
        except FormatError as error:
            raise self._unfit(error) from None
        except OSError as error:
            raise self._unwritten(error) from None
        except ServerError as error:
            raise self._problem(
                f"The server ended the result after {self.rows:,} rows",
                f"{error.severity} {error.code}: {error.message}",
                "Nothing was written. Run the statement again if it may be run again.",
            ) from None
        except Lost as error:
            raise self._problem(
                f"The connection went after {self.rows:,} rows", str(error.problem), "Nothing was written."
            ) from None
        except EOFError as error:
            raise self._problem(
                "The result is not whole", str(error), "Run the statement again, and export it before another one."
            ) from None

    def _unfit(self, error: FormatError) -> ProblemError:
        return self._problem(f"{self._form} cannot hold this result", str(error), "Choose another format.")

    def _unwritten(self, error: OSError) -> ProblemError:
        return self._problem(f"{self.path} cannot be written", error.strerror or str(error), "Choose another place.")

    def _whole(self) -> None:
        if self._result.cut:
            raise _CutError(self._result.cut)

    def _problem(self, what: str, evidence: str, remedy: str) -> ProblemError:
        return ProblemError(Problem(Cause.CONFIG, what, evidence, remedy))


__all__ = ["ENDINGS", "Export", "Taken"]
