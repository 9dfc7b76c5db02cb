"""Compute-equivalent gain: by what factor a baseline's compute must grow to reach the loss that a recipe reaches.

The gain of recipe A over baseline B at compute C is g with L_B(g C) = L_A(C), L_A and L_B the laws of both (Davidson et
al. 2023, "AI capabilities can be significantly improved without expensive retraining", section 2): 1.3 says that A saves
what 30 % more compute would bring. Of tables over N and D the laws are those along each recipe's own compute-optimal
frontier, or g grows N and D from a given place in proportion, at one number of tokens per parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from harness.analysis.checks import check_between_0_and_1, positive_columns
from harness.analysis.fitting.estimator import ScalingLaw
from harness.analysis.fitting.inputs import find_law, law_columns
from harness.analysis.fitting.intervals import Interval, Quantity, by_differences, hold_estimate
from harness.analysis.planning.paired_fit import PairedFit, Recipe
from harness.errors import DataError, SettingError, UserError, nearest
from harness.wording import p_equals

#: Laws of which gains are known, by their number of variables; the first of each is the default.
GAINING = {1: ("power_floor", "power"), 2: ("hoffmann", "gadre")}
#: Parameters that are equal in two recipes whose gain is the same at every compute: all but amplitudes.
_TIED = {
    "power": ("alpha",),
    "power_floor": ("E", "alpha"),
    "hoffmann": ("E", "alpha", "beta"),
    "gadre": ("E", "eta"),
}
#: Factor by which a law is followed beyond its recipe's runs before a gain counts as extrapolated.
NEAR = 2.0
#: p below which a gain is said to change with compute.
CHANGES = 0.05
#: Newton steps for the compute at which a baseline reaches a loss; one is exact along a frontier.
_STEPS = 40


class GainStatus(StrEnum):
    """How far a gain may be quoted."""

    MEASURED = "measured"
    EXTRAPOLATED = "extrapolated"
    NO_OVERLAP = "no overlap in loss"
    OUT_OF_REACH = "out of reach"
    NOT_FITTED = "not fitted"
    INTERVAL_FAILED = "interval failed"


@dataclass(frozen=True)
class Gains:
    """Gains of every recipe over the baseline.

    Attributes:
        table: a row a recipe and place, in the order of the data: recipe, compute, N and D (NaN along a frontier; only
            of tables over N and D), loss (of the recipe there), gain, low, high (inf where no compute is enough),
            p_value (of gain 1), p_adjusted (after Benjamini and Hochberg over all rows), status, message.
        changes: a row a recipe: recipe, f, freedom_1, freedom_2, p_value of the gain being the same at every compute;
            gain, low, high and p_one: that gain, of laws tied so, and p of its being 1; n_pairs and correlation of runs that have
            counterparts in the baseline.
        baseline: label.
        fits: label -> the law of each recipe that could be fitted.
    """

    table: pd.DataFrame
    changes: pd.DataFrame
    baseline: str
    fits: dict[str, ScalingLaw]


def compute_gain(
    x: ArrayLike | pd.DataFrame,
    y: ArrayLike,
    recipe: ArrayLike,
    *,
    baseline: str | None = None,
    compute: Sequence[float] = (),
    at: ArrayLike | pd.DataFrame | None = None,
    counterpart: ArrayLike | None = None,
    law: str | None = None,
    flops_per_token_parameter: float = 6.0,
    level: float = 0.95,
) -> Gains:
    """The compute-equivalent gain of every recipe over the baseline, with a profile interval and a test.

    Laws are fitted by squares of ln y, each recipe with a noise of its own. Runs of a recipe and the baseline at one
    place err together where each has one there, or one with the same `counterpart`; their correlation is estimated.

    Args:
        x: (n,) compute, or (n, 2) N and D of each run.
        y: (n,) loss.
        recipe: (n,) label of the recipe of each run.
        baseline: a label; by default that of the first run.
        compute: where, in FLOPs (in units of x in one variable); without `at`, by default the largest compute that a
            recipe and the baseline both have.
        at: (m, 2) N and D at which gains are wanted beside that.
        counterpart: (n,) what, at one place, is the same in runs that err together: a seed.
        law: power_floor or power; hoffmann or gadre.
        flops_per_token_parameter: k of C = k N D.
        level: of the intervals, in (0, 1).

    Raises:
        DataError: a value that is not allowed, columns of unequal length, or one recipe only.
        SettingError: a baseline that is not there, another law, or a setting out of its range.
        UserError: the baseline cannot be fitted.
    """
    check_between_0_and_1(level=level)
    columns = np.shape(x)[1] if np.ndim(x) == 2 else 1
    if columns not in GAINING:
        raise DataError(f"x has {columns} columns: gains are known over 1 (compute) and 2 (N, D)")
    allowed = GAINING[columns]
    if law is not None and law not in allowed:
        raise SettingError("law", law, f"one of {', '.join(allowed)}{nearest(law, allowed)}")
    form = find_law(law or allowed[0])
    places, _ = law_columns(form, x, y)
    labels = np.asarray(recipe).astype(str)
    names = list(dict.fromkeys(labels.tolist()))
    if len(labels) != len(places):
        raise DataError(f"recipe has {len(labels)} rows where x has {len(places)}")
    if len(names) < 2:
        raise DataError(f"recipe is {names[0]} in all rows: two recipes or more are wanted")
    baseline = names[0] if baseline is None else baseline
    if baseline not in names:
        raise SettingError("baseline", baseline, f"one of {', '.join(names)}{nearest(baseline, names)}")
    alike = np.full(len(labels), "") if counterpart is None else np.asarray(counterpart).astype(str)
    values = np.asarray(y, dtype=float)
    recipes: dict[str, Recipe] = {}
    refused: dict[str, UserError] = {}
    for name in names:
        own = labels == name
        try:
            fit = ScalingLaw(law=form, objective="squares", level=level).fit(places[own], values[own])
            recipes[name] = Recipe(name, places[own], values[own], alike[own], fit)
        except UserError as error:
            refused[name] = error
    if baseline in refused:
        raise UserError(f"baseline {baseline}: {refused[baseline]}")
    asked = _Asked.of(compute, at, columns, flops_per_token_parameter)
    rows: list[dict[str, Any]] = []
    changes: list[dict[str, Any]] = []
    for name in (name for name in names if name != baseline):
        if name in refused:
            rows.append(_not_fitted(name, refused[name], columns))
            continue
        compared = _Comparison.of(recipes[name], recipes[baseline], flops_per_token_parameter, level)
        rows += [compared.row(place) for place in asked.places(recipes[name], recipes[baseline])]
        changes.append(compared.change())
    table = pd.DataFrame(rows)
    known = table["p_value"].notna()
    table.insert(table.columns.get_loc("p_value") + 1, "p_adjusted", np.nan)
    if known.any():
        table.loc[known, "p_adjusted"] = stats.false_discovery_control(table.loc[known, "p_value"])
    return Gains(table, pd.DataFrame(changes), baseline, {name: recipe.fit for name, recipe in recipes.items()})
