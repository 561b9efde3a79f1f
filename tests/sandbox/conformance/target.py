"""A cluster that the conformance tests run against."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Target:
    """A cluster to be tested.

    Attributes:
        kubeconfig: its administrator's.
        image: what its pods run.
        real: whether it is not the sandbox.
        home: where the programs keep what they keep.
    """

    kubeconfig: str
    image: str
    real: bool
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """For the programs."""
        return {**os.environ, "KUBECONFIG": self.kubeconfig, "HOME": str(self.home), "KUBE_EDITOR": "false"}
