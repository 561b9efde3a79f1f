"""Kubernetes: connecting, watching, reading. Knows no screen and no system."""
