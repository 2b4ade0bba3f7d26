"""Draws from kprob's own random numbers."""
