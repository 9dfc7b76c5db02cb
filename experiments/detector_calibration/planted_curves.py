"""Planted curves: smooth families, jumps and pairs of metrics whose truth is known.

Sizes lie at 0, 1, ..., K - 1 (steps of the ladder). Every run scores f(size) plus its own deviation, clipped to [0, 1]
and evaluated on n_eval examples. What a cell does not fix (chance, n_eval, height, place, width) differs from curve to
curve.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

CHANCES = np.array([0.0, 0.1, 0.25, 0.5])
N_EVALS = np.array([200, 1000, 5000])
#: Standard deviation of a run about its mean: none, that of a quiet metric, of a usual and of a loud one.
SPREADS = (0.0, 0.02, 0.04, 0.08)
#: Narrowest rise, from 10 to 90 % in steps, that counts as smooth.
SMOOTH = 4.0
WIDTH = 2 * np.log(9)


@dataclass(frozen=True)
class Curves:
    """n curves of one cell.

    Attributes:
        values: (n, K, S) scores of runs.
        n_eval, chance: (n,).
        place: (n,) where the mean crosses half of its rise, in steps; NaN for families without one.
        height: (n,) of the rise.
    """

    values: np.ndarray
    n_eval: np.ndarray
    chance: np.ndarray
    place: np.ndarray
    height: np.ndarray


class Cell:
    """What the curves of a family have in common while one draws them: (n, K, 1) arrays that broadcast over runs."""

    def __init__(self, rng: np.random.Generator, n: int, n_sizes: int, n_seeds: int) -> None:
        self.rng, self.n, self.n_sizes, self.n_seeds = rng, n, n_sizes, n_seeds
        self.t = np.arange(float(n_sizes))[None, :, None]
        self.chance = rng.choice(CHANCES, n)
        self.n_eval = rng.choice(N_EVALS, n)
        self.height = rng.uniform(0.1, np.minimum(0.9, 1 - self.chance))
        self.place = np.full(n, np.nan)

    def uniform(self, low: float, high: float, runs: int = 1) -> np.ndarray:
        return self.rng.uniform(low, high, (self.n, 1, runs))

    def rise(self, share: np.ndarray) -> np.ndarray:
        """From chance upwards by the height, `share` (n, K, S) of it."""
        return self.chance[:, None, None] + self.height[:, None, None] * share

    def smooth_logistic(self, low: float = -2.0, high: float | None = None) -> np.ndarray:
        place = self.uniform(low, self.n_sizes + 1.0 if high is None else high)
        self.place = place[:, 0, 0]
        return expit(WIDTH * (self.t - place) / self.uniform(SMOOTH, 3 * SMOOTH))

    def mixed(self, *choices: np.ndarray) -> np.ndarray:
        """Each curve from one of these, at random."""
        picked = self.rng.integers(len(choices), size=self.n)
        return np.stack(np.broadcast_arrays(*choices))[picked, np.arange(self.n)]


def _logistic(c: Cell) -> np.ndarray:
    return c.rise(c.smooth_logistic())


def _power_error(c: Cell) -> np.ndarray:
    # The error falls as size to the -a: a straight line in logarithms, that takes four steps or more from 10 to 90 %.
    return c.rise(1 - np.exp(-c.uniform(0.02, np.log(9) / SMOOTH) * c.t))


def _exact_match(c: Cell) -> np.ndarray:
    return c.rise(c.smooth_logistic() ** np.exp(c.uniform(np.log(2), np.log(30))))


def _at_chance(c: Cell) -> np.ndarray:
    return c.rise(np.zeros_like(c.t))


def _at_ceiling(c: Cell) -> np.ndarray:
    return np.broadcast_to(c.mixed(np.ones_like(c.t), c.uniform(0.85, 1.0)), (c.n, c.n_sizes, 1))


def _below_chance(c: Cell) -> np.ndarray:
    return np.broadcast_to(c.chance[:, None, None] * c.uniform(0.3, 0.95), (c.n, c.n_sizes, 1))


def _double_logistic(c: Cell) -> np.ndarray:
    share = c.uniform(0.2, 0.8)
    return c.rise(share * c.smooth_logistic() + (1 - share) * c.smooth_logistic())


def _broken_power(c: Cell) -> np.ndarray:
    # Broken neural scaling law of the error, its break as wide as a smooth rise; slopes from slow to fast or back.
    width = c.uniform(SMOOTH, 2 * SMOOTH) / WIDTH
    u = (c.t - c.uniform(1, c.n_sizes - 2)) / width
    before, after = c.uniform(0.0, 0.2), c.uniform(0.0, np.log(9) / SMOOTH)
    error = np.exp(-before * c.t - (after - before) * width * np.logaddexp(0, u))
    return c.rise(1 - error / error[:, :1].max(axis=1, keepdims=True))


def _u_shape(c: Cell) -> np.ndarray:
    fall = c.uniform(0.2, 0.8)
    valley = c.uniform(0.25, 0.75) * (c.n_sizes - 1)
    gap = c.uniform(1.0, 3.0)
    down = expit(WIDTH * (c.t - valley + gap) / c.uniform(SMOOTH, 2 * SMOOTH))
    up = expit(WIDTH * (c.t - valley - gap) / c.uniform(SMOOTH, 2 * SMOOTH))
    return c.rise(np.clip(fall * (1 - down) + up, 0, 1))


def _gompertz(c: Cell) -> np.ndarray:
    # -ln(-ln y) is straight: 3.08 units from 10 to 90 %.
    u = 3.08 * (c.t - c.uniform(-2, c.n_sizes + 1)) / c.uniform(SMOOTH, 3 * SMOOTH)
    return c.rise(c.mixed(np.exp(-np.exp(-u)), 1 - np.exp(-np.exp(u))))


def _hump(c: Cell) -> np.ndarray:
    top = c.uniform(0.25, 0.9) * (c.n_sizes - 1)
    gap = c.uniform(0.5, 3.0)
    up = expit(WIDTH * (c.t - top + gap) / c.uniform(SMOOTH, 2 * SMOOTH))
    down = c.uniform(0.3, 1.0) * expit(WIDTH * (c.t - top - gap) / c.uniform(SMOOTH, 2 * SMOOTH))
    return c.rise(np.clip(up - down, 0, 1))


def _own_rises(c: Cell, sizes: int) -> np.ndarray:
    """Each seed (or, with `sizes` = K, each run) rises smoothly at a place of its own."""
    place = c.uniform(0, c.n_sizes - 1)
    c.place = place[:, 0, 0]
    own = place + c.uniform(0.5, 2.0) * c.rng.standard_normal((c.n, sizes, c.n_seeds))
    return c.rise(expit(WIDTH * (c.t - own) / c.uniform(SMOOTH, 2 * SMOOTH)))


def _own_rises_of_seeds(c: Cell) -> np.ndarray:
    return _own_rises(c, 1)


def _own_rises_of_runs(c: Cell) -> np.ndarray:
    return _own_rises(c, c.n_sizes)


def _jump_at(c: Cell, runs: int = 1) -> np.ndarray:
    """(n, K, runs) shares of a jump up to one step wide, two sizes or more on either side; one place for each run."""
    place = c.uniform(1, c.n_sizes - 2, runs)
    c.place = place.mean(axis=2)[:, 0]
    return expit(WIDTH * (c.t - place) / np.maximum(c.uniform(-0.3, 1.0), 1e-6))


def _jump(c: Cell) -> np.ndarray:
    return c.rise(_jump_at(c))


def _jump_own_places(c: Cell) -> np.ndarray:
    return c.rise(_jump_at(c, c.n_seeds))


def _jump_bimodal(c: Cell) -> np.ndarray:
    """From the jump on each run has the ability, or not."""
    has_it = c.rng.random((c.n, c.n_sizes, c.n_seeds)) < c.uniform(0.35, 0.85)
    return c.rise(_jump_at(c) * has_it)


def _jump_bimodal_seeds(c: Cell) -> np.ndarray:
    """A seed has the ability at all sizes from the jump on, or at none; at least one has it."""
    has_it = c.rng.random((c.n, 1, c.n_seeds)) < c.uniform(0.35, 0.85)
    has_it[:, :, 0] = True
    return c.rise(_jump_at(c) * has_it)


def _break(c: Cell) -> np.ndarray:
    """The error law's slope changes within one step: from nearly nothing to much."""
    place = c.uniform(1, c.n_sizes - 2)
    c.place = place[:, 0, 0]
    width = np.maximum(c.uniform(0.0, 1.0), 0.05) / WIDTH
    after = c.uniform(0.3, 2.0)
    error = np.exp(-after * width * np.logaddexp(0, (c.t - place) / width))
    return c.rise(1 - error)


@dataclass(frozen=True)
class Family:
    """A kind of curve.

    Attributes:
        mean: (n, K, S or 1) true scores of a cell's runs.
        deviation: (n, K, S) deviations of runs in units of the spread.
    """

    mean: Callable[[Cell], np.ndarray]
    deviation: Callable[[Cell], np.ndarray] = lambda c: c.rng.standard_normal((c.n, c.n_sizes, c.n_seeds))


def _heavy(c: Cell) -> np.ndarray:
    return c.rng.standard_t(3, (c.n, c.n_sizes, c.n_seeds)) / np.sqrt(3)


def _along_sizes(c: Cell) -> np.ndarray:
    """Four times the spread at one end of the ladder as at the other."""
    along = c.t / (c.n_sizes - 1)
    factor = np.where(c.rng.random((c.n, 1, 1)) < 0.5, 4.0**along, 4.0 ** (1 - along)) / 2
    return factor * c.rng.standard_normal((c.n, c.n_sizes, c.n_seeds))


SMOOTH_FAMILIES = {
    "logistic": Family(_logistic),
    "power-law error": Family(_power_error),
    "exact match": Family(_exact_match),
    "flat at chance": Family(_at_chance),
    "flat at ceiling": Family(_at_ceiling),
    "below chance": Family(_below_chance),
    "double logistic": Family(_double_logistic),
    "broken power law": Family(_broken_power),
    "u-shape": Family(_u_shape),
    "gompertz": Family(_gompertz),
    "heavy-tailed seeds": Family(_logistic, _heavy),
    "size-dependent spread": Family(_logistic, _along_sizes),
    "seeds rise apart": Family(_own_rises_of_seeds),
    "runs rise apart": Family(_own_rises_of_runs),
    "hump": Family(_hump),
}
JUMP_FAMILIES = {
    "jump": Family(_jump),
    "own places": Family(_jump_own_places),
    "bimodal runs": Family(_jump_bimodal),
    "bimodal seeds": Family(_jump_bimodal_seeds),
    "break": Family(_break),
}
FAMILIES = SMOOTH_FAMILIES | JUMP_FAMILIES


def draw(
    family: str, rng: np.random.Generator, n: int, n_sizes: int, n_seeds: int, spread: float | np.ndarray
) -> Curves:
    """`n` curves of a family at `n_sizes` sizes with `n_seeds` runs each; `spread` is a number, or one a curve (n,)."""
    cell = Cell(rng, n, n_sizes, n_seeds)
    kind = FAMILIES[family]
    mean = np.broadcast_to(kind.mean(cell), (n, n_sizes, n_seeds))
    scores = np.clip(mean + np.reshape(spread, (-1, 1, 1)) * kind.deviation(cell), 0, 1)
    n_eval = cell.n_eval[:, None, None]
    return Curves(rng.binomial(n_eval, scores) / n_eval, cell.n_eval, cell.chance, cell.place, cell.height)


def draw_pairs(
    emergent: bool, rng: np.random.Generator, n: int, n_sizes: int, n_seeds: int, spread: float | np.ndarray
) -> tuple[Curves, Curves]:
    """Exact match of answers of 2 to 30 tokens that reaches .2 or more, and the token accuracy on the same outputs.

    Tokens are right independently, with a probability that jumps (`emergent`) or rises smoothly, from at most .4 to at
    least .8.
    """
    cell = Cell(rng, n, n_sizes, n_seeds)
    if emergent:
        share = _jump_at(cell)
    else:
        place = cell.uniform(0, n_sizes - 2.0)
        cell.place = place[:, 0, 0]
        share = expit(WIDTH * (cell.t - place) / cell.uniform(SMOOTH, 2 * SMOOTH))
    low, high = cell.uniform(0.05, 0.4), cell.uniform(0.8, 1.0)
    deviation = np.reshape(spread, (-1, 1, 1)) * rng.standard_normal((n, n_sizes, n_seeds))
    token = np.clip(low + (high - low) * share + deviation, 0, 1)
    length = np.exp(rng.uniform(np.log(4), np.log(30), (n, 1, 1)))
    length = np.maximum(2, np.minimum(length, np.log(0.2) / np.log(np.minimum(high, 0.999)))).astype(int)
    n_eval = cell.n_eval[:, None, None]
    exact = rng.binomial(n_eval, token**length) / n_eval
    tokens = rng.binomial(n_eval * length, token) / (n_eval * length)
    zero, height = np.zeros(n), (high - low)[:, 0, 0]
    return (
        Curves(exact, cell.n_eval, zero, cell.place, height),
        Curves(tokens, (n_eval * length)[:, 0, 0], zero, cell.place, height),
    )


def frame_of(
    curves: Curves, metric: str = "accuracy", paired: str = "", discontinuous: bool = True, tasks_a_study: int = 1
) -> pd.DataFrame:
    """A row a run, as `find_jumps` takes it: sizes 2^t, studies of `tasks_a_study` tasks each."""
    task, size, seed = (index.ravel() for index in np.indices(curves.values.shape))
    return pd.DataFrame(
        {
            "study": (task // tasks_a_study).astype(str),
            "task": task.astype(str),
            "metric": metric,
            "params": 2.0**size,
            "seed": seed,
            "value": curves.values.ravel(),
            "n_eval": curves.n_eval[task],
            "chance": curves.chance[task],
            "discontinuous": discontinuous,
            "paired_metric": paired,
            "higher_is_better": True,
        }
    )
