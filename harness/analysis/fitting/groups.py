"""One law of several groups of runs: each fitted by itself, or with parameters in common and a test of that.

Whether a recipe or a corpus changes an exponent, or the amplitudes alone, is asked by two fits: all parameters free in
each group, and some of them shared. With costs S_0 and S_1, s shared parameters, K groups, n runs and p parameters a
group,

    F = (S_1 - S_0) / (s (K - 1)) / (scale / 2),

which is the F ratio of nested models where squares are minimised (`scale` is then the variance of a run), and follows
F with s (K - 1) and n - K p degrees of freedom where the shared parameters are equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import chdtrc, fdtrc

from harness.analysis.fitting.estimator import FitStatus, ScalingLaw
from harness.analysis.fitting.inputs import NotIdentifiableError, TooFewDataError, find_law, law_columns, laws_for
from harness.analysis.fitting.laws import Law
from harness.analysis.fitting.objectives import BetaBinomial
from harness.analysis.fitting.shared_law import SharedLaw, check_shared
from harness.analysis.fitting.solver import minimise
from harness.errors import DataError, UserError
from harness.wording import p_equals

#: p below which groups are taken to scatter by different amounts, and weigh accordingly in a joint fit: rarely of
#: groups that do not, for equal weights cost little and estimated ones cost degrees of freedom.
UNEQUAL_NOISE = 0.01
#: p below which it is said that sharing is refused.
REFUSED_SHARING = 0.05


#: Laws of groups that name none, by their number of variables.
_USUAL = {1: ("power_floor",), 2: ("hoffmann",), 3: ("width_depth",)}


@dataclass(frozen=True)
class SharingTest:
    """Whether the groups' own fits are better than the shared one by more than noise.

    Attributes:
        shared: the parameters in common.
        f, freedom: the ratio, and its degrees of freedom; the second are inf of a likelihood.
        p_value: that the ratio is as large where the parameters are equal.
    """

    shared: tuple[str, ...]
    f: float
    freedom: tuple[float, float]
    p_value: float

    @property
    def verdict(self) -> str:
        """One sentence: 'shared alpha, beta: F(4, 250) = 1.1, p = 0.360: not refused'."""
        first, second = (f"{freedom:.4g}" for freedom in self.freedom)
        told = "refused" if self.p_value < REFUSED_SHARING else "not refused"
        return f"shared {', '.join(self.shared)}: F({first}, {second}) = {self.f:.3g}, {p_equals(self.p_value)}: {told}"


@dataclass(frozen=True)
class GroupFits:
    """One law of several groups.

    Attributes:
        table: a row a group, in order of appearance: `by`, each parameter with _low and _high, noise (of one run, on
            the law's scale), n_runs, status, message. Parameters of a group that cannot be fitted are NaN.
        fits: label -> the group's own fit; without groups that cannot be fitted by themselves.
        shared: the joint fit, of a `SharedLaw`; None where nothing is shared.
        test: whether sharing is refused; None where nothing is shared, or some group has no fit of its own.
        message: what was assumed of the groups' noise; ''.
    """

    table: pd.DataFrame
    fits: dict[str, ScalingLaw]
    shared: ScalingLaw | None = None
    test: SharingTest | None = None
    message: str = ""


def fit_groups(
    x: ArrayLike | pd.DataFrame,
    y: ArrayLike,
    by: ArrayLike,
    share: Sequence[str] = (),
    *,
    law: str | Law | None = None,
    groups: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    suspects: Mapping[str, ArrayLike] | None = None,
    n_eval: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    name: str = "group",
    **settings: Any,
) -> GroupFits:
    """Fit a law to each group of runs by itself, and where parameters are to be shared, to all of them together.

    Where the groups scatter by different amounts (Bartlett's test at `UNEQUAL_NOISE`, of squares and without weights),
    their runs weigh in the joint fit as the inverse of their own fit's variance.

    Args:
        x, y, groups, clusters, suspects, n_eval, weights: as in `ScalingLaw.fit`.
        by: (n,) label of the group of each row; two or more groups.
        share: parameters that all groups have in common. A power's amplitude can be shared along with its exponent.
        name: what the groups are, and the column of the table that labels them.
        law: as `ScalingLaw` takes it; by default power_floor, hoffmann or width_depth, by the columns of x.
        settings: of `ScalingLaw`, but for law.

    Returns:
        The fits. Intervals of shared parameters, and of free ones beside them, are those of the joint fit.

    Raises:
        DataError: one group only, columns of unequal length, or a value that is not allowed.
        SettingError: a setting out of its range, a parameter that the law does not have or cannot share alone.
        UserError: no group can be fitted, or the joint fit cannot.
    """
    form = find_law(laws_for(x, _USUAL)[0] if law is None else law)
    check_shared(form, share)
    places, _ = law_columns(form, x, y)
    label, found = pd.factorize(np.asarray(by).astype(str))
    names = tuple(map(str, found))
    if len(label) != len(places):
        raise DataError(f"by has {len(label)} rows where x has {len(places)}")
    if len(names) < 2:
        raise DataError(f"{name} is {names[0]} in all rows: two groups or more are wanted")
    optional = {"groups": groups, "clusters": clusters, "n_eval": n_eval, "weights": weights}
    columns = {key: np.asarray(column) for key, column in optional.items() if column is not None}
    tried = {key: np.asarray(column) for key, column in (suspects or {}).items()}
    values = np.asarray(y)
    fits: dict[str, ScalingLaw] = {}
    refused: dict[str, UserError] = {}
    for k, group in enumerate(names):
        own = label == k
        try:
            part = {key: column[own] for key, column in columns.items()}
            fits[group] = ScalingLaw(law=form, **settings).fit(
                places[own], values[own], suspects={key: column[own] for key, column in tried.items()}, **part
            )
        except (TooFewDataError, NotIdentifiableError) as error:
            refused[group] = error
    if not fits and not share:
        raise next(iter(refused.values()))
    counts = [fits[group].n_runs_ if group in fits else int(np.sum(label == k)) for k, group in enumerate(names)]
    if not share:
        rows = [_own_row(form, fits.get(g), refused.get(g), n) for g, n in zip(names, counts, strict=True)]
        return GroupFits(_table(name, names, rows), fits)
    noise, message = _relative_noise(names, fits) if weights is None else (None, "")
    if noise is not None:
        columns["weights"] = noise[label] ** -2.0
    numbered = np.column_stack([places, label + 1.0])
    shared_law = SharedLaw(form, names, share, name)
    joint = ScalingLaw(law=shared_law, **settings).fit(numbered, values, suspects=tried, **columns)
    rows = [
        _row(form, joint, [shared_law.name_of(k, i) for i in range(len(form.parameters))])
        | _state(fits.get(group), joint.status_, joint.message_, counts[k])
        for k, group in enumerate(names)
    ]
    test = None if refused else _test(fits, joint, share)
    return GroupFits(_table(name, names, rows), fits, joint, test, message)


def _table(name: str, names: Sequence[str], rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame([{name: group} | row for group, row in zip(names, rows, strict=True)])


def _relative_noise(names: Sequence[str], fits: dict[str, ScalingLaw]) -> tuple[np.ndarray | None, str]:
    """(K,) noise of each group's runs, where it differs between them and squares were minimised; and that in words."""
    if len(fits) < len(names) or any(fit.objective_name_ != "squares" for fit in fits.values()):
        return None, ""
    variance = np.array([fits[name].noise.scale for name in names])
    freedom = np.array([fits[name].noise.freedom for name in names])
    if freedom.min() < 1 or bartlett(variance, freedom) >= UNEQUAL_NOISE:
        return None, ""
    noise = np.sqrt(variance)
    words = ", ".join(f"{name} by {sd:.2g}" for name, sd in zip(names, noise, strict=True))
    return noise, f"groups scatter by different amounts ({words}): each weighs as the inverse of its variance"


def bartlett(variance: np.ndarray, freedom: np.ndarray) -> float:
    """p of K variances (K,), each with its degrees of freedom, being equal. Bartlett 1937."""
    total = freedom.sum()
    pooled = np.sum(freedom * variance) / total
    statistic = total * np.log(pooled) - np.sum(freedom * np.log(variance))
    correction = 1 + (np.sum(1 / freedom) - 1 / total) / (3 * (len(variance) - 1))
    return float(chdtrc(len(variance) - 1, statistic / correction))


def _test(fits: dict[str, ScalingLaw], joint: ScalingLaw, share: Sequence[str]) -> SharingTest:
    """See the head of this module; of Huber's objective it is the ratio of an M-estimator's costs (Ronchetti 1982)."""
    group, weight = joint.problem.t[-1], joint.problem.weight[0]
    of_group = np.array([weight[group == k].mean() for k in range(len(fits))])
    costs = np.array([_cost(fit, joint) for fit in fits.values()])
    scale, freedom = np.array([_noise_of(fit, share) for fit in fits.values()]).T
    known = np.isfinite(freedom).all()
    pooled = np.sum(freedom * scale * of_group) / freedom.sum() if known else np.mean(scale)
    first, second = len(share) * (len(fits) - 1), float(freedom.sum())
    ratio = max(0.0, joint.objective_ - float(of_group @ costs)) / first / (pooled / 2)
    return SharingTest(tuple(share), float(ratio), (first, second), float(_upper_tail(ratio, first, second)))


def _noise_of(fit: ScalingLaw, names: Sequence[str]) -> tuple[float, float]:
    """What a group's costs are measured in, and its degrees of freedom: means over these parameters.

    Where runs err together, the mean over parameters makes it the correction of Rao and Scott 1981.
    """
    indices = [fit.law_.parameters.index(name) for name in names]
    scale, freedom = fit.noise_along(fit.parameters(indices), len(indices))
    return float(np.mean(scale)), float(np.mean(freedom))


def _cost(fit: ScalingLaw, joint: ScalingLaw) -> float:
    """What a group's own fit costs by the joint fit's objective, which has one correlation of a run's answers."""
    theirs, own = joint.problem.objective, fit.problem.objective
    if not (isinstance(theirs, BetaBinomial) and isinstance(own, BetaBinomial)):
        return fit.objective_
    same = replace(fit.problem, objective=BetaBinomial(own.n, theirs.rho_seeds))
    return float(minimise(same, fit.theta_, exact=True).cost[0])


def _upper_tail(ratio: float, first: float, second: float) -> float:
    return fdtrc(first, second, ratio) if np.isfinite(second) else chdtrc(first, ratio * first)


# --------------------------------------------------------------------------------------------------- a row a group


def _row(form: Law, fit: ScalingLaw, names: Sequence[str]) -> dict[str, Any]:
    """The member's parameters, which the fit knows by these names."""
    row: dict[str, Any] = {}
    for parameter, name in zip(form.parameters, names, strict=True):
        low, high = fit.intervals_[name]
        row |= {parameter: fit.params_[name], f"{parameter}_low": low, f"{parameter}_high": high}
    return row


def _state(fit: ScalingLaw | None, status: FitStatus, message: str, n_runs: int) -> dict[str, Any]:
    noise = float("nan") if fit is None else fit.noise_
    return {"noise": noise, "n_runs": n_runs, "status": str(status), "message": message}


def _own_row(form: Law, fit: ScalingLaw | None, error: UserError | None, n_runs: int) -> dict[str, Any]:
    if fit is not None:
        return _row(form, fit, form.parameters) | _state(fit, fit.status_, fit.message_, n_runs)
    nothing = {f"{name}{end}": float("nan") for name in form.parameters for end in ("", "_low", "_high")}
    status = FitStatus.TOO_FEW_DATA if isinstance(error, TooFewDataError) else FitStatus.NOT_IDENTIFIABLE
    return nothing | _state(None, status, str(error), n_runs)
