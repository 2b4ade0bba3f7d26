"""How good a fit is: diagnoses, the evidence, densities of new data, ArviZ's data structure. May import: all below filtering."""
