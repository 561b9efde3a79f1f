"""Exporting a result: the rows that are here, then those that are still to be read, into a file. Without a screen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from tui.consoles.sql.files import Taken, Written
from tui.consoles.sql.resultset import ResultSet
from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.formats import FormatError, writer
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
        self._result, self._path, self._replace = result, path, replace
        self._form, self._wire, self._table = form, wire, table
        self._began = time.monotonic()
        self._file: Written | None = None
        self.rows = 0

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._file.size if self._file is not None else 0

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    async def run(self) -> None:
        """Writes all rows. Cancelled, it leaves no file, and reading pauses where it is.

        Raises:
            ProblemError: why there is no file.
            Taken: another file stands there.
        """
        self._began = time.monotonic()
        try:
            made = writer(self._form, wire=self._wire, table=self._table)
            with Written(self._path, replace=self._replace) as file:
                self._file = file
                file.write(made.start(self._result.columns))

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
            raise self._problem(f"{self._form} cannot hold this result", str(error), "Choose another format.") from None
        except OSError as error:
            raise self._problem(
                f"{self._path} cannot be written", error.strerror or str(error), "Choose another place."
            ) from None
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

    def _whole(self) -> None:
        if self._result.cut:
            raise _CutError(self._result.cut)

    def _problem(self, what: str, evidence: str, remedy: str) -> ProblemError:
        return ProblemError(Problem(Cause.CONFIG, what, evidence, remedy))


__all__ = ["ENDINGS", "Export", "Taken"]
