"""What estimates and their gradients are made of: terms, divergences, the score function, kernels."""
