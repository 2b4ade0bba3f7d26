"""Registration of classes for saving, and kprob's archive. May import: errors."""

from kprob.saving.register import register

__all__ = ["register"]
