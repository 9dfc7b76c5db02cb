"""Draws of mean losses as other seeds would have them: runs of one seed stay together, and scatter is shared by sizes.

Three seeds of one size say little of the noise, but twelve of four sizes do. So what is resampled are the deviations of
each seed from the mean of its cell (a size, an amount, a kind), all cells of the seed at once, from all sizes. They are
scaled up by sqrt(k / (k - 1)) for the mean that was taken off them, and by the ratio of Student's t to the normal
distribution's for the few seeds they come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit
from scipy.stats import bartlett

#: p of Bartlett's test below which sizes are taken to scatter by different amounts, and each keeps to its own seeds.
DIFFERS = 0.01


@dataclass(frozen=True)
class Cells:
    """Runs in cells.

    Attributes:
        value: (n,) of each run.
        cell: (n,) number of its cell, from 0.
        size: (cells,) number of the size of each cell, from 0.
        kind: (cells,) what cells of different sizes have in common: a label of kind and place of the amount.
        seed: (n,) label of each run's seed, numbers from 0; all different where seeds are not known.
    """

    value: np.ndarray
    cell: np.ndarray
    size: np.ndarray
    kind: np.ndarray
    seed: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """(cells,) runs in each."""
        return np.bincount(self.cell, minlength=len(self.size))

    @property
    def means(self) -> np.ndarray:
        """(cells,) mean of each."""
        return np.bincount(self.cell, self.value, minlength=len(self.size)) / self.counts


def draw_means(cells: Cells, n_draws: int, level: float, rng: np.random.Generator) -> np.ndarray:
    """(draws, cells) means as other seeds would have them; NaN where nothing is known of the noise."""
    counts = cells.counts
    off = (cells.value - cells.means[cells.cell]) * np.sqrt(counts / np.maximum(counts - 1, 1))[cells.cell]
    known = counts[cells.cell] > 1
    of_size = cells.size[cells.cell]
    groups = [np.arange(cells.size.max() + 1)]
    if _differ(off[known], of_size[known]):
        groups = [np.array([size]) for size in groups[0]]
    drawn = np.full((n_draws, len(cells.size)), np.nan)
    for sizes in groups:
        pool = known & np.isin(of_size, sizes)
        if pool.any():
            _draw(cells, off, pool, sizes, level, rng, drawn)
    return cells.means + drawn


def _differ(off: np.ndarray, size: np.ndarray) -> bool:
    samples = [off[size == each] for each in np.unique(size)]
    if len(samples) < 2 or min(map(len, samples)) < 2 or min(np.ptp(sample) for sample in samples) == 0:
        return False
    return bool(bartlett(*samples).pvalue < DIFFERS)


def _draw(
    cells: Cells,
    off: np.ndarray,
    pool: np.ndarray,
    sizes: np.ndarray,
    level: float,
    rng: np.random.Generator,
    drawn: np.ndarray,
) -> None:
    """Fill the columns of `drawn` (draws, cells) of these sizes with deviations of means, from the runs of `pool`."""
    kinds, kind = np.unique(cells.kind, return_inverse=True)
    # A donor is a seed of a size, with its deviation in each kind of cell.
    of_size = cells.size[cells.cell]
    donors, donor = np.unique(np.stack([of_size[pool], cells.seed[pool]]), axis=1, return_inverse=True)
    donor = donor.ravel()
    table = np.full((donors.shape[1], len(kinds)), np.nan)
    table[donor, kind[cells.cell[pool]]] = off[pool]
    _fill(table, rng)
    inflated = _inflation(cells, pool, level)
    for size in sizes:
        for_seed: dict[int, np.ndarray] = {}
        for cell in np.flatnonzero(cells.size == size):
            total = np.zeros(len(drawn))
            for seed in (seeds := cells.seed[cells.cell == cell]):
                if seed not in for_seed:
                    for_seed[seed] = rng.integers(len(table), size=len(drawn))
                total += table[for_seed[seed], kind[cell]]
            drawn[:, cell] = inflated * total / len(seeds)


def _fill(table: np.ndarray, rng: np.random.Generator) -> None:
    """Give donors that lack a cell the deviation of another one there, or of another cell where none has it."""
    everything = table[np.isfinite(table)]
    for column in table.T:
        lacking = np.isnan(column)
        column[lacking] = rng.choice(everything if lacking.all() else column[~lacking], lacking.sum())


def _inflation(cells: Cells, pool: np.ndarray, level: float) -> float:
    """Student's t over the normal quantile, of as many degrees of freedom as one kind of cell has over all sizes."""
    counts = np.bincount(cells.cell[pool], minlength=len(cells.size))
    freedom = np.bincount(np.unique(cells.kind, return_inverse=True)[1], np.maximum(counts - 1, 0))
    tail = (1 + level) / 2
    return float(stdtrit(max(np.median(freedom[freedom > 0]), 1.0), tail) / ndtri(tail))
