"""What held the event loop of a program up; see `hooks/sitecustomize.py`."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

#: What makes a program note its stalls, beside other folders on its PYTHONPATH.
HOOK = str(Path(__file__).parent / "hooks")


@dataclass(frozen=True, slots=True)
class Stall:
    """One step of the loop.

    Attributes:
        at: monotonic seconds at its beginning.
        ms: by the clock.
        cpu: milliseconds of the processor; what is over that was somebody else's.
        what: the coroutine or callback.
        where: where it stood, if somebody looked.
    """

    at: float
    ms: float
    cpu: float
    what: str
    where: list[str]


class Stalls:
    """The notes of one program.

    Args:
        file: that they are written to; must not exist.
        where: whether to look where a step stands.
    """

    def __init__(self, file: Path, *, where: bool = False) -> None:
        self._file = file
        self._where = where
        self.all: list[Stall] = []
        self._since = time.monotonic()
        self._read = 0

    def environment(self, pythonpath: str) -> dict[str, str]:
        """What the program needs in its environment."""
        told = {"PYTHONPATH": f"{HOOK}{os.pathsep}{pythonpath}", "STALLS_FILE": str(self._file)}
        return told | ({"STALLS_WHERE": "1"} if self._where else {})

    def fresh(self) -> list[Stall]:
        """Those since the last time."""
        with self._file.open() as notes:
            notes.seek(self._read)
            text = notes.read()
        text = text[: text.rfind("\n") + 1]
        self._read += len(text)  # all of it is ASCII
        found = [Stall(**json.loads(line)) for line in text.splitlines()]
        self.all += found
        return found

    def print(self, most: int = 25) -> None:
        """What held it up most often, and how long: by what and where."""
        costs: Counter[str] = Counter()
        counts: Counter[str] = Counter()
        longest: dict[str, float] = {}
        for one in self.all:
            name = f"{one.what}  {' < '.join(reversed(one.where))}"
            costs[name] += int(one.cpu)
            counts[name] += 1
            longest[name] = max(longest.get(name, 0), one.cpu)
        print("processor ms  times  longest  what")
        for name, cost in costs.most_common(most):
            print(f"{cost:12,}  {counts[name]:5,}  {longest[name]:7.0f}  {name}")
