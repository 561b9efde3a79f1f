"""Finds who one is to an object store, and how it is spoken to: by the rules of its packaging.

There may be several: the root user of a tenant, the user that its console was made for, an identity that may only read.
The best one is used; all can be shown. Values leave this module inside `Keys` only; nothing is logged or stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tui.kube.api import Api
from tui.kube.store import Store
from tui.problem import Problem
from tui.services.bucket.model import Keys, Security
from tui.services.sql.model import Tls, TlsMode
from tui.systems.catalogue import Catalogue
from tui.systems.credentialsearch import Looked, Outcome, missing, search
from tui.systems.model import Workload

#: The source of keys that no object of the cluster proves.
ASSUMED = "assumed: nothing in the cluster says otherwise"


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

    @property
    def refused(self) -> tuple[str, ...]:
        """The rights that were missing."""
        return tuple(dict.fromkeys(one.right for one in self.looked if one.outcome is Outcome.FORBIDDEN))

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
    looking, rules = await search(api, store, workload, catalogue, "bucket")
    keys: dict[tuple[str, str], Keys] = {}
    security: Security | None = None
    region = access = ""
    for rule in rules:
        if not looking.applies(rule) or (rule.assumed and keys):
            continue
        fields, source = await looking.fields(rule)
        region = region or fields.get("region", "")
        access = access or fields.get("access_key", "")
        if security is None and rule.tls and (tls := await looking.tls(rule)) is not None:
            security = _security(tls)
        if fields.get("access_key") and fields.get("secret_key"):
            pair = fields["access_key"], fields["secret_key"]
            keys.setdefault(pair, Keys(*pair, source=source or ASSUMED))
    return FoundKeys(tuple(keys.values()), security or Security(), region, looking.looked, access)


def _security(tls: Tls) -> Security:
    """What the mode says of HTTPS: `prefer` is to find out, and what is encrypted is verified if there is a way to."""
    https = {TlsMode.DISABLE: False, TlsMode.PREFER: None}.get(tls.mode, True)
    return Security(https, tls.authority, tls.name)
