"""Finds who one is to a broker, and how it is spoken to: by the rules of its packaging.

Values leave this module inside `Login` only; nothing is logged or stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tui.kube.api import Api
from tui.kube.store import Store
from tui.problem import Problem
from tui.services.queue.model import Login
from tui.services.queue.tls import Security
from tui.services.sql.model import Tls, TlsMode
from tui.systems.catalogue import Catalogue
from tui.systems.credentialsearch import Looked, Outcome, missing, search
from tui.systems.model import Workload

#: The source of a login that no object of the cluster proves.
ASSUMED = "assumed: nothing in the cluster says otherwise"


@dataclass(frozen=True, slots=True)
class FoundLogins:
    """What was found, and what was looked for.

    Attributes:
        logins: all that were found, the best first; none when one must be asked for.
        security: how the broker is spoken to.
        looked: all that was looked for, in order.
        user: the user that goes with a password which could not be read, to be offered where one is asked.
        vhost: the virtual host that the packaging makes; `/` unless it says otherwise.
    """

    logins: tuple[Login, ...] = ()
    security: Security = field(default_factory=Security)
    looked: tuple[Looked, ...] = ()
    user: str = ""
    vhost: str = "/"

    @property
    def refused(self) -> tuple[str, ...]:
        """The rights that were missing."""
        return tuple(dict.fromkeys(one.right for one in self.looked if one.outcome is Outcome.FORBIDDEN))

    def problem(self, workload: str, ask: str = "Give --user and --password-file") -> Problem:
        """Why there is no login, with what would have served.

        Args:
            workload: its name.
            ask: what one may do instead, without a full stop.
        """
        return missing(workload, self.looked, ask)


async def find_logins(api: Api, store: Store, workload: Workload, catalogue: Catalogue) -> FoundLogins:
    """Looks for the logins of a broker.

    Args:
        api: reads the pod, and each Secret by its name.
        store: has the operator's object, which may name the Secret.
        workload: whose logins are meant.
        catalogue: the rules.
    """
    looking, rules = await search(api, store, workload, catalogue, "queue")
    logins: dict[tuple[str, str], Login] = {}
    security: Security | None = None
    user = vhost = ""
    for rule in rules:
        if not looking.applies(rule) or (rule.assumed and logins):
            continue
        fields, source = await looking.fields(rule)
        user = user or fields.get("user", "")
        vhost = vhost or fields.get("vhost", "")
        if security is None and rule.tls and (tls := await looking.tls(rule)) is not None:
            security = _security(tls)
        if fields.get("user") and "password" in fields:
            pair = fields["user"], fields["password"]
            at = fields.get("vhost") or vhost or "/"
            logins.setdefault(pair, Login(*pair, vhost=at, source=source or ASSUMED))
    return FoundLogins(tuple(logins.values()), security or Security(), looking.looked, user, vhost or "/")


def _security(tls: Tls) -> Security:
    """What the mode says: `prefer` leaves it to the ports, and what is encrypted is verified if there is a way to."""
    spoken = {TlsMode.DISABLE: False, TlsMode.PREFER: None}.get(tls.mode, True)
    return Security(spoken, tls.authority, tls.name)
