"""The settings: typed, from the person's file, the environment and the command line, each value with its origin.

The file is read and never written. A mistake in it is an error that names file, line, key and the nearest valid
key, and the program does not start: a `protected:` that is silently not in force would be worse than no start.
YAML is imported only when there is a file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui import paths
from tui.problem import Cause, Problem, ProblemError

if TYPE_CHECKING:
    import yaml

LAYOUTS = ("auto", "grid", "table")
LOG_LEVELS = ("debug", "info", "warning", "error")
ENVIRONMENT = "STATETUI_"
#: Larger files are a mistake (a kubeconfig full of certificates, a dump), not settings.
LARGEST_FILE = 1_000_000


class SettingsError(ProblemError):
    """The settings cannot be used; nothing was started."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a person can set.

    Attributes:
        theme: the name of a theme, empty for the program's own choice.
        layout: `auto` (grid, or table when there are many workloads), `grid` or `table`.
        mouse: whether the mouse is listened to.
        keys: binding id → keys, as "ctrl+r,f5".
        read_only: closes the gate for every context.
        protected: patterns of context names (`*` and `?`) whose gate is closed.
        namespaces: favourite namespaces by pattern of context names.
        low_bandwidth: for slow lines: fewer frames, lists compressed instead of streamed.
        log_level: of statetui's own messages.
        origins: where each value came from: `default`, `file …:3`, `env STATETUI_THEME`, `flag --theme`.
    """

    theme: str = ""
    layout: str = "auto"
    mouse: bool = True
    keys: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False
    protected: tuple[str, ...] = ()
    namespaces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    low_bandwidth: bool = False
    log_level: str = "info"
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)

    def chosen(self, key: str) -> bool:
        """Whether somebody set this value, so that a remembered choice does not apply."""
        return key in self.origins

    def protects(self, context: str) -> bool:
        """Whether nothing may be changed in this context."""
        return self.read_only or any(fnmatchcase(context, pattern) for pattern in self.protected)

    def favourites(self, context: str) -> tuple[str, ...]:
        """The favourite namespaces of a context, each once, in the order of the file."""
        found = (names for pattern, names in self.namespaces.items() if fnmatchcase(context, pattern))
        return tuple(dict.fromkeys(name for names in found for name in names))


@dataclass(frozen=True, slots=True)
class _Item:
    """A value as it was written, and the line it stands on (0: not from a file). Lists and mappings hold items."""

    value: Any
    line: int = 0


class _WrongError(Exception):
    """A value that does not fit, and where it stands."""

    def __init__(self, item: _Item, message: str, key: str = "") -> None:
        super().__init__(message)
        self.item, self.key = item, key


def load(
    *,
    file: Path | None = None,
    environ: Mapping[str, str],
    flags: Mapping[str, object] | None = None,
    bindings: Collection[str] = (),
) -> Settings:
    """Reads all origins; what comes later wins: default, file, environment, flags.

    Args:
        file: the file that the person named; it must exist. Without one the usual file is read if it is there.
        environ: `STATETUI_<KEY>` is looked for in it.
        flags: values of the command line by key; None counts as not given.
        bindings: the binding ids that exist; empty skips that check.

    Raises:
        SettingsError: Cause.CONFIG, with one line of evidence for each mistake.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    mistakes: list[str] = []
    source = file or paths.settings_file()
    for key, item in _written(source, required=file is not None, mistakes=mistakes).items():
        _take(key, item, f"file {source}:{item.line}", values, origins, mistakes, bindings)
    for key in _READERS:
        text = environ.get(ENVIRONMENT + key.upper(), "")
        if text and key not in _MAPPINGS:
            origin = f"env {ENVIRONMENT}{key.upper()}"
            _take(key, _Item(_from_text(key, text)), origin, values, origins, mistakes, bindings)
    for key, value in (flags or {}).items():
        if value is not None:
            origin = f"flag {_FLAGS.get(key, '--' + key.replace('_', '-'))}"
            _take(key, _Item(value), origin, values, origins, mistakes, bindings)
    if mistakes:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise SettingsError(Problem(
            Cause.CONFIG, f"The settings have {count}", "\n".join(mistakes),
            "Correct it, or start with --config /dev/null to use the defaults.",
        ))  # fmt: skip
    return Settings(**values, origins=origins)


def nearest(word: str, words: Collection[str]) -> str:
    """The word that was probably meant, or empty."""
    return next(iter(get_close_matches(word.lower(), sorted(words), n=1, cutoff=0.6)), "")


def _meant(word: str, words: Collection[str]) -> str:
    """A sentence with the nearest valid word, or with all of them when none is near."""
    near = nearest(word, words)
    return f"did you mean {near}?" if near else f"valid: {', '.join(sorted(words))}"


def _take(
    key: str,
    item: _Item,
    origin: str,
    values: dict[str, Any],
    origins: dict[str, str],
    mistakes: list[str],
    bindings: Collection[str],
) -> None:  # fmt: skip
    """Checks one value and keeps it with its origin, or notes the mistake."""
    try:
        values[key] = _READERS[key](item)
        if key == "keys" and bindings:
            _check_bindings(item, bindings)
        origins[key] = origin
    except _WrongError as wrong:
        place = origin.rsplit(":", 1)[0] + f":{wrong.item.line}" if wrong.item.line else origin
        mistakes.append(f"{place}: {key}{wrong.key and f'.{wrong.key}'}: {wrong}")


# --- the file


def _written(file: Path, *, required: bool, mistakes: list[str]) -> dict[str, _Item]:
    """The known keys of the file; unknown and doubled ones are noted as mistakes."""
    try:
        raw = _read(file)
    except FileNotFoundError:
        if required:
            mistakes.append(f"file {file}: there is no such file")
        return {}
    except OSError as error:
        mistakes.append(f"file {file}: it cannot be read: {error.strerror}")
        return {}
    if not raw.strip():
        return {}
    import yaml  # noqa: PLC0415 - 20 ms, paid only by those who have a file

    from tui import yamlfile  # noqa: PLC0415

    try:
        root = yamlfile.compose(raw)
        item = _item(root) if root is not None else _Item(None)
    except (yaml.YAMLError, ValueError) as error:  # a date that does not exist is a ValueError
        mistakes.append(f"file {file}{_mark(error)}: it is not YAML: {_words(error)}")
        return {}
    if item.value is None:
        return {}
    if not isinstance(item.value, dict):
        mistakes.append(f"file {file}:{item.line}: expected `key: value` lines, found {_kind(item.value)}")
        return {}
    known: dict[str, _Item] = {}
    for key, value in item.value.items():
        if key.value in known:
            mistakes.append(f"file {file}:{key.line}: {key.value}: stands twice")
        elif key.value in _READERS:
            known[key.value] = value
        else:
            mistakes.append(f"file {file}:{key.line}: {key.value}: no such key; {_meant(str(key.value), _READERS)}")
    return known


def _read(file: Path) -> bytes:
    with file.open("rb") as stream:
        raw = stream.read(LARGEST_FILE + 1)
    if len(raw) > LARGEST_FILE:
        raise OSError(0, f"it is larger than {LARGEST_FILE} bytes")
    return raw


def _item(node: yaml.Node, depth: int = 0) -> _Item:
    """A composed node as plain values that remember their lines. Two levels are all that settings need."""
    import yaml  # noqa: PLC0415 - see `_written`

    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        return _Item(yaml.constructor.SafeConstructor().construct_object(node), line)
    if depth > 2:
        raise yaml.MarkedYAMLError(problem="values are nested too deeply", problem_mark=node.start_mark)
    if isinstance(node, yaml.SequenceNode):
        return _Item([_item(child, depth + 1) for child in node.value], line)
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(problem="a key must be text", problem_mark=key.start_mark)
    return _Item({_item(key, depth + 1): _item(value, depth + 1) for key, value in node.value}, line)


def _mark(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark is not None else ""


def _words(error: Exception) -> str:
    return str(getattr(error, "problem", None) or getattr(error, "reason", None) or error).splitlines()[0]


# --- the environment


def _from_text(key: str, text: str) -> object:
    """A variable's text as the value that a file would hold; what does not fit stays text, for the reader to refuse."""
    if key == "protected":
        return [_Item(part.strip()) for part in text.split(",") if part.strip()]
    kind = next(f.type for f in fields(Settings) if f.name == key)
    if kind == "bool":
        return True if text.lower() in _YES else False if text.lower() in _NO else text
    return text


# --- what fits


def _kind(value: object) -> str:
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


def _text(item: _Item) -> str:
    if not isinstance(item.value, str) or not item.value.strip():
        raise _WrongError(item, f"expected text, found {_kind(item.value)}")
    return item.value.strip()


def _yes_or_no(item: _Item) -> bool:
    if not isinstance(item.value, bool):
        raise _WrongError(item, f"expected true or false, found {_kind(item.value)}")
    return item.value


def _one_of(words: Callable[[], Collection[str]]) -> Callable[[_Item], str]:
    def read(item: _Item) -> str:
        text, valid = _text(item), words()
        if valid and text not in valid:
            raise _WrongError(item, f"{text!r} is not known; {_meant(text, valid)}")
        return text

    return read


def _texts(item: _Item) -> tuple[str, ...]:
    if not isinstance(item.value, list):
        raise _WrongError(item, f"expected a list, found {_kind(item.value)}")
    return tuple(_text(part) for part in item.value)


def _mapping(read: Callable[[_Item], Any]) -> Callable[[_Item], dict[str, Any]]:
    def read_all(item: _Item) -> dict[str, Any]:
        if not isinstance(item.value, dict):
            raise _WrongError(item, f"expected a mapping, found {_kind(item.value)}")
        found: dict[str, Any] = {}
        for key, value in item.value.items():
            name = str(key.value)
            if name in found:
                raise _WrongError(key, "stands twice", name)
            try:
                found[name] = read(value)
            except _WrongError as wrong:
                raise _WrongError(wrong.item, str(wrong), name) from None
        return found

    return read_all


def _keys(item: _Item) -> str:
    """One key, several with commas between, or a list of them."""
    parts = _texts(item) if isinstance(item.value, list) else tuple(_text(item).split(","))
    names = [part.strip() for part in parts]
    if not names or not all(names):
        raise _WrongError(item, "expected keys, as ctrl+r or [f5, ctrl+r]")
    return ",".join(names)


def _check_bindings(item: _Item, bindings: Collection[str]) -> None:
    for key in item.value:
        if key.value not in bindings:
            raise _WrongError(key, f"no binding has this id; {_meant(str(key.value), bindings)}", str(key.value))


_READERS: Mapping[str, Callable[[_Item], Any]] = {
    "theme": _one_of(paths.theme_names),
    "layout": _one_of(lambda: LAYOUTS),
    "mouse": _yes_or_no,
    "keys": _mapping(_keys),
    "read_only": _yes_or_no,
    "protected": _texts,
    "namespaces": _mapping(_texts),
    "low_bandwidth": _yes_or_no,
    "log_level": _one_of(lambda: LOG_LEVELS),
}
#: Flags that are not named as their key.
_FLAGS = {"mouse": "--no-mouse", "log_level": "--debug"}
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
#: Keys that no variable can hold.
_MAPPINGS = ("keys", "namespaces")
