"""Clients of the services: they know nothing of Kubernetes or the screen, and are handed their connections."""
