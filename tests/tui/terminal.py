"""A driver that keeps what is written, and a small terminal that draws it: enough of one for what the app writes."""

from __future__ import annotations

import re
from typing import Any

from rich.cells import cell_len
from textual.drivers.headless_driver import HeadlessDriver

_SEQUENCE = re.compile(r"\x1b\[(\d*);?(\d*)H|\x1b\[([\d;]*)m|\x1b\[\?[\d$;]*\w|\x1b\][^\x07\x1b]*\x07|(.)", re.DOTALL)


class Recorder(HeadlessDriver):
    """Looks like a terminal to the app, so that frames are written; keeps them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.written: list[str] = []

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        self.written.append(data)

    def flush(self) -> None:
        pass

    def take(self) -> str:
        """What was written since the last call."""
        text = "".join(self.written)
        self.written.clear()
        return text


class Terminal:
    """Cells as (character, SGR parameters in force since the last reset)."""

    def __init__(self, width: int, height: int) -> None:
        self.cells = [[("\0", "")] * width for _ in range(height)]
        self._x = self._y = 0
        self._look: dict[str, str] = {}

    def feed(self, data: str) -> None:
        for match in _SEQUENCE.finditer(data):
            row, column, look, char = match.groups()
            if char is not None:
                self._put(char)
            elif look is not None:
                self._sgr(look.split(";") if look else ["0"])
            elif row is not None:
                self._y, self._x = int(row or 1) - 1, int(column or 1) - 1

    @property
    def text(self) -> list[str]:
        return ["".join(char for char, _ in line).rstrip() for line in self.cells]

    def _put(self, char: str) -> None:
        size = cell_len(char)
        line = self.cells[self._y]
        if not size:
            before, look = line[self._x - 1]
            line[self._x - 1] = (before + char, look)
            return
        line[self._x] = (char, ";".join(f"{key}={value}" for key, value in sorted(self._look.items())))
        for extra in range(1, size):
            line[self._x + extra] = ("", line[self._x][1])
        self._x += size

    def _sgr(self, codes: list[str]) -> None:
        codes = list(codes)
        while codes:
            code = codes.pop(0)
            if code == "0":
                self._look.clear()
            elif code in ("38", "48"):
                taken = 4 if codes[0] == "2" else 2
                self._look["fg" if code == "38" else "bg"] = ";".join(codes[:taken])
                del codes[:taken]
            elif code in ("39", "49"):
                self._look.pop("fg" if code == "39" else "bg", None)
            elif code.isdigit() and int(code) in (*range(30, 38), *range(90, 98)):
                self._look["fg"] = code
            elif code.isdigit() and int(code) in (*range(40, 48), *range(100, 108)):
                self._look["bg"] = code
            else:
                self._look[f"a{code}"] = "on"
