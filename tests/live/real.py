"""The administrator's hand in the real cluster."""

from __future__ import annotations

import subprocess

from tests.contract.clusters import KUBECONFIG


def kubectl(*arguments: str) -> str:
    """Runs kubectl as the administrator; what it prints, or an error with its words."""
    done = subprocess.run(
        ["kubectl", "--kubeconfig", KUBECONFIG, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}")
    return done.stdout
