"""The exponent of a metric under every way to count size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.curves import label_runs, require_columns
from harness.analysis.fitting.estimator import FitStatus, ScalingLaw
from harness.analysis.fitting.guessing import Guessing, judge_guessing
from harness.analysis.fitting.inputs import NotIdentifiableError
from harness.analysis.fitting.selection import fit_best
from harness.analysis.runs import gather_runs, row_means
from harness.errors import DataError, SettingError, UserError

_COLUMNS = [
    "study",
    "task",
    "x",
    "law",
    "formula",
    "alpha",
    "alpha_low",
    "alpha_high",
    "E",
    "E_low",
    "E_high",
    "status",
    "delta_aicc",
    "scatter",
    "n_sizes",
    "n_runs",
    "message",
]


_NUMBERS = {"value", "chance", "stderr"}


@dataclass(frozen=True)
class Exponents:
    """A table of exponents and the fits behind it.

    Attributes:
        table: as `exponents` returns it.
        fits: (study, task, x) -> the law chosen; those that cannot be fitted are not there.
    """

    table: pd.DataFrame
    fits: dict[tuple[str, str, str], ScalingLaw]


def exponents(
    frame: pd.DataFrame,
    conventions: tuple[str, ...] = ("params_total", "params_non_embedding", "flops"),
    metric: str = "loss",
    **settings: Any,
) -> pd.DataFrame:
    """The law of a metric (subtask 'all') of every study and task under each convention of x.

    Of a power law with and without a floor, the one with the lower AICc. Where the metric is a loss whose chance level
    is known (column `chance`) and no size is below it by more than noise, nothing is fitted: see `guessing`.

    Args:
        frame: as `harness.load` returns it; `study` is optional.
        conventions: columns to take as x.
        settings: level, interval, n_bootstrap, seed of `ScalingLaw`.

    Returns:
        A row per study, task and convention: study, task, x, law, formula, alpha, alpha_low, alpha_high, E, E_low,
        E_high, status, delta_aicc (of the next law), scatter (root mean square of ln residuals), n_sizes, n_runs,
        message. What cannot be fitted stands with a status and a message, and no law or parameters.

    Raises:
        DataError: a column is missing.
        SettingError: a setting out of its range.
    """
    return fit_exponents(frame, conventions, metric, **settings).table


def fit_exponents(
    frame: pd.DataFrame, conventions: tuple[str, ...], metric: str = "loss", **settings: Any
) -> Exponents:
    """`exponents` with the fits behind it."""
    if not isinstance(frame, pd.DataFrame):
        found = type(frame).__name__
        own = "; a fitted law has its own in params_ and intervals_" if isinstance(frame, ScalingLaw) else ""
        raise DataError(f"exponents takes a frame of runs, as harness.load returns it; got {found}{own}")
    require_columns(frame, ("task", "subtask", "metric", "value", *conventions))
    frame = label_runs(frame)
    rows, fits = [], {}
    chosen = frame[(frame["metric"] == metric) & (frame["subtask"] == "all")]
    for (study, task), part in chosen.groupby(["study", "task"], sort=False):
        guessing = _guessing(part, conventions[0], metric)
        for x in conventions:
            about = {"study": study, "task": task, "x": x, "n_sizes": part[x].nunique(), "n_runs": len(part)}
            if guessing is not None and guessing.nothing_learnt:
                rows.append(about | _without_law(FitStatus.NOTHING_LEARNT, guessing.message))
                continue
            try:
                choice = fit_best(
                    part[x], part["value"], part["run"], laws=("power", "power_floor"), rolling=False, **settings
                )
            except SettingError:
                raise
            except UserError as error:
                blind = isinstance(error, NotIdentifiableError)
                status = FitStatus.NOT_IDENTIFIABLE if blind else FitStatus.TOO_FEW_DATA
                rows.append(about | _without_law(status, str(error)))
                continue
            fits[str(study), str(task), x] = fit = choice.best
            rows.append(about | _row(fit, choice.ranking["delta_aicc"].iloc[1:].min(), choice.verdict))
    return Exponents(pd.DataFrame(rows, columns=_COLUMNS), fits)


def _guessing(part: pd.DataFrame, x: str, metric: str) -> Guessing | None:
    """Whether the loss of one study leaves guessing; None where chance or noise is not known, or higher is better."""
    numbers = {
        name: pd.to_numeric(part[name], errors="coerce").to_numpy(float) for name in _NUMBERS & set(part.columns)
    }
    higher_is_better = part["higher_is_better"].any() if "higher_is_better" in part.columns else metric != "loss"
    chance = np.unique(numbers.get("chance", np.nan))
    if higher_is_better or len(chance) != 1 or not np.isfinite(chance[0]):
        return None
    sizes = pd.to_numeric(part[x], errors="coerce").to_numpy(float)
    runs = gather_runs(sizes, numbers["value"], part["run"].to_numpy())
    stderr = row_means(numbers["stderr"], runs.of_row) if "stderr" in numbers else None
    return judge_guessing(runs, float(chance[0]), stderr)


def _without_law(status: FitStatus, message: str) -> dict[str, Any]:
    return {"law": "", "formula": "", "status": str(status), "message": message}


def _row(fit: ScalingLaw, delta_aicc: float, verdict: str) -> dict[str, Any]:
    floor, floor_interval = fit.params_.get("E", 0.0), fit.intervals_.get("E", (0.0, 0.0))
    return {
        "law": fit.law_.name,
        "formula": fit.law_.formula,
        "alpha": fit.params_["alpha"],
        "alpha_low": fit.intervals_["alpha"][0],
        "alpha_high": fit.intervals_["alpha"][1],
        "E": floor,
        "E_low": floor_interval[0],
        "E_high": floor_interval[1],
        "status": str(fit.status_),
        "delta_aicc": delta_aicc,
        "scatter": float(np.sqrt(np.mean(fit.residuals_**2))),
        "message": fit.message_ or verdict,
    }
