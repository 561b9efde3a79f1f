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


def kubectl_arguments(options: ConnectOptions) -> tuple[str, ...]:
    """What leads kubectl to the same cluster as the same user."""
    arguments: list[str] = []
    if options.kubeconfig:
        arguments += ["--kubeconfig", options.kubeconfig]
    if options.context:
        arguments += ["--context", options.context]
    if options.impersonate:
        arguments += ["--as", options.impersonate]
    for group in options.impersonate_groups:
        arguments += ["--as-group", group]
    return tuple(arguments)
