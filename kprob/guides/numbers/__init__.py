"""A guide's numbers in unconstrained space: blocks of latents, their vectors, distributions of one given others."""
