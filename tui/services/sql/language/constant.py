"""Whether a condition is true whatever the row: `WHERE true`, `WHERE 1 = 1`, `WHERE a = 1 OR true`."""

from __future__ import annotations

from collections.abc import Sequence

from tui.services.sql.language.lexer import Kind
from tui.services.sql.language.phrases import Word


def always_true(words: Sequence[Word]) -> bool:
    """Whether the condition holds for every row (but, at `x = x`, those where it is NULL)."""
    return _constant(list(words)) is True


def _constant(words: list[Word]) -> bool | None:
    """What the condition always is; None when it depends."""
    words = _unwrapped(words)
    if not words:
        return None
    for separators, deciding in ((("or", "||"), True), (("and", "&&"), False)):
        parts = _split(words, separators)
        if len(parts) > 1:
            results = [_constant(part) for part in parts]
            if deciding in results:
                return deciding
            return None if None in results else not deciding
    if words[0].low in ("not", "!"):
        inner = _constant(words[1:])
        return None if inner is None else not inner
    if len(words) == 1:
        return _truth(words[0])
    return _comparison(words)


def _unwrapped(words: list[Word]) -> list[Word]:
    while (
        len(words) > 1
        and words[0].low == "("
        and words[-1].low == ")"
        and all(word.depth > words[0].depth for word in words[1:-1])
    ):
        words = words[1:-1]
    return words


def _split(words: list[Word], separators: tuple[str, ...]) -> list[list[Word]]:
    depth, parts, between = words[0].depth, list[list[Word]]([[]]), False
    for word in words:
        # BETWEEN x AND y is no conjunction.
        if word.low == "between" and word.depth == depth:
            between = True
        if word.low in separators and word.depth == depth and not (between and word.low == "and"):
            parts.append([])
            continue
        if word.low == "and":
            between = False
        parts[-1].append(word)
    return parts


def _truth(word: Word) -> bool | None:
    if word.low in ("true", "false"):
        return word.low == "true"
    if word.kind is Kind.NUMBER:
        value = _number(word.text)
        return None if value is None else value != 0
    return None


def _number(text: str) -> float | None:
    try:
        return float(text.replace("_", ""))
    except ValueError:
        return None


def _comparison(words: list[Word]) -> bool | None:
    operators = [
        at for at, word in enumerate(words) if word.low in ("=", "==", "<>", "!=", "<", ">", "<=", ">=", "<=>")
    ]
    if len(operators) != 1:
        return None
    at = operators[0]
    left, right, sign = _unwrapped(words[:at]), _unwrapped(words[at + 1 :]), words[at].low
    if not left or not right:
        return None
    same = [word.low or word.text for word in left] == [word.low or word.text for word in right]
    if len(left) == len(right) == 1 and left[0].kind is right[0].kind is Kind.NUMBER:
        one, other = _number(left[0].text), _number(right[0].text)
        if one is None or other is None:
            return None
        return {
            "=": one == other, "==": one == other, "<=>": one == other, "<>": one != other, "!=": one != other,
            "<": one < other, ">": one > other, "<=": one <= other, ">=": one >= other,
        }[sign]  # fmt: skip
    literals = all(word.kind in (Kind.NUMBER, Kind.STRING) for word in (*left, *right))
    names = all(word.name or word.low == "." for word in (*left, *right)) and not any(w.low == "(" for w in left)
    if same and (literals or names):
        return sign in ("=", "==", "<=", ">=", "<=>")
    if literals and len(left) == len(right) == 1 and left[0].kind is right[0].kind and sign in ("<>", "!="):
        return True
    return None
