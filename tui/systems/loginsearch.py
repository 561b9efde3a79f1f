"""Finds ALL logins to a service, by the rules of its packaging: what object stores and brokers have in common.

A SQL session is one user's, so `credentials` looks for one login and ends; here there may be several (the root user of
a tenant, the user that its console was made for), and a person may choose among them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from tui.kube.api import Api
from tui.kube.store import Store
from tui.services.sql.model import Tls, TlsMode
from tui.systems.catalogue import Catalogue
from tui.systems.credentialsearch import ASSUMED, Looked, search
from tui.systems.model import Workload

L = TypeVar("L")


@dataclass(frozen=True, slots=True)
class Logins(Generic[L]):
    """What the rules gave.

    Attributes:
        all: the logins, the best first, none of them twice.
        known: of each field the first text that is not empty, also of rules that gave no login.
        tls: what the first rule says that says something; None where none does.
        looked: all that was looked for, in order.
    """

    all: tuple[L, ...]
    known: Mapping[str, str]
    tls: Tls | None
    looked: tuple[Looked, ...]

    @property
    def encrypted(self) -> bool | None:
        """Whether the service speaks TLS; None where that is to be found out, as `prefer` says."""
        mode = self.tls.mode if self.tls is not None else TlsMode.PREFER
        return {TlsMode.DISABLE: False, TlsMode.PREFER: None}.get(mode, True)


async def find_all(
    api: Api,
    store: Store,
    workload: Workload,
    catalogue: Catalogue,
    console: str,
    login: Callable[[Mapping[str, str], Mapping[str, str], str], tuple[Hashable, L] | None],
) -> Logins[L]:
    """Follows all rules of a packaging.

    Args:
        api: reads the pod, and each Secret by its name.
        store: has the operator's object, which may name the Secret.
        workload: whose logins are meant.
        catalogue: the rules.
        console: `bucket` or `queue`; see `credentialrules.FIELDS`.
        login: makes one of a rule's fields, of what is known so far (`Logins.known`) and of the source, with what
            tells it from others; None where the fields make none.
    """
    looking, rules = await search(api, store, workload, catalogue, console)
    found: dict[Hashable, L] = {}
    known: dict[str, str] = {}
    tls: Tls | None = None
    for rule in rules:
        if not looking.applies(rule) or (rule.assumed and found):
            continue
        fields, source = await looking.fields(rule)
        for name, text in fields.items():
            if text:
                known.setdefault(name, text)
        if tls is None and rule.tls:
            tls = await looking.tls(rule)
        made = login(fields, known, source or ASSUMED)
        if made is not None:
            found.setdefault(*made)
    return Logins(tuple(found.values()), known, tls, looking.looked)
