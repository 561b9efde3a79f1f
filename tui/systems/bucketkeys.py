"""Finds who one is to an object store, and how it is spoken to: by the rules of its packaging.

There may be several: the root user of a tenant, the user that its console was made for, an identity that may only read.
The best one is used; all can be shown. Values leave this module inside `Keys` only; nothing is logged or stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tui.kube.api import Api
from tui.kube.store import Store
from tui.problem import Problem
from tui.services.bucket.model import Keys, Security
from tui.systems.catalogue import Catalogue
from tui.systems.credentialsearch import Looked, missing
from tui.systems.loginsearch import find_all
from tui.systems.model import Workload


@dataclass(frozen=True, slots=True)
class FoundKeys:
    """What was found, and what was looked for.

    Attributes:
        keys: all that were found, the best first; none when they must be asked for.
        security: how the store is spoken to.
        region: as the packaging sets it; empty when it does not say.
        looked: all that was looked for, in order.
        access: the access key that goes with a secret key which could not be read, to be offered where one is asked.
    """

    keys: tuple[Keys, ...] = ()
    security: Security = field(default_factory=Security)
    region: str = ""
    looked: tuple[Looked, ...] = ()
    access: str = ""

    def problem(self, workload: str, ask: str = "Give --access-key and --secret-key-file") -> Problem:
        """Why there are no keys, with what would have served.

        Args:
            workload: its name.
            ask: what one may do instead, without a full stop.
        """
        return missing(workload, self.looked, ask)


async def find_keys(api: Api, store: Store, workload: Workload, catalogue: Catalogue) -> FoundKeys:
    """Looks for the keys of an object store.

    Args:
        api: reads the pod, and each Secret by its name.
        store: has the operator's object, which may name the Secret.
        workload: whose keys are meant.
        catalogue: the rules.
    """
    found = await find_all(api, store, workload, catalogue, "bucket", _keys)
    # What is encrypted is verified if there is a way to.
    security = Security(found.encrypted, found.tls.authority, found.tls.name) if found.tls is not None else Security()
    return FoundKeys(
        found.all, security, found.known.get("region", ""), found.looked, found.known.get("access_key", "")
    )  # fmt: skip


def _keys(fields: Mapping[str, str], _: Mapping[str, str], source: str) -> tuple[tuple[str, str], Keys] | None:
    pair = fields.get("access_key", ""), fields.get("secret_key", "")
    return (pair, Keys(*pair, source=source)) if all(pair) else None
