"""The way from the screens to a cluster: whatever talks to Kubernetes is loaded here, behind the first frame."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from tui.paths import config_dir

if TYPE_CHECKING:
    from tui.kube.context import ContextSummary
    from tui.kube.options import ConnectOptions
    from tui.systems.catalogue import Catalogue
    from tui.systems.live import Live


class Gateway(Protocol):
    """Opens contexts. Tests hand the app one that needs no cluster."""

    async def open(self, options: ConnectOptions) -> Live:
        """A `Live` for these options, not yet running."""

    async def contexts(self, options: ConnectOptions) -> Sequence[ContextSummary]:
        """The contexts to choose from."""


class ClusterGateway:
    """The real one."""

    def __init__(self) -> None:
        self._catalogue: Catalogue | None = None

    async def open(self, options: ConnectOptions) -> Live:
        """Loads what is needed in a thread, the first time, and makes a `Live`.

        Raises:
            ProblemError: the catalogue of systems has a mistake.
        """
        live = await asyncio.to_thread(_live)
        if self._catalogue is None:
            self._catalogue = await asyncio.to_thread(_catalogue)
        return live(options, self._catalogue)

    async def contexts(self, options: ConnectOptions) -> Sequence[ContextSummary]:
        """Reads the kubeconfig anew.

        Raises:
            ProblemError: it cannot be read.
        """
        return await asyncio.to_thread(_contexts, options)


# Imports of a tenth of a second or more: each of these runs in a thread, while the first frame stands.


def _live() -> type[Live]:
    from tui.systems.live import Live  # noqa: PLC0415

    return Live


def _catalogue() -> Catalogue:
    from tui.systems.catalogue import load_catalogue  # noqa: PLC0415

    return load_catalogue([config_dir() / "systems"])


def _contexts(options: ConnectOptions) -> Sequence[ContextSummary]:
    from tui.kube.context import list_contexts  # noqa: PLC0415

    return list_contexts(options)
