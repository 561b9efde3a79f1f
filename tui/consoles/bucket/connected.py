"""The console's screen as far as its connection goes: keys, and those that their Secret has when it was changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tui.consoles import connected
from tui.consoles.bucket.access import Access
from tui.consoles.bucket.client import Opened
from tui.consoles.bucket.connecting import Connection
from tui.consoles.connecting import TYPED, Asked, Phase
from tui.consoles.forms import Field
from tui.consoles.guard import Guard
from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.model import Keys
from tui.systems.bucketkeys import FoundKeys
from tui.text import one_line


class ConnectedScreen(connected.ConnectedScreen[Keys, FoundKeys, Opened]):
    """A screen with a connection to a store."""

    CALLED = "Bucket console"
    connection: Connection

    def __init__(self, access: Access, name: str, guard: Guard) -> None:
        super().__init__(access, name, guard, Connection)
        self._refused = self._renewing = False
        #: For which nothing has taken their place.
        self._tried: Keys | None = None

    def look(self) -> None:
        """Draws what is new."""
        raise NotImplementedError

    async def reload(self) -> None:
        """Reads anew what is shown."""
        raise NotImplementedError

    @property
    def unfinished(self) -> str:
        """What would stop by leaving, in words; empty when nothing would."""
        count = self.connection.opened.mover.unfinished if self.connection.opened is not None else 0
        if not count:
            return ""
        return f"{count} transfer{'s stop' if count > 1 else ' stops'}; asked for again, it goes on where it stopped"

    async def _connect(self, login: Keys | None, *, as_other: bool) -> None:
        await super()._connect(login, as_other=as_other)
        refused, self._refused = self._refused, False
        opened = self.connection.opened if self.connection.phase is Phase.OPEN else None
        if opened is not None:
            opened.mover.listen(self._renewed)
        if opened is not None and (clock := opened.client.facts.clock):
            self.tell(f"{clock}: requests carry the server's time", "warn")
        if opened is not None and refused:
            self.tell("Connected again, with what the Secrets have now", "ready")

    def read_keys_anew(self, problem: Problem | None) -> bool:
        """Connects anew where keys or certificate are no good any more: their Secrets may have been changed since.

        Args:
            problem: with which it refused something; None for nothing.

        Returns:
            Whether that is so; what was refused is then not told by itself, as the connection tells how it goes on.
        """
        link = self.connection
        if (
            problem is None
            or problem.cause is not Cause.CREDENTIALS
            or link.phase is not Phase.OPEN
            or link.source == TYPED
        ):
            return False
        if self.unfinished and not self._refused and (link.opened is None or link.opened.keys is not self._tried):
            # To connect anew would end what moves: it goes on with the keys that there are now.
            if not self._renewing:
                self._renewing = True
                self.do(self._renew())
        elif not self._refused:
            self._connect_anew(problem)
        return True

    def _connect_anew(self, problem: Problem) -> None:
        if not self._refused:
            self._refused = True
            self.tell(f"{one_line(problem.what)}: keys and certificate are looked for again", "warn")
            self.connection.forget_login()
            self.connect()

    async def _renew(self) -> None:
        try:
            opened = self.connection.opened
            if opened is not None and not await opened.mover.renew():
                self._tried = opened.keys
            # A transfer may have found the new ones before: only what is refused again is told, see above.
            await self.reload()
        finally:
            self._renewing = False
        self.look()

    def _renewed(self, keys: Keys, found: FoundKeys) -> None:
        self.connection.renewed(keys, found)
        self.tell("The store's keys were changed: it goes on with those that the Secret has now", "ready")

    def fail(self, error: Exception) -> None:
        """Tells what went wrong, with the store's words; keys that it does not know any more are looked for again."""
        if not self.read_keys_anew(self.connection.problem_of(error)):
            super().fail(error)

    def _login_fields(self, asked: Asked) -> Sequence[Field]:
        return (
            Field("access key", asked.name), Field("secret key", hidden=True),
            Field("token", hidden=True, hint="only with temporary keys"),
        )  # fmt: skip

    def _login_of(self, fields: Mapping[str, str]) -> Keys:
        access = fields["access key"].strip()
        if not access:
            raise ProblemError(Problem(Cause.CONFIG, "An access key is needed", "", ""))
        return Keys(access, fields["secret key"], fields["token"].strip(), source=TYPED)
