"""What networks read from Python beside their data and weights, which a compiled program has in it as it was.

A number that is an attribute, a global or the setting of a layer is a constant to the compiler. Here it is found by a walk
through the code of the networks, and compared again before a program is used.
"""

from kprob.engine.surroundings.surroundings import Surroundings

__all__ = ["Surroundings"]
