"""What a user may do, by the roles and bindings that are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tui.sandbox.model import ApiError, Json
from tui.sandbox.store import Entry, Store
from tui.sandbox.users import MASTERS, User

_GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: something of a resource, or a path when `path` is set.

    Attributes:
        verb: as Kubernetes names it (`get`, `list` …), or the HTTP method in small letters for a path.
        subresource: of the resource, empty for itself.
        name: of the object, empty when it has none.
        namespace: empty for the whole cluster.
    """

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    namespace: str = ""
    path: str = ""

    def refusal(self, user: User) -> ApiError:
        """What is said to a user who may not, in the real server's words."""
        who = f'User "{user.name}"'
        if self.path:
            return ApiError(403, "Forbidden", f'forbidden: {who} cannot {self.verb} path "{self.path}"')
        qualified = f"{self.resource}.{self.group}" if self.group else self.resource
        told = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        what = f'{who} cannot {self.verb} resource "{told}" in API group "{self.group}"'
        where = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        subject = f'{qualified} "{self.name}"' if self.name else qualified
        details = {
            **({"name": self.name} if self.name else {}),
            **({"group": self.group} if self.group else {}),
            "kind": self.resource,
        }
        return ApiError(403, "Forbidden", f"{subject} is forbidden: {what} {where}", details)


class Rights:
    """Answers what users may do.

    Attributes:
        denials: say of what roles allow that it is refused all the same; rules cannot tell of them.
    """

    def __init__(self, store: Store) -> None:
        self.denials: list[Callable[[User, Asked], bool]] = []
        self._store = store
        self._loaded: dict[tuple[str, str], tuple[int, Json]] = {}

    def _load(self, resource: str, entry: Entry) -> Json:
        known = self._loaded.get((resource, entry.key))
        if known is None or known[0] != entry.revision:
            known = self._loaded[resource, entry.key] = (entry.revision, entry.load())
        return known[1]

    def rules(self, user: User, namespace: str) -> Iterator[Json]:
        """The rules that hold for a user in a namespace, and in the whole cluster."""
        if MASTERS in user.groups:
            yield {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
            yield {"verbs": ["*"], "nonResourceURLs": ["*"]}
        places = [("clusterrolebindings", "")] + ([("rolebindings", namespace)] if namespace else [])
        for plural, where in places:
            resource = f"{plural}.{_GROUP}"
            for entry in self._store.list(resource, where):
                binding = self._load(resource, entry)
                if any(_is(user, subject, where) for subject in binding.get("subjects", [])):
                    yield from self._role(binding["roleRef"], where)

    def _role(self, reference: Json, namespace: str) -> Iterator[Json]:
        cluster = reference.get("kind") == "ClusterRole"
        resource = f"{'clusterroles' if cluster else 'roles'}.{_GROUP}"
        entry = self._store.get(resource, f"{'' if cluster else namespace}/{reference.get('name', '')}")
        if entry:
            yield from self._load(resource, entry).get("rules", [])

    def allowed(self, user: User, asked: Asked) -> bool:
        """Whether a user may do it."""
        if any(denies(user, asked) for denies in self.denials):
            return False
        return any(_covers(rule, asked) for rule in self.rules(user, asked.namespace))


def _is(user: User, subject: Json, namespace: str) -> bool:
    kind, name = subject.get("kind"), subject.get("name", "")
    if kind == "User":
        return bool(user.name == name)
    if kind == "Group":
        return name in user.groups
    return user.name == f"system:serviceaccount:{subject.get('namespace') or namespace}:{name}"


def _has(values: list[str] | None, wanted: str) -> bool:
    return "*" in (values or ()) or wanted in (values or ())


def _covers(rule: Json, asked: Asked) -> bool:
    if not _has(rule.get("verbs"), asked.verb):
        return False
    if asked.path:
        return any(
            path in ("*", asked.path) or (path.endswith("*") and asked.path.startswith(path[:-1]))
            for path in rule.get("nonResourceURLs", [])
        )
    full = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    resources = rule.get("resources", [])
    fits = _has(resources, full) or bool(asked.subresource and f"*/{asked.subresource}" in resources)
    names = rule.get("resourceNames")
    return fits and _has(rule.get("apiGroups"), asked.group) and (not names or asked.name in names)
