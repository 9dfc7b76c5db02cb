"""One cell of the grid: planted curves of one family, examined as `find_jumps` examines them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from ranking import IN_FAMILY, areas
from scipy.special import ndtr, ndtri

from harness.analysis.curves import Curve, binomial_variance
from harness.analysis.emergence.evidence import Finding, examine
from harness.analysis.emergence.known_scores import breakthroughness, change_point_ratio, largest_step, linearity
from harness.analysis.runs import Runs
from harness.datasets import PlantedCurves, draw_curves, make_jumps

#: Standard deviation of a run about its mean: none, that of a quiet metric, of a usual and of a loud one.
SPREADS = (0.0, 0.02, 0.04, 0.08)

#: With one run a size the spread is known only from many tasks together: of 30, two thirds are of the family.
POOL, OF_FAMILY, OTHERS = 30, 20, ("logistic", "jump")


@dataclass(frozen=True)
class Cell:
    """One stratum."""

    n_sizes: int
    n_seeds: int
    family: str
    spread: float


def rows(cell: Cell, n: int, seed: int) -> pd.DataFrame:
    """A row a curve, at least `n` of them: p values, statistic, known scores, state at 5 %, N* and the truth."""
    rng = np.random.default_rng([seed, cell.n_sizes, cell.n_seeds, round(1000 * cell.spread), *cell.family.encode()])
    studies = -(-n // OF_FAMILY) if cell.n_seeds == 1 else 0
    n = studies * OF_FAMILY if studies else n
    drawn = draw_curves(cell.family, n, cell.n_sizes, cell.n_seeds, cell.spread, rng)
    curves = as_curves(drawn, OF_FAMILY if studies else 1)
    if studies:
        share = (POOL - OF_FAMILY) // len(OTHERS)
        for other in OTHERS:
            more = draw_curves(other, studies * share, cell.n_sizes, 1, cell.spread, rng)
            curves += as_curves(more, share)
    findings = examine(curves)[:n]
    means = drawn.values.mean(axis=2)
    table = pd.DataFrame(
        {
            "height": drawn.height,
            "place": drawn.midpoint,
            "breakthroughness": breakthroughness(means),
            "linearity": linearity(means),
            "largest step": largest_step(means),
            "change point": -change_point_ratio(means),
        }
        | {name: [each[name] for each in map(_found, findings)] for name in _found(None)}
    )
    return table.assign(**vars(cell))


def as_curves(drawn: PlantedCurves, tasks_a_study: int) -> list[Curve]:
    """Curves with sizes 2^t, as `make_curves` would make them of a table."""
    n, n_sizes, n_seeds = drawn.values.shape
    rung = np.repeat(np.arange(n_sizes), n_seeds)
    seed = np.tile(np.arange(n_seeds), n_sizes)
    evaluation = binomial_variance(drawn.values.mean(axis=2), drawn.n_eval[:, None], n_seeds)
    sizes, rows = 2.0 ** np.arange(n_sizes), np.arange(len(rung))
    return [
        Curve(
            study=str(i // tasks_a_study),
            task=str(i),
            subtask="all",
            metric="accuracy",
            runs=Runs(sizes, rung, drawn.values[i].ravel(), rows),
            seed=seed,
            evaluation=evaluation[i],
            repeated=0,
            chance=float(drawn.chance[i]),
            higher_is_better=True,
            discontinuous=True,
            paired_metric="",
        )
        for i in range(n)
    ]


def _found(finding: Finding | None) -> dict[str, float | str | bool]:
    """What is kept of a finding; values all equal are no rise."""
    if finding is None:
        absent = {"low": np.nan, "high": np.nan, "by_seed": False}
        return {"p": 1.0, "statistic": -10.0, "state": "flat"} | absent
    test = finding.test
    low, high = np.log2(np.maximum(finding.place(0.5, (0.025, 0.975)), 0.5))
    return {
        "p": test.p_value,
        "statistic": finding.log_bayes_factor,
        "state": str(finding.state(test.p_value, 0.05)),
        "low": low,
        "high": high,
        "by_seed": test.by_seed,
    }


def area_of(n_sizes: int, n_seeds: int, n: int) -> dict[str, float]:
    """Area under the curve of each score on one stratum, `n` curves a family and spread."""
    families = (*IN_FAMILY, "jump")
    return areas(
        pd.concat([rows(Cell(n_sizes, n_seeds, family, spread), n, 2) for family in families for spread in SPREADS])
    )


def bound(cell: Cell, n: int, seed: int, alpha: float = 0.05) -> float:
    """Highest power that any test of the means can have on jumps: their distance to the smooth curves, noise known."""
    rng = np.random.default_rng(seed)
    planted = draw_curves(cell.family, n, cell.n_sizes, cell.n_seeds, cell.spread, rng)
    mean = planted.expected.mean(axis=2)
    one = make_jumps(1, n_sizes=cell.n_sizes, n_seeds=cell.n_seeds, random_state=rng)
    first = next(f for f in examine(as_curves(one, 1)) if f)
    variance = (mean * (1 - mean) / planted.n_eval[:, None] + cell.spread**2 + 1e-9) / cell.n_seeds
    distance = [first.design.null.distance(m, v) for m, v in zip(mean, variance, strict=True)]
    return float(np.mean(ndtr(np.array(distance) + ndtri(alpha))))
