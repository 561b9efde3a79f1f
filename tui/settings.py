"""The settings: typed, from the person's file, the environment and the command line, each value with its origin.

The file is read and never written. A mistake in it is an error that names file, line, key and the nearest valid
key, and the program does not start: a `protected:` that is silently not in force would be worse than no start.
YAML is imported only when there is a file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui import paths
from tui.problem import Cause, Problem, ProblemError
from tui.settings_forwards import ForwardSetting, some_forwards
from tui.settings_readers import (
    Item,
    WrongError,
    a_choice,
    a_flag,
    a_mapping,
    meant,
    shown,
    some_keys,
    some_texts,
)
from tui.settings_sql import SqlSetting, an_sql

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
        forwards: forwards by name, to be started on demand; never by themselves.
        sql: how SQL consoles are to be.
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
    forwards: Mapping[str, ForwardSetting] = field(default_factory=dict)
    sql: SqlSetting = field(default_factory=SqlSetting)
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

    def forwards_of(self, context: str) -> dict[str, ForwardSetting]:
        """The forwards that are defined for a context, by name, in the order of the file."""
        return {name: item for name, item in self.forwards.items() if item.fits(context)}


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
            _take(key, Item(_from_text(key, text)), origin, values, origins, mistakes, bindings)
    for key, value in (flags or {}).items():
        if value is not None:
            origin = f"flag {_FLAGS.get(key, '--' + key.replace('_', '-'))}"
            _take(key, Item(value), origin, values, origins, mistakes, bindings)
    if mistakes:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise SettingsError(Problem(
            Cause.CONFIG, f"The settings have {count}", "\n".join(mistakes),
            "Correct it, or start with --config /dev/null to use the defaults.",
        ))  # fmt: skip
    return Settings(**values, origins=origins)


def _take(
    key: str,
    item: Item,
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
    except WrongError as wrong:
        place = origin.rsplit(":", 1)[0] + f":{wrong.item.line}" if wrong.item.line else origin
        mistakes.append(f"{place}: {key}{wrong.key and f'.{wrong.key}'}: {wrong}")


# --- the file


def _written(file: Path, *, required: bool, mistakes: list[str]) -> dict[str, Item]:
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
        item = _item(root) if root is not None else Item(None)
    except (yaml.YAMLError, ValueError) as error:  # a date that does not exist is a ValueError
        mistakes.append(f"file {file}{_mark(error)}: it is not YAML: {_words(error)}")
        return {}
    if item.value is None:
        return {}
    if not isinstance(item.value, dict):
        mistakes.append(f"file {file}:{item.line}: expected `key: value` lines, found {shown(item.value)}")
        return {}
    known: dict[str, Item] = {}
    for key, value in item.value.items():
        if key.value in known:
            mistakes.append(f"file {file}:{key.line}: {key.value}: stands twice")
        elif key.value in _READERS:
            known[key.value] = value
        else:
            mistakes.append(f"file {file}:{key.line}: {key.value}: no such key; {meant(str(key.value), _READERS)}")
    return known


def _read(file: Path) -> bytes:
    with file.open("rb") as stream:
        raw = stream.read(LARGEST_FILE + 1)
    if len(raw) > LARGEST_FILE:
        raise OSError(0, f"it is larger than {LARGEST_FILE} bytes")
    return raw


def _item(node: yaml.Node, depth: int = 0) -> Item:
    """A composed node as plain values that remember their lines. Three levels are all that settings need."""
    import yaml  # noqa: PLC0415 - see `_written`

    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        return Item(yaml.constructor.SafeConstructor().construct_object(node), line)
    if depth > 3:
        raise yaml.MarkedYAMLError(problem="values are nested too deeply", problem_mark=node.start_mark)
    if isinstance(node, yaml.SequenceNode):
        return Item([_item(child, depth + 1) for child in node.value], line)
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(problem="a key must be text", problem_mark=key.start_mark)
    return Item({_item(key, depth + 1): _item(value, depth + 1) for key, value in node.value}, line)


def _mark(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark is not None else ""


def _words(error: Exception) -> str:
    return str(getattr(error, "problem", None) or getattr(error, "reason", None) or error).splitlines()[0]


# --- the environment


def _from_text(key: str, text: str) -> object:
    """A variable's text as the value that a file would hold; what does not fit stays text, for the reader to refuse."""
    if key == "protected":
        return [Item(part.strip()) for part in text.split(",") if part.strip()]
    kind = next(f.type for f in fields(Settings) if f.name == key)
    if kind == "bool":
        return True if text.lower() in _YES else False if text.lower() in _NO else text
    return text


# --- what fits


def _check_bindings(item: Item, bindings: Collection[str]) -> None:
    for key in item.value:
        if key.value not in bindings:
            raise WrongError(key, f"no binding has this id; {meant(str(key.value), bindings)}", str(key.value))


_READERS: Mapping[str, Callable[[Item], Any]] = {
    "theme": a_choice(paths.theme_names),
    "layout": a_choice(lambda: LAYOUTS),
    "mouse": a_flag,
    "keys": a_mapping(some_keys),
    "read_only": a_flag,
    "protected": some_texts,
    "namespaces": a_mapping(some_texts),
    "forwards": some_forwards,
    "sql": an_sql,
    "low_bandwidth": a_flag,
    "log_level": a_choice(lambda: LOG_LEVELS),
}
#: Flags that are not named as their key.
_FLAGS = {"mouse": "--no-mouse", "log_level": "--debug"}
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
#: Keys that no variable can hold.
_MAPPINGS = ("keys", "namespaces", "forwards", "sql")
