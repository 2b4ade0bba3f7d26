"""Filters along a `kprob.scan`. May import: all below queries."""
