"""Tokens of both grammars, and an editor's lines kept up with edits."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from tui.services.sql.language import lines as module
from tui.services.sql.language.lexer import CODE, Inside, Kind, State, Token, bare, scan, skim
from tui.services.sql.language.lines import Lines, Place
from tui.services.sql.model import Wire

P, M = Wire.POSTGRES, Wire.MYSQL


def tokens(text: str, wire: Wire) -> list[tuple[str, str]]:
    return [(t.kind.name.lower(), text[t.start : t.end]) for t in scan(text, wire)[0]]


@pytest.mark.parametrize(
    ("wire", "text", "expected"),
    [
        (P, "E'it\\'s;'", [("string", "E'it\\'s;'")]),
        (P, "'a\\' x", [("string", "'a\\'"), ("name", "x")]),
        (P, "'it''s'", [("string", "'it''s'")]),
        (P, 'U&"d\\0061t" x', [("quoted", 'U&"d\\0061t"'), ("name", "x")]),
        (P, "X'1F' b'01'", [("string", "X'1F'"), ("string", "b'01'")]),
        (P, "$a$ $b$ ' $a$ 1", [("string", "$a$ $b$ ' $a$"), ("number", "1")]),
        (P, "a$b$c", [("name", "a$b$c")]),
        (P, "$1+1", [("parameter", "$1"), ("operator", "+"), ("number", "1")]),
        (P, "a::int", [("name", "a"), ("operator", "::"), ("type", "int")]),
        (P, ":name :'v'", [("parameter", ":name"), ("parameter", ":'v'")]),
        (P, "/* a /* b */ c */ d", [("comment", "/* a /* b */ c */"), ("name", "d")]),
        (M, "/* a /* b */ d", [("comment", "/* a /* b */"), ("name", "d")]),
        (P, "a--b\nc", [("name", "a"), ("comment", "--b"), ("name", "c")]),
        (M, "5--1", [("number", "5"), ("operator", "-"), ("operator", "-"), ("number", "1")]),
        (M, "5 -- 1", [("number", "5"), ("comment", "-- 1")]),
        (M, "a # b", [("name", "a"), ("comment", "# b")]),
        (P, "j #> k", [("name", "j"), ("operator", "#>"), ("name", "k")]),
        (
            P,
            "a @>-1 ? 'b'",
            [("name", "a"), ("operator", "@>-"), ("number", "1"), ("operator", "?"), ("string", "'b'")],
        ),
        (M, '"a\\"b"', [("string", '"a\\"b"')]),
        (M, "`a``b`", [("quoted", "`a``b`")]),
        (M, "_utf8'a'", [("string", "_utf8'a'")]),
        (M, "@@global.x @y ?", [("parameter", "@@global.x"), ("parameter", "@y"), ("parameter", "?")]),
        (M, "/*!50100 SET x */", [("hint", "/*!50100"), ("keyword", "SET"), ("name", "x"), ("hint", "*/")]),
        (
            P,
            "1.5e-3 .5 0x1F 1..2",
            [("number", "1.5e-3"), ("number", ".5"), ("number", "0x1F"), ("number", "1."), ("number", ".2")],
        ),
        (
            P,
            "select count(*)",
            [("keyword", "select"), ("function", "count"), ("bracket", "("), ("operator", "*"), ("bracket", ")")],
        ),
        (P, "t.select", [("name", "t"), ("punctuation", "."), ("name", "select")]),
        (P, "größe", [("name", "größe")]),
        (P, "'open", [("string", "'open")]),
    ],
)
def test_tokens(wire: Wire, text: str, expected: list[tuple[str, str]]) -> None:
    assert tokens(text, wire) == expected


@pytest.mark.parametrize(
    ("wire", "text", "state"),
    [
        (P, "'a", State(Inside.STRING)),
        (P, "e'a", State(Inside.ESCAPED)),
        (P, "/* /* */", State(Inside.COMMENT, depth=1)),
        (P, "$x$ a", State(Inside.DOLLAR, tag="$x$")),
        (M, "/*!50100 a", State(hint=True)),
        (M, "/*!50100 'a", State(Inside.ESCAPED, hint=True)),
        (P, "a -- b", CODE),
    ],
)
def test_the_state_behind_a_line(wire: Wire, text: str, state: State) -> None:
    assert scan(text, wire)[1] == state


def test_every_character_of_any_text_is_lexed_or_blank() -> None:
    random.seed(6)
    bits = [
        "'",
        '"',
        "`",
        "$$",
        "$a$",
        "/*",
        "*/",
        "--",
        "#",
        "\\",
        "E'",
        "a",
        "1",
        ".",
        " ",
        "\n",
        "\0",
        "é",
        "(",
        "/*!1",
    ]
    for wire in Wire:
        for _ in range(500):
            text = "".join(random.choices(bits, k=30))
            at = 0
            for token in scan(text, wire)[0]:
                assert text[at : token.start].strip() in ("", "\0") and token.start < token.end
                at = token.end
            assert text[at:].strip() == ""


def test_skimming_comes_to_the_same_state() -> None:
    random.seed(8)
    bits = [
        "'",
        '"',
        "`",
        "$$",
        "$a$",
        "/*",
        "*/",
        "--",
        "-- ",
        "#",
        "\\",
        "E'",
        "xE'",
        "a",
        "1",
        " ",
        "\n",
        "é",
        "/*!1",
    ]
    for wire in Wire:
        state = CODE
        for _ in range(3000):
            text = "".join(random.choices(bits, k=12))
            after = scan(text, wire, state)[1]
            assert skim(text, wire, state) == after, (text, state)
            state = after


def test_a_line_of_a_million_characters_is_not_lexed_to_its_end() -> None:
    long = "insert into t values " + "(1, 'it''s')," * 80_000 + "('"
    lines = Lines([long, "x');"], P)
    assert lines.tokens(0)[-1].end <= 2000
    assert [token.kind for token in lines.tokens(1)] == [Kind.STRING, Kind.BRACKET, Kind.PUNCTUATION]


def test_names_are_bare_as_the_server_has_them() -> None:
    assert [
        bare(text, Token(kind, 0, len(text)), wire)
        for text, kind, wire in (
            ("Users", Kind.NAME, P),
            ('"Us""ers"', Kind.QUOTED, P),
            ("Users", Kind.NAME, M),
            ("`a``b`", Kind.QUOTED, M),
            ('"open', Kind.QUOTED, P),
        )
    ] == ["users", 'Us"ers', "Users", "a`b", "open"]


BITS = [
    "select (a, b) from t where x = 'y'", "  /* open", "close */ ", "it's", "$$ body", "$$;", "insert into t (1,",
    "2);", "-- remark '", "", "E'a\\' b'", "[1]", "foo(bar(", "))", "`q", "#x", "/*! hint", "*/",
]  # fmt: skip


def naively(lines: Sequence[str], wire: Wire) -> list[tuple[Token, ...]]:
    found, state = [], CODE
    for line in lines:
        read, state = scan(line, wire, state)
        found.append(tuple(read))
    return found


def pairs(lines: Sequence[str], lexed: list[tuple[Token, ...]]) -> dict[Place, Place]:
    found, stack = {}, list[tuple[Place, str]]()
    for number, line in enumerate(lexed):
        for token in line:
            if token.kind is not Kind.BRACKET:
                continue
            place, char = Place(number, token.start), lines[number][token.start]
            if char in "([{":
                stack.append((place, char))
            elif stack:
                opened, first = stack.pop()
                if first + char in ("()", "[]", "{}"):
                    found[opened], found[place] = place, opened
    return found


@pytest.mark.parametrize("wire", list(Wire))
def test_lines_after_any_edits_are_as_if_lexed_at_once(wire: Wire) -> None:
    random.seed(7)
    for _ in range(60):
        text = random.choices(BITS, k=random.randint(1, 200))
        lines = Lines(text, wire)
        for _ in range(8):
            first = random.randint(0, len(text))
            removed = random.randint(0, min(3, len(text) - first))
            inserted = random.choices(BITS, k=random.randint(0, 3))
            text[first : first + removed] = inserted
            text = text or [""]
            lines.edit(first, removed, inserted)
            if random.random() < 0.5:
                lines.tokens(random.randrange(len(text)))
            if random.random() < 0.3:
                lines.settle(50)
        expected = naively(text, wire)
        partners = pairs(text, expected)
        for number, line in enumerate(expected):
            assert lines.tokens(number) == line
            for token in line:
                if token.kind is Kind.BRACKET:
                    assert lines.partner(Place(number, token.start)) == partners.get(Place(number, token.start))


def test_an_edit_lexes_no_more_than_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Lines(["select 1;"] * 10_000, P)
    while not lines.settle():
        pass
    count = 0

    def counted(*words: object) -> object:
        nonlocal count
        count += 1
        return scan(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "scan", counted)
    lines.edit(5_000, 1, ["select 2;"])
    assert count == 1 and lines.settled
    lines.edit(5_000, 1, ["select 2 /*"])
    assert 1 < count < 40 and not lines.settled
    lines.edit(5_000, 1, ["select 2;"])
    assert lines.tokens(9_999) and lines.settle(10_000)
