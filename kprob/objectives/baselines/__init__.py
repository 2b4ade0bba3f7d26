"""Baselines of the score function: what is subtracted from a latent's signal."""
