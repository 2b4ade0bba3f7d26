"""Laplace's approximation: the posterior's mode, and a normal with the curvature there.

In unconstrained space, with u the mode of the log-joint density (Jacobian included) and H minus its Hessian, the
posterior is about N(u, H⁻¹). Rows inside the data plate are independent given what is outside it, so that H has a block
H_rr for each row and blocks H_rg that tie it to the latents outside, g. With that the normal is, exactly,

    u_g ~ N(mode_g, (H_gg − Σ_r H_gr H_rr⁻¹ H_rg)⁻¹),      u_r | u_g ~ N(mode_r − H_rr⁻¹ H_rg (u_g − mode_g), H_rr⁻¹).
"""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from kprob.errors import KprobError, explain
from kprob.guides.multivariate_normal import marginal_of, normal_given_before
from kprob.guides.numbers.conditionals import PointMass
from kprob.guides.numbers.curvature import INSIDE, OUTSIDE, negative_hessian
from kprob.guides.numbers.joint_guide import JointGuide
from kprob.guides.numbers.latent_block import LatentBlock
from kprob.guides.numbers.vectors import matvec
from kprob.guides.running.fitted_networks import FittedNetworks
from kprob.guides.running.guide_run import GuideRun
from kprob.saving import register
from kprob.types import Distribution, Tensor


@register
class Laplace(JointGuide):
    """The posterior's mode, and around it a normal with the curvature of the log-density there.

    `fit` climbs to the mode, in unconstrained space, as if by `Delta`; at its end the Hessian of the whole data's
    log-joint density is computed, and the guide is a full-rank normal from then on: queries, `evaluate` and saved models
    have it. A further `fit` goes on from the mode. Latents inside the data plate are normal given those outside.

    Quick, and good where the posterior is nearly normal; `MultivariateNormal` fits the whole of it instead. The learning
    rate should fall to zero, so that `fit` ends at the mode itself.

    Args:
        init: See `Guide`.
        name: Name of the layer.

    Example:
        ```python
        import keras
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        model = temperature(inference=kprob.guides.Laplace()).compile(kprob.ELBO(), keras.optimizers.Adam(0.1))
        model.fit({"sensor": 18.0}, epochs=300, verbose=0)
        assert abs(model.posterior("temp").stddev() - 0.8944) < 1e-3
        ```

    Reference:
        Tierney and Kadane (1986), "Accurate approximations for posterior moments and marginal densities".
    """

    rereads_data = True  # for its curvature
    needs_independent_rows = True  # whose blocks of the curvature it takes one by one

    def __init__(self, init: str | dict[str, Any] = "median", **kwargs: Any):
        super().__init__(init, **kwargs)
        self.at_mode = True

    @property
    def phase(self) -> str:
        """What the guide is now: a point at the "mode", or a "normal" around it."""
        return "mode" if self.at_mode else "normal"

    def create_block(self, block: LatentBlock, start: Tensor) -> None:
        self.add_parameter(f"{block.prefix}loc", start, block.in_rows)
        size, rows = block.size, (self.num_data,) if block.in_rows else ()
        self._add_fixed(f"{block.prefix}tril", (*rows, size, size), block.in_rows)
        outside = sum(latent.size for latent in self.latents.values() if not latent.in_rows)
        if block.in_rows and outside:
            self._add_fixed("row_gain", (*rows, size, outside), True)
        if "ready" not in self.parameters:
            self._add_fixed("ready", (), False)

    def conditional(self, block: LatentBlock, name: str, run: GuideRun) -> Distribution:
        latent = block.latents[name]
        loc = self.parameter(f"{block.prefix}loc", run)
        if self.at_mode:
            return PointMass(block.shaped(name, loc[..., block.slices[name]]), latent.event_ndims)
        if "row_gain" in self.parameters and block.in_rows:
            mode = loc
            loc = run.once((id(self), "row loc"), lambda: mode + self._row_shift(run))
        return normal_given_before(block, name, run, loc, self.parameter(f"{block.prefix}tril", run), guide=id(self))

    def marginal(self, name: str, run: GuideRun) -> tuple[Tensor, Tensor] | None:
        block = self.blocks[name]
        loc = self.parameter(f"{block.prefix}loc", run)
        if self.at_mode:
            point = block.shaped(name, loc[..., block.slices[name]])
            return point, 0.0 * point
        if block.in_rows and "row_gain" in self.parameters:
            return None
        return marginal_of(block, name, loc, self.parameter(f"{block.prefix}tril", run))

    def modes(self) -> dict[str, keras.Variable]:
        """Returns the variables that hold the mode: "loc" outside the data plate, "row_loc" inside."""
        return {key: self.parameters[key] for key in (OUTSIDE, INSIDE) if key in self.parameters}

    def on_fit_begin(self) -> None:
        # A point, whose place `fit` finds.
        self.at_mode = True
        if self.built:
            self.parameters["ready"].assign(0.0)

    def on_fit_end(self, networks: FittedNetworks, batches: Iterable[dict]) -> None:
        total: dict[tuple[str, str], np.ndarray] = {}
        for number, batch in enumerate(batches):
            # What is outside the data plate counts once, whatever the number of batches.
            blocks = negative_hessian(networks, self.modes(), batch, count_outside=number == 0)
            for key, block in blocks.items():
                total[key] = total.get(key, 0.0) + block
        self._become_normal(total)

    def load_own_variables(self, store: Any) -> None:
        super().load_own_variables(store)
        if self.built:
            self.at_mode = not float(ops.convert_to_numpy(self.parameters["ready"]))

    def _become_normal(self, hessian: dict[tuple[str, str], np.ndarray]) -> None:
        # Raises where the log-density isn't curved downwards at the mode.
        outer, inner = hessian.get((OUTSIDE, OUTSIDE)), hessian.get((INSIDE, INSIDE))
        tie = hessian.get((INSIDE, OUTSIDE))
        if inner is not None:
            covariance = _inverse(inner)
            self.parameters["row_tril"].assign(_cholesky(covariance))
            if tie is not None and outer is not None:
                gain = -np.matmul(covariance, tie)
                outer = outer + np.einsum("nrg,nrh->gh", tie, gain)
                self.parameters["row_gain"].assign(gain)
        if outer is not None:
            self.parameters["tril"].assign(_cholesky(_inverse(outer)))
        self.parameters["ready"].assign(1.0)
        self.at_mode = False

    def _row_shift(self, run: GuideRun) -> Tensor:
        # How far the modes of the rows move with the latents outside the data plate.
        block = next(block for block in self.blocks.values() if not block.in_rows)
        values = [block.flat(name, run.value(name)) for name in block.latents]
        deviation = ops.concatenate(values, axis=-1) - self.parameter(OUTSIDE, run)
        return matvec(self.parameter("row_gain", run), deviation)

    def _add_fixed(self, key: str, shape: tuple, in_rows: bool) -> None:
        if in_rows:
            self._records.row_parameters.add(key)
        self.parameters[key] = self.add_weight(
            shape=shape, initializer="zeros", name=key, autocast=False, trainable=False
        )


def _inverse(matrix: np.ndarray) -> np.ndarray:
    smallest = np.linalg.eigvalsh(matrix)[..., 0]
    if not (np.isfinite(smallest).all() and (smallest > 0.0).all()):
        raise KprobError(
            explain(
                "Laplace found no maximum: the log-density isn't curved downwards in every direction where `fit` ended.",
                received=f"a smallest curvature of {np.min(smallest):.3g}",
                expected="positive curvature, as at a mode",
                fix="fit for more epochs with a learning rate that falls to zero; a flat or heavy-tailed posterior has no "
                "Laplace approximation: use kprob.guides.MultivariateNormal()",
            )
        )
    return np.linalg.inv(matrix)


def _cholesky(covariance: np.ndarray) -> np.ndarray:
    return np.linalg.cholesky((covariance + np.swapaxes(covariance, -1, -2)) / 2.0).astype("float32")
