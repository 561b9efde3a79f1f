"""The way from the screens to a cluster: whatever talks to Kubernetes is loaded here, behind the first frame."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from typing import Any, Protocol


class Gateway(Protocol):
    """Opens contexts. Tests hand the app one that needs no cluster."""

    async def open(self, options: Any) -> Any:  # noqa: ANN401
        """A `Live` for these options, not yet running."""

    async def contexts(self, options: Any) -> Sequence[Any]:  # noqa: ANN401
        """The contexts to choose from."""


class ClusterGateway:
    """The real one."""

    def __init__(self) -> None:
        self._catalogue: Any = None

    async def open(self, options: Any) -> Any:  # noqa: ANN401
        """Loads what is needed in a thread, the first time, and makes a `Live`.

        Raises:
            ProblemError: the catalogue of systems has a mistake.
        """
        live = await asyncio.to_thread(importlib.import_module, "tui.systems.live")
        if self._catalogue is None:
            self._catalogue = await asyncio.to_thread(_catalogue)
        return live.Live(options, self._catalogue)

    async def contexts(self, options: Any) -> Sequence[Any]:  # noqa: ANN401
        """Reads the kubeconfig anew.

        Raises:
            ProblemError: it cannot be read.
        """
        context = await asyncio.to_thread(importlib.import_module, "tui.kube.context")
        found: Sequence[Any] = await asyncio.to_thread(context.list_contexts, options)
        return found


def _catalogue() -> Any:  # noqa: ANN401
    catalogue = importlib.import_module("tui.systems.catalogue")
    paths = importlib.import_module("tui.paths")
    own = paths.config_dir() / "systems"
    return catalogue.load_catalogue([own] if own.is_dir() else [])
