"""Transitions as pure functions, from which samplers are made."""
