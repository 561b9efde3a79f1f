"""What a splitter may skip in one step of the regular expression engine.

All of it is possessive: no text, however long or odd, is walked through more than once.
"""

from __future__ import annotations

import re
from functools import cache

from tui.services.sql.model import Wire

#: psql's commands that send what was typed before them.
SENDS = re.compile(r"\\(?:gdesc|gexec|gset|gx|g|G|crosstabview|watch|bind|bind_named|parse|sendpipeline)\b[^\n]*")
DELIMITER = re.compile(r"delimiter[ \t]+(\S+)[^\n]*", re.I)
DOLLAR = re.compile(r"\$(?:[A-Za-z_\u0080-\U0010ffff][\w\u0080-\U0010ffff]*)?\$")
DOLLAR_SO_FAR = re.compile(r"\$[\w\u0080-\U0010ffff]*\Z")
IN_NAME = re.compile(r"[\w$]*")
COPY_IN = re.compile(r"\s*copy\b.*\bfrom\s+stdin\b", re.I | re.S)
DATA_END = re.compile(r"^\\\.[ \t]*\r?(?:\n|\Z)", re.M)

_ESCAPING = r"(?:[^{quote}\\]++|\\.|{quote}{quote})*+"


def _runs(wire: Wire, delimiter: str, *, hint: bool) -> str:
    stops = {"'", '"', "-", "/", "\\", delimiter[0], "$" if wire is Wire.POSTGRES else "#"}
    single, double = (_ESCAPING.format(quote=quote) for quote in "'\"")
    if wire is Wire.POSTGRES:
        # What may be an escape string without clearly being one (DATE'…') is left to the lexer's rules.
        runs = [r"(?<![eE])'[^']*+'(?:'[^']*+')*+", rf"(?<=[^\w$][eE])'{single}'(?=.)", r'"[^"]*+"']
        runs += [r"(?<=\w)\$[\w$]*+(?=[^\w$])", r"\$\d++(?=[^\w$])", r"(?<!\w)\$\$[^$]*+\$\$(?=.)", r"--[^\n]*+\n"]
        runs.append(r"/\*[^*/]*+\*/")
    else:
        stops.add("`")
        runs = [f"'{single}'", f'"{double}"', r"`[^`]*+`", r"\#[^\n]*+\n", r"--[ \t][^\n]*+\n", r"/\*(?!M?!)[^*/]*+\*/"]
    if hint:
        stops.add("*")
        runs.append(r"\*(?!/)")
    runs += [f"{mark}(?!{after})" for mark, after in (("-", "-"), ("/", r"\*"))]
    runs = [run for run in runs if delimiter[0] not in (run[0], run[1:2] if run[0] == "\\" else "")]
    return f"(?:[^{re.escape(''.join(sorted(stops)))}]++|{'|'.join(runs)})*+"


@cache
def plain(wire: Wire, delimiter: str, *, hint: bool) -> re.Pattern[str]:
    """The longest run in which a statement's end cannot be, whatever follows it in the next piece of the script.

    Args:
        wire: whose grammar.
        delimiter: what ends a statement now.
        hint: inside of a MySQL conditional comment, whose end must be met.
    """
    return re.compile(_runs(wire, delimiter, hint=hint), re.S)


@cache
def whole(wire: Wire) -> re.Pattern[str]:
    """A whole statement of the common sort, with the blanks before it: no comment first, no body, no COPY."""
    other = r"create|alter|begin|delimiter|copy|if|while|loop|repeat|for|case"
    return re.compile(rf"\s*+(?!(?:{other})\b)([A-Za-z(]{_runs(wire, ';', hint=False)});", re.S | re.I)
