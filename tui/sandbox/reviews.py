"""Reviews: what may I, and who am I."""

from __future__ import annotations

from tui.sandbox import problems, shapes
from tui.sandbox.model import Json
from tui.sandbox.rbac import Asked, Rights
from tui.sandbox.users import User

#: group, plural: kind, whether it lives in namespaces.
KINDS: dict[tuple[str, str], tuple[str, bool]] = {
    ("authorization.k8s.io", "selfsubjectaccessreviews"): ("SelfSubjectAccessReview", False),
    ("authorization.k8s.io", "selfsubjectrulesreviews"): ("SelfSubjectRulesReview", False),
    ("authorization.k8s.io", "subjectaccessreviews"): ("SubjectAccessReview", False),
    ("authorization.k8s.io", "localsubjectaccessreviews"): ("LocalSubjectAccessReview", True),
    ("authentication.k8s.io", "selfsubjectreviews"): ("SelfSubjectReview", False),
}


def answer(rights: Rights, user: User, group: str, plural: str, body: object) -> Json:
    """Answers a review.

    Raises:
        ApiError: 400 when it makes no sense.
    """
    name = KINDS[group, plural][0]
    shape = shapes.of_kind(f"{group}/v1", name) or shapes.ANY
    if not isinstance(body, dict):
        raise problems.bad(f"the object provided is unrecognized (must be of type {name})")
    review = shapes.read(shape, body, name, "v1").object
    review |= {"kind": name, "apiVersion": f"{group}/v1"}
    review.setdefault("metadata", {}).setdefault("creationTimestamp", None)
    spec = review.setdefault("spec", {}) if name != "SelfSubjectReview" else {}
    if name == "SelfSubjectReview":
        review["status"] = {"userInfo": {"username": user.name, "groups": list(user.groups)}}
    elif name == "SelfSubjectRulesReview":
        review["status"] = _rules(rights, user, spec.get("namespace", ""))
    else:
        if not name.startswith("Self"):
            user = User(spec.get("user", ""), tuple(spec.get("groups", [])))
        if ("resourceAttributes" in spec) == ("nonResourceAttributes" in spec):
            raise problems.bad("exactly one of nonResourceAttributes or resourceAttributes must be specified")
        review["status"] = {"allowed": rights.allowed(user, _asked(spec))}
    return review


def _asked(spec: Json) -> Asked:
    if "nonResourceAttributes" in spec:
        path = spec["nonResourceAttributes"]
        return Asked(path.get("verb", ""), path=path.get("path", "") or "/")
    what = spec["resourceAttributes"]
    keys = ("verb", "group", "resource", "subresource", "name", "namespace")
    return Asked(*(what.get(key, "") for key in keys))


def _rules(rights: Rights, user: User, namespace: str) -> Json:
    rules = list(rights.rules(user, namespace))
    return {
        "resourceRules": [rule for rule in rules if "nonResourceURLs" not in rule],
        "nonResourceRules": [rule for rule in rules if "nonResourceURLs" in rule],
        "incomplete": bool(rights.denials),
    }
