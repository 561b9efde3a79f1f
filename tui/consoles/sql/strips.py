"""Words in the place of results while there is no session."""

from __future__ import annotations

from tui.consoles.sql.connecting import Connection, Phase
from tui.widgets.notice import Text

_SIGNS = {Phase.FAILED: ("✗", "failing"), Phase.LOST: ("◍", "warn"), Phase.RESTING: ("○", "warn")}


def words(connection: Connection) -> Text:
    """What is said in the place of results while nothing was run: what is waited for, or why there is no session."""
    problem, way = connection.problem, connection.way.text
    match connection.phase:
        case Phase.LOOKING:
            told = "Reading what the pod's own definition says of its credentials, then the Secrets that it names."
            return Text("◌", "starting", "Looking for the credentials…", ((told, "dim"),), (("esc", "give up"),))
        case Phase.CONNECTING:
            source = f"Login: {connection.source}." if connection.source else ""
            patience = f"It is given up after {connection.options.connect_timeout:g} s without an answer."
            return Text(
                "◌", "starting", f"Connecting to {way}…", ((source, ""), (patience, "dim")), (("esc", "give up"),)
            )
        case Phase.OPEN:
            return _ready(connection)
        case Phase.ASKING:
            what = problem.what if problem is not None else ""
            return Text("?", "warn", "Waiting for a login", ((what, ""),))
        case Phase.FAILED | Phase.LOST | Phase.RESTING if problem is not None:
            keys = (("f2", "try again, another member or login"), ("esc", "back"))
            sign, ink = _SIGNS[connection.phase]
            return Text(sign, ink, problem.what, ((problem.evidence, "dim"), ("", ""), (problem.remedy, "")), keys)
    return Text("○", "dim", "No session")


def _ready(connection: Connection) -> Text:
    facts = connection.facts
    if facts is None:
        return Text("●", "ready", "Connected")
    about = f"{facts.engine} {facts.version} on {facts.member}, session {facts.session}, as {facts.user}"
    paragraphs = ((about, ""), (f"Login: {connection.source}" if connection.source else "", "dim"))
    keys = (("f5", "run the statement at the cursor"), ("f2", "member"), ("f8", "catalogue"), ("f9", "transaction"),
            ("f1", "help"))  # fmt: skip
    return Text("●", "ready", "Ready for statements", paragraphs, keys)
