"""Readers of the plans that servers explain, one module for each form."""
