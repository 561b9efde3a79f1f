"""Whether a statement holds a secret, and what of it may be kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from tui.services.sql.language.lexer import Kind, scan
from tui.services.sql.language.phrases import Word
from tui.services.sql.model import Wire

#: A word of this kind beside a literal makes the literals secret: a clause (PASSWORD '…', IDENTIFIED BY '…',
#: MASTER_PASSWORD = '…'), a function (crypt, aes_encrypt) or a column (INSERT INTO users (password) …).
_NAMES = re.compile(
    r"passw(?:or)?d|passphrase|passcode|identified|secret|token|credential|api_?key|access_?key|private_?key"
    r"|encrypt|decrypt|^crypt$|^gen_salt$|^hmac$|pgp_|licen[cs]e|sasl_|^pin$|^pwd$|^salt$",
    re.I,
)
#: Inside of a literal: connection strings, addresses with a password, and what routines hold in dollar quotes.
_LITERALS = re.compile(
    r"passw(?:or)?d|identified\s+by|secret|access_?key|credentials|sasl_|\bpwd\s*=|://[^\s/:@]+:[^\s/@]+@|-----BEGIN",
    re.I,
)
#: Pairs that always carry secrets, whatever their words are.
_PAIRS = frozenset(
    (("user", "mapping"), ("create", "server"), ("alter", "server"), ("create", "subscription"),
     ("alter", "subscription"), ("external", "connection"), ("create", "changefeed"), ("create", "secret"))
)  # fmt: skip
_SHOWN = (Kind.STRING, Kind.NUMBER)


def holds_secret(text: str, words: Sequence[Word]) -> bool:
    """Whether a statement may hold a password, a key or a token. Says yes rather too often.

    Args:
        text: the statement.
        words: its words.
    """
    account = any(word.low in ("user", "role", "group") for word in words[1:3])
    if not account and not any(word.kind in (*_SHOWN, Kind.QUOTED) for word in words):
        return False
    pairs = {(one.low, other.low) for one, other in pairwise(words[:8])}
    if pairs & _PAIRS:
        return True
    texts = [word.text for word in words if word.kind is Kind.STRING]
    if any(_LITERALS.search(one) for one in texts):
        return True
    # Numbers alone are none: `SELECT * FROM tokens WHERE id = 5` can be found again.
    if (account or texts) and any(word.name and _NAMES.search(word.name) for word in words):
        return True
    # A comment is kept with the statement, and may hold one too.
    return any(mark in text for mark in ("--", "/*", "#")) and _LITERALS.search(text) is not None


def without_literals(text: str, wire: Wire) -> str:
    """The statement with every literal replaced by `'…'` and without comments: what the history keeps of a secret one.

    What follows PASSWORD or BY goes too, whatever it is: who forgets the quotes gets an error from the server, and
    must not find the password in a file.
    """
    parts, at, after = list[str](), 0, ""
    for token in scan(text, wire)[0]:
        raw = text[token.start : token.end]
        parts.append(text[at : token.start])
        at = token.end
        exposed = after in ("password", "by", "as", "=") and token.kind in (Kind.NAME, Kind.QUOTED, Kind.PARAMETER)
        low = raw.lower()
        if token.kind is Kind.COMMENT:
            parts.append(" " if parts[-1][-1:].strip() else "")
            continue
        if token.kind in _SHOWN or (exposed and low != "null"):
            parts.append("'…'")
        else:
            parts.append(raw)
        after = low if low != "encrypted" else after
    parts.append(text[at:])
    return "".join(parts).strip()
