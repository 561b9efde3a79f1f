"""A mapping of a YAML file that is read strictly: every mistake names the file, the key and the nearest valid one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from tui.problem import Cause, Problem, ProblemError


class Block:
    """A mapping of the file, with its path for errors. `keys` None means that any key is fine."""

    def __init__(
        self, file: str, path: str, data: object, keys: Sequence[str] | None = None, required: Sequence[str] = ()
    ) -> None:
        self.file = file
        self.path = path
        if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
            self.fail("", f"is a mapping of names, not {shown(data)}")
        self.data: dict[str, Any] = data
        if keys is not None:
            self.allow(keys, required)

    def allow(self, keys: Sequence[str], required: Sequence[str] = ()) -> None:
        """Refuses any other key."""
        for key in self.data:
            if key not in keys:
                self.fail(key, f"is not a key here{nearest(key, keys)}")
        self.require(*required)

    def require(self, *keys: str) -> None:
        """Refuses a block that lacks one of them."""
        for key in keys:
            if key not in self.data:
                self.fail(key, "is missing")

    def fail(self, key: str, what: str) -> NoReturn:
        """Raises a Problem about a key of this block (empty: about the block itself)."""
        path = ".".join(part for part in (self.path, key) if part)
        raise ProblemError(Problem(Cause.CONFIG, f"{self.file}: {path or 'the file'} {what}"))

    def has(self, key: str) -> bool:
        """Whether the key is given."""
        return self.data.get(key) is not None

    def text(self, key: str) -> str:
        """A text, empty when absent."""
        value = self.data.get(key, "")
        if not isinstance(value, str):
            self.fail(key, f"is a text, not {shown(value)}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; a lone text stands for a list of one."""
        return self._texts(key, self.data.get(key))

    def _texts(self, key: str, value: object) -> tuple[str, ...]:
        if value is None:
            return ()
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(item, str) and item for item in values):
            self.fail(key, f"is a text or a list of texts, not {shown(value)}; quote numbers and words like on and no")
        return tuple(values)

    def choice(self, key: str, valid: Iterable[str]) -> str:
        """One of some words."""
        value = self.text(key)
        words = tuple(valid)
        if value not in words:
            self.fail(key, f"is {value!r}, not one of {', '.join(words) or '(none)'}{nearest(value, words)}")
        return value

    def child(self, key: str) -> Block:
        """A mapping inside."""
        return Block(self.file, ".".join(part for part in (self.path, key) if part), self.data.get(key))

    def block(self, key: str, keys: Sequence[str] | None) -> Block:
        """A mapping inside, empty when absent."""
        return Block(self.file, ".".join(part for part in (self.path, key) if part), self.data.get(key, {}), keys)

    def blocks(self, key: str, keys: Sequence[str], required: Sequence[str]) -> list[Block]:
        """A list of mappings."""
        value = self.data.get(key, [])
        if not isinstance(value, list):
            self.fail(key, f"is a list, not {shown(value)}")
        path = ".".join(part for part in (self.path, key) if part)
        return [Block(self.file, f"{path}[{place}]", item, keys, required) for place, item in enumerate(value)]

    def all_texts(self) -> dict[str, str]:
        """Every key with its text."""
        return {key: self.text(key) for key in self.data}

    def all_lists(self) -> dict[str, tuple[str, ...]]:
        """Every key with its texts."""
        return {key: self._texts(key, value) for key, value in self.data.items()}

    def all_ports(self) -> dict[str, int]:
        """Every key with its port number."""
        for key, value in self.data.items():
            if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65536:
                self.fail(key, f"is a port number, not {shown(value)}")
        return dict(self.data)


def nearest(word: str, valid: Sequence[str]) -> str:
    """What was probably meant, to be put behind a complaint; empty when nothing is near."""
    near = difflib.get_close_matches(word, valid, n=1, cutoff=0.5)
    return f"; did you mean {near[0].strip()!r}?" if near else ""


def shown(value: object) -> str:
    """What a value is, in a few words."""
    return "nothing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
