"""Cells of planted curves, examined: a table with a row a curve."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from examination import as_curves, examined
from planted_examples import EXAMPLES
from planted_holdout import N_LADDERS, SIMULATORS, Plant, uneven
from planted_slopes import TRENDS, Slope, plant
from ranking import IN_FAMILY, areas

from harness.datasets import JUMP_KINDS, SMOOTH_KINDS, draw_curves

#: Standard deviation of a run about its mean: none, that of a quiet metric, of a usual and of a loud one.
SPREADS = (0.0, 0.02, 0.04, 0.08)
#: Sizes and seeds of the grid, and sizes of the slopes.
SIZES, SEEDS, SLOPE_SIZES = (5, 6, 8, 10, 12), (1, 3, 5, 10), (8, 12)
#: What is planted on slopes: a step (none, up, down), and whether the trend alone is as high as trend and step.
PLANTED = ((0, False), (0, True), (1, False), (-1, False))
#: Spreads of the simulators that were held out.
HOLDOUT_SPREADS = (0.02, 0.04)
#: With one run a size the spread is known only from many tasks together. Of 30 on the flat, two thirds are of the
#: family; on slopes each of `PLANTED` has a quarter of 28.
POOL, OF_FAMILY, OTHERS, OF_PLANTED = 30, 20, ("logistic", "jump"), 7


@dataclass(frozen=True)
class Cell:
    """One stratum of curves on the flat."""

    n_sizes: int
    n_seeds: int
    family: str
    spread: float


def rows(cell: Cell, n: int, seed: int) -> pd.DataFrame:
    """A row a curve of one of `harness.datasets`' kinds, at least `n` of them."""
    rng = np.random.default_rng([seed, cell.n_sizes, cell.n_seeds, round(1000 * cell.spread), *cell.family.encode()])
    pooled = cell.n_seeds == 1
    studies = -(-n // OF_FAMILY) if pooled else 0
    n = studies * OF_FAMILY if pooled else n
    t = np.arange(float(cell.n_sizes))
    drawn = draw_curves(cell.family, n, cell.n_sizes, cell.n_seeds, cell.spread, rng)
    curves = as_curves(drawn, t, OF_FAMILY if pooled else 1)
    if pooled:
        share = (POOL - OF_FAMILY) // len(OTHERS)
        for other in OTHERS:
            more = draw_curves(other, studies * share, cell.n_sizes, 1, cell.spread, rng)
            curves += as_curves(more, t, share)
    return examined([drawn], curves).assign(**vars(cell), step=int(cell.family in JUMP_KINDS))


def grid(n_sizes: int, n_seeds: int, n: int, seed: int) -> pd.DataFrame:
    """Every kind and spread of curves on the flat."""
    parts = product([*SMOOTH_KINDS, *JUMP_KINDS], SPREADS)
    return pd.concat([rows(Cell(n_sizes, n_seeds, family, spread), n, seed) for family, spread in parts])


def slopes(n_sizes: int, n: int, seed: int) -> pd.DataFrame:
    """Every trend and spread of slopes, three seeds, with a step up, down or none."""
    t = np.arange(float(n_sizes))
    parts = []
    for (family, trend), spread in product(TRENDS.items(), SPREADS):
        slope = Slope(trend, t, spread=spread)
        rng = np.random.default_rng([seed, n_sizes, round(1000 * spread), *family.encode()])
        parts.append(_with_steps(slope, plant, n, rng).assign(family=family))
    return pd.concat(parts)


def hold_out(name: str, n_sizes: int, n: int, seed: int) -> pd.DataFrame:
    """One of the simulators that were held out, with a step up, down or none."""
    simulator, parts = SIMULATORS[name], []
    rng = np.random.default_rng([seed, n_sizes, *name.encode()])
    ladders = [uneven(rng, n_sizes) for _ in range(N_LADDERS)] if simulator.uneven else [np.arange(float(n_sizes))]
    for t, spread in product(ladders, HOLDOUT_SPREADS):
        parts.append(_with_steps(simulator.slope(t, spread), simulator.plant, -(-n // len(ladders)), rng))
    return pd.concat(parts).assign(family=name)


def examples(name: str, n: int, seed: int) -> pd.DataFrame:
    """One of the single curves that the method was asked to get right, with its step and without."""
    example, rng = EXAMPLES[name], np.random.default_rng([seed, *name.encode()])
    t = np.arange(float(example.n_sizes))
    drawn = {step: example.plant(step, rng, n) for step in (0, 1)}
    parts = [examined([curves], as_curves(curves, t)).assign(step=step) for step, curves in drawn.items()]
    return pd.concat(parts).assign(family=name, n_sizes=example.n_sizes, n_seeds=example.n_seeds, spread=0.02)


def _with_steps(slope: Slope, planted_by: Plant, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """`n` curves of each of `PLANTED`; with one run a size they are tasks of studies together."""
    pooled = slope.n_seeds == 1
    if pooled:
        n = -(-n // OF_PLANTED) * OF_PLANTED
    drawn = [planted_by(slope.tall if tall else slope, step, rng, n) for step, tall in PLANTED]
    curves = [as_curves(each, slope.t, OF_PLANTED if pooled else 1) for each in drawn]
    if pooled:
        table = examined(drawn, [curve for each in curves for curve in each])
    else:
        table = pd.concat([examined([one], own) for one, own in zip(drawn, curves, strict=True)])
    step, tall = (np.repeat(column, n) for column in zip(*PLANTED, strict=True))
    about = {"n_sizes": len(slope.t), "n_seeds": slope.n_seeds, "spread": slope.spread}
    return table.assign(step=step, tall=tall, **about)


def area_of(n_sizes: int, n_seeds: int, n: int) -> dict[str, float]:
    """Area under the curve of each score on one stratum of the grid, `n` curves a family and spread."""
    families = (*IN_FAMILY, "jump")
    return areas(
        pd.concat([rows(Cell(n_sizes, n_seeds, family, spread), n, 2) for family in families for spread in SPREADS])
    )
