"""Compute-equivalent gain: by what factor a baseline's compute must grow to reach the loss that a recipe reaches.

The gain of recipe A over baseline B at compute C is g with L_B(g C) = L_A(C), L_A and L_B the laws of both (Davidson et
al. 2023, "AI capabilities can be significantly improved without expensive retraining"): 1.3 says that A saves what 30 %
more compute would bring. Of tables over N and D the laws are those along each recipe's own compute-optimal
frontier, or g grows N and D from a given place in proportion, at one number of tokens per parameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.analysis.checks import check_between_0_and_1, positive_columns
from harness.analysis.false_discovery import adjusted
from harness.analysis.fitting.estimator import FitStatus, ScalingLaw
from harness.analysis.fitting.inputs import find_law, law_columns
from harness.analysis.fitting.intervals import Quantity, by_differences, failure_message, hold_estimate, one_sided
from harness.analysis.fitting.laws import Law
from harness.analysis.planning.growth import Growth, Place
from harness.analysis.planning.paired_fit import PairedFit, Recipe
from harness.errors import DataError, SettingError, UserError, nearest
from harness.wording import count

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
            gain, low, high and p_one: that gain, of laws tied so, and p of its being 1; n_pairs and correlation of runs
            that have counterparts in the baseline.
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
    form, places, labels = _checked(x, y, recipe, law)
    names = list(dict.fromkeys(labels.tolist()))
    baseline = names[0] if baseline is None else baseline
    if baseline not in names:
        raise SettingError("baseline", baseline, f"one of {', '.join(names)}{nearest(baseline, names)}")
    alike = np.full(len(labels), "") if counterpart is None else np.asarray(counterpart).astype(str)
    if len(alike) != len(labels):
        raise DataError(f"counterpart has {len(alike)} rows where x has {len(labels)}")
    recipes, refused = _fit_each(form, places, np.asarray(y, dtype=float), labels, alike, level)
    if baseline in refused:
        raise UserError(f"baseline {baseline}: {refused[baseline]}")
    asked = _asked(compute, at, form, flops_per_token_parameter)
    rows: list[dict[str, Any]] = []
    changes: list[dict[str, Any]] = []
    for name in (name for name in names if name != baseline):
        try:
            if name in refused:
                raise refused[name]
            compared = _Comparison.of(recipes[name], recipes[baseline], flops_per_token_parameter, level)
        except UserError as error:
            rows.append(_row(name, None, status=GainStatus.NOT_FITTED, message=str(error)))
        else:
            rows += [compared.row(place) for place in asked or [compared.default_place()]]
            changes.append(compared.change())
    table = pd.DataFrame(rows).drop(columns=["N", "D"] if len(form.variables) == 1 else [])
    table["p_adjusted"] = adjusted(table["p_value"].tolist())
    return Gains(table, pd.DataFrame(changes), baseline, {name: recipe.fit for name, recipe in recipes.items()})


def _checked(
    x: ArrayLike | pd.DataFrame, y: ArrayLike, recipe: ArrayLike, law: str | None
) -> tuple[Law, np.ndarray, np.ndarray]:
    """The law, the places (n, d) and the labels (n,)."""
    columns = np.shape(x)[1] if np.ndim(x) == 2 else 1
    if columns not in GAINING:
        raise DataError(f"x has {columns} columns: gains are known over 1 (compute) and 2 (N, D)")
    allowed = GAINING[columns]
    if law is not None and law not in allowed:
        raise SettingError("law", law, f"one of {', '.join(allowed)}{nearest(law, allowed)}")
    form = find_law(law or allowed[0])
    places, _ = law_columns(form, x, y)
    labels = np.asarray(recipe).astype(str)
    if len(labels) != len(places):
        raise DataError(f"recipe has {len(labels)} rows where x has {len(places)}")
    if len(set(labels.tolist())) < 2:
        raise DataError(f"recipe is {labels[0]} in all rows: two recipes or more are wanted")
    return form, places, labels


def _fit_each(
    form: Law, places: np.ndarray, y: np.ndarray, labels: np.ndarray, alike: np.ndarray, level: float
) -> tuple[dict[str, Recipe], dict[str, UserError]]:
    """The recipes with their fits, and those that cannot be fitted with the reason."""
    recipes: dict[str, Recipe] = {}
    refused: dict[str, UserError] = {}
    for name in dict.fromkeys(labels.tolist()):
        own = labels == name
        try:
            fit = ScalingLaw(law=form, objective="squares", level=level).fit(places[own], y[own])
            if flat := _flat(fit):
                raise UserError(flat)
        except UserError as error:
            refused[name] = error
        else:
            recipes[name] = Recipe(name, places[own], y[own], alike[own], fit)
    return recipes, refused


def _flat(fit: ScalingLaw) -> str:
    """Why a loss does not fall with compute, by a law; '' where it does."""
    if fit.law_.name == "power" and fit.params_["alpha"] <= 0:
        return f"the loss does not fall with compute: alpha = {fit.params_['alpha']:.3g}"
    flat = fit.status_ is FitStatus.AT_BOUND and "y does not" in fit.message_
    return f"the loss does not fall: {fit.message_}" if flat else ""


# --------------------------------------------------------------------------------------------- where a gain is wanted


def _asked(compute: Sequence[float], at: ArrayLike | pd.DataFrame | None, form: Law, k: float) -> list[Place]:
    (budgets,) = positive_columns(compute=np.asarray(compute, dtype=float))
    found = [Place(float(c)) for c in budgets]
    if at is not None:
        if len(form.variables) == 1:
            raise SettingError("at", "N,D", "compute alone for a law of one variable")
        places, _ = law_columns(form, at)
        found += [Place(float(k * n * d), float(n), float(d)) for n, d in places]
    return found


def _row(name: str, place: Place | None, **found: Any) -> dict[str, Any]:
    nan = float("nan")
    where = place or Place(nan)
    row = {"recipe": name, "compute": where.compute, "N": where.size, "D": where.tokens}
    empty = dict.fromkeys(("loss", "gain", "low", "high", "p_value", "p_adjusted"), nan) | {"status": "", "message": ""}
    row |= empty | found
    row["status"] = str(row["status"])
    return row


# -------------------------------------------------------------------------------------------- two recipes compared


@dataclass(frozen=True)
class _Comparison:
    """A recipe (number 0 of the fits) and the baseline (1).

    Attributes:
        free, tied: their joint fits with nothing in common, and with all that makes the gain the same at every compute.
        k: of C = k N D.
        level: of intervals.
    """

    free: PairedFit
    tied: PairedFit
    k: float
    level: float

    @classmethod
    def of(cls, recipe: Recipe, baseline: Recipe, k: float, level: float) -> _Comparison:
        shared = _TIED[recipe.fit.law_.name]
        return cls(PairedFit.of(recipe, baseline), PairedFit.of(recipe, baseline, shared), k, level)

    @property
    def _names(self) -> tuple[str, str]:
        return self.free.recipes[0].name, self.free.recipes[1].name

    def _compute(self, number: int) -> np.ndarray:
        """(n,) compute of each run of a recipe."""
        places = self.free.recipes[number].places
        return places[:, 0] if places.shape[1] == 1 else self.k * places[:, 0] * places[:, 1]

    def default_place(self) -> Place:
        """The largest compute that both have."""
        return Place(float(min(self._compute(0).max(), self._compute(1).max())))

    def _growths(self, fit: PairedFit, theta: np.ndarray, place: Place) -> tuple[Growth, Growth]:
        """Of the recipe and of the baseline."""
        ours, theirs = fit.public(theta)
        law = fit.recipes[0].fit.law_.name
        return Growth.of(law, ours, place, self.k), Growth.of(law, theirs, place, self.k)

    def _log_ratio(self, fit: PairedFit, place: Place) -> Quantity:
        """ln of the recipe's loss over the baseline's, 0 where the gain is 1."""

        def value(theta: np.ndarray, _: np.ndarray) -> np.ndarray:
            ours, theirs = self._growths(fit, theta, place)
            return np.log(ours.loss / theirs.loss)

        return by_differences(value)

    def _bent_gain(self, fit: PairedFit, place: Place, power: float) -> Quantity:
        """gain^-power: about linear in the parameters, and below 0 by as much as no compute is enough."""

        def value(theta: np.ndarray, _: np.ndarray) -> np.ndarray:
            ours, theirs = self._growths(fit, theta, place)
            loss = ours.loss
            return np.where(
                loss > theirs.floor, np.exp(-power * theirs.log_growth(loss)), (loss - theirs.floor) / theirs.above
            )

        return by_differences(value)

    def _difference(self, index: int) -> Quantity:
        """Of a parameter, between recipe and baseline."""

        def value(theta: np.ndarray, _: np.ndarray) -> np.ndarray:
            ours, theirs = self.free.public(theta)
            return ours[:, index] - theirs[:, index]

        return by_differences(value)

    def _gain(self, fit: PairedFit, place: Place) -> tuple[float, float, float, bool]:
        """Gain, its interval, and whether the interval found did not hold it."""
        ours, theirs = self._growths(fit, fit.theta, place)
        log_gain = theirs.log_growth(ours.loss)
        power = float(theirs.steepness(np.where(np.isfinite(log_gain), log_gain, 0.0))[0])
        quantity = self._bent_gain(fit, place, power)
        value = quantity(fit.theta, np.zeros(1, dtype=int))[0]
        held, failed = hold_estimate(value, fit.interval(quantity, self.level))
        failed |= one_sided(value, held)
        ends = np.array([float(value[0]), float(held.high[0]), float(held.low[0])])
        with np.errstate(divide="ignore", over="ignore"):
            gains = np.where(ends > 0, np.maximum(ends, 1e-300) ** (-1 / power), np.inf)
        return float(gains[0]), float(gains[1]), float(gains[2]), bool(failed[0])

    def row(self, place: Place) -> dict[str, Any]:
        """The gain at a place; as in `Gains.table`."""
        loss = float(self._growths(self.free, self.free.theta, place)[0].loss[0])
        gain, low, high, failed = self._gain(self.free, place)
        status, message = self._judge(place, loss, gain, failed)
        p_value = self.free.p_zero(self._log_ratio(self.free, place))
        return _row(
            self._names[0],
            place,
            loss=loss,
            gain=gain,
            low=low,
            high=high,
            p_value=p_value,
            status=status,
            message=message,
        )

    def _judge(self, place: Place, loss: float, gain: float, failed: bool) -> tuple[GainStatus, str]:
        """How far a gain may be quoted, and why."""
        ours, theirs = self._names
        states = [
            f"{recipe.name}: {recipe.fit.status_}{': ' * bool(recipe.fit.message_)}{recipe.fit.message_}"
            for recipe in self.free.recipes
            if recipe.fit.status_ is not FitStatus.CONVERGED
        ]
        if self.free.clusters is not None:
            states.append(f"{self.free.clusters.n_clusters} clusters of runs err together: the interval rests on them")
        status, why = GainStatus.MEASURED, ""
        needed = gain * place.compute
        if failed:
            status, why = GainStatus.INTERVAL_FAILED, failure_message(["gain"])
        elif not np.isfinite(gain):
            status, why = (
                GainStatus.OUT_OF_REACH,
                f"no compute brings {theirs} down to a loss of {loss:.4g}, by its law",
            )
        elif not self._overlaps():
            why = f"no loss is reached by runs of both {ours} and {theirs}: the gain rests on their laws alone"
            status = GainStatus.NO_OVERLAP
        elif beyond := [*self._beyond(0, place.compute), *self._beyond(1, needed)]:
            status, why = GainStatus.EXTRAPOLATED, "; ".join(beyond)
        return status, "; ".join(filter(None, [why, *states]))

    def _overlaps(self) -> bool:
        a, b = (recipe.y for recipe in self.free.recipes)
        return bool(max(a.min(), b.min()) <= min(a.max(), b.max()))

    def _beyond(self, number: int, compute: float) -> list[str]:
        """That a law is followed far from its recipe's runs, in words."""
        least, most = self._compute(number).min(), self._compute(number).max()
        name = self._names[number]
        if compute > NEAR * most:
            return [f"{name} is followed to {compute:.3g}, {count(compute / most, 2)} times its largest run"]
        if compute * NEAR < least:
            return [
                f"{name} is followed down to {compute:.3g}, {count(least / compute, 2)} times below its smallest run"
            ]
        return []

    def change(self) -> dict[str, Any]:
        """Whether the gain changes with compute, and what it is if not; as in `Gains.changes`."""
        names = self.free.recipes[0].fit.law_.parameters
        differences = [self._difference(names.index(name)) for name in _TIED[self.free.recipes[0].fit.law_.name]]
        ratio, first, second, p_value = self.free.p_of(self.tied, differences)
        place = self.default_place()
        gain, low, high, _ = self._gain(self.tied, place)
        return {
            "recipe": self._names[0],
            "f": ratio,
            "freedom_1": first,
            "freedom_2": second,
            "p_value": p_value,
            "gain": gain,
            "low": low,
            "high": high,
            "p_one": self.tied.p_zero(self._log_ratio(self.tied, place)),
            "n_pairs": self.free.n_pairs,
            "correlation": self.free.correlation,
        }
