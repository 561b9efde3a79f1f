"""Inks: what a piece of text means, and the style that the theme gives to that meaning.

Rows, facts and documents are plain data, `(text, ink)` pairs, so that they can be compared and kept; only drawing
turns an ink into a colour: the theme's own variable for that meaning, or else one of the colours that every theme
has. Shape and words carry every meaning too: an ink only repeats it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from rich.style import Style
from textual.color import Color, ColorParseError

if TYPE_CHECKING:
    from textual.app import App

#: A text and the name of its ink.
Piece: TypeAlias = tuple[str, str]
#: What stands in one cell of a table or on one line: a text, or pieces of it in different inks.
Cell: TypeAlias = str | tuple[Piece, ...]

#: Ink → (the theme's own variable, Textual's to fall back to, attribute).
_INKS: Mapping[str, tuple[str, str, str]] = {
    "": ("", "foreground", ""),
    "strong": ("strong", "foreground", "bold"),
    "dim": ("muted", "foreground-muted", ""),
    "title": ("accent", "primary", "bold"),
    "accent": ("accent", "accent", ""),
    "link": ("link", "primary", ""),
    "warn": ("warn", "warning", ""),
    "frame": ("frame", "foreground-disabled", ""),
    "frame-focus": ("frame-focus", "primary", ""),
    "ready": ("ready", "success", ""),
    "running": ("running", "warning", ""),
    "starting": ("starting", "secondary", ""),
    "waiting": ("waiting", "warning", ""),
    "failing": ("failing", "error", "bold"),
    "terminating": ("terminating", "accent", ""),
    "stopped": ("stopped", "foreground-muted", ""),
    "unknown": ("unknown", "foreground-muted", ""),
    "bar": ("bar", "success", ""),
    "bar-warn": ("bar-warn", "warning", ""),
    "bar-full": ("bar-full", "error", ""),
    "bar-rest": ("bar-rest", "foreground-disabled", ""),
    "key": ("yaml-key", "primary", ""),
    "value": ("yaml-value", "foreground", ""),
    "comment": ("yaml-comment", "foreground-muted", ""),
    "match": ("", "foreground", "reverse"),
    "sql-keyword": ("sql-keyword", "primary", ""),
    "sql-name": ("sql-name", "foreground", ""),
    "sql-function": ("sql-function", "secondary", ""),
    "sql-type": ("sql-type", "secondary", ""),
    "sql-string": ("sql-string", "success", ""),
    "sql-number": ("sql-number", "warning", ""),
    "sql-parameter": ("sql-parameter", "accent", ""),
    "sql-comment": ("sql-comment", "foreground-muted", ""),
    "sql-operator": ("sql-operator", "foreground-muted", ""),
}

_cache: dict[tuple[object, ...], dict[str, Style]] = {}


def inks(app: App[object]) -> Mapping[str, Style]:
    """The style of each ink in the theme in use; foregrounds and attributes only, the background is the widget's."""
    variables = app.theme_variables
    key = (app.theme, variables.get("foreground"), variables.get("background"), app.native_ansi_color)
    styles = _cache.get(key)
    if styles is None:
        _cache.clear()
        styles = _cache[key] = {name: _style(variables, *rule) for name, rule in _INKS.items()}
    return styles


def paper(app: App[object], name: str) -> Style | None:
    """The ground that the theme gives to a meaning (`cursor`), None where it has none."""
    color = _color(app.theme_variables, name)
    return None if color is None else Style(bgcolor=color.rich_color)


def _style(variables: Mapping[str, str], own: str, fallback: str, attribute: str) -> Style:
    color = _color(variables, own) or _color(variables, fallback) or _color(variables, "foreground")
    # The terminal's own sixteen colours have no muted one: there an attribute has to say it.
    muted = fallback in ("foreground-muted", "foreground-disabled") and color is not None and color.ansi == -1
    if color is not None and color.ansi is None and color.a < 1:
        ground = _color(variables, "background")
        color = ground.blend(color, color.a, 1.0) if ground is not None and ground.ansi is None else color
    return Style(
        color=None if color is None else color.rich_color,
        bold=True if attribute == "bold" else None,
        reverse=True if attribute == "reverse" else None,
        dim=True if muted else None,
    )


def _color(variables: Mapping[str, str], name: str) -> Color | None:
    value = variables.get(name, "")
    try:
        return Color.parse(value) if value else None
    except ColorParseError:
        return None


def plain(cell: Cell) -> str:
    """A cell's text without its inks."""
    return cell if isinstance(cell, str) else "".join(text for text, _ in cell)
