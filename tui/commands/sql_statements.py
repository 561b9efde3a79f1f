"""Where the statements of `statetui sql` come from: the command line, a file or stdin, read as they are run."""

from __future__ import annotations

import codecs
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from tui.commands import descriptors
from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.language.pieces import Piece, Sort
from tui.services.sql.language.split import Splitter
from tui.services.sql.model import Wire
from tui.text import one_line

#: Characters of a statement that an error shows.
SHOWN = 200


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, and where it stands.

    Attributes:
        text: what is sent.
        number: its place among the statements, from 1.
        place: for errors: `schema.sql, line 12`, `statement 2`.
        vertical: whether it asks for a vertical result.
    """

    text: str
    number: int
    place: str
    vertical: bool = False

    @property
    def shown(self) -> str:
        """Its beginning on one line."""
        line = one_line(self.text[: SHOWN + 1])
        return line if len(self.text) <= SHOWN else f"{line[:SHOWN]}…"


class Script:
    """The statements, in their order."""

    def __init__(self, wire: Wire, given: Sequence[str] | None, file: str) -> None:
        """Opens nothing yet.

        Args:
            wire: whose grammar splits them.
            given: the texts of the command line, each of one or more statements; None for a file.
            file: its path, `-` for stdin.
        """
        self._wire = wire
        self._given = given
        self._file = file
        self._number = 0

    async def __aiter__(self) -> AsyncIterator[Statement]:
        """Each of them, once the one before has been run.

        Raises:
            ProblemError: CONFIG, the file cannot be read, is not UTF-8, or holds what only another client understands.
        """
        if self._given is not None:
            for number, text in enumerate(self._given, 1):
                splitter = Splitter(self._wire)
                for piece in [*splitter.feed(text), *splitter.finish()]:
                    place = f"statement {self._number + 1}" if len(self._given) == 1 else f"-e {number}"
                    if statement := self._statement(piece, place, lines="\n" in text):
                        yield statement
            return
        name = "stdin" if self._file == "-" else self._file
        splitter = Splitter(self._wire)
        async for text in self._texts(name):
            for piece in splitter.feed(text):
                if statement := self._statement(piece, name, lines=True):
                    yield statement
        for piece in splitter.finish():
            if statement := self._statement(piece, name, lines=True):
                yield statement

    def _statement(self, piece: Piece, name: str, *, lines: bool) -> Statement | None:
        place = f"{name}, line {piece.line}" if lines else name
        if piece.sort is Sort.COMMAND:
            if piece.text[:9].lower() == "delimiter":  # which the splitter has heeded
                return None
            client = "psql" if self._wire is Wire.POSTGRES else "mysql"
            raise ProblemError(
                Problem(
                    Cause.CONFIG, f"{place}: only a client understands {one_line(piece.text)[:60]}", "",
                    f"Run the script with it: statetui sql WORKLOAD --{client} -- …",
                )
            )  # fmt: skip
        if piece.sort is Sort.DATA:  # its COPY was refused
            return None
        self._number += 1
        return Statement(piece.text, self._number, place, piece.delimiter in ("\\G", "\\gx"))

    async def _texts(self, name: str) -> AsyncIterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8-sig")("strict")
        descriptor = 0
        try:
            if self._file != "-":
                descriptor = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
            while data := await descriptors.read(descriptor):
                if text := decoder.decode(data):
                    yield text
            decoder.decode(b"", final=True)
        except OSError as error:
            raise ProblemError(Problem(Cause.CONFIG, f"{name} cannot be read", error.strerror or str(error))) from error
        except UnicodeDecodeError as error:
            raise ProblemError(
                Problem(
                    Cause.CONFIG, f"{name} is not UTF-8", str(error),
                    f"Convert it first: iconv -f ENCODING -t UTF-8. {self._number} statements before that were run.",
                )
            ) from error  # fmt: skip
        finally:
            if descriptor:
                os.close(descriptor)
