"""Surfaces of the loss over N and D, fitted to each study whose runs of one size saw different numbers of tokens."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from harness.analysis.curves import label_runs
from harness.analysis.fitting.estimator import ScalingLaw
from harness.analysis.planning.allocation import optimal_exponent
from harness.errors import UserError
from harness.records.comparable import best_learning_rates
from harness.records.schema import PARAMETER_CONVENTIONS
from harness.report.analyze import Analysis
from harness.report.names import NOT_RECORDED, size_name
from harness.wording import estimate


def fit_surfaces(analysis: Analysis) -> list[dict[str, str]]:
    """One row for each way to count N, of each study in which runs of the same size differ in tokens."""
    rows = []
    for study, part in on_surfaces(analysis):
        # A surface takes all durations, each size at each with its best learning rate.
        by_run = part.set_index("run_id", drop=False)
        runs = label_runs(by_run[best_learning_rates(by_run, by_run["value"], ["duration", "tokens"])])
        rows += [{"study": study} | _surface(runs, n, analysis.level) for n in PARAMETER_CONVENTIONS]
    return rows


def on_surfaces(analysis: Analysis) -> Iterator[tuple[str, pd.DataFrame]]:
    """The losses of each study in which runs of the same size differ in tokens."""
    frame = analysis.every_duration
    loss = frame[(frame["metric"] == "loss") & (frame["subtask"] == "all") & (frame["tokens"] > 0)]
    for study, part in loss.groupby("study", sort=False):
        if part.groupby("rung")["tokens"].nunique().max() > 1:
            yield str(study), part


def _surface(runs: pd.DataFrame, n: str, level: float) -> dict[str, str]:
    row = {"N": size_name(n), "runs": str(len(runs))} | dict.fromkeys(("E", "alpha", "beta", "a", "status"), "–")
    if not (runs[n] > 0).all():
        return row | {"message": f"this N is {NOT_RECORDED} of some runs"}
    places = runs[[n, "tokens"]].set_axis(["N", "D"], axis=1)
    try:
        fit = ScalingLaw("hoffmann", objective="squares", level=level).fit(places, runs["value"], runs["run"])
    except UserError as error:
        return row | {"message": str(error)}
    row |= {name: _estimate(fit.params_[name], *fit.intervals_[name]) for name in ("E", "alpha", "beta")}
    row |= {"status": str(fit.status_), "message": fit.message_}
    try:
        return row | {"a": _estimate(*optimal_exponent(fit))}
    except UserError:
        return row  # the fit's message says why


def _estimate(value: float, low: float, high: float) -> str:
    return estimate(value, low, high) if np.isfinite([low, high]).all() else f"{value:.3g} (interval open)"
