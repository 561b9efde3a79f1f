"""What the statements of a run brought, in order: ends, row counts, notices, errors with their place."""

from __future__ import annotations

from collections.abc import Iterator

from tui.consoles.sql.resultset import Message, Run, seconds
from tui.services.sql.cells import width_of
from tui.services.sql.model import Done, Lost, Notice
from tui.text import one_line, safe
from tui.widgets.ink import Piece
from tui.widgets.lines import Line, Lines

#: Cells of a statement's beginning.
HEAD = 70
#: Characters before and behind an error's place: the line must not wrap at 80 columns, or the mark stands elsewhere.
BEFORE, BEHIND = 36, 24


class Messages(Lines):
    """Follows a run."""

    HELP = """Messages
What each statement brought, in the order in which it came: how many rows in what time, notices and warnings of the
server, errors in the server's own words with the place in the statement that it points at."""

    def follow(self, run: Run) -> None:
        """Shows what there is; stays where one reads."""
        lines: list[Line] = []
        for number, message in enumerate(run.messages):
            fresh = number == 0 or run.messages[number - 1].statement is not message.statement
            if fresh and run.statements > 1:
                lines.append(Line((("  ", ""), (head_of(message.statement), "dim"))))
            lines += said(message)
        if (current := run.current) is not None:
            lines.append(Line((("◐ ", "running"), (f"result {current.number}: {current.state.value}", ""))))
        elif not run.messages:
            lines.append(Line((("  nothing yet", "dim"),)))
        self.set_lines(lines)


def head_of(statement: str) -> str:
    """The beginning of a statement on one line."""
    text = one_line(statement[: 4 * HEAD])
    return text if len(text) <= HEAD else text[: HEAD - 1] + "…"


def said(message: Message) -> Iterator[Line]:
    """The lines of one message."""
    what = message.what
    if isinstance(what, Done):
        of: Piece = (f"result {message.result}: " if message.result is not None else "", "dim")
        count = "" if what.count is None else f"{what.count:,} row{'' if what.count == 1 else 's'}"
        told = " · ".join(part for part in (count, what.tag, seconds(what.seconds)) if part)
        yield Line((("● ", "ready"), of, (told, "")), 2)
    elif isinstance(what, Notice):
        code = f" {what.code}" if what.code else ""
        yield Line((("⚠ ", "warn"), (f"{what.severity}{code}: ", "warn"), (what.message, "")), 2)
        yield from _more(("", what.detail), ("hint: ", what.hint))
    elif isinstance(what, Lost):
        yield Line((("✗ ", "failing"), (what.problem.what, "failing")), 2)
        yield from _more(("", what.problem.evidence), ("", what.problem.remedy))
        if what.transaction:
            yield from _more(("", "The open transaction went with the connection; nothing of it is done again."))
        if what.unsure:
            yield from _more(("", "Whether the statement was carried out is not known; it is not sent again."))
    else:
        code = f" {what.code}" if what.code else ""
        if what.cancelled:
            yield Line((("■ ", "stopped"), ("cancelled: ", "strong"), (what.message, "")), 2)
            return
        yield Line((("✗ ", "failing"), (f"{what.severity}{code}: ", "failing"), (what.message, "strong")), 2)
        yield from _more(("", what.detail), ("hint: ", what.hint))
        if what.position is not None:
            yield from pointed(message.statement, what.position)


def _more(*parts: tuple[str, str]) -> Iterator[Line]:
    for lead, text in parts:
        for at, line in enumerate(text.splitlines()):
            yield Line((("  ", ""), (lead if at == 0 else "", "dim"), (line, "")), 2)


def pointed(statement: str, position: int) -> Iterator[Line]:
    """The line of the statement that an error points at, and a mark below the place.

    Args:
        statement: as it was sent.
        position: index in its characters.
    """
    position = max(0, min(position, len(statement)))
    start = statement.rfind("\n", 0, position) + 1
    end = statement.find("\n", position)
    line = statement[start : len(statement) if end < 0 else end]
    number, at = statement.count("\n", 0, position) + 1, position - start
    begin = max(0, at - BEFORE)
    shown = safe(line[begin : at + BEHIND].replace("\t", " "))
    tail = "…" if at + BEHIND < len(line) else ""
    lead = f"  line {number}: " + ("…" if begin else "")
    yield Line(((lead, "dim"), (shown, ""), (tail, "dim")))
    yield Line(((" " * (len(lead) + width_of(shown[: at - begin])), ""), ("▲ here", "failing")))
