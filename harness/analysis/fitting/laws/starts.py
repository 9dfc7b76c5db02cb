"""Where fits begin: grids and spread points, and the linear problem that gives each its best amplitudes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def grid(*axes: Sequence[float] | np.ndarray) -> np.ndarray:
    """(s, len(axes)) all combinations."""
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=-1)


def spread(n: int, dimensions: int) -> np.ndarray:
    """(n, dimensions) points that fill the unit cube evenly: Halton's sequence, the same every time."""
    from scipy.stats import qmc  # slow to load, and needed by laws without starts of their own alone

    return np.asarray(qmc.Halton(dimensions, scramble=False).random(n + 1)[1:])  # the first is the origin


def amplitudes(basis: np.ndarray, target: np.ndarray, weight: np.ndarray, positive: bool) -> np.ndarray:
    """Linear least squares, the inner step of variable projection (Golub and Pereyra 1973), batched.

    Args:
        basis: (..., K, n).
        target, weight: (..., n).
        positive: whether amplitudes that come out negative are held at 0 and the others solved again.

    Returns:
        (..., K) amplitudes.
    """
    weighted = basis * weight[..., None, :]
    normal = weighted @ np.swapaxes(basis, -1, -2)
    right = np.einsum("...kn,...n->...k", weighted, target)
    size = np.sqrt(np.maximum(np.einsum("...kk->...k", normal), 1e-300))
    normal = normal / (size[..., :, None] * size[..., None, :])
    right = right / size
    free = np.ones(right.shape, dtype=bool)
    eye = np.eye(right.shape[-1])
    solution = np.zeros_like(right)
    for _ in range(right.shape[-1] if positive else 1):
        matrix = np.where(free[..., :, None] & free[..., None, :], normal, 0.0)
        # A ridge of 1e-12, far below what the amplitudes are known to, lets columns be parallel.
        matrix = matrix + eye * np.where(free, 1e-12, 1.0)[..., None, :]
        solution = np.where(free, np.linalg.solve(matrix, np.where(free, right, 0.0)[..., None])[..., 0], 0.0)
        negative = free & (solution < 0)
        if not positive or not negative.any():
            break
        free &= ~negative
    return solution / size if not positive else np.maximum(solution, 0.0) / size


def best(candidates: np.ndarray, cost: np.ndarray, keep: int) -> np.ndarray:
    """(b, keep, p) of candidates (b, s, p): those of lowest cost (b, s), the lowest first."""
    keep = min(keep, cost.shape[1])
    cost = np.where(np.isfinite(cost), cost, np.inf)
    order = np.argsort(cost, axis=1, kind="stable")[:, :keep]
    return np.take_along_axis(candidates, order[..., None], axis=1)
