"""The part of the management API that is about clients, users, policies, features and health."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tui.problem import ProblemError
from tui.services.queue import facts
from tui.services.queue.model import Refused
from tui.services.queue.operations import (
    Channel,
    Check,
    Connection,
    Consumer,
    DeprecatedFeature,
    FeatureFlag,
    Permission,
    Policy,
    User,
)  # fmt: skip
from tui.services.queue.transport import Transport, segment

#: The questions of health, and since when they are answered. `aliveness-test` is none: it does nothing since 2025.
CHECKS: Mapping[str, str] = {
    "alarms": "3.8", "local-alarms": "3.8", "virtual-hosts": "3.8", "node-is-quorum-critical": "3.8",
    "is-in-service": "4.1", "quorum-queues-without-elected-leaders/all-vhosts/pattern/.%2A": "4.1",
}  # fmt: skip


class Administration(Transport):
    """What operators ask for beside queues."""

    async def connections(self, vhost: str = "") -> list[Connection]:
        """Who is connected: to a virtual host, or to all that this user may see."""
        path = f"vhosts/{segment(vhost)}/connections" if vhost else "connections"
        return await self._get(path, list[Connection])

    async def close_connection(self, name: str, reason: str = "") -> None:
        """Ends somebody's connection.

        Args:
            name: the broker's own.
            reason: is told to the client. What cannot stand in a header becomes a question mark.
        """
        shown = "".join(char if char.isprintable() and ord(char) < 256 else "?" for char in reason)
        await self.ask("DELETE", f"connections/{segment(name)}", more={"X-Reason": shown} if shown else None)

    async def channels(self, vhost: str = "") -> list[Channel]:
        """All channels; their counts need statistics."""
        return await self._get(f"vhosts/{segment(vhost)}/channels" if vhost else "channels", list[Channel])

    async def consumers(self, vhost: str = "") -> list[Consumer]:
        """All consumers."""
        return await self._get(f"consumers/{segment(vhost)}" if vhost else "consumers", list[Consumer])

    async def policies(self, vhost: str = "", *, operator: bool = False) -> list[Policy]:
        """Policies, or those of operators, which limit what policies may."""
        kind = "operator-policies" if operator else "policies"
        return await self._get(f"{kind}/{segment(vhost)}" if vhost else kind, list[Policy])

    async def set_policy(self, policy: Policy, *, operator: bool = False) -> None:
        """Makes a policy, or changes it."""
        wanted = {"pattern": policy.pattern, "definition": policy.definition, "priority": policy.priority,
                  "apply-to": policy.applies}  # fmt: skip
        await self.ask("PUT", _policy(policy.vhost, policy.name, operator), wanted)

    async def delete_policy(self, vhost: str, name: str, *, operator: bool = False) -> None:
        """Deletes a policy: the queues that it held have their own arguments alone then."""
        await self.ask("DELETE", _policy(vhost, name, operator))

    async def vhosts(self) -> list[facts.Vhost]:
        """The virtual hosts that this user may see."""
        return await self._get("vhosts", list[facts.Vhost])

    async def declare_vhost(self, name: str, *, default_type: str = "", description: str = "") -> None:
        """Makes a virtual host. Nobody but who made it may use it before a permission is set."""
        wanted = {"default_queue_type": default_type, "description": description}
        await self.ask("PUT", f"vhosts/{segment(name)}", {key: text for key, text in wanted.items() if text})

    async def delete_vhost(self, name: str) -> None:
        """Deletes a virtual host with all queues and messages in it."""
        await self.ask("DELETE", f"vhosts/{segment(name)}")

    async def users(self) -> list[User]:
        """All users; only administrators may ask."""
        return await self._get("users", list[User])

    async def set_user(self, name: str, password: str | None, tags: Sequence[str] | None) -> None:
        """Makes a user, or changes one; what is not given stays as it is.

        The server takes a user whole, and one without a password as one who cannot log in with any: the hash of the
        present one goes back with the rest.

        Args:
            name: of the user.
            password: None for the present one; a new user without one cannot log in with a password.
            tags: `administrator`, `monitoring`, `policymaker`, `management`; None for the present ones.
        """
        path = f"users/{segment(name)}"
        here: dict[str, Any] = {}
        if password is None or tags is None:
            try:
                here = await self._get(path, dict[str, Any])
            except Refused as error:
                if error.code != 404:
                    raise
        old = here.get("tags") or []
        known = old if isinstance(old, str) else ",".join(old)
        wanted: dict[str, Any] = {"tags": known if tags is None else ",".join(tags)}
        if password is not None:
            wanted["password"] = password
        else:
            wanted["password_hash"] = here.get("password_hash", "")
            if here.get("hashing_algorithm"):
                wanted["hashing_algorithm"] = here["hashing_algorithm"]
        await self.ask("PUT", path, wanted)

    async def delete_user(self, name: str) -> None:
        """Deletes a user with all permissions; connections of his are closed by the server."""
        await self.ask("DELETE", f"users/{segment(name)}")

    async def delete_permission(self, vhost: str, user: str) -> None:
        """Takes away all that a user may in a virtual host."""
        await self.ask("DELETE", f"permissions/{segment(vhost)}/{segment(user)}")

    async def permissions(self, vhost: str = "") -> list[Permission]:
        """Who may what."""
        return await self._get(f"vhosts/{segment(vhost)}/permissions" if vhost else "permissions", list[Permission])

    async def set_permission(self, permission: Permission) -> None:
        """Lets a user configure, write and read what matches."""
        wanted = {"configure": permission.configure, "write": permission.write, "read": permission.read}
        await self.ask("PUT", f"permissions/{segment(permission.vhost)}/{segment(permission.user)}", wanted)

    async def feature_flags(self) -> list[FeatureFlag]:
        """All features that can be on or off."""
        return await self._get("feature-flags", list[FeatureFlag])

    async def deprecated(self) -> list[DeprecatedFeature]:
        """Features in use that will go.

        Raises:
            Refused: 404, the server is older than 3.13 and does not know.
        """
        return await self._get("deprecated-features/used", list[DeprecatedFeature])

    async def check(self, name: str) -> Check:
        """Asks how well something is; it is the node that is asked which answers."""
        try:
            told = msgspec.json.decode(await self.ask("GET", f"health/checks/{name}"), type=dict[str, Any])
        except Refused as error:
            since = CHECKS.get(name, "")
            why = (
                f"this server does not tell (since {since})" if error.code == 404 and since else error.problem.evidence
            )
            return Check(name, None, why)
        except (ProblemError, msgspec.DecodeError) as error:
            return Check(name, None, str(error))
        if told.get("status") == "ok":
            return Check(name, True)
        says = str(told.get("reason") or told)
        names = [
            one.get("readable_name") or one.get("name") for one in told.get("queues") or () if isinstance(one, dict)
        ]
        return Check(name, False, f"{says}: {', '.join(map(str, names[:10]))}" if names else says)

    async def checks(self) -> Sequence[Check]:
        """All questions of health at once."""
        return await asyncio.gather(*(self.check(name) for name in CHECKS))


def _policy(vhost: str, name: str, operator: bool) -> str:
    return f"{'operator-policies' if operator else 'policies'}/{segment(vhost)}/{segment(name)}"
