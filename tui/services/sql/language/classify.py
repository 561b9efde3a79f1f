"""What a statement is and does, as far as its text tells: before it is sent, and for the history.

A text cannot tell all: a function may do anything, a view may have rules, a table triggers. What cannot be known is
None, never a guess.
"""

from __future__ import annotations

from tui.services.sql.language import vocabulary
from tui.services.sql.language.constant import always_true
from tui.services.sql.language.definitions import alter, drop, has, names
from tui.services.sql.language.facts import Control, Danger, Facts, Found, Hold, Sort
from tui.services.sql.language.phrases import Reader, Word, read
from tui.services.sql.language.secrets import holds_secret
from tui.services.sql.language.words import Words, words
from tui.services.sql.model import Wire


def classify(text: str, wire: Wire) -> Facts:
    """Reads one statement (without its delimiter). Text that is no statement gives `Sort.OTHER`."""
    found, all_words = Found(), read(text, wire)
    reader = Reader(all_words)
    while reader.take("("):
        pass
    verb = reader.peek().upper()
    if verb:
        _statement(reader, found, wire)
    return Facts(
        found.sort, verb, found.rows, found.changes, found.control, tuple(found.dangers), holds_secret(text, all_words)
    )


def _statement(reader: Reader, found: Found, wire: Wire) -> None:
    """The statement that begins here; what it contains is added to `found`."""
    verb = reader.peek()
    if verb == "with":
        _with(reader, found, wire)
    elif verb in ("select", "values", "table", "("):
        _select(reader, found, wire)
    elif verb in ("insert", "replace", "upsert"):
        found.sort, found.changes = Sort.INSERT, True
        found.rows = _top(reader, "returning")
    elif verb in ("update", "delete", "merge"):
        _change(reader, found)
    elif verb in ("explain", "analyze", "describe", "desc"):
        _explain(reader, found, wire)
    elif verb in ("create", "alter", "drop", "truncate"):
        _definition(reader, found, wire)
    elif verb in vocabulary.TRANSACTION or (wire is Wire.MYSQL and verb == "xa"):
        _transaction(reader, found)
    elif verb == "set":
        _set(reader, found)
    elif verb in ("copy", "load", "import", "export"):
        _copy(reader, found)
    else:
        found.sort, found.rows, found.changes = vocabulary.PLAIN.get(verb, (Sort.OTHER, None, None))
        _server(reader, found)


def _with(reader: Reader, found: Found, wire: Wire) -> None:
    """WITH [RECURSIVE] name [(columns)] AS [NOT] [MATERIALIZED] (statement), … and then the statement itself."""
    reader.at += 1
    reader.take("recursive")
    while reader.at < reader.end:
        reader.name()
        if reader.peek() == "(":
            reader.at = reader.closing() + 1
        if not reader.take("as"):
            break
        reader.take("not")
        reader.take("materialized")
        if reader.peek() != "(":
            break
        close = reader.closing()
        inner = Found()
        _statement(Reader(reader.words, reader.at + 1, close), inner, wire)
        found.change(inner.changes)
        found.dangers += inner.dangers
        reader.at = close + 1
        # PostgreSQL's SEARCH and CYCLE clauses lie between a query and the comma.
        while reader.peek() not in (",", "", "(") and reader.peek() not in vocabulary.MAIN:
            reader.at += 1
        if not reader.take(","):
            break
    main = Found()
    if reader.at < reader.end:
        _statement(reader, main, wire)
    found.sort, found.rows = main.sort, main.rows
    found.change(main.changes)
    found.dangers += main.dangers


def _select(reader: Reader, found: Found, wire: Wire) -> None:
    found.sort, found.rows = Sort.SELECT, True
    known = words(wire, Words.FUNCTIONS)
    for at in range(reader.at, reader.end):
        word = reader.words[at]
        here = Reader(reader.words, at, reader.end)
        if word.low == "into" and word.depth == reader.words[reader.at].depth:
            # PostgreSQL makes a table of it, MySQL a file or variables.
            found.rows = False
            found.change(wire is Wire.POSTGRES or here.peek(1) in ("outfile", "dumpfile"))
        elif (
            word.low == "for" and any(Reader(reader.words, at, reader.end).phrase(*lock) for lock in vocabulary.LOCKS)
        ) or (word.low == "lock" and here.phrase("lock", "in", "share", "mode")):
            found.change(True)
        elif here.peek(1) == "(" and word.name and word.low not in vocabulary.NOT_CALLED:
            found.change(_call(word, known))


def _call(word: Word, known: frozenset[str]) -> bool | None:
    name = word.name.lower()
    if name in vocabulary.EFFECTS:
        return True
    if name in known or name.startswith(("json_", "jsonb_", "pg_get_", "pg_stat_get_", "has_", "st_", "regexp_")):
        return False
    return None


def _change(reader: Reader, found: Found) -> None:
    """UPDATE, DELETE or MERGE."""
    verb, begin = reader.peek(), reader.at
    found.sort, found.changes = Sort(verb), True
    found.rows = _top(reader, "returning")
    if verb == "merge":
        return
    depth = reader.words[begin].depth
    reader.at += 1
    while reader.take("low_priority", "quick", "ignore", "only", "from"):
        pass
    table = reader.name() or "?"
    if (where := _find(reader, "where", depth)) is not None:
        stop = _first(reader, ("returning", "order", "limit"), depth, where + 1)
        if not always_true(reader.words[where + 1 : stop]):
            return
    every = "every row"
    if (limit := _find(reader, "limit", depth)) is not None and limit + 1 < reader.end:
        every = f"any {reader.words[limit + 1].text} rows"
    elif _find(reader, "join", depth) is not None or _find(reader, "using", depth) is not None:
        every = "every row that the join finds"
    does = "deletes" if verb == "delete" else "changes"
    found.dangers.append(Danger(Hold.UNCONDITIONAL, f"{does} {every} of {table}"))


def _find(reader: Reader, word: str, depth: int) -> int | None:
    for at in range(reader.at, reader.end):
        if reader.words[at].low == word and reader.words[at].depth == depth:
            return at
    return None


def _first(reader: Reader, any_of: tuple[str, ...], depth: int, start: int) -> int:
    for at in range(start, reader.end):
        if reader.words[at].low in any_of and reader.words[at].depth == depth:
            return at
    return reader.end


def _top(reader: Reader, word: str) -> bool:
    return _find(reader, word, reader.words[reader.at].depth) is not None


def _explain(reader: Reader, found: Found, wire: Wire) -> None:
    """EXPLAIN runs what it explains only with ANALYZE; MariaDB's ANALYZE statement does as well."""
    verb = reader.peek()
    reader.at += 1
    runs = verb == "analyze"
    if runs and reader.peek() in ("table", "local", "no_write_to_binlog"):
        reader.at = reader.end
    while reader.at < reader.end and reader.peek() not in vocabulary.EXPLAINED:
        if reader.peek() == "(":
            close = reader.closing()
            if close + 1 < reader.end and reader.peek(1) not in vocabulary.EXPLAINED:
                runs = runs or _asks_analyze(Reader(reader.words, reader.at + 1, close))
                reader.at = close + 1
                continue
            break
        runs = runs or reader.peek() in ("analyze", "analyse")
        reader.at += 1
    if reader.at >= reader.end:
        # ANALYZE [TABLE] t gathers statistics; DESCRIBE t shows columns.
        found.sort = Sort.MAINTENANCE if verb == "analyze" else Sort.SHOW
        found.rows, found.changes = verb != "analyze" or wire is Wire.MYSQL, verb == "analyze"
        return
    inner = Found()
    _statement(reader, inner, wire)
    found.sort, found.rows = Sort.EXPLAIN, True
    if runs:
        found.changes, found.dangers = inner.changes, inner.dangers


def _asks_analyze(options: Reader) -> bool:
    while options.at < options.end:
        if options.take("analyze", "analyse"):
            return options.peek() not in ("false", "off", "0", "'off'", "'false'")
        options.at += 1
    return False


def _definition(reader: Reader, found: Found, wire: Wire) -> None:
    from_here = Reader(reader.words, reader.at, reader.end)
    found.sort, found.changes, found.rows = Sort.DDL, True, False
    verb = reader.peek()
    if verb == "drop":
        drop(from_here, found)
    elif verb == "truncate":
        from_here.at += 1
        from_here.take("table")
        from_here.take("only")
        table = names(from_here)
        found.dangers.append(Danger(Hold.UNCONDITIONAL, f"deletes every row of {table}", table))
    elif verb == "alter":
        alter(from_here, found)
    elif wire is Wire.POSTGRES and (body := _find(reader, "as", reader.words[reader.at].depth)) is not None:
        inner = Found()
        if reader.words[min(body + 1, reader.end - 1)].low in ("with", "execute"):
            _statement(Reader(reader.words, body + 1, reader.end), inner, wire)
            found.dangers += inner.dangers


def _transaction(reader: Reader, found: Found) -> None:
    verb = reader.peek()
    found.sort, found.rows, found.changes = Sort.TRANSACTION, False, False
    second = reader.peek(1)
    if verb == "prepare" and second != "transaction":
        found.sort = Sort.SESSION
        # EXECUTE will not say any more what it does.
        body = _find(reader, "as", reader.words[reader.at].depth)
        if body is not None and body + 1 < reader.end:
            inner = Found()
            _statement(Reader(reader.words, body + 1, reader.end), inner, Wire.POSTGRES)
            found.dangers += inner.dangers
    elif verb in ("prepare", "xa") or second == "prepared":
        found.control, found.changes = Control.PREPARED, True
        found.rows = second == "recover"
    elif verb in ("savepoint", "release") or (verb == "rollback" and has(reader, "to")):
        found.control = Control.SAVEPOINT
    elif verb == "begin" and second == "not":  # MariaDB's compound statement
        found.sort, found.rows, found.changes = Sort.CALL, None, None
    elif verb == "start" and second != "transaction":  # START REPLICA, START SLAVE, START GROUP_REPLICATION
        found.sort, found.changes = Sort.SERVER, True
    elif verb in ("begin", "start"):
        found.control = Control.BEGIN
    else:
        found.control = Control.COMMIT if verb in ("commit", "end") else Control.ROLLBACK


def _set(reader: Reader, found: Found) -> None:
    found.sort, found.rows = Sort.SETTING, False
    text = [word.low for word in reader.words[reader.at + 1 : reader.end]]
    lasting = text[:1] in (["global"], ["persist"], ["persist_only"], ["cluster"], ["password"]) or (
        text[:2] == ["default", "role"]
    )
    found.changes = lasting or any(word.startswith(("@@global.", "@@persist")) for word in text)
    if text[:1] == ["statement"] and "for" in text:  # MariaDB: SET STATEMENT x = y FOR statement
        inner = Reader(reader.words, reader.at + 1 + text.index("for") + 1, reader.end)
        if inner.at < inner.end:
            _statement(inner, found, Wire.MYSQL)


def _copy(reader: Reader, found: Found) -> None:
    """COPY (query) TO and COPY t TO only read; all others change."""
    found.sort, found.rows, found.changes = Sort.COPY, False, True
    if reader.peek() == "copy":
        to = _top(reader, "to") and not _top(reader, "from")
        found.changes = not to or has(reader, "program")
        reader.at += 1
        if to and reader.peek() == "(":
            inner = Found()
            _statement(Reader(reader.words, reader.at + 1, reader.closing()), inner, Wire.POSTGRES)
            found.change(inner.changes)
            found.dangers += inner.dangers


def _server(reader: Reader, found: Found) -> None:
    """Statements that take something from the server itself."""
    verb, second = reader.peek(), reader.peek(1)
    if verb in ("shutdown", "restart"):
        found.dangers.append(Danger(Hold.ALL, "stops the server" if verb == "shutdown" else "restarts the server"))
    elif verb == "purge":
        found.dangers.append(Danger(Hold.ALL, "deletes binary logs that replicas or a restore may need"))
    elif verb == "reset" and second in ("master", "binary"):
        found.sort, found.changes = Sort.SERVER, True
        found.dangers.append(Danger(Hold.ALL, "deletes all binary logs and the history of GTIDs"))
    elif verb == "reset" and second in ("replica", "slave"):
        found.sort, found.changes = Sort.SERVER, True
        found.dangers.append(Danger(Hold.ALL, "makes this replica forget its place in the source's log"))
    elif verb == "clone" and second == "instance":
        found.dangers.append(Danger(Hold.ALL, "replaces all data of this server by another's"))
