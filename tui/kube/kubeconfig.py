"""Reads kubeconfig files as kubectl does: which files, how they are merged, and what is wrong with them.

kubernetes_asyncio has a loader too. It is not used here because it drops what statetui must not drop (`as`,
`as-groups`, a context without a user, `interactiveMode` …), reads `$KUBECONFIG` at import time, and its import costs a
quarter of a second and 40 MB. What the files *say* is read here; `tui.kube.auth_provider` uses the library.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from tui import yamlfile
from tui.kube.places import locate, nearest
from tui.problem import Cause, Problem, ProblemError

log = logging.getLogger(__name__)

#: What kubectl reads when nothing else is said, below the home directory.
DEFAULT_FILE = ".kube/config"

_KEY = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]|\[\.\.\.\]")


class _Section(msgspec.Struct, frozen=True, rename="kebab"):
    """A part of a kubeconfig; keys are spelled with dashes unless a field says otherwise."""


class Cluster(_Section, frozen=True, rename="kebab"):
    """How a server is reached. Paths are absolute once merged."""

    server: str | None = None
    certificate_authority: str | None = None
    certificate_authority_data: str | None = None
    insecure_skip_tls_verify: bool | None = False
    tls_server_name: str | None = None
    proxy_url: str | None = None
    disable_compression: bool | None = False
    extensions: list[dict[str, Any]] | None = None


class ExecVariable(msgspec.Struct, frozen=True):
    """An environment variable for an exec plugin."""

    name: str
    value: str | None = ""


class Exec(msgspec.Struct, frozen=True, rename="camel"):
    """A program that prints credentials."""

    command: str | None = None
    api_version: str | None = None
    args: list[str] | None = None
    env: list[ExecVariable] | None = None
    install_hint: str | None = None
    provide_cluster_info: bool | None = False
    interactive_mode: str | None = None


class AuthProvider(msgspec.Struct, frozen=True):
    """A login method that kubectl once had built in (`oidc`, `gcp`)."""

    name: str | None = None
    config: dict[str, str | None] | None = None


class User(_Section, frozen=True, rename="kebab"):
    """Who one is to the server. Never printed: it holds secrets."""

    client_certificate: str | None = None
    client_certificate_data: str | None = None
    client_key: str | None = None
    client_key_data: str | None = None
    token: str | None = None
    token_file: str | None = msgspec.field(default=None, name="tokenFile")
    username: str | None = None
    password: str | None = None
    as_: str | None = msgspec.field(default=None, name="as")
    as_uid: str | None = None
    as_groups: list[str] | None = None
    as_user_extra: dict[str, list[str]] | None = None
    auth_provider: AuthProvider | None = None
    exec: Exec | None = None

    def __repr__(self) -> str:
        """Names the methods that are set, never their values."""
        return f"User({', '.join(name for name in self.__struct_fields__ if getattr(self, name))})"


class ContextEntry(_Section, frozen=True, rename="kebab"):
    """A pair of cluster and user."""

    cluster: str | None = None
    user: str | None = None
    namespace: str | None = None


class _Named(msgspec.Struct, frozen=True):
    name: str


class _NamedCluster(_Named, frozen=True):
    cluster: Cluster | None = None


class _NamedUser(_Named, frozen=True):
    user: User | None = None


class _NamedContext(_Named, frozen=True):
    context: ContextEntry | None = None


class _Document(msgspec.Struct, frozen=True, rename="kebab"):
    current_context: str | None = None
    clusters: list[_NamedCluster] | None = None
    users: list[_NamedUser] | None = None
    contexts: list[_NamedContext] | None = None


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """All files merged.

    Attributes:
        files: the files that were read, in order of precedence.
        current: the name after `current-context`, empty when none says it.
        clusters: clusters by name, paths absolute.
        users: users by name, paths absolute; None for `user: null`.
        contexts: contexts by name.
        origin: which file an entry came from, by (section, name).
    """

    files: tuple[Path, ...] = ()
    current: str = ""
    clusters: dict[str, Cluster] = field(default_factory=dict)
    users: dict[str, User | None] = field(default_factory=dict, repr=False)
    contexts: dict[str, ContextEntry] = field(default_factory=dict)
    origin: dict[tuple[str, str], Path] = field(default_factory=dict)


class _Loader(yamlfile.SafeLoader):  # type: ignore[misc]
    """YAML as kubectl takes it: where it wants text, `2024-01-01` and `0123` are text."""


def _only(tags: Iterable[str]) -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    kept: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items():
        chosen = [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] in tags]
        if chosen:
            kept[first] = chosen
    return kept


_Loader.yaml_implicit_resolvers = _only(("null", "bool", "merge"))


def load(named: str | None, environ: Mapping[str, str]) -> Kubeconfig:
    """Reads and merges the files that kubectl would read.

    Args:
        named: the value of `--kubeconfig`: this one file, which must exist.
        environ: the environment: `KUBECONFIG` (a list of files, the missing ones skipped) and `HOME`.

    Returns:
        The merged configuration; without contexts when there is no file at all.

    Raises:
        ProblemError: CONFIG, naming the file, and the line and key where they can be told.
    """
    if named:
        path = Path(named).expanduser()
        return _merge([(path, _read(path))])
    listed = [Path(part) for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    if not listed:
        default = Path(environ.get("HOME") or Path.home()) / DEFAULT_FILE
        return _merge([(default, _read(default))]) if default.exists() else Kubeconfig()
    present = [path for path in dict.fromkeys(listed) if path.exists()]
    if not present:
        names = ", ".join(str(path) for path in listed)
        plural = len(listed) > 1
        raise ProblemError(
            Problem(
                Cause.CONFIG,
                "None of the files that KUBECONFIG names exists"
                if plural
                else "The file that KUBECONFIG names does not exist",
                names,
                "Correct KUBECONFIG, or unset it to use ~/.kube/config.",
            )
        )
    return _merge([(path, _read(path, may_be_empty=len(present) > 1)) for path in present])


def misspelt(path: Path, section: str, name: str, body: str, wanted: str) -> str:
    """A key in one entry that is unknown and looks like the wanted one, as a sentence; "" when there is none."""
    try:
        document = yamlfile.load(path.read_bytes(), _Loader)
        entry = next(e for e in document[section] if e.get("name") == name)
        close = nearest(wanted, [key for key in entry[body] if isinstance(key, str) and key != wanted])
    except (OSError, yaml.YAMLError, StopIteration, KeyError, TypeError, AttributeError):
        return ""
    return (
        f'"{close}" in {locate(path, section, name, body, close)} is not a key of kubeconfig: is "{wanted}" meant?'
        if close
        else ""
    )


def _read(path: Path, *, may_be_empty: bool = False) -> _Document:
    """Reads one file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        close = nearest(path.name, [entry.name for entry in _siblings(path)])
        raise ProblemError(
            Problem(
                Cause.CONFIG,
                "The kubeconfig file does not exist",
                str(path),
                f"Is {path.with_name(close)} meant?"
                if close
                else "Give the path of a kubeconfig file with --kubeconfig.",
            )
        ) from None
    except OSError as error:
        raise ProblemError(
            Problem(
                Cause.CONFIG,
                "The kubeconfig file cannot be read",
                f"{path}: {error.strerror or error}",
                "Check its owner and mode." if isinstance(error, PermissionError) else "",
            )
        ) from error
    if not content.strip():
        if may_be_empty:
            return _Document()
        raise ProblemError(
            Problem(
                Cause.CONFIG,
                "The kubeconfig file is empty",
                str(path),
                "Write the cluster's kubeconfig into it, or name another file with --kubeconfig.",
            )
        )
    return _decode(path, content)


def _siblings(path: Path) -> list[Path]:
    try:
        return [entry for entry in path.parent.iterdir() if entry.is_file()]
    except OSError:
        return []


def _decode(path: Path, content: bytes) -> _Document:
    """Parses one file; every fault is told with its line."""
    try:
        data = yamlfile.load(content, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ProblemError(
            Problem(
                Cause.CONFIG,
                "The kubeconfig file is not valid YAML",
                f"{place}: {error.problem or error.context or 'syntax error'}",
                "Correct that line.",
            )
        ) from error
    except yaml.YAMLError as error:
        raise ProblemError(
            Problem(
                Cause.CONFIG, "The kubeconfig file is not valid YAML", f"{path}: {' '.join(str(error).split())}", ""
            )
        ) from error
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ProblemError(
            Problem(
                Cause.CONFIG,
                "The file is not a kubeconfig",
                f"{path}: it holds a {_kind(data)}, not keys",
                "A kubeconfig has the keys clusters, users, contexts and current-context.",
            )
        )
    _warn_unknown(path, data)
    try:
        return msgspec.convert(data, _Document)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        keys = [name or int(index or 0) for name, index in _KEY.findall(where.rstrip("`"))]
        dotted = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")
        raise ProblemError(
            Problem(
                Cause.CONFIG,
                "The kubeconfig file has a value of the wrong kind",
                f"{locate(path, *keys)}: {dotted}: {message[:1].lower()}{message[1:]}",
                "Correct that key.",
            )
        ) from error


def _kind(value: object) -> str:
    return {list: "list", str: "text", bool: "true or false"}.get(type(value), "value")


def _warn_unknown(path: Path, data: Mapping[object, object]) -> None:
    """A key that nobody reads is most often a typing error; kubectl lets it pass, so it is only logged."""
    known = {"apiVersion", "kind", "preferences", "extensions", *_Document.__struct_encode_fields__}
    for key in data:
        if isinstance(key, str) and key not in known:
            close = nearest(key, known)
            log.warning("%s: unknown key %r%s", locate(path, key), key, f" (is {close!r} meant?)" if close else "")


T = TypeVar("T", Cluster, User)


def _anchor(section: T, directory: Path, fields: Iterable[str]) -> T:
    """Makes the paths of a section absolute: they are relative to the file that holds them."""
    changes = {name: str(directory / value) for name in fields if (value := getattr(section, name))}
    return msgspec.structs.replace(section, **changes) if changes else section


def _merge(documents: Iterable[tuple[Path, _Document]]) -> Kubeconfig:
    """Merges whole entries, the first file that has one wins, as client-go does."""
    merged = Kubeconfig(files=tuple(path for path, _ in documents))
    current = ""
    for path, document in documents:
        directory = Path(os.path.abspath(path)).parent  # noqa: PTH100 (resolve() would follow a link to elsewhere)
        current = current or document.current_context or ""
        for cluster in document.clusters or []:
            if cluster.name not in merged.clusters:
                merged.clusters[cluster.name] = _anchor(
                    cluster.cluster or Cluster(), directory, ("certificate_authority",)
                )
                merged.origin["clusters", cluster.name] = path
        for user in document.users or []:
            if user.name not in merged.users:
                merged.users[user.name] = user.user and _anchor_user(user.user, directory)
                merged.origin["users", user.name] = path
        for context in document.contexts or []:
            if context.name not in merged.contexts:
                merged.contexts[context.name] = context.context or ContextEntry()
                merged.origin["contexts", context.name] = path
    return Kubeconfig(merged.files, current, merged.clusters, merged.users, merged.contexts, merged.origin)


def _anchor_user(user: User, directory: Path) -> User:
    user = _anchor(user, directory, ("client_certificate", "client_key", "token_file"))
    if user.exec is None or not user.exec.command or os.sep not in user.exec.command:
        return user  # a bare name is looked up in PATH
    return msgspec.structs.replace(
        user,
        exec=msgspec.structs.replace(user.exec, command=str(directory / user.exec.command)),
    )
