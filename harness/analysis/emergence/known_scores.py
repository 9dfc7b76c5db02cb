"""Scores from the literature that rank curves by how emergent they look, as their sources define them.

None is a test: none knows the noise of a mean or what a smooth curve would have scored. They are here to be compared
with `find_jumps`. Functions of arrays take y (..., K), means over runs in order of size, higher is better, in any unit,
and return (...,) numbers, without a unit except for `largest_step`: NaN where y is constant up to rounding or K < 2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.analysis.curves import Curve, label_runs, make_curves, require_columns
from harness.analysis.fitting.estimator import AT_BOUND, ScalingLaw
from harness.errors import UserError

#: Differences up to this share of the largest |y| are rounding errors.
ROUNDING = 1e-12
_SCORES = ["linearity", "breakthroughness", "change_point", "change_point_ratio"]
_BREAKS = ["bnsl_break", "bnsl_sharpness", "bnsl_bic"]


def known_scores(frame: pd.DataFrame, x: str = "params_non_embedding", breaks: bool = True) -> pd.DataFrame:
    """The known scores of every curve of a frame, each from the means over runs at each size.

    Args:
        frame: as for `find_jumps`: a row per (run, subtask, metric), with columns x, metric, value.
        x: column of sizes, > 0.
        breaks: whether to fit broken power laws too, which takes most of the time.

    Returns:
        A row per study, task, subtask and metric, in order of appearance, NaN where a score is undefined:
            linearity, breakthroughness: Srivastava et al. 2022 (BIG-bench), appendix B; see the functions here. The
                latter is also the emergence score of Schaeffer et al. 2023.
            change_point: in the unit of x, geometric mean of the two sizes between which the mean changes, for the
                change that leaves the smallest residual sum of squares (Truong et al. 2020, model l2); of equally good
                ones the first.
            change_point_ratio: residual sum of squares of two means over that of one, in [0, 1]; 0 is a pure step.
            bnsl_break: in the unit of x, place d1 of the break of the law 'bnsl1' (Caballero et al. 2022). Fitted by
                least squares of ln y (their code: of ln(1 + y)), to 1 - y for a metric in [0, 1] where higher is
                better, else to the loss (-y where higher is better). NaN with fewer than 7 sizes, with a mean that is
                not above 0, where no start converged, or where the fitted break is at the smallest or largest size.
            bnsl_sharpness: width f1 of that break, in ln x; smaller is sharper. 0.02, the smallest tried, where the
                sizes show no width. NaN where bnsl_break is.
            bnsl_bic: BIC of that fit less BIC of the power law with a floor, n being the number of sizes; below 0 the
                break is preferred.

    Raises:
        DataError: a column is missing or holds what cannot be used.
    """
    require_columns(frame, (x, "metric", "value"))
    columns = ["study", "task", "subtask", "metric", *_SCORES, *(_BREAKS if breaks else [])]
    rows = []
    for curve in make_curves(label_runs(frame), x):
        sizes, y = curve.runs.sizes, curve.runs.means(curve.oriented)
        steps = float(linearity(y)), float(breakthroughness(y))
        change = change_point(sizes, y), float(change_point_ratio(y))
        fitted = _broken_law(curve) if breaks else ()
        rows.append((curve.study, curve.task, curve.subtask, curve.metric, *steps, *change, *fitted))
    return pd.DataFrame(rows, columns=columns)


def linearity(y: ArrayLike) -> np.ndarray:
    """I over the root mean square of the steps: Srivastava et al. 2022 (BIG-bench), appendix B.

    I = sign(argmax_i y_i - argmin_i y_i) (max_i y_i - min_i y_i), the first of equal values; steps are y_(i+1) - y_i.
    A straight line scores K - 1, a single step sqrt(K - 1).
    """
    return _range_over_steps(y, np.mean)


def breakthroughness(y: ArrayLike) -> np.ndarray:
    """I over the root median square of the steps, with I as in `linearity`: Srivastava et al. 2022, appendix B.

    The emergence score of Schaeffer et al. 2023 (Are emergent abilities a mirage?) has the same formula. A straight
    line scores K - 1; a curve more than half of whose steps are 0 scores inf, or -inf where it falls.
    """
    return _range_over_steps(y, np.median)


def change_point_ratio(y: ArrayLike) -> np.ndarray:
    """Residual sum of squares of two means, for the best change from one to the other, over that of one mean.

    In [0, 1]; 0 for a pure step.
    """
    y = _defined(y)
    return np.maximum(1 - _explained(y).max(axis=-1) / np.sum((y - y.mean(axis=-1, keepdims=True)) ** 2, axis=-1), 0.0)


def change_point(sizes: np.ndarray, y: np.ndarray) -> float:
    """Geometric mean of the two sizes (K,) between which the mean of y (K,) changes best; NaN where undefined."""
    y = _defined(y)
    if np.isnan(y).any():
        return float("nan")
    last_before = int(np.argmax(_explained(y)))
    return float(np.sqrt(sizes[last_before] * sizes[last_before + 1]))


def _explained(y: np.ndarray) -> np.ndarray:
    """(..., K - 1) sum of squares that a change of the mean after each size but the last explains."""
    before = np.arange(1, y.shape[-1])
    # S^2 (1 / n_before + 1 / n_after), S being the sum of deviations from the common mean before the change.
    deviations = np.cumsum(y - y.mean(axis=-1, keepdims=True), axis=-1)[..., :-1]
    return np.asarray(deviations**2 * (1 / before + 1 / before[::-1]))


def largest_step(y: ArrayLike) -> np.ndarray:
    """Largest rise from one size to the next, in the unit of y; 0 where y only falls.

    Not from the literature: it is what the eye sees.
    """
    return np.maximum(np.diff(_defined(y)).max(axis=-1), 0.0)


def _defined(y: ArrayLike) -> np.ndarray:
    """y without rounding errors; all NaN (two of them where K < 2) where scores are undefined."""
    y = np.asarray(y, dtype=float)
    if y.shape[-1] < 2:
        return np.full((*y.shape[:-1], 2), np.nan)
    unit = ROUNDING * np.abs(y).max(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.round(y / unit) * unit
    return np.where(np.ptp(y, axis=-1, keepdims=True) <= 2 * unit, np.nan, y)


def _range_over_steps(y: ArrayLike, average: Callable[..., np.ndarray]) -> np.ndarray:
    y = _defined(y)
    rise = np.sign(y.argmax(axis=-1) - y.argmin(axis=-1)) * np.ptp(y, axis=-1)
    with np.errstate(divide="ignore"):
        return rise / np.sqrt(average(np.diff(y) ** 2, axis=-1))


def _broken_law(curve: Curve) -> tuple[float, float, float]:
    """Place of the break, in the unit of the sizes, its width in ln x, and the difference that it makes to BIC."""
    nan = float("nan")
    runs = curve.runs
    is_share = curve.higher_is_better and runs.value.min() >= 0 and runs.value.max() <= 1
    loss = runs.means(1 - runs.value if is_share else -curve.oriented)
    if loss.min() <= ROUNDING * np.abs(loss).max() or np.isnan(_defined(loss)).any():
        return nan, nan, nan
    try:
        # The fit's status is ignored: curves with a plateau before the break and a floor after it, as jumps are, mostly
        # leave c0 unidentified or a at 0, and place the break about as well as fits that converged.
        broken = ScalingLaw("bnsl1", objective="squares", interval="delta").fit(runs.sizes, loss)
        place, width, bic = broken.params_["d1"], broken.params_["f1"], _bic(broken)
    except UserError:  # too few sizes, or no start converged
        return nan, nan, nan
    try:
        bic -= _bic(ScalingLaw("power_floor", objective="squares", interval="delta").fit(runs.sizes, loss))
    except UserError:
        bic = nan
    inside = runs.sizes[0] * (1 + AT_BOUND) < place < runs.sizes[-1] / (1 + AT_BOUND)
    return (place, width, bic) if inside else (nan, nan, bic)


def _bic(fit: ScalingLaw) -> float:
    """Up to a constant that depends on the number of sizes n alone."""
    n = fit.n_sizes_
    return n * float(np.log(np.mean(fit.residuals_**2) + ROUNDING**2)) + fit.theta_.shape[1] * float(np.log(n))
