"""Clients of S3-shaped object stores."""
