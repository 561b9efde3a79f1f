"""Clients of the services themselves: they know nothing of Kubernetes or of the screen, and are handed their connections."""
