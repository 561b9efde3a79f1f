"""What the command line and the kubeconfig say, resolved to one server and one identity. No network I/O."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tui.kube import kubeconfig, places
from tui.kube.kubeconfig import Cluster, Kubeconfig, User
from tui.kube.options import ConnectOptions as ConnectOptions  # noqa: PLC0414 (a re-export: it belongs to the context)
from tui.problem import Cause, Problem, ProblemError

#: Where a pod finds its own identity.
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
#: The name shown for the cluster that statetui itself runs in.
IN_CLUSTER = "in-cluster"

_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True, slots=True)
class Impersonation:
    """Whom to act as (`Impersonate-*` headers).

    Attributes:
        user: the user's name.
        uid: the user's uid, often empty.
        groups: the groups to act with.
        extra: further attributes.
    """

    user: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """A server and an identity, as far as they are known without connecting.

    Attributes:
        name: the context's name, `in-cluster` inside a pod.
        cluster_name: the name of its cluster entry.
        user_name: the name of its user entry, empty when it has none.
        server: the base URL, with scheme, without a slash at the end.
        namespace: the context's namespace, `default` when it names none.
        in_cluster: whether it is the cluster we run in.
        cluster: how the server is reached (TLS, proxy).
        user: who one is; None is anonymous.
        impersonation: whom to act as, or None.
        source: the file of the cluster entry, for messages.
        user_source: the file of the user entry.
    """

    name: str
    cluster_name: str
    user_name: str
    server: str
    namespace: str = "default"
    in_cluster: bool = False
    cluster: Cluster = field(default_factory=Cluster, repr=False)
    user: User | None = field(default=None, repr=False)
    impersonation: Impersonation | None = None
    source: str = ""
    user_source: str = ""

    @property
    def insecure(self) -> bool:
        """Whether the server's certificate is not checked, which is always shown."""
        return bool(self.cluster.insecure_skip_tls_verify) and self.server.startswith("https:")


@dataclass(frozen=True, slots=True)
class ContextSummary:
    """One line of a context chooser."""

    name: str
    cluster: str
    user: str
    namespace: str
    server: str
    current: bool


def load_context(options: ConnectOptions) -> Context:
    """Resolves the context that the options, the environment and the kubeconfig files choose.

    Raises:
        ProblemError: CONFIG, naming file, line and key, and the nearest valid name.
    """
    config = kubeconfig.load(options.kubeconfig, os.environ)
    if not config.contexts and not options.kubeconfig and not options.context and _is_in_cluster():
        return _in_cluster(options)
    name = options.context or config.current
    entry = config.contexts.get(name) if name else None
    if entry is None:
        raise ProblemError(_no_context(options, config, name))
    cluster_name, user_name = entry.cluster or "", entry.user or ""
    cluster = config.clusters.get(cluster_name)
    if cluster is None:
        raise ProblemError(_dangling(config, name, "cluster", cluster_name, config.clusters))
    if user_name and user_name not in config.users:
        raise ProblemError(_dangling(config, name, "user", user_name, config.users))
    user = config.users.get(user_name)
    path = config.origin["clusters", cluster_name]
    return Context(
        name=name,
        cluster_name=cluster_name,
        user_name=user_name,
        server=_server(cluster, user, cluster_name, path),
        namespace=entry.namespace or "default",
        cluster=cluster,
        user=user,
        impersonation=_impersonation(options, user, user_name, config),
        source=str(path),
        user_source=str(config.origin.get(("users", user_name), "")),
    )


def list_contexts(options: ConnectOptions) -> list[ContextSummary]:
    """All contexts that could be chosen, by name.

    Raises:
        ProblemError: CONFIG, when a file cannot be read.
    """
    config = kubeconfig.load(options.kubeconfig, os.environ)
    if not config.contexts and not options.kubeconfig and _is_in_cluster():
        context = _in_cluster(options)
        return [ContextSummary(context.name, "", "", context.namespace, context.server, current=True)]
    current = options.context or config.current
    return [
        ContextSummary(
            name,
            entry.cluster or "",
            entry.user or "",
            entry.namespace or "default",
            (config.clusters.get(entry.cluster or "") or Cluster()).server or "",
            name == current,
        )
        for name, entry in sorted(config.contexts.items())
    ]


def _no_context(options: ConnectOptions, config: Kubeconfig, name: str) -> Problem:
    """Why no context could be chosen."""
    files = ", ".join(str(path) for path in config.files)
    if not config.files:
        return Problem(
            Cause.CONFIG,
            "There is no kubeconfig, so statetui does not know which cluster to show",
            f"~/{kubeconfig.DEFAULT_FILE} does not exist, KUBECONFIG is not set, and this is not a pod of a cluster",
            "Give one with --kubeconfig FILE, or set KUBECONFIG.",
        )
    if not name:
        names = ", ".join(sorted(config.contexts)[:10])
        return Problem(
            Cause.CONFIG,
            "The kubeconfig has no current-context",
            files,
            f"Choose one with --context: {names}." if names else "There is no context in it at all.",
        )
    place = f'{files}: there is no context "{name}"'
    remedy = places.suggest(name, config.contexts, "context")
    if options.context:
        return Problem(Cause.CONFIG, f'The context "{name}" does not exist', place, remedy)
    where = next((text for path in config.files if ":" in (text := places.locate(path, "current-context"))), files)
    return Problem(Cause.CONFIG, f'current-context names "{name}", which does not exist', where, remedy)


def _dangling(config: Kubeconfig, context: str, kind: str, name: str, valid: Mapping[str, object]) -> Problem:
    """A context that names a cluster or user which is not there."""
    where = places.locate(config.origin["contexts", context], "contexts", context, "context", kind)
    if not name:
        return Problem(Cause.CONFIG, f'The context "{context}" names no {kind}', where, f'Add the key "{kind}" to it.')
    return Problem(
        Cause.CONFIG,
        f'The context "{context}" names the {kind} "{name}", which does not exist',
        where,
        places.suggest(name, valid, kind),
    )


def _server(cluster: Cluster, user: User | None, name: str, path: Path) -> str:
    """The server's URL, checked; also checks what else the cluster entry says."""

    def at(key: str) -> str:
        return places.locate(path, "clusters", name, "cluster", key)

    server = (cluster.server or "").strip()
    if not server:
        raise ProblemError(
            Problem(
                Cause.CONFIG,
                f'The cluster "{name}" has no server',
                at("server"),
                kubeconfig.misspelt(path, "clusters", name, "cluster", "server")
                or 'Add "server: https://HOST:PORT" to it.',
            )
        )
    if "://" not in server:
        # client-go's rule: TLS if anything about TLS is said.
        secure = bool(
            cluster.certificate_authority
            or cluster.certificate_authority_data
            or cluster.insecure_skip_tls_verify
            or (user and (user.client_certificate or user.client_certificate_data))
        )
        server = f"{'https' if secure else 'http'}://{server}"
    _check_url(server, ("https", "http"), f'The server of cluster "{name}" is not a URL', at("server"))
    if cluster.proxy_url:
        _check_url(
            cluster.proxy_url, _PROXY_SCHEMES, f'The proxy-url of cluster "{name}" is not usable', at("proxy-url")
        )
    if cluster.insecure_skip_tls_verify and (cluster.certificate_authority or cluster.certificate_authority_data):
        raise ProblemError(
            Problem(
                Cause.CONFIG,
                f'The cluster "{name}" contradicts itself',
                at("insecure-skip-tls-verify"),
                "It has both a certificate authority and insecure-skip-tls-verify; remove one (better the latter).",
            )
        )
    return server.rstrip("/")


def _check_url(url: str, schemes: tuple[str, ...], what: str, where: str) -> None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme.lower() in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        shown = url.partition("@")[2] or url  # a proxy URL may carry a password before the @
        raise ProblemError(
            Problem(
                Cause.CONFIG,
                what,
                f"{where}: {shown}",
                f"It must look like {schemes[0]}://HOST:PORT ({', '.join(schemes)} are understood).",
            )
        )


def _impersonation(options: ConnectOptions, user: User | None, name: str, config: Kubeconfig) -> Impersonation | None:
    if options.impersonate:
        return Impersonation(options.impersonate, groups=options.impersonate_groups)
    if options.impersonate_groups:
        raise ProblemError(
            Problem(
                Cause.CONFIG,
                "A group to act as was given, but no user",
                ", ".join(options.impersonate_groups),
                "Give --as USER too.",
            )
        )
    if user is None:
        return None
    if user.as_:
        extra = {key: tuple(values) for key, values in (user.as_user_extra or {}).items()}
        return Impersonation(user.as_, user.as_uid or "", tuple(user.as_groups or ()), extra)
    if user.as_uid or user.as_groups or user.as_user_extra:
        where = places.locate(config.origin["users", name], "users", name, "user")
        raise ProblemError(
            Problem(
                Cause.CONFIG,
                f'The user "{name}" impersonates groups but no user',
                where,
                'Add the key "as", or remove as-uid, as-groups and as-user-extra.',
            )
        )
    return None


def _is_in_cluster() -> bool:
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (SERVICE_ACCOUNT / "token").exists()


def _in_cluster(options: ConnectOptions) -> Context:
    """The identity of the pod we run in; its token is a file that the kubelet renews."""
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    port = os.environ.get("KUBERNETES_SERVICE_PORT") or "443"
    try:
        namespace = (SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
    except OSError:
        namespace = ""
    user = User(token_file=str(SERVICE_ACCOUNT / "token"))
    return Context(
        name=IN_CLUSTER,
        cluster_name=IN_CLUSTER,
        user_name="service account",
        in_cluster=True,
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        namespace=namespace or "default",
        cluster=Cluster(certificate_authority=str(SERVICE_ACCOUNT / "ca.crt")),
        user=user,
        impersonation=_impersonation(options, user, "service account", Kubeconfig()),
        source=str(SERVICE_ACCOUNT),
        user_source=str(SERVICE_ACCOUNT),
    )
