"""Port-forwarding: the protocols of the wire, and what runs over them."""
