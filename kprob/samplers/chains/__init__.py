"""A sampler's chains: where they start, their compiled programs, the draws."""
