"""Themes: one YAML file each, `themes/<name>.yaml`, shipped or in the user's folder, checked key by key.

A theme names what colours mean (`inks`) and a few grounds (`colors`); the stylesheets and the widgets know only
those names. Loading is on the way to the first frame, so only the theme in use is read, and without a YAML library
while the file keeps to the plain form in which the shipped ones are written.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from textual.color import Color, ColorParseError
from textual.theme import Theme

from tui.paths import bundled
from tui.problem import Cause, Problem, ProblemError

#: Used when nothing else is chosen.
DEFAULT: Final = "dark"

#: Grounds and general colours. `cursor` is the ground of the selected line.
COLORS: Final = ("background", "surface", "panel", "cursor", "foreground", "muted", "accent")

#: What text can mean; a theme that leaves some out gets the general colours there.
INKS: Final = (
    "strong",
    "link",
    "warn",
    "frame",
    "frame-focus",
    "ready",
    "running",
    "starting",
    "waiting",
    "failing",
    "terminating",
    "stopped",
    "unknown",
    "bar",
    "bar-warn",
    "bar-full",
    "bar-rest",
    "yaml-key",
    "yaml-value",
    "yaml-comment",
    "sql-keyword",
    "sql-name",
    "sql-function",
    "sql-type",
    "sql-string",
    "sql-number",
    "sql-parameter",
    "sql-comment",
    "sql-operator",
)

_TOP: Final = ("dark", "ansi", "colors", "inks")
#: `key: value` or `key:`, perhaps indented, the value plain or in double quotes without escapes.
_PLAIN_LINE = re.compile(r"""( *)([\w-]+):(?: +("[^"\\]*"|[\w#][\w# %.-]*?))? *(?: #.*)?""")


def folders(user: Path | None = None) -> tuple[Path, ...]:
    """Where themes lie: the user's folder first, then those that came with the program."""
    return (*((user,) if user else ()), bundled("themes"))


def names(user: Path | None = None) -> list[str]:
    """The names of all themes there are, sorted."""
    return sorted({path.stem for folder in folders(user) if folder.is_dir() for path in folder.glob("*.yaml")})


def load(name: str, user: Path | None = None) -> Theme:
    """Reads one theme.

    Args:
        name: the file's name without `.yaml`.
        user: the user's folder of themes.

    Raises:
        ProblemError: no such theme (names the nearest), or a mistake in its file (names file and key).
    """
    for folder in folders(user):
        path = folder / f"{name}.yaml"
        if path.is_file():
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeError) as error:
                raise ProblemError(Problem(Cause.CONFIG, f"The theme {path} cannot be read", str(error))) from error
            return parse(name, text, str(path))
    known = names(user)
    what = f"There is no theme {name!r}"
    raise ProblemError(Problem(Cause.CONFIG, what, f"themes: {', '.join(known)}", _nearest(name, known)))


def parse(name: str, text: str, file: str) -> Theme:
    """Makes a theme of a file's text.

    Raises:
        ProblemError: it is not YAML, or a key or a colour is wrong; names file and key.
    """
    data = _plain(text)
    if data is None:
        data = _yaml(text, file)
    _known(file, "", data, _TOP)
    colors, inks = (_section(file, data, key) for key in ("colors", "inks"))
    _known(file, "colors.", colors, COLORS)
    _known(file, "inks.", inks, INKS)
    for section, values in (("colors", colors), ("inks", inks)):
        for key, value in values.items():
            _check_color(file, f"{section}.{key}", value)
    for key in ("background", "foreground"):
        if key not in colors:
            raise _mistake(file, f"colors.{key}", "is missing")
    flags = {key: _flag(file, data, key, default) for key, default in (("dark", True), ("ansi", False))}
    return _theme(name, colors, inks, dark=flags["dark"], ansi=flags["ansi"])


def _theme(name: str, colors: Mapping[str, str], inks: Mapping[str, str], *, dark: bool, ansi: bool) -> Theme:
    ground, text = colors["background"], colors["foreground"]
    accent = colors.get("accent", text)
    muted = colors.get("muted", text)
    variables = {
        **inks,
        "muted": muted,
        "foreground-muted": muted,
        "foreground-disabled": inks.get("frame", muted),
        "cursor": colors.get("cursor", ground),
        "frame": inks.get("frame", muted),
        "frame-focus": inks.get("frame-focus", accent),
        "border": accent,
        "scrollbar": inks.get("frame", muted),
        "scrollbar-hover": inks.get("frame", muted),
        "scrollbar-active": accent,
        "scrollbar-background": ground,
        "scrollbar-background-hover": ground,
        "scrollbar-background-active": ground,
        "scrollbar-corner-color": ground,
        "ansi-background": ground,
        "ansi-foreground": text,
        "input-selection-background": colors.get("cursor", ground),
    }
    return Theme(
        name,
        primary=accent,
        secondary=inks.get("starting", accent),
        accent=accent,
        warning=inks.get("warn", accent),
        error=inks.get("failing", accent),
        success=inks.get("ready", accent),
        foreground=text,
        background=ground,
        surface=colors.get("surface", ground),
        panel=colors.get("panel", ground),
        boost=colors.get("cursor", ground),
        dark=dark,
        ansi=ansi,
        variables=variables,
    )


def _plain(text: str) -> dict[str, object] | None:
    """The file as a mapping when every line has the plain form; None when it needs a real YAML reader."""
    data: dict[str, object] = {}
    section: dict[str, object] | None = None
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _PLAIN_LINE.fullmatch(line)
        if match is None:
            return None
        indent, key, raw = match[1], match[2], match[3]
        into = section if indent else data
        if into is None or key in into or (indent and raw is None):
            return None
        if raw is None:
            section = data[key] = {}
            continue
        if not indent:
            section = None
        into[key] = raw[1:-1] if raw.startswith('"') else {"true": True, "false": False}.get(raw, raw)
    return data


def _yaml(text: str, file: str) -> dict[str, object]:
    import yaml  # noqa: PLC0415  (20 ms that the shipped themes need not cost)

    from tui import yamlfile  # noqa: PLC0415

    try:
        data = yamlfile.load(text)
    except yaml.YAMLError as error:
        raise ProblemError(Problem(Cause.CONFIG, f"The theme {file} is not YAML", str(error))) from None
    if not isinstance(data, dict):
        raise ProblemError(Problem(Cause.CONFIG, f"The theme {file} is not a mapping", f"it holds {data!r}"))
    return {str(key): value for key, value in data.items()}


def _section(file: str, data: Mapping[str, object], key: str) -> dict[str, str]:
    value = data.get(key) or {}
    if not isinstance(value, dict):
        raise _mistake(file, key, f"must be a mapping, not {value!r}")
    return {str(name): str(color) for name, color in value.items()}


def _flag(file: str, data: Mapping[str, object], key: str, default: bool) -> bool:
    value = data.get(key, default)
    if not isinstance(value, bool):
        raise _mistake(file, key, f"must be true or false, not {value!r}")
    return value


def _known(file: str, prefix: str, data: Mapping[str, object] | Mapping[str, str], known: Iterable[str]) -> None:
    allowed = tuple(known)
    for key in data:
        if key not in allowed:
            raise _mistake(file, f"{prefix}{key}", "is not a key of a theme", _nearest(key, allowed))


def _check_color(file: str, key: str, value: str) -> None:
    try:
        Color.parse(value)
    except ColorParseError:
        raise _mistake(file, key, f"is not a colour: {value!r}", "Write #rrggbb or ansi_red and the like.") from None


def _mistake(file: str, key: str, what: str, remedy: str = "") -> ProblemError:
    return ProblemError(Problem(Cause.CONFIG, f"The theme {file} has a mistake", f"{key} {what}", remedy))


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {near[0]!r}?" if near else ""
