"""How `statetui queue get` and `tail` write messages: page by page, each of them once, whatever their number."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import json
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tui.commands.table import Table, paper
from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.model import Message, Properties
from tui.text import one_line

_HEAD = ("N", "EXCHANGE", "KEY", "BYTES", "AGAIN", "PAYLOAD")
#: Of a payload in a table.
_SHOWN = 60
_NAMES = tuple(field.name for field in dataclasses.fields(Properties))


class Written:
    """Where messages are shown or stored.

    Attributes:
        count: how many were written.
    """

    def __init__(self, form: str, *, raw: bool = False, folder: str | None = None) -> None:
        """Nothing is written yet.

        Args:
            form: `table`, `json` (one list) or `jsonl`.
            raw: only the payloads as they are, with a line's end behind each, in place of a form.
            folder: where each payload is written to a file of its own as well; None for nowhere.

        Raises:
            ProblemError: CONFIG, the folder cannot be made.
        """
        self.count = 0
        self._form = "raw" if raw else form
        self._folder = Path(folder) if folder is not None else None
        self._table = Table(_HEAD, paper(), print)
        if self._folder is not None:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise _not_written(self._folder, error) from error

    def write(self, messages: Sequence[Message]) -> None:
        """Writes messages; when it returns they are out of this process, so that they may be acknowledged.

        Raises:
            ProblemError: CONFIG, a file cannot be written, or is there already.
            OSError: stdout cannot be written.
        """
        first = self.count + 1
        if self._folder is not None:
            try:
                for number, message in enumerate(messages, first):
                    with (self._folder / f"{number:06}").open("xb") as out:
                        out.write(message.body)
            except OSError as error:
                raise _not_written(self._folder, error) from error
        if self._form == "raw":
            for message in messages:
                sys.stdout.buffer.write(message.body)
                sys.stdout.buffer.write(b"\n")
            sys.stdout.buffer.flush()
        elif self._form == "table":
            self._table.print([_row(message, number) for number, message in enumerate(messages, first)])
        else:
            for number, message in enumerate(messages, first):
                sys.stdout.write(self._text(message, number))
        sys.stdout.flush()
        self.count += len(messages)

    def end(self) -> None:
        """Ends a list of JSON, also one that was not written to its end."""
        if self._form == "json":
            print("\n]" if self.count else "[]", flush=True)

    def _text(self, message: Message, number: int) -> str:
        if self._form == "jsonl":
            return json.dumps(thing(message, number)) + "\n"
        item = textwrap.indent(json.dumps(thing(message, number), indent=2), "  ")
        return f"[\n{item}" if number == 1 else f",\n{item}"


def _not_written(folder: Path, error: OSError) -> ProblemError:
    return ProblemError(Problem(
        Cause.CONFIG, f"A payload cannot be written to {folder}", str(error),
        "What was not written is still in the queue. Name a folder without files of these names.",
    ))  # fmt: skip


def _row(message: Message, number: int) -> tuple[str, ...]:
    return (
        str(number), one_line(message.exchange), one_line(message.routing_key), str(len(message.body)),
        "yes" if message.redelivered else "", one_line(message.body[: _SHOWN * 4].decode("utf-8", "replace"))[:_SHOWN],
    )  # fmt: skip


def thing(message: Message, number: int) -> dict[str, Any]:
    """A message for JSON; the names are those of the management API. A payload that is no UTF-8 is in base64."""
    try:
        payload, encoding = message.body.decode("utf-8"), "string"
    except UnicodeDecodeError:
        payload, encoding = base64.b64encode(message.body).decode(), "base64"
    properties = {
        name: _plain(value) for name in _NAMES if (value := getattr(message.properties, name)) not in (None, "", {})
    }
    return {
        "n": number, "exchange": message.exchange, "routing_key": message.routing_key,
        "redelivered": message.redelivered, "properties": properties, "payload_bytes": len(message.body),
        "payload_encoding": encoding, "payload": payload,
    }  # fmt: skip


def _plain(value: Any) -> Any:  # noqa: ANN401 (of a header)
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
