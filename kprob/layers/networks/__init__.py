"""Networks that guides and models are made of."""
