"""Random variables, a layer a family."""
