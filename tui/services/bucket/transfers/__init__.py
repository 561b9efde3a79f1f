"""Moves objects: up, down, between buckets and between stores, verified and resumable."""
