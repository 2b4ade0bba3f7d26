"""The energy of Hamiltonian Monte Carlo: whether new momenta change it widely enough."""

import numpy as np

MIN_BFMI = 0.3


def bfmi(energies: np.ndarray) -> np.ndarray:
    """Returns the estimated Bayesian fraction of missing information of each chain; below 0.3, reparameterise the model.

    Args:
        energies: Energies at the start of each transition, shape (chains, draws).

    Example:
        ```python
        import numpy as np
        from kprob.diagnostics import bfmi

        independent = np.random.default_rng(0).normal(size=(2, 10_000))
        assert np.all(abs(bfmi(independent) - 2) < 0.1)  # differences have twice the variance
        assert np.all(bfmi(np.cumsum(independent, axis=1)) < 0.3)
        ```

    Reference:
        Betancourt (2016), "Diagnosing suboptimal cotangent disintegrations in Hamiltonian Monte Carlo".
    """
    energies = np.atleast_2d(np.asarray(energies, "float64"))
    return np.mean(np.diff(energies, axis=1) ** 2, axis=1) / np.var(energies, axis=1, ddof=1)
