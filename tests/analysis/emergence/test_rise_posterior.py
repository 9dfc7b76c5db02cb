"""The posterior over rises: marginal likelihoods against quadrature, weights that sum to 1, quantiles, grids."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import quad, trapezoid
from scipy.special import gammaln, log_ndtr, logsumexp
from scipy.stats import t as student

from harness.analysis.emergence.rise_posterior import (
    JUMP_STEPS,
    LEVEL_ODDS,
    MISFIT,
    PLACE_GAP,
    Grid,
    Posterior,
    SmoothLaw,
    _log_marginal,
    _log_t_distribution,
    grid_of,
    posterior,
)
from harness.analysis.emergence.smooth_null import logistic

T = np.arange(6.0)
STEP, SLOW, LEVEL = logistic(T, 2.5, 0.0), logistic(T, 3.0, 5.0), np.zeros(6)
OFF_LADDER = logistic(T, 7.0, 4.0)


# ------------------------------------------------------------------------------------------------ marginal likelihood


def log_joint(shape: np.ndarray, y: np.ndarray, v: np.ndarray, nu: float, s: float) -> Callable[..., np.ndarray]:
    """ln p(y, a, h, tau | shape) as the model states it, factor by factor; h and ln tau may be arrays."""

    def value(a: float, h: float, log_tau: float) -> float:
        tau = np.exp(log_tau)
        errors = sum((y[k] - a - h * shape[k]) ** 2 / v[k] for k in range(6)) / tau
        errors = errors + 6 * log_tau + np.sum(np.log(2 * np.pi * v))
        of_tau = nu / 2 * np.log(nu / 2) - gammaln(nu / 2) - nu / 2 * log_tau - nu / 2 / tau
        of_h = np.log(2) - 0.5 * np.log(2 * np.pi * s**2 * tau) - h**2 / (2 * s**2 * tau)
        return -errors / 2 + of_tau + of_h

    return value


def by_quadrature(shape: np.ndarray, y: np.ndarray, v: np.ndarray, nu: float, s: float) -> float:
    """ln p(y | shape): the level by the normal integral, ln h and ln tau by the trapezoidal rule.

    The integrand is smooth and falls to e^-45 of its maximum at the ends, where the rule converges exponentially.
    """
    joint, precision = log_joint(shape, y, v, nu, s), (1 / v).sum()

    def on_mesh(log_h: np.ndarray, log_tau: np.ndarray) -> np.ndarray:
        h = np.exp(log_h)[:, None]
        a = sum((y[k] - h * shape[k]) / v[k] for k in range(6)) / precision
        return joint(a, h, log_tau) + 0.5 * np.log(2 * np.pi * np.exp(log_tau) / precision) + log_h[:, None]

    log_h, log_tau = np.linspace(-55, 25, 3001), np.linspace(-5, 25, 121)
    for _ in range(2):
        mesh = on_mesh(log_h, log_tau)
        inside = mesh > mesh.max() - 45
        rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
        log_h = np.linspace(log_h[max(rows[0] - 1, 0)], log_h[min(rows[-1] + 1, len(log_h) - 1)], 4001)
        log_tau = np.linspace(log_tau[max(columns[0] - 1, 0)], log_tau[min(columns[-1] + 1, len(log_tau) - 1)], 151)
    mesh = on_mesh(log_h, log_tau)
    return float(mesh.max() + np.log(trapezoid(trapezoid(np.exp(mesh - mesh.max()), log_tau), log_h)))


DATA = {
    "a jump": np.array([0.1, 0.12, 0.09, 0.6, 0.58, 0.62]),
    "a slow rise": np.array([0.1, 0.15, 0.25, 0.4, 0.5, 0.55]),
    "a fall": np.array([0.5, 0.45, 0.5, 0.3, 0.2, 0.25]),
    "level": np.array([0.3, 0.32, 0.29, 0.3, 0.31, 0.28]),
}


@pytest.mark.parametrize("freedom", [1.0, 2.5, 10.0, 80.0])
@pytest.mark.parametrize("data", DATA)
def test_marginal_likelihoods_equal_quadrature(data: str, freedom: float) -> None:
    """Of every shape relative to a level, since a constant is left out; to 1e-6 nats."""
    y, v = DATA[data], np.array([0.02, 0.03, 0.02, 0.04, 0.03, 0.02]) ** 2
    shapes = np.stack([LEVEL, STEP, SLOW, OFF_LADDER])
    found, _ = _log_marginal(shapes, y[None], v[None], np.array([freedom]), np.array([0.8]))
    expected = np.array([by_quadrature(shape, y, v, freedom, 0.8) for shape in shapes])
    np.testing.assert_allclose(found[0] - found[0, 0], expected - expected[0], atol=1e-6)


@pytest.mark.parametrize("freedom", [1.5, 12.0])
@pytest.mark.parametrize(("noise", "scale"), [(0.002, 0.8), (0.5, 0.8), (0.03, 0.1), (0.03, 20.0)])
def test_they_do_for_any_noise_and_scale_of_heights(freedom: float, noise: float, scale: float) -> None:
    y, v = DATA["a jump"], np.full(6, noise**2)
    shapes = np.stack([LEVEL, STEP, SLOW])
    found, _ = _log_marginal(shapes, y[None], v[None], np.array([freedom]), np.array([scale]))
    expected = np.array([by_quadrature(shape, y, v, freedom, scale) for shape in shapes])
    np.testing.assert_allclose(found[0] - found[0, 0], expected - expected[0], atol=1e-6)


def test_the_level_is_integrated_as_the_model_says() -> None:
    """`by_quadrature` takes the integral over the level in closed form; here it is a sum."""
    y, v = DATA["a jump"], np.full(6, 0.03**2)
    joint = log_joint(STEP, y, v, 3.0, 0.8)
    numeric = quad(lambda a: np.exp(joint(a, 0.5, 0.1) - joint(0.1, 0.5, 0.1)), -1, 1, epsabs=0, epsrel=1e-10)[0]
    a = np.mean(y - 0.5 * STEP)
    closed = joint(a, 0.5, 0.1) + 0.5 * np.log(2 * np.pi * np.exp(0.1) / np.sum(1 / v)) - joint(0.1, 0.5, 0.1)
    assert np.log(numeric) == pytest.approx(closed, abs=1e-8)


def test_known_variances_are_the_limit_of_many_degrees_of_freedom() -> None:
    """Normal likelihood and half-normal height: the textbook closed form."""
    y, v, s = DATA["a jump"], np.full(6, 0.1**2), 0.8
    shapes = np.stack([LEVEL, STEP, SLOW])
    found, height = _log_marginal(shapes, y[None], v[None], np.array([np.inf]), np.array([s]))
    expected, modes = [], []
    for shape in shapes:
        g, d = shape - shape.mean(), y - y.mean()
        information, along = np.sum(g**2 / v) + 1 / s**2, np.sum(g * d / v)
        fit = -(np.sum(d**2 / v) - along**2 / information) / 2 - 0.5 * np.log(s**2 * information)
        expected.append(fit + np.log(2) + log_ndtr(along / np.sqrt(information)))
        modes.append(max(0.0, along / information))
    np.testing.assert_allclose(found[0] - found[0, 0], np.array(expected) - expected[0], atol=2e-3)
    np.testing.assert_allclose(height[0], modes)


def test_a_level_is_a_rise_of_no_height() -> None:
    """The shape 0, and any shape whose height the prior holds at 0, have the same likelihood."""
    y, v, freedom = DATA["a slow rise"][None], np.full((1, 6), 0.01), np.array([4.0])
    of_zero = _log_marginal(LEVEL[None], y, v, freedom, np.array([0.8]))[0]
    of_level = _log_marginal(np.ones((1, 6)), y, v, freedom, np.array([0.8]))[0]
    of_no_height = _log_marginal(STEP[None], y, v, freedom, np.array([1e-7]))[0]
    assert of_zero == pytest.approx(of_level) and of_zero == pytest.approx(of_no_height, abs=1e-5)
    deviation = (y - y.mean()) ** 2 / v
    assert of_zero.item() == pytest.approx(-(4 + 5) / 2 * np.log1p(deviation.sum() / 4))


def test_curves_are_weighed_together_as_they_are_alone() -> None:
    rng = np.random.default_rng(0)
    means, variance = rng.random((5, 6)), rng.random((5, 6)) * 0.01 + 1e-4
    freedom, scale = rng.uniform(1, 30, 5), rng.uniform(0.2, 2, 5)
    shapes = np.stack([STEP, SLOW, OFF_LADDER])
    together, heights = _log_marginal(shapes, means, variance, freedom, scale)
    for i in range(5):
        own = slice(i, i + 1)
        alone, height = _log_marginal(shapes, means[own], variance[own], freedom[own], scale[own])
        np.testing.assert_allclose(together[own], alone)
        np.testing.assert_allclose(heights[own], height)


@pytest.mark.parametrize("freedom", [4.3, 23.0, 1e3, 1e6])
def test_logarithms_of_student_s_t_far_beyond_what_floats_hold(freedom: float) -> None:
    x = np.array([[-1e4, -200.0, -60.0, -38.0, -10.0, -1.0, 0.0, 2.0]])
    found = _log_t_distribution(np.array([[freedom]]), x)
    assert np.all(np.isfinite(found)) and np.all(np.diff(found[0]) > 0)
    for value, log_p in zip(x[0], found[0], strict=True):
        if value > -15:
            assert log_p == pytest.approx(float(np.log(student.cdf(value, freedom))), abs=1e-8)
            continue
        # The density relative to that at x, in units in which it falls by about e.
        unit = (1 + value**2 / freedom) / -value
        ratio = quad(
            lambda u, x0=value, unit=unit: np.exp(
                -(freedom + 1) / 2 * (np.log1p((x0 - u * unit) ** 2 / freedom) - np.log1p(x0**2 / freedom))
            ),
            0, np.inf, epsabs=0, epsrel=1e-10, limit=200,
        )[0]  # fmt: skip
        constant = gammaln((freedom + 1) / 2) - gammaln(freedom / 2) - 0.5 * np.log(freedom * np.pi)
        expected = constant - (freedom + 1) / 2 * np.log1p(value**2 / freedom) + np.log(ratio * unit)
        assert log_p == pytest.approx(expected, abs=1e-5)


# -------------------------------------------------------------------------------------------------------- Bayes factor


def small_grid() -> Grid:
    """Two jumps, a slow rise, a jump off the ladder, and two smooth laws."""
    place, width = np.array([1.5, 2.5, 3.0, 7.0]), np.array([0.02, 1.0, 5.0, 1.0])
    laws = (SmoothLaw(1, 3.0, 5.0), SmoothLaw(4, 2.0, 6.0))
    shapes = logistic(T, place[:, None], width[:, None])
    log_prior = np.log([0.1, 0.4, 0.3, 0.2])
    return Grid(T, shapes, np.unique(width), place, width, log_prior, laws, np.stack([law.shape(T) for law in laws]))


@pytest.mark.parametrize("freedom", [1.0, 8.0])
@pytest.mark.parametrize("data", DATA)
def test_the_bayes_factor_is_a_ratio_of_probabilities(data: str, freedom: float) -> None:
    """ln p(y | jump) - ln p(y | no jump), each a mixture whose weights sum to 1, by quadrature throughout."""
    y, v, s = DATA[data], np.full(6, 0.03**2), 0.8
    grid = small_grid()
    found = posterior(grid, y[None], v[None], np.array([freedom]), np.array([s]))
    widened = v + (MISFIT * np.ptp(y)) ** 2
    rises = np.array([by_quadrature(shape, y, widened, freedom, s) for shape in grid.shapes])
    laws = np.array([by_quadrature(shape, y, widened, freedom, s) for shape in grid.law_shapes])
    level = by_quadrature(LEVEL, y, widened, freedom, s)
    jump = np.logaddexp(rises[0] + np.log(0.2), rises[1] + np.log(0.8))
    p_level = LEVEL_ODDS / (1 + LEVEL_ODDS)
    no_jump = logsumexp([level, *laws], b=[p_level, (1 - p_level) / 2, (1 - p_level) / 2])
    assert found.log_bayes_factor[0] == pytest.approx(jump - no_jump, abs=1e-6)
    weight = np.exp(rises + grid.log_prior - logsumexp(rises + grid.log_prior))
    np.testing.assert_allclose(found.weight[0], weight, atol=1e-6)


@pytest.mark.parametrize("freedom", [1.0, 20.0, np.inf])
def test_data_that_say_nothing_leave_the_odds_as_they_are(freedom: float) -> None:
    grid = grid_of(np.arange(8.0))
    found = posterior(grid, np.linspace(0, 1, 8)[None], np.full((1, 8), 1e9), np.array([freedom]), np.array([1.0]))
    assert found.log_bayes_factor[0] == pytest.approx(0, abs=1e-6)
    prior = np.exp(grid.log_prior - logsumexp(grid.log_prior))
    np.testing.assert_allclose(found.weight[0], prior, rtol=1e-5)


def test_bayes_factors_average_to_one_without_a_jump() -> None:
    """E[p(y | jump) / p(y | no jump)] = 1 over data from the prior without a jump, here of the smooth part.

    60,000 data sets drawn from a level or a law of the grid by its prior weight; where MISFIT's share of the range is
    small beside the noise. A mixture whose weights sum to 1.3 gives 1 / 1.3.
    """
    rng, n, s = np.random.default_rng(0), 60_000, 1.0
    grid = small_grid()
    tau = 6.0 / rng.chisquare(6.0, n)
    height = np.abs(rng.standard_normal(n)) * s * np.sqrt(tau)
    p_level = LEVEL_ODDS / (1 + LEVEL_ODDS)
    kind = rng.choice(3, n, p=[p_level, (1 - p_level) / 2, (1 - p_level) / 2])
    shapes = np.concatenate([LEVEL[None], grid.law_shapes])[kind]
    means = height[:, None] * shapes + np.sqrt(tau)[:, None] * rng.standard_normal((n, 6))
    found = posterior(grid, means, np.ones((n, 6)), np.full(n, 6.0), np.full(n, s))
    factors = np.exp(found.log_bayes_factor)
    assert factors.std() / np.sqrt(n) < 0.01
    assert factors.mean() == pytest.approx(1, abs=0.05)


# ------------------------------------------------------------------------------------------------- grid and quantiles


@pytest.mark.parametrize("t", [np.arange(5.0), np.arange(12.0), np.arange(25.0), np.array([0, 0.5, 1, 5, 6.0])])
def test_grids_cover_the_ladder_and_a_jump_lies_on_it(t: np.ndarray) -> None:
    grid = grid_of(t)
    assert grid.shapes.shape == (len(grid.place), len(t)) and len(grid.width) == len(grid.log_prior)
    assert grid.place.min() < t[0] - 1 and grid.place.max() > t[-1] + 1
    assert np.diff(np.unique(np.round(grid.place, 6))) == pytest.approx(PLACE_GAP)
    assert grid.widths.max() <= max(14.0, 2 * (t[-1] - t[0])) and grid.widths.max() >= min(t[-1] - t[0], 14.0)
    np.testing.assert_allclose(grid.shapes, [logistic(t, p, w) for p, w in zip(grid.place, grid.width, strict=True)])
    assert np.all(grid.width[grid.is_jump] <= JUMP_STEPS)
    assert t[0] < grid.place[grid.is_jump].min() and grid.place[grid.is_jump].max() < t[-1]
    assert len(grid.laws) == len(grid.law_shapes) and np.all(np.ptp(grid.law_shapes, axis=1) > 0)
    # The prior is uniform in ln(width): its weight up to w grows with ln w.
    weight = np.exp(grid.log_prior).reshape(-1, len(grid.widths))[0]
    between = weight[(grid.widths >= 1) & (grid.widths <= 4)].sum() / weight.sum()
    log_range = np.log(grid.widths.max() / 0.15)
    assert between == pytest.approx(np.log(5.0 / 0.87) / log_range, rel=0.25)


def test_grids_are_kept_within_their_bound() -> None:
    t = np.arange(7.0)
    assert grid_of(t) is grid_of(t.copy())
    assert grid_of(t).nbytes == sum(a.nbytes for a in vars(grid_of(t)).values() if isinstance(a, np.ndarray))


def examined(y: np.ndarray, sd: float) -> Posterior:
    grid = grid_of(np.arange(float(len(y))))
    return posterior(grid, y[None], np.full((1, len(y)), sd**2), np.array([np.inf]), np.array([1.0]))


@pytest.mark.parametrize(("place", "width"), [(3.3, 0.5), (4.0, 3.0), (2.6, 6.0)])
def test_place_width_and_height_of_a_rise_are_found(place: float, width: float) -> None:
    found = examined(0.1 + 0.7 * logistic(np.arange(8.0), place, width), 0.002)
    low, middle, high = found.place_quantiles(0, 0.5, np.array([0.025, 0.5, 0.975]))
    assert low < place < high and middle == pytest.approx(place, abs=0.35)
    early, late = (found.place_quantiles(0, share, np.array([0.5])).item() for share in (0.1, 0.9))
    assert late - early == pytest.approx(width, abs=max(0.5, 0.3 * width))
    low, high = found.width_quantiles(0, np.array([0.025, 0.975]))
    assert low <= width <= high
    if width > 1:  # the height of a rise between two sizes is that between the sizes
        low, high = found.height_quantiles(0, np.array([0.005, 0.995]))
        assert low - 0.03 < 0.7 < high + 0.03
    assert (found.p_sharp(0) > 0.5) == (width <= JUMP_STEPS)
    assert (found.log_bayes_factor[0] > 0) == (width <= JUMP_STEPS)


def test_where_a_rise_falls_between_two_sizes_its_place_is_most_of_the_gap() -> None:
    low, middle, high = examined(np.repeat([0.0, 1.0], 4), 1e-4).place_quantiles(0, 0.5, np.array([0.025, 0.5, 0.975]))
    assert middle == pytest.approx(3.5, abs=0.02)
    assert 0.7 < high - low < 1.0 and 3 <= low < high <= 4


def test_the_likeliest_smooth_law_is_scaled_to_the_means() -> None:
    for law in (SmoothLaw(1, 3.0, 6.0, 0.2, 0.5), SmoothLaw(30, 2.0, 6.0, 0.1, 0.6), SmoothLaw(0, 0.0, 11.0, 0.3, 0.4)):
        y = law(np.arange(8.0))
        best = examined(y, 0.003).smooth_laws[0]
        np.testing.assert_allclose(best(np.arange(8.0)), y, atol=0.02)
    assert SmoothLaw(0, 0.0, 4.0).name == "power law in the error"
    assert [SmoothLaw(power, 0.0, 4.0).name for power in (1, 30)] == ["logistic", "logistic to the power 30"]


def test_the_likeliest_among_some_is_one_of_them() -> None:
    found = examined(0.5 * logistic(np.arange(8.0), 3.5, 0.5), 0.01)
    wide = found.grid.width >= 4
    place, width, height = found.likeliest(0, wide)
    assert width >= 4 and 2 < place < 5 and height > 0
    assert found.likeliest(0, found.grid.is_jump)[1] <= JUMP_STEPS
