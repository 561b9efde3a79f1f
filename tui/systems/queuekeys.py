"""Finds who one is to a broker, and how it is spoken to: by the rules of its packaging.

Values leave this module inside `Login` only; nothing is logged or stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tui.kube.api import Api
from tui.kube.store import Store
from tui.problem import Problem
from tui.services.queue.model import Login
from tui.services.queue.tls import Security
from tui.systems.catalogue import Catalogue
from tui.systems.credentialsearch import Looked, missing
from tui.systems.loginsearch import find_all
from tui.systems.model import Workload


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
    found = await find_all(api, store, workload, catalogue, "queue", _login)
    # What is encrypted is verified if there is a way to; where nothing is said, the ports tell.
    security = Security(found.encrypted, found.tls.authority, found.tls.name) if found.tls is not None else Security()
    return FoundLogins(found.all, security, found.looked, found.known.get("user", ""), found.known.get("vhost", "/"))


def _login(
    fields: Mapping[str, str], known: Mapping[str, str], source: str
) -> tuple[tuple[str, str], Login] | None:  # fmt: skip
    """A password may be empty; the virtual host may stand in a rule before."""
    user, password = fields.get("user"), fields.get("password")
    if not user or password is None:
        return None
    return (user, password), Login(user, password, vhost=fields.get("vhost") or known.get("vhost", "/"), source=source)
