"""Managed forwards: from a target that is found anew for each connection, over a tunnel of its own, to a local end.

    targets ─▶ Forward ─▶ Tunnel ⇄ (remote: websocket | SPDY in it | kubectl) ⇄ (local: socket pair | listener)

One connection is one websocket: connections cannot stall each other, and what becomes of one is told of that one alone.
"""
