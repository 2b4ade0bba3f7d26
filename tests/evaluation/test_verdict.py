"""The verdict of `diagnose`: on fits whose quality is known, with seed after seed, and by its table."""

import numpy as np
import pytest
from evaluation.fits import FITS, model_of
from scipy import stats

import kprob
from kprob.evaluation.fit_verdict import ChainFigures, WeightFigures, is_off, verdict
from kprob.evaluation.guide_advice import next_guide
from kprob.evaluation.guide_diagnosis import diagnose
from kprob.evaluation.moved_moments import Moved, moved_by_draws, moved_by_weights, widths_by_weights

# k-hat alone is wrong on each of these, in some seeds or in all.
QUICK = (
    "ice_cream_mean_field",
    "terrain_full_rank",
    "one_mode_of_two",
    "temperature_of_unfinished_descent",
    "rows_nearly_right",
)
NAMED = (
    "temperature_of_unfinished_descent",
    "ice_cream_mean_field",
    "ice_cream_with_its_correlation",
    "terrain_full_rank",
    "hierarchy_mean_field",
)


@pytest.mark.parametrize("name", QUICK)
def test_the_verdict_is_right(name):
    model, data = model_of(name)
    for seed in range(2):
        found = model.diagnose(data, seed=seed)
        assert found.verdict in FITS[name][0], f"seed {seed}: {found}"
        assert found.good == found.close == (found.verdict == "close")


@pytest.mark.slow
@pytest.mark.parametrize("name", FITS)
def test_the_verdict_is_right_with_every_seed(name):
    model, data = model_of(name)
    found = [model.diagnose(data, seed=seed) for seed in range(20 if name in NAMED else 8)]
    wrong = {seed: str(each) for seed, each in enumerate(found) if each.verdict not in FITS[name][0]}
    assert not wrong


def test_a_point_has_no_spread_to_trust():
    model = kprob.ProbabilisticModel(generative=FITS["temperature_exact"][1]()[0], inference=kprob.guides.Delta())
    model.compile(kprob.ELBO(), "adam", jit_compile=False).fit({"sensor": 18.0}, verbose=0, check=False)
    found = model.diagnose({"sensor": 18.0}, seed=0)
    assert found.verdict == "far" and not found.good and found.chains is None
    assert "kprob.guides.Normal()" in str(found) and "don't trust its spread" in str(found)


def test_what_is_said_of_another_mode_and_of_the_chains():
    model, data = model_of("one_mode_of_two")
    found = model.diagnose(data, seed=0)
    assert "another mode" in str(found) and found.chains.elsewhere > 0.1 and found.ess > 990
    alone = diagnose(model.networks, (), data, 1000, 1000, 0, num_chains=0)
    assert alone.chains is None and alone.close  # which is why there are chains
    assert str(found) == str(model.diagnose(data, seed=0))


def test_a_mode_that_q_misses_altogether_is_no_other_mode():
    model, data = model_of("temperature_off_and_too_narrow")
    for seed in range(3):
        found = model.diagnose(data, seed=seed)
        assert not found.good and found.chains.elsewhere == 0.0 and "higher" in str(found)


# The table


def weights(k_hat=0.3, error=0.1, share=0.5, gap=0.3, off=False, spreads=True):
    numbers = (np.array(v) for v in (k_hat, error, 1000 * share))
    return WeightFigures(*numbers, 1000, np.array(gap), np.array(off), spreads)


def chains(off=False, agree=True, mixed=True, elsewhere=0.0):
    return ChainFigures({}, np.array([off]), np.array([agree]), np.array([mixed]), elsewhere)


@pytest.mark.once
@pytest.mark.parametrize(
    "of_weights, of_chains, expected",
    [
        (dict(spreads=False), None, "far"),
        (dict(share=1.0, gap=0.0), dict(elsewhere=0.1), "far"),
        (dict(off=True), dict(off=True), "mendable"),
        (dict(off=True), dict(off=True, agree=False), "far"),
        (dict(k_hat=0.9, off=True), dict(off=True), "far"),
        (dict(off=True), dict(), "mendable"),
        (dict(k_hat=0.9, off=True, share=0.01), dict(), "close"),  # many dimensions: the weights say nothing
        (dict(k_hat=1.7, share=0.98), dict(), "close"),  # far tails
        (dict(share=0.98), dict(off=True, mixed=False), "close"),
        (dict(), dict(off=True, mixed=False), "far"),
        (dict(), dict(mixed=False), "close"),
        (dict(k_hat=1.7, share=0.98), None, "close"),
        (dict(k_hat=1.7, gap=0.013), None, "close"),
        (dict(k_hat=0.8), None, "far"),
        (dict(share=0.05), None, "far"),
        (dict(), None, "close"),
        (dict(off=True), None, "mendable"),
        (dict(off=True, k_hat=0.65), None, "far"),  # with its error, k-hat reaches 0.7
    ],
)
def test_the_table(of_weights, of_chains, expected):
    assert verdict(weights(**of_weights), None if of_chains is None else chains(**of_chains)) == expected


@pytest.mark.once
def test_of_rows_nine_in_ten_must_agree():
    off = np.arange(100) < 10
    figures = (np.full(100, 0.3), np.full(100, 0.1), np.full(100, 500.0), 1000, np.full(100, 0.3))
    assert verdict(WeightFigures(*figures, off, True), None) == "close"
    assert verdict(WeightFigures(*figures, np.arange(100) < 11, True), None) == "mendable"
    some = np.ones(20, bool)
    assert verdict(WeightFigures(*figures, off, True), ChainFigures({}, ~some, some, some, 0.0)) == "close"
    assert verdict(WeightFigures(*figures, off, True), ChainFigures({}, some, ~some, some, 0.0)) == "far"


# Its figures


@pytest.mark.once
def test_moments_moved_by_other_draws():
    generator = np.random.default_rng(0)
    before, after = generator.normal(size=(4000, 3)), generator.normal(size=(4 * 2000, 3))
    moved = moved_by_draws(before, after * [1.0, 1.5, 0.5] + [0.5, 0.0, 0.0], 2000)
    assert moved.ratio == pytest.approx([1.0, 1.5, 0.5], rel=0.08)
    assert moved.shift == pytest.approx([0.5, 0.0, 0.0], abs=0.08)
    each = [moved_by_draws(generator.normal(size=(400, 1)), generator.normal(size=(800, 1)), 200) for _ in range(200)]
    assert np.std([m.shift for m in each]) == pytest.approx(np.mean([m.shift_error for m in each]), rel=0.25)
    assert np.std([np.log(m.ratio) for m in each]) == pytest.approx(np.mean([m.ratio_error for m in each]), rel=0.3)
    assert not np.any(is_off(moved_by_draws(before, after, 2000)))
    assert list(is_off(moved_by_draws(before, after * [1.5, 1.0, 1.0] + [0.0, 0.5, 0.0], 2000))) == [True, True, False]


@pytest.mark.once
def test_moments_moved_by_weights():
    x = np.random.default_rng(1).normal(size=(20_000, 1))
    w = stats.norm(0.3, 0.8).pdf(x[:, 0]) / stats.norm(0, 1).pdf(x[:, 0])
    w /= w.sum()
    moved = moved_by_weights(x, w)
    assert moved.shift == pytest.approx([0.3], abs=0.02) and moved.ratio == pytest.approx([0.8], abs=0.02)
    shift, ratio = widths_by_weights(x, w[:, None])
    assert shift == pytest.approx([0.3], abs=0.03) and ratio == pytest.approx([0.8], abs=0.03)
    even = moved_by_weights(x, np.full(20_000, 1 / 20_000))
    assert np.all(even.shift_error < 1e-6) and even.ratio == pytest.approx([1.0])
    point = moved_by_weights(np.zeros((100, 2)), np.full(100, 0.01))
    assert np.all(point.shift == 0) and np.all(point.ratio == 1)
    of_rows = moved_by_weights(np.stack([x[:, 0], 2 * x[:, 0]], 1), np.stack([w, w], 1))
    assert of_rows.shift.shape == (2, 1) and of_rows.shift[1, 0] == pytest.approx(moved.shift[0])


@pytest.mark.once
def test_a_move_counts_beyond_noise():
    def moved(shift, ratio, error):
        return Moved(*(np.array([v]) for v in (shift, ratio, error, error)))

    assert is_off(moved(0.3, 1.0, 0.01)) and is_off(moved(-0.3, 1.0, 0.01)) and not is_off(moved(0.3, 1.0, 0.05))
    assert is_off(moved(0.0, 1.35, 0.02)) and is_off(moved(0.0, 0.7, 0.02)) and not is_off(moved(0.0, 1.2, 0.0))


@pytest.mark.once
@pytest.mark.parametrize("k", [0.2, 0.6])
def test_the_error_of_k_hat_is_that_over_sets_of_draws(k):
    log_weights = [np.log1p(stats.genpareto(k).rvs(1000, random_state=seed)) for seed in range(300)]
    found = [kprob.diagnostics.pareto_smooth(w) for w in log_weights]
    assert np.std([f.k_hat for f in found]) == pytest.approx(np.mean([f.k_hat_error for f in found]), rel=0.3)


@pytest.mark.once
def test_weights_that_are_even_don_t_fail_for_their_far_tail():
    x = np.random.default_rng(0).normal(0, 1.08, size=1000)
    even = kprob.diagnostics.pareto_smooth(stats.t(10).logpdf(x) - stats.norm(0, 1.08).logpdf(x))
    assert even.k_hat > 1 and even.ess > 940 and not even.fail
    x = np.random.default_rng(0).normal(0, 0.1, size=1000)
    uneven = kprob.diagnostics.pareto_smooth(stats.norm.logpdf(x) - stats.norm(0, 0.1).logpdf(x))
    assert uneven.k_hat > 0.7 and uneven.ess < 300 and uneven.fail


def test_resampling_doesn_t_warn_of_a_far_tail():  # a warning is an error
    model, data = model_of("normal_for_light_student")
    draws = model.posterior("z", data).sample(1000, seed=0, importance_resample=True)
    assert draws.std() == pytest.approx(1.25**0.5, abs=0.12)


# Advice


@pytest.mark.once
@pytest.mark.parametrize(
    "guide", ["Normal", "MultivariateNormal", "LowRankMultivariateNormal", "Laplace", "NeuralSplineFlow"]
)
def test_the_advice_isn_t_what_the_model_has(guide):
    said = next_guide(getattr(kprob.guides, guide)(), 5, False)
    assert f"guides.{guide}()" not in said and "kprob.NUTS()" in said and "reparameterise" in said
    assert "reparameterise" not in next_guide(getattr(kprob.guides, guide)(), 5, True)


@pytest.mark.once
def test_the_advice_to_those_without_a_guide():
    assert "MultivariateNormal()" in next_guide(lambda: None, 5, False)
    assert "MultivariateNormal" not in next_guide(lambda: None, 1, False)  # one number depends on no other
    assert "LowRankMultivariateNormal()" in next_guide(None, 5000, False)
    assert "Structured" not in next_guide(kprob.guides.Structured(), 5, False)
    assert "more particles" in next_guide(kprob.guides.Particles(5), 5, False)
