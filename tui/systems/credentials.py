"""Finds how one logs in to a SQL workload, by the rules of its packaging; see `credentialsearch` for the search itself.

Values leave this module inside a Login only; nothing is logged or stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tui.kube.api import Api
from tui.kube.store import Store
from tui.problem import Problem
from tui.services.sql.model import Login, Tls
from tui.systems.catalogue import Catalogue
from tui.systems.credentialrules import CredentialRule, From
from tui.systems.credentialsearch import ASSUMED, Looked, missing, search
from tui.systems.model import Workload


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, and what was looked for.

    Attributes:
        login: how one logs in; None when it must be asked for.
        looked: all that was looked for, in order.
        tls: how TLS is to be used by another login than that of the rules: without its client certificate.
        user: whom the packaging would log in as, to be offered where one is asked; empty when it does not say.
        database: the database that goes with it; empty when it does not say.
    """

    login: Login | None
    looked: tuple[Looked, ...] = ()
    tls: Tls = field(default_factory=Tls)
    user: str = ""
    database: str = ""

    def problem(self, workload: str) -> Problem:
        """Why there is no login, with what would have served, for the one question that is left to ask.

        Args:
            workload: its name.
        """
        ask = "Give --user and --password-file"
        return missing(workload, self.looked, ask, "; the password may come from any file or program")

    def override(
        self, *, user: str = "", password: str | None = None, database: str = "", source: str = ""
    ) -> Login | None:
        """The login with what somebody gives in place of what was found; None when a user or password is lacking.

        Args:
            user: empty for the one that was found.
            password: None for the one that was found, which counts only for its own user.
            database: empty for the one that was found.
            source: where the given ones come from, for the header and for errors.
        """
        login = self.login
        same = login is not None and user in ("", login.user)
        if password is None:
            if login is None or not same:
                return None
            return Login(login.user, login.password, database or login.database, login.tls, login.source)
        name = user or (login.user if login is not None else self.user)
        if not name:
            return None
        tls = login.tls if login is not None and same else self.tls
        return Login(name, password, database or self.database, tls, source)


async def find_login(
    api: Api, store: Store, workload: Workload, catalogue: Catalogue, *, member: str = "", user: str = ""
) -> Found:
    """Looks for the credentials of a SQL workload.

    Args:
        api: reads the pod, and each Secret by its name.
        store: has the operator's object, which may name the Secret.
        workload: whose credentials are meant.
        catalogue: the rules.
        member: the pod that one connects to; empty for the one that takes writes, or the first.
        user: only a login of this user will do; empty for the packaging's best.
    """
    looking, rules = await search(api, store, workload, catalogue, "sql", member=member, user=user)
    tls: Tls | None = None
    offered = database = ""
    for rule in rules:
        if not looking.applies(rule):
            continue
        fields, source = await looking.fields(rule)
        known = fields.get("user") or _fixed(rule)
        offered = offered or known
        if user and known and known != user:
            tls = tls or await looking.tls(rule)
            continue
        if "user" in fields and "password" in fields:
            found = await looking.tls(rule)
            if found is not None:
                login = Login(fields["user"], fields["password"], fields.get("database", ""), found, source or ASSUMED)
                return Found(login, looking.looked, _bare(found), login.user, login.database)
        tls = tls or await looking.tls(rule)
        database = database or fields.get("database", "")
    return Found(None, looking.looked, _bare(tls or Tls()), user or offered, database)


def _fixed(rule: CredentialRule) -> str:
    """The user that a rule is always for."""
    words = rule.fields.get("user", ())
    return words[0].text if words and words[0].source is From.VALUE and "{" not in words[0].text else ""


def _bare(tls: Tls) -> Tls:
    """Without the client certificate, which is one user's."""
    return Tls(tls.mode, tls.authority, name=tls.name)
