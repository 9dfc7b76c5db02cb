"""The posterior of a link: against quadrature, and on planted links whose curve its intervals are to hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.analysis.planning.link_posterior import LinkRows, draw_link
from harness.analysis.planning.link_prior import PLACE_FREEDOM, PLACE_SCALE, LinkPrior
from harness.analysis.planning.links import LINKS, risen


def planted(
    link: str, rng: np.random.Generator, n: int, noise: float, clusters: int | None = None
) -> tuple[LinkRows, LinkPrior, np.ndarray]:
    """Rows of a link drawn as the priors have it, and its true share at two losses beyond them."""
    loss = np.sort(rng.uniform(2.4, 4.4, n))
    floor, ceiling = rng.uniform(0.1, 0.4), 1 - min(abs(rng.normal(0, 0.1)), 0.4)
    place, width = loss.mean() + loss.std() * rng.uniform(-1.5, 1), loss.std() * np.exp(rng.normal(0.0, 0.5))
    members = None
    error = noise * rng.standard_normal(n)
    if clusters:
        labels = rng.permutation(n) % clusters
        members = np.eye(clusters)[labels]
        error += noise * rng.standard_normal(clusters)[labels]

    def share(at: np.ndarray) -> np.ndarray:
        return floor + (ceiling - floor) * risen(link, (place - at) / width)

    rows = LinkRows(loss, np.clip(share(loss) + error, 0, 1), np.ones(n), members)
    return rows, LinkPrior(floor + 0.03 * rng.standard_normal(), 0.05, 0.4, 0.015), share(np.array([2.2, 2.0]))


@pytest.mark.parametrize("link", LINKS)
def test_intervals_hold_the_curve(link: str) -> None:
    """95 % of 2 x 100 planted places; four standard deviations of such a share (of 100 tables) are 8.7 %."""
    rng = np.random.default_rng(17)
    held = []
    for _ in range(100):
        rows, prior, truth = planted(link, rng, 18, 0.01)
        drawn = draw_link(link, rows, prior, 2000, rng).column.at(np.array([2.2, 2.0]))
        low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
        held.append((low <= truth) & (truth <= high))
    assert 0.86 <= np.mean(held) <= 1.0


def test_clusters_widen_what_their_rows_share() -> None:
    """60 rows of 5 runs, each with an error of its own: held as often, and far less often where rows pass as runs."""
    rng = np.random.default_rng(18)
    held, naive = [], []
    for _ in range(60):
        rows, prior, truth = planted("sigmoid", rng, 60, 0.015, clusters=5)
        for found, members in ((held, rows.members), (naive, None)):
            alone = LinkRows(rows.loss, rows.share, rows.precision, members)
            low, high = np.quantile(
                draw_link("sigmoid", alone, prior, 2000, rng).column.at(np.array([2.2, 2.0])), [0.025, 0.975], axis=0
            )
            found.append((low <= truth) & (truth <= high))
    assert np.mean(held) >= 0.86 and np.mean(naive) < np.mean(held)


def test_evidence_and_means_are_those_of_the_prior_weighed() -> None:
    """Against plain Monte Carlo over the prior, with all five unknowns drawn: normalised, so that links compare."""
    rng = np.random.default_rng(19)
    loss = np.linspace(2.5, 4.0, 12)
    share = 0.25 + 0.5 * risen("sigmoid", (3.0 - loss) / 0.3) + 0.02 * rng.standard_normal(12)
    rows, prior = LinkRows(loss, share, np.ones(12)), LinkPrior(0.25, 0.05, 0.4, 0.015)
    found = [draw_link("sigmoid", rows, prior, 4000, rng) for _ in range(4)]
    n = 400_000
    floor = stats.truncnorm.rvs(-5, 15, 0.25, 0.05, size=n, random_state=rng)
    ceiling = 1 - np.abs(prior.ceiling_scale * rng.standard_normal(n))
    place = loss.mean() + loss.std() * PLACE_SCALE * stats.t.rvs(PLACE_FREEDOM, size=n, random_state=rng)
    width = loss.std() * np.exp(prior.width + prior.width_sd * rng.standard_normal(n))
    noise = 0.015 * np.exp(prior.noise_sd * rng.standard_normal(n))
    allowed = ceiling > floor
    log_density = np.full(n, -np.inf)
    parts = np.flatnonzero(allowed)
    curve = floor[parts, None] + (ceiling - floor)[parts, None] * risen(
        "sigmoid", (place[parts, None] - loss) / width[parts, None]
    )
    log_density[parts] = stats.norm.logpdf(share, curve, noise[parts, None]).sum(axis=1)
    weight = np.exp(log_density - log_density.max())
    posterior_ceiling = float(weight @ ceiling / weight.sum())
    drawn = np.mean([each.ceiling.mean() for each in found])
    assert drawn == pytest.approx(posterior_ceiling, abs=0.04)
    evidence = np.log(np.mean(np.exp(log_density - log_density.max()))) + log_density.max()
    assert np.mean([each.log_evidence for each in found]) == pytest.approx(evidence, abs=0.5)


def test_equal_seeds_give_equal_draws() -> None:
    rows, prior, _ = planted("gompertz", np.random.default_rng(1), 16, 0.01)
    first, again = (draw_link("gompertz", rows, prior, 500, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first.ceiling, again.ceiling)
    assert first.log_evidence == again.log_evidence


@pytest.mark.parametrize("noise", [0.0, 1e-4, 0.2])
def test_draws_stay_within_their_bounds(noise: float) -> None:
    rng = np.random.default_rng(20)
    for link in LINKS:
        rows, prior, _ = planted(link, rng, 16, noise)
        draws = draw_link(link, rows, prior, 1000, rng)
        assert (draws.floor >= 0).all() and (draws.floor <= draws.ceiling).all() and (draws.ceiling <= 1).all()
        assert np.isfinite(draws.column.at(np.linspace(0.1, 10, 7))).all() and np.isfinite(draws.log_evidence)
