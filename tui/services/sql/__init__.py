"""SQL sessions: one vocabulary (`model`), one module for each wire protocol, and what is known of the language.

A session is opened by `connect.open_session` on a `Route`, which yields sockets to one server; what carries them (a
forward) is not known here.
"""
