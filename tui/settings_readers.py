"""How values of the settings file are read: each reader takes what was written and says what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)  # a key that stands twice, in one line too, is two keys
class Item:
    """A value as it was written, and the line it stands on (0: not from a file). Lists and mappings hold items."""

    value: Any
    line: int = 0


class WrongError(Exception):
    """A value that does not fit, and where it stands."""

    def __init__(self, item: Item, message: str, key: str = "") -> None:
        super().__init__(message)
        self.item, self.key = item, key


def nearest(word: str, words: Collection[str]) -> str:
    """The word that was probably meant, or empty."""
    return next(iter(get_close_matches(word.lower(), sorted(words), n=1, cutoff=0.6)), "")


def meant(word: str, words: Collection[str]) -> str:
    """A sentence with the nearest valid word, or with all of them when none is near."""
    near = nearest(word, words)
    return f"did you mean {near}?" if near else f"valid: {', '.join(sorted(words))}"


def shown(value: object) -> str:
    """What a value is, in words."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"{str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return f"{str(value)!r}"


def a_text(item: Item) -> str:
    """A text that is not blank."""
    if not isinstance(item.value, str) or not item.value.strip():
        raise WrongError(item, f"expected text, found {shown(item.value)}")
    return item.value.strip()


def a_flag(item: Item) -> bool:
    """Yes or no."""
    if not isinstance(item.value, bool):
        raise WrongError(item, f"expected true or false, found {shown(item.value)}")
    return item.value


def a_choice(words: Callable[[], Collection[str]]) -> Callable[[Item], str]:
    """One of some words; any text where there are none to choose from."""

    def read(item: Item) -> str:
        text, valid = a_text(item), words()
        if valid and text not in valid:
            raise WrongError(item, f"{text!r} is not known; {meant(text, valid)}")
        return text

    return read


def some_texts(item: Item) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(item.value, list):
        raise WrongError(item, f"expected a list, found {shown(item.value)}")
    return tuple(a_text(part) for part in item.value)


def a_mapping(read: Callable[[Item], Any]) -> Callable[[Item], dict[str, Any]]:
    """Names with values of one sort."""

    def read_all(item: Item) -> dict[str, Any]:
        if not isinstance(item.value, dict):
            raise WrongError(item, f"expected a mapping, found {shown(item.value)}")
        found: dict[str, Any] = {}
        for key, value in item.value.items():
            name = str(key.value)
            if name in found:
                raise WrongError(key, "stands twice", name)
            try:
                found[name] = read(value)
            except WrongError as wrong:
                raise WrongError(wrong.item, str(wrong), name) from None
        return found

    return read_all


def some_keys(item: Item) -> str:
    """One key, several with commas between, or a list of them."""
    parts = some_texts(item) if isinstance(item.value, list) else tuple(a_text(item).split(","))
    names = [part.strip() for part in parts]
    if not names or not all(names):
        raise WrongError(item, "expected keys, as ctrl+r or [f5, ctrl+r]")
    return ",".join(names)
