"""Guides that are normalising flows."""
