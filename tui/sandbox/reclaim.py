"""Removes the directories of volumes that the API does not have any more: the one place that does."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from pathlib import Path

from tui.sandbox.model import Objects

_log = logging.getLogger(__name__)
_VOLUMES = "persistentvolumes"
#: How the controllers name the volumes that they make. Nothing that is called otherwise is ever removed.
_OURS = re.compile(r"pvc-[0-9a-f-]{36}")


async def run(objects: Objects, volumes: Path) -> None:
    """Removes each volume's directory when its PersistentVolume goes, and at the start what is left of earlier ones.

    Args:
        objects: the API.
        volumes: the directory of the volumes; only directories right below it are removed, never what links lead to.
    """
    await asyncio.to_thread(_sweep, volumes, {volume["metadata"]["name"] for volume in objects.list(_VOLUMES)})
    async for change in objects.subscribe([_VOLUMES]):
        if change.type == "DELETED":
            await asyncio.to_thread(_remove, volumes / change.object["metadata"]["name"])


def _sweep(volumes: Path, kept: set[str]) -> None:
    if volumes.is_dir():
        for directory in list(volumes.iterdir()):
            if directory.name not in kept:
                _remove(directory)


def _remove(directory: Path) -> None:
    if _OURS.fullmatch(directory.name) and directory.is_dir() and not directory.is_symlink():
        try:
            # It does not follow links out of the directory.
            shutil.rmtree(directory)
        except OSError as error:
            _log.warning("the volume %s is not wholly removed: %s; the next start tries again", directory.name, error)
