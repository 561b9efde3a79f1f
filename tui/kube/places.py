"""Where in a YAML file a key stands, and which valid name was meant by a wrong one. For messages only."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

import yaml

from tui import yamlfile


def nearest(name: str, valid: Iterable[str]) -> str:
    """The valid name that `name` most looks like, or "" when none does."""
    found = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.6)
    return found[0] if found else ""


def suggest(name: str, valid: Iterable[str], kind: str) -> str:
    """What to do about an unknown name: the nearest one, else the list of those that exist."""
    names = sorted(valid)
    if not names:
        return f"There is no {kind} in it at all."
    close = nearest(name, names)
    if close:
        return f'Is "{close}" meant?'
    listed = ", ".join(names[:10]) + (" …" if len(names) > 10 else "")
    return f"There {'is' if len(names) == 1 else 'are'}: {listed}."


def locate(path: Path, *keys: str | int) -> str:
    """Where a key stands, as `file:line`; just the file when that cannot be told.

    A string looks up a mapping's key, or in a list the entry with that `name`; a number, the entry of a list.
    """
    try:
        node = yamlfile.compose(path.read_bytes())
    except (OSError, yaml.YAMLError):
        return str(path)
    line = None
    for key in keys:
        if node is None:
            break
        line, node = _descend(node, key, line)
    return str(path) if line is None else f"{path}:{line}"


def _descend(node: yaml.Node, key: str | int, line: int | None) -> tuple[int | None, yaml.Node | None]:
    """One step of `locate`: the line where the key stands and what is under it."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return name.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode):
        for index, entry in enumerate(node.value):
            named = isinstance(entry, yaml.MappingNode) and any(
                k.value == "name" and v.value == key for k, v in entry.value if isinstance(v, yaml.ScalarNode)
            )
            if index == key or named:
                return entry.start_mark.line + 1, entry
    return line, None
