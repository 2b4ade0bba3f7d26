"""Queries: prior, posterior, posterior predictive. May import: errors ... engine."""

from kprob.queries.query import Query

__all__ = ["Query"]
