"""The users of Vitess' gateways, as its static authentication keeps them: JSON in a file, mounted from a Secret."""

from __future__ import annotations

import json


def static_user(text: str, wanted: str = "") -> tuple[str, str] | None:
    """A user with a password that can be sent; None when the text has none.

    The file maps each user to a list of entries (the older form: to one entry). An entry may have a hash,
    `MysqlNativePassword`, in place of `Password`: with that alone nobody can log in who does not know the password.

    Args:
        text: the file.
        wanted: the user to look for; empty for the first one that will do.
    """
    try:
        users = json.loads(text)
    except ValueError:
        return None
    for user, entries in users.items() if isinstance(users, dict) else ():
        if wanted and user != wanted:
            continue
        for entry in entries if isinstance(entries, list) else (entries,):
            if not isinstance(entry, dict):
                continue
            password = entry.get("Password", "")
            if isinstance(password, str) and (password or not entry.get("MysqlNativePassword")):
                return user, password
    return None
