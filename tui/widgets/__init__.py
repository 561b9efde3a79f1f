"""Widgets that draw rows they are given and repaint only what changed."""
