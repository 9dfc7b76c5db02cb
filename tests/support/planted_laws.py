"""Planted truths of every law of the registry: coordinates theta as they occur, which data over [-3, 3] determine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.analysis.fitting.laws import Law
from harness.analysis.fitting.laws.breaks import BrokenPower
from harness.analysis.fitting.laws.powers import PowerSum
from harness.analysis.fitting.laws.transfer import LossWithTransfer

#: Ranges of the coordinates, in the law's order.
RANGES: dict[str, tuple[tuple[float, float], ...]] = {
    "m4": ((0.1, 0.6), (np.log(0.8), np.log(1.5)), (np.log(0.5), np.log(2.0)), (-1.0, 1.0), (0.8, 2.0)),
    "logistic": ((0.02, 0.3), (0.6, 0.98), (-1.2, 1.2), (np.log(0.2), np.log(0.8))),
    "sigmoid_of_loss": ((0.02, 0.3), (0.6, 0.98), (-1.2, 1.2), (np.log(0.2), np.log(0.8))),
    "exponential_of_loss": ((0.6, 0.95), (0.05, 0.4), (np.log(0.3), np.log(1.2))),
    "muennighoff": (
        *((0.2, 1.0), (0.2, 1.0), (0.2, 1.0), (0.3, 1.0), (0.3, 1.0)),
        *((np.log(1.0), np.log(8.0)), (np.log(1.0), np.log(8.0))),
    ),
    "zhang": ((0.2, 1.0), (0.2, 1.0), (-0.3, 0.8), (0.2, 1.0)),
    "zhang_joint": ((0.2, 1.0), (0.2, 1.0), (-0.3, 0.8), (-0.3, 0.8), (0.2, 1.0)),
    "transferred": ((-1.0, 1.0), (-0.2, 0.8), (-0.2, 0.8)),
    "hernandez": (
        *((-1.0, 1.0), (0.2, 0.8), (0.1, 0.8), (0.1, 0.8)),
        *((0.5, 8.0), (0.1, 0.7), (0.1, 0.7)),
    ),
    "hernandez_floor": (
        *((0.2, 1.0), (0.2, 1.0), (0.2, 1.0), (0.3, 1.2), (0.3, 1.2)),
        *((0.5, 8.0), (0.1, 0.7), (0.1, 0.7)),
    ),
    "mixture2": ((0.2, 1.0), (0.2, 1.0), (-0.8, -0.2)),
    "mixture3": ((0.2, 1.0), (0.2, 1.0), (-0.8, -0.2), (0.2, 0.8)),
    "kaplan": ((-1.0, 1.0), (0.2, 0.8), (0.05, 0.8), (0.05, 0.8)),
}


def planted_theta(law: Law, rng: np.random.Generator, n: int) -> np.ndarray:
    """(n, p) truths of a law of `LAWS`."""
    if isinstance(law, PowerSum):
        amplitudes = len(law.terms)
        exponents = law.limits(np.zeros((len(law.variables), 1)), np.zeros((1, 1)))[0].size - amplitudes
        parts = [rng.uniform(0.2, 1.0, (n, amplitudes)), rng.uniform(0.15, 1.2, (n, exponents))]
        return np.concatenate(parts, axis=1)
    if isinstance(law, BrokenPower):
        return _broken(law.n_breaks, rng, n)
    return _uniform(RANGES[law.name], rng, n)


def design(law: Law, points: dict[int, int]) -> np.ndarray:
    """t (d, n), in [-3, 3] for most: a grid of `points[d]` places along each of the law's d variables."""
    d = len(law.variables)
    axis = np.linspace(-3, 3, points[d])
    t = np.stack([side.ravel() for side in np.meshgrid(*[axis] * d)])
    if isinstance(law, LossWithTransfer):
        return np.stack([*t[:2], t[2] > 0])  # as many from scratch as pretrained
    if law.name == "muennighoff":
        size, repeats, unique = t
        return np.stack([size, unique + (repeats + 3) / 1.5, unique])  # 1 to 55 epochs
    return t


def _broken(n_breaks: int, rng: np.random.Generator, n: int) -> np.ndarray:
    # Slow, fast, slow again where there are two breaks; a floor that does not hide what follows the last one.
    floor = (0.005, 0.03) if n_breaks == 2 else (0.05, 0.4)
    columns = [rng.uniform(*floor, n), rng.uniform(-0.3, 0.3, n), rng.uniform(0.1, 0.4, n)]
    changes = ((), ((0.5, 1.0),), ((0.6, 1.2), (-0.9, -0.4)))[n_breaks]
    for i, change in enumerate(changes):
        middle = 0.0 if n_breaks == 1 else (-1.3, 1.3)[i]
        place, width = middle + rng.uniform(-0.4, 0.4, n), rng.uniform(0.1, 0.35, n)
        columns += [rng.uniform(*change, n), place, np.log(width)]
    return np.stack(columns, axis=-1)


def _uniform(ranges: Sequence[tuple[float, float]], rng: np.random.Generator, n: int) -> np.ndarray:
    low, high = np.array(ranges, dtype=float).T
    return rng.uniform(low, high, (n, len(ranges)))
