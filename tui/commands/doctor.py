"""`statetui doctor`: looks at all that statetui needs; where something is missing, what is lost and what to do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable

from tui import paths
from tui.commands import check_cluster, check_machine, check_rights, exits, output
from tui.commands.checks import Check, Status, Step
from tui.commands.table import Paper, paper
from tui.kube.api import Api
from tui.kube.context import Context
from tui.kube.options import ConnectOptions
from tui.kube.resources import Resource
from tui.settings import Settings
from tui.systems.catalogue import load_catalogue

_SIGNS = {Status.OK: "✓", Status.FAILED: "✗", Status.WARNING: "!", Status.SKIPPED: "–"}
_ASCII = {Status.OK: "+", Status.FAILED: "x", Status.WARNING: "!", Status.SKIPPED: "-"}
_INKS = {Status.OK: "ready", Status.FAILED: "failing", Status.WARNING: "running", Status.SKIPPED: "dim"}
#: Columns for the name of a check.
NAME_WIDTH = 43

CONFIG = Step(check_cluster.GROUP, "kubeconfig", 10, "everything")
CREDENTIALS = Step(check_cluster.GROUP, "credentials", 45, "everything")  # a plugin may open a browser
REACH = Step(check_cluster.GROUP, "API server", 20, "everything")
OFFERS = Step(check_cluster.GROUP, "operators", 20, "what operators say of their systems", Status.WARNING)
USAGE = Step(check_cluster.GROUP, "use of volumes", 15, "how full the volumes are", Status.WARNING)
RIGHTS = Step(check_rights.GROUP, "rights", 30, "to know them")

Tell = Callable[[Iterable[Check]], None]


def run(options: ConnectOptions, load: Callable[[], Settings], form: str) -> int:
    """Examines, prints as it goes (table) or at the end (json), and returns the exit code.

    Args:
        options: which cluster.
        load: reads the settings; a failure is one of the findings.
        form: table or json.
    """
    checks: list[Check] = []
    table = _Table(paper()) if form == "table" else None

    def tell(found: Iterable[Check]) -> None:
        for check in found:
            checks.append(check)
            if table:
                table.print(check)

    tell([check_machine.settings(load), *check_machine.systems(), *check_machine.folders(), *check_machine.terminal()])
    reached = asyncio.run(_cluster(options, tell))
    healthy = reached and not any(check.status is Status.FAILED for check in checks)
    if table:
        table.end(checks)
    else:
        sys.stdout.write(output.json(_document(checks, healthy=healthy, reached=reached)) + "\n")
    return exits.OK if healthy else exits.FAILED if reached else exits.UNREACHABLE


async def _cluster(options: ConnectOptions, tell: Tell) -> bool:
    """Everything that needs the cluster. False when it could not be reached; what follows is skipped then."""
    contexts: list[Context] = []

    async def config() -> list[Check]:
        checks, context = await check_cluster.config(options)
        contexts.append(context)
        return checks

    checks, problem = await CONFIG.take(config())
    tell(checks)
    if problem is not None:
        tell(
            step.skipped("not looked at: there is no cluster to ask")
            for step in (CREDENTIALS, REACH, OFFERS, USAGE, RIGHTS)
        )
        return False
    api = Api(contexts[0])
    try:
        for step, examination in ((CREDENTIALS, check_cluster.credentials(api)), (REACH, check_cluster.reach(api))):
            if problem is not None:
                examination.close()
                tell([step.skipped("not looked at: there are no credentials to use")])
                continue
            checks, problem = await step.take(examination)
            tell(checks)
        if problem is not None:
            tell(step.skipped("not looked at: the server does not answer") for step in (OFFERS, USAGE, RIGHTS))
            return False
        await _inside(api, options, tell)
    finally:
        await api.close()
    return True


async def _inside(api: Api, options: ConnectOptions, tell: Tell) -> None:
    """What the cluster offers and allows."""
    namespace = options.namespace or api.context.namespace
    customs = load_catalogue([paths.config_dir() / "systems"]).customs
    present: list[Resource] = []

    async def offers() -> list[Check]:
        checks, found = await check_cluster.offers(api, customs)
        present.extend(found)
        return checks

    tell((await OFFERS.take(offers()))[0])
    tell((await USAGE.take(check_cluster.usage(api, namespace)))[0])
    wanted = check_rights.rights(present)
    only = bool(options.namespace) and not options.all_namespaces
    tell((await RIGHTS.take(check_rights.examine(api, wanted, namespace, only=only)))[0])


def _document(checks: Iterable[Check], *, healthy: bool, reached: bool) -> output.Document:
    """The answer of `-o json`."""
    return {
        "apiVersion": output.API_VERSION,
        "kind": "Doctor",
        "healthy": healthy,
        "reached": reached,
        "checks": [
            {
                "group": check.group,
                "name": check.name,
                "status": check.status.value,
                "text": check.text,
                "evidence": check.evidence,
                "lost": check.lost,
                "remedy": check.remedy,
            }
            for check in checks
        ],
    }


class _Table:
    """Prints each check when it is known, so that a slow step is seen to be slow."""

    def __init__(self, on: Paper) -> None:
        self._on = on
        self._group = ""
        self._remedy = ""

    def print(self, check: Check) -> None:
        """One check, under its heading, with the other side's words below it."""
        on = self._on
        if check.group != self._group or (check.remedy and check.remedy != self._remedy):
            self._advise()
        if check.group != self._group:
            self._line(("\n" if self._group else "") + on.ink(check.group.upper(), "head"))
            self._group = check.group
        sign = on.ink((_SIGNS if on.unicode else _ASCII)[check.status], _INKS[check.status])
        lost = f"; lost: {check.lost}" if check.lost and check.status is not Status.OK else ""
        self._line(f"  {sign} {on.plain(check.name):<{NAME_WIDTH}} {on.plain(check.text + lost)}")
        for text in check.evidence.splitlines():
            self._more(text)
        self._remedy = check.remedy or self._remedy

    def end(self, checks: Iterable[Check]) -> None:
        """How it went in all."""
        self._advise()
        statuses = [check.status for check in checks]
        failed, warned = statuses.count(Status.FAILED), statuses.count(Status.WARNING)
        verdict = "all is well" if not failed and not warned else f"{failed} failed, {warned} with less than all"
        self._line(f"\n{verdict}")

    def _advise(self) -> None:
        """What to do, once for all the checks in a row that need the same."""
        if self._remedy:
            self._more(f"next: {self._remedy}")
        self._remedy = ""

    def _more(self, text: str) -> None:
        self._line(" " * (NAME_WIDTH + 5) + self._on.ink(self._on.plain(text), "dim"))

    def _line(self, text: str) -> None:
        print(text, flush=True)
