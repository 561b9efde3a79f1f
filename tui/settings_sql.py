"""`sql:` in the settings: what holds for every SQL console.

sql:
  confirm: all
"""

from __future__ import annotations

from dataclasses import dataclass

from tui.settings_readers import Item, WrongError, meant, shown

#: Which statements are held back until confirmed; the values of `services.sql.language.facts.Hold`.
CONFIRM = ("off", "unconditional", "all")


@dataclass(frozen=True, slots=True)
class SqlSetting:
    """How SQL consoles are to be.

    Attributes:
        confirm: `all` (what changes every row of a table, and what drops something), `unconditional` (the former
            only), or `off`.
    """

    confirm: str = "all"

    def plain(self) -> dict[str, object]:
        """As a file would hold it."""
        return {"confirm": self.confirm}


def an_sql(item: Item) -> SqlSetting:
    """The mapping below `sql`."""
    if not isinstance(item.value, dict):
        raise WrongError(item, f"expected a mapping, found {shown(item.value)}")
    found = SqlSetting()
    for key, value in item.value.items():
        if key.value != "confirm":
            raise WrongError(key, f"no such key; {meant(str(key.value), ('confirm',))}", str(key.value))
        word = "off" if value.value is False else value.value  # YAML 1.1 reads a bare off as false
        if word not in CONFIRM:
            raise WrongError(value, f"{shown(value.value)} is not known; {meant(str(value.value), CONFIRM)}", "confirm")
        found = SqlSetting(str(word))
    return found
