"""What the command line says about the cluster to open. Apart, because the first frame must not wait for more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """What the command line says; nothing here has been looked up.

    Attributes:
        kubeconfig: `--kubeconfig`; else `$KUBECONFIG`, else `~/.kube/config`, else the cluster we run in.
        context: `--context`, else the file's current-context.
        namespace: `-n`.
        all_namespaces: `-A`.
        impersonate: `--as`; replaces every impersonation of the kubeconfig.
        impersonate_groups: `--as-group`.
        low_bandwidth: `--low-bandwidth`, or the setting: the line is thin.
    """

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    all_namespaces: bool = False
    impersonate: str | None = None
    impersonate_groups: tuple[str, ...] = ()
    low_bandwidth: bool = False
