"""What `doctor` looks at on this machine: the settings, the folders, the terminal."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping

from tui import paths
from tui.commands.checks import Check, Status
from tui.commands.table import paper
from tui.problem import ProblemError
from tui.settings import Settings
from tui.systems.catalogue import load_catalogue

GROUP = "this machine"
#: The size the screens are made for, and the one below which little is left of them.
COMFORTABLE, SMALLEST = (80, 24), (60, 15)


def settings(load: Callable[[], Settings]) -> Check:
    """Whether the settings can be used."""
    try:
        found = load()
    except ProblemError as error:
        problem = error.problem
        return Check(
            GROUP, "settings", Status.FAILED, problem.what, problem.evidence, "statetui does not start", problem.remedy
        )
    file = paths.settings_file()
    written = sum(origin.startswith("file") for origin in found.origins.values())
    where = (
        f"{written} from the file" if written else f"all defaults; no file {file}" if not file.exists() else "defaults"
    )
    return Check(GROUP, "settings", Status.OK, where)


def systems() -> list[Check]:
    """Whether the descriptions of systems, the person's own among them, can be used."""
    own = paths.config_dir() / "systems"
    try:
        catalogue = load_catalogue([own])
    except ProblemError as error:
        problem = error.problem
        lost = "everything"
        return [Check(GROUP, "systems", Status.FAILED, problem.what, problem.evidence, lost, problem.remedy)]
    left_out = [
        Check(
            GROUP, "systems", Status.WARNING, problem.what, problem.evidence, "this file is left out",
            problem.remedy or "Correct it, or remove it.",
        )
        for problem in catalogue.problems
    ]  # fmt: skip
    return left_out or [Check(GROUP, "systems", Status.OK, f"{len(catalogue.systems)} described; own ones in {own}")]


def folders() -> list[Check]:
    """Whether the log and what is remembered can be written."""
    state = paths.state_dir()
    try:
        with tempfile.TemporaryFile(dir=paths.private(state)):
            pass
    except OSError as error:
        lost = "no log file, and choices are not remembered"
        remedy = "Make the folder writable, or set XDG_STATE_HOME."
        return [Check(GROUP, "state folder", Status.WARNING, f"{state} cannot be written", str(error), lost, remedy)]
    return [Check(GROUP, "state folder", Status.OK, f"{state}, log file {paths.log_file().name}")]


def terminal(environ: Mapping[str, str] | None = None, size: tuple[int, int] | None = None) -> list[Check]:
    """What the terminal can do, as far as it says."""
    environ = os.environ if environ is None else environ
    if size is None:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            return [Check(GROUP, "terminal", Status.SKIPPED, "this is not a terminal; `statetui get` needs none")]
        size = tuple(os.get_terminal_size())[:2]  # type: ignore[assignment]
    term = environ.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        text = f"TERM is {term or 'not set'}"
        return [
            Check(
                GROUP,
                "terminal",
                Status.FAILED,
                text,
                "",
                "the screens",
                "Set TERM, as xterm-256color or tmux-256color.",
            )
        ]
    around = [name for variable, name in _AROUND if environ.get(variable)]
    checks = [
        Check(GROUP, "terminal", Status.OK, " in ".join([term, *around])),
        _size(size or COMFORTABLE),
        _colours(term, environ),
    ]
    if paper(sys.stdout, environ).unicode:
        checks.append(Check(GROUP, "characters", Status.OK, "UTF-8"))
    else:
        checks.append(Check(
            GROUP, "characters", Status.WARNING, "the locale is not UTF-8", "", "signs and frames may be drawn wrongly",
            "Set LANG=C.UTF-8, if the terminal itself can show UTF-8.",
        ))  # fmt: skip
    return checks


_AROUND = (
    ("TMUX", "tmux"),
    ("STY", "screen"),
    ("MOSH_CONNECTION", "mosh"),
    ("SSH_CONNECTION", "SSH (15 frames a second)"),
)


def _size(size: tuple[int, int]) -> Check:
    text = f"{size[0]}×{size[1]}"
    if size[0] < SMALLEST[0] or size[1] < SMALLEST[1]:
        return Check(GROUP, "size", Status.WARNING, text, "", "most of each screen", "Use 80×24 or more.")
    if size[0] < COMFORTABLE[0] or size[1] < COMFORTABLE[1]:
        return Check(GROUP, "size", Status.WARNING, text, "", "some columns", "80×24 shows everything.")
    return Check(GROUP, "size", Status.OK, text)


def _colours(term: str, environ: Mapping[str, str]) -> Check:
    if environ.get("NO_COLOR"):
        return Check(GROUP, "colours", Status.OK, "none: NO_COLOR is set")
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return Check(GROUP, "colours", Status.OK, "16 million")
    return Check(
        GROUP, "colours", Status.OK, "256" if "256" in term else "16; a theme of the terminal's own colours fits best"
    )
