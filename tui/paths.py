"""Where statetui's files lie: the XDG folders of the person, and what ships with the program.

Nothing here touches the disk except `private`, which makes a folder that only its owner can read.
"""

from __future__ import annotations

import os
from pathlib import Path

APP = "statetui"


def config_dir() -> Path:
    """The person's own settings, themes, systems and snippets. statetui reads them; it writes only a snippet that the
    person saves.
    """
    return _xdg("XDG_CONFIG_HOME", ".config")


def state_dir() -> Path:
    """Log files and remembered choices: written by statetui, of mode 0700."""
    return _xdg("XDG_STATE_HOME", ".local/state")


def cache_dir() -> Path:
    """What can be had again: may be deleted at any time."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def settings_file() -> Path:
    """The settings file that is read when no other is named."""
    return config_dir() / "config.yaml"


def log_file() -> Path:
    """The log of this person's runs."""
    return state_dir() / "statetui.log"


def bundled(name: str) -> Path:
    """What ships with the program (`manifests`, `themes`): inside the wheel, or in a checkout beside the package."""
    package = Path(__file__).resolve().parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


def theme_names() -> list[str]:
    """The themes there are, the person's own included: the names of their files, sorted."""
    folders = (bundled("themes"), config_dir() / "themes")
    return sorted({file.stem for folder in folders if folder.is_dir() for file in folder.glob("*.yaml")})


def private(folder: Path) -> Path:
    """Makes a folder of mode 0700 with its parents, and tightens it when it stood there with a wider mode.

    Only for folders of statetui's own.

    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def _xdg(variable: str, fallback: str) -> Path:
    # The XDG specification: a relative path in these variables is invalid and counts as unset.
    base = os.environ.get(variable, "")
    home = Path(base) if Path(base).is_absolute() else Path("~").expanduser() / fallback
    return home / APP
