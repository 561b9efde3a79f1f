"""Statements that a person keeps under a name: plain `.sql` files in `snippets` of the configuration directory.

They are the person's own files: made with any editor, kept in version control. Nothing is written here but on request.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tui import paths
from tui.problem import Cause, Problem, ProblemError

#: A file's name without `.sql`: no folder, nothing hidden.
_NAME = re.compile(r"[\w][\w .-]{0,99}")


@dataclass(frozen=True, slots=True)
class Snippet:
    """A statement, or several, under a name.

    Attributes:
        name: the file's name without `.sql`.
        text: all of the file.
        about: the comment in its first line, empty for none.
    """

    name: str
    text: str
    about: str = ""


def folder() -> Path:
    """Where they lie."""
    return paths.config_dir() / "snippets"


def read_all() -> tuple[list[Snippet], list[Problem]]:
    """All snippets by name, and one problem for each file that cannot be read."""
    found, problems = list[Snippet](), list[Problem]()
    for file in sorted(folder().glob("*.sql")):
        try:
            text = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            said = getattr(error, "strerror", None) or str(error)
            problems.append(
                Problem(Cause.CONFIG, "A snippet cannot be read", f"{file}: {said}", "Save it as UTF-8 text")
            )
            continue
        first = text.partition("\n")[0].strip()
        found.append(Snippet(file.stem, text, first.removeprefix("--").strip() if first.startswith("--") else ""))
    return found, problems


def save(name: str, text: str, *, replace: bool = False) -> Path:
    """Keeps a text under a name, readable for its owner only: it may hold what is nobody else's business.

    Raises:
        ProblemError: the name is none for a file, is taken (without `replace`), or the file cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ProblemError(
            Problem(
                Cause.CONFIG,
                "This is no name for a snippet",
                name,
                "Letters, digits, blanks, points and dashes make a name of at most 100 characters",
            )
        )
    file = folder() / f"{name}.sql"
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if replace else os.O_EXCL)
        with os.fdopen(os.open(file, flags, 0o600), "w", encoding="utf-8") as out:
            out.write(text if text.endswith("\n") else f"{text}\n")
    except FileExistsError as error:
        raise ProblemError(
            Problem(Cause.CONFIG, "There is a snippet of this name", str(file), "Choose another name, or replace it")
        ) from error
    except (OSError, UnicodeEncodeError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise ProblemError(Problem(Cause.CONFIG, "The snippet cannot be saved", f"{file}: {said}")) from error
    return file
