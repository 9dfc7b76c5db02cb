"""The posterior of one task's link: draws of everything that a forecast depends on, and the evidence for the link.

Given place, width and noise, the share is linear in floor and ceiling, which are integrated in closed form within their
bounds (Rao and Blackwell); what is left has three dimensions, or four with clusters, and is drawn by population Monte
Carlo (Cappé et al. 2004): points spread over the prior, then rounds of importance sampling from kernels about the best.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import log_ndtr, logsumexp, ndtr, ndtri

from harness.analysis.planning.link_prior import LEVEL_SD, LinkPrior
from harness.analysis.planning.links import FLAT, risen
from harness.analysis.planning.population import effective, moved, shares

#: Points of each round, a power of two.
_POINTS = 512
#: Rounds end when as many points count, in effect, or after so many.
_ENOUGH, _ROUNDS = 150.0, 15


@dataclass(frozen=True)
class LinkRows:
    """What a link is fitted to.

    Attributes:
        loss: (n,).
        share: (n,) in [0, 1], greater is better.
        precision: (n,) 1 / variance of each row over its mean.
        members: (n, g) of 0 and 1: the rows of each cluster; None where each row errs by itself.
    """

    loss: np.ndarray
    share: np.ndarray
    precision: np.ndarray
    members: np.ndarray | None = None

    @property
    def centre(self) -> float:
        return float(self.loss.mean())

    @property
    def scale(self) -> float:
        return max(float(self.loss.std()), 1e-9)

    def part(self, rows: np.ndarray) -> LinkRows:
        """Some of the rows (n,) bool, and the clusters that they are of."""
        members = None if self.members is None else self.members[rows]
        if members is not None:
            members = members[:, members.any(axis=0)]
        return LinkRows(self.loss[rows], self.share[rows], self.precision[rows], members)


@dataclass(frozen=True)
class LinkDraws:
    """Draws (s,) of one link's posterior, equally likely.

    Attributes:
        link: name of the link.
        log_evidence: ln of the probability of the shares under link and prior.
        floor, ceiling: shares; place, width: in units of the loss.
        noise: standard deviation of a row of mean precision; shared: variance that the rows of a cluster share, over
            noise^2.
    """

    link: str
    log_evidence: float
    floor: np.ndarray
    ceiling: np.ndarray
    place: np.ndarray
    width: np.ndarray
    noise: np.ndarray
    shared: np.ndarray

    def rows(self, chosen: np.ndarray) -> LinkDraws:
        """The draws at `chosen`, which may repeat."""
        names = ("floor", "ceiling", "place", "width", "noise", "shared")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})

    def at(self, loss: np.ndarray) -> np.ndarray:
        """The share at losses that broadcast with (s,)."""
        z = (self.place - loss) / self.width
        return self.floor + (self.ceiling - self.floor) * risen(self.link, z)

    @property
    def column(self) -> LinkDraws:
        """The same as columns (s, 1)."""
        return self.rows(np.arange(len(self.floor))[:, None])

    @property
    def of_a_run(self) -> np.ndarray:
        """(s,) standard deviation of a new run of a cluster of its own."""
        return self.noise * np.sqrt(1 + self.shared)


def draw_link(link: str, rows: LinkRows, prior: LinkPrior, n_draws: int, rng: np.random.Generator) -> LinkDraws:
    """Draws of the posterior of one link."""
    from scipy.stats import qmc  # slow to load, and needed by links alone

    clustered = rows.members is not None
    used = 4 if clustered else 3

    def weigh() -> tuple[_Asymptotes, np.ndarray]:
        found = _asymptotes(link, rows, prior, theta)
        return found, found.log_likelihood + prior.log_density(theta, clustered) - proposed

    theta = prior.spread(qmc.Sobol(4, seed=rng).random(_POINTS), clustered)
    proposed = prior.log_density(theta, clustered)
    given, weight = weigh()
    for _ in range(_ROUNDS):
        if effective(weight) > _ENOUGH:
            break
        points, proposed = moved(theta[:, :used], weight, rng)
        theta = np.column_stack([points, np.zeros((len(points), 4 - used))])
        given, weight = weigh()
    chosen = rng.choice(len(theta), size=n_draws, p=shares(weight))
    floor, ceiling, kept = given.draw(chosen, rng)
    place, width, noise, shared = theta[kept].T
    return LinkDraws(
        link=link,
        log_evidence=float(logsumexp(weight) - np.log(len(theta))),
        floor=floor,
        ceiling=ceiling,
        place=rows.centre + rows.scale * place,
        width=rows.scale * np.exp(width),
        noise=np.exp(noise),
        shared=np.exp(shared) if clustered else np.zeros(n_draws),
    )


# ------------------------------------------------------------------------------------- floor and ceiling in closed form


@dataclass(frozen=True)
class _Asymptotes:
    """Floor and ceiling given the rest: normal, with mean (s, 2) and covariance (s, 2, 2), within 0 <= floor <= ceiling
    <= 1; and ln of the probability of the shares (s,), the bounds of the floor aside."""

    mean: np.ndarray
    covariance: np.ndarray
    log_likelihood: np.ndarray

    def draw(self, chosen: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Floor and ceiling at `chosen` (s,), which is drawn once more by the probability of the floor's bounds."""
        mean, covariance = self.mean[chosen], self.covariance[chosen]
        ceiling = _truncated(mean[:, 1], np.sqrt(covariance[:, 1, 1]), np.zeros(len(mean)), np.ones(len(mean)), rng)
        slope = covariance[:, 0, 1] / covariance[:, 1, 1]
        middle = mean[:, 0] + slope * (ceiling - mean[:, 1])
        spread = np.sqrt(np.maximum(covariance[:, 0, 0] - slope * covariance[:, 0, 1], 1e-16))
        floor = _truncated(middle, spread, np.zeros(len(mean)), ceiling, rng)
        within = np.maximum(ndtr((ceiling - middle) / spread) - ndtr(-middle / spread), 1e-12)
        kept = rng.choice(len(chosen), size=len(chosen), p=within / within.sum())
        return floor[kept], ceiling[kept], chosen[kept]


def _asymptotes(link: str, rows: LinkRows, prior: LinkPrior, theta: np.ndarray) -> _Asymptotes:
    """Normal regression of the shares on (1 - r, r) with a normal prior, at each theta (s, 4).

    The rows of a cluster share a normal error, which adds a matrix of one dimension to their covariance: the inverse is
    that of Sherman and Morrison (1950).
    """
    place, log_width, log_noise, log_shared = (theta[:, i, None] for i in range(4))
    r = risen(link, (place - (rows.loss - rows.centre) / rows.scale) * np.exp(-log_width))
    w, y, n = rows.precision, rows.share, len(rows.share)
    cross = np.stack([(1 - r) ** 2 @ w, ((1 - r) * r) @ w, r**2 @ w], axis=1)
    push = np.stack([(1 - r) @ (w * y), r @ (w * y)], axis=1)
    total, log_determinant = np.full(len(theta), w @ y**2), np.zeros(len(theta))
    if rows.members is not None:
        ratio = np.exp(log_shared)
        sums = w @ rows.members
        factor = ratio / (1 + ratio * sums)
        of_low, of_high = ((1 - r) * w) @ rows.members, (r * w) @ rows.members
        of_y = (w * y) @ rows.members
        pairs = (of_low**2, of_low * of_high, of_high**2)
        cross = cross - np.stack([np.sum(factor * pair, axis=1) for pair in pairs], axis=1)
        push = push - np.stack([np.sum(factor * part * of_y, axis=1) for part in (of_low, of_high)], axis=1)
        total = total - factor @ of_y**2
        log_determinant = np.sum(np.log1p(ratio * sums), axis=1)
    precision = np.exp(-2 * log_noise)
    floor, floor_sd = (prior.level, LEVEL_SD) if link == FLAT else (prior.floor, prior.floor_sd)
    known = np.array([floor_sd, prior.ceiling_scale]) ** -2.0
    at = np.array([floor, 1.0])
    a, b, c = (precision * cross + [known[0], 0.0, known[1]]).T
    push = precision * push + known * at
    determinant = a * c - b**2
    covariance = np.stack([c, -b, -b, a], axis=1).reshape(-1, 2, 2) / determinant[:, None, None]
    mean = np.einsum("skl,sl->sk", covariance, push)
    squares = precision[:, 0] * total + known @ at**2 - np.einsum("sk,sk->s", push, mean)
    density = -0.5 * (squares + n * np.log(2 * np.pi) + 2 * n * log_noise[:, 0] + log_determinant)
    density += 0.5 * (np.sum(np.log(w)) + np.sum(np.log(known)) - np.log(determinant))
    return _Asymptotes(mean, covariance, density + _log_below_1(mean[:, 1], np.sqrt(covariance[:, 1, 1])))


def _log_below_1(mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """ln of the probability that the ceiling is at most 1, over that of its prior, one half."""
    return np.asarray(log_ndtr((1 - mean) / spread) + np.log(2.0))


def _truncated(
    mean: np.ndarray, spread: np.ndarray, low: np.ndarray, high: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draws (s,) of normal variates within bounds, by the inverse of the distribution."""
    below, above = ndtr((low - mean) / spread), ndtr((high - mean) / spread)
    chance = below + rng.random(len(mean)) * (above - below)
    return np.clip(mean + spread * ndtri(np.clip(chance, 1e-300, 1 - 1e-16)), low, high)
