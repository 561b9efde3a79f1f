"""The parser of the command line: what it says of words that it does not know."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import NoReturn

from tui.commands import exits

#: Commands that are named for an option that stands at the wrong one.
_TAKERS = 3


class Parser(argparse.ArgumentParser):
    """Refuses wrong words with the nearest right one."""

    def error(self, message: str) -> NoReturn:
        """Prints what is wrong and what was probably meant, and leaves with the code for wrong usage."""
        hint = self._hint(message)
        self.exit(exits.USAGE, f"{self.prog}: {message}{hint}\nTry `{self.prog} --help`.\n")

    def refuse_unknown(self, words: Sequence[str]) -> None:
        """Refuses an option that no command has, before its value is mistaken for a command."""
        known = self._options()
        for word in words:
            if word == "--":
                return
            if word.startswith("--") and word.partition("=")[0] not in known:
                self.error(f"unrecognized arguments: {word}")

    def _options(self) -> set[str]:
        return {option for parser in _family(self) for action in parser._actions for option in action.option_strings}

    def _hint(self, message: str) -> str:
        if not (found := re.search(r"(unrecognized arguments|invalid choice): '?([^\s']+)", message)):
            return ""
        choices = {str(word) for action in self._actions for word in action.choices or ()}
        from tui.settings_readers import nearest  # noqa: PLC0415 - for the unlucky only

        word = found[2].partition("=")[0]
        if takers := [parser.prog for parser in _family(self) if word in parser._option_string_actions]:
            more = ", …" if len(takers) > _TAKERS else ""
            return f"\n{word} is an option of: {', '.join(takers[:_TAKERS])}{more}"
        near = nearest(word, self._options() if found[1].startswith("un") else choices)
        return f"\nDid you mean {near}?" if near else ""


def _family(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """A parser and those of its commands, and of their verbs."""
    below = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return [parser, *(one for choices in below for inner in choices.values() for one in _family(inner))]
