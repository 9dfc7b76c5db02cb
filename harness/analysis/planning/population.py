"""Population Monte Carlo (Cappé et al. 2004): points with weights, moved in rounds to where the weight is.

A round proposes points from kernels about the best of the last round and weighs each by its density over that of its
proposal, so that every round by itself is importance sampling of the whole posterior.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

#: Kernels of a round.
_KERNELS = 128
#: Width of a kernel over the standard deviations of the points, and its degrees of freedom: tails heavier than any
#: posterior's, or a few points would carry all the weight.
_KERNEL_WIDTH, _KERNEL_FREEDOM = 0.6, 5.0
#: Fewest points, in effect, from which kernels are chosen: weights are flattened until there are as many.
_LEAST_EFFECTIVE = 40.0
#: Factor by which the weights' logarithms are divided until then.
_FLATTEN = 1.3


def shares(weight: np.ndarray) -> np.ndarray:
    """Shares (s,) by the logarithms of weights."""
    share = np.exp(weight - weight.max())
    return np.asarray(share / share.sum())


def effective(weight: np.ndarray) -> float:
    """How many points count, by the logarithms of their weights."""
    return float(1 / np.sum(shares(weight) ** 2))


def moved(points: np.ndarray, weight: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """New points (s, p), drawn from kernels about some of the old by their weight, and ln of their density (s,)."""
    share = _flattened(weight)
    mean = share @ points
    off = points - mean
    covariance = (off.T * share) @ off + 1e-12 * np.eye(points.shape[1])
    root = _KERNEL_WIDTH * np.linalg.cholesky(covariance)
    centres = points[rng.choice(len(points), size=_KERNELS, p=share)]
    tail = np.sqrt(rng.chisquare(_KERNEL_FREEDOM, (len(points), 1)) / _KERNEL_FREEDOM)
    step = rng.standard_normal(points.shape) / tail @ root.T
    new = centres[rng.integers(_KERNELS, size=len(points))] + step
    to_unit = np.linalg.inv(root).T
    here, there = new @ to_unit, centres @ to_unit
    square = np.sum(here**2, axis=1)[:, None] + np.sum(there**2, axis=1) - 2 * here @ there.T
    p, nu = points.shape[1], _KERNEL_FREEDOM
    density = np.mean((1 + np.maximum(square, 0.0) / nu) ** (-(nu + p) / 2), axis=1)
    constant = gammaln((nu + p) / 2) - gammaln(nu / 2) - p / 2 * np.log(nu * np.pi) - np.log(np.diag(root)).sum()
    return new, constant + np.log(density)


def _flattened(weight: np.ndarray) -> np.ndarray:
    """Shares (s,) by the weights' logarithms, divided until `_LEAST_EFFECTIVE` points count."""
    while True:
        if effective(weight) >= _LEAST_EFFECTIVE or not np.ptp(weight) > 1e-6:
            return shares(weight)
        weight = weight / _FLATTEN
