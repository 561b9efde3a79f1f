"""What the fake API server lets one do, and how it refuses the rest."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def status(code: int, reason: str, message: str, **details: Any) -> Json:
    """A Kubernetes Status of failure."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": details,
        "code": code,
    }


def allowed(rules: list[Json] | None, verb: str, resource: str, namespace: str | None) -> bool:
    """Whether the rules grant it; None grants everything."""
    return rules is None or any(
        {verb, "*"} & set(rule["verbs"])
        and {resource, "*"} & set(rule["resources"])
        and rule.get("namespace") in (None, namespace)
        for rule in rules
    )


def resource_rules(rules: list[Json] | None, namespace: str) -> list[Json]:
    """The rules of a namespace as a SelfSubjectRulesReview lists them."""
    if rules is None:
        return [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
    return [
        {"verbs": rule["verbs"], "apiGroups": ["*"], "resources": rule["resources"]}
        for rule in rules
        if rule.get("namespace") in (None, namespace)
    ]


def refusal(verb: str, resource: str, group: str, namespace: str | None) -> Json:
    """The Status of a 403, worded as the real server words it."""
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    message = (
        f'{resource} is forbidden: User "tester" cannot {verb} resource "{resource}" in API group "{group}" {where}'
    )
    return status(403, "Forbidden", message, kind=resource)
