"""Which runs early stopping ended, and after how many steps: the runs table has the steps that were asked for."""

from __future__ import annotations

import pandas as pd

from harness.records.run_settings import parse_config
from harness.report.analyze import Analysis
from harness.wording import stopped_early


def trained_steps(analysis: Analysis) -> pd.Series:
    """Steps that each run trained, indexed as `analysis.runs`; those asked for, but in runs that stopped early."""
    asked, last = analysis.runs["steps"], _last_step(analysis)
    return asked.mask(last < asked, last).astype(asked.dtype)


def early_stops(analysis: Analysis) -> str:
    """How many runs stopped early and at what share of the steps asked for, in words; '' where none did."""
    asked, last = analysis.runs["steps"], _last_step(analysis)
    return stopped_early((last / asked)[last < asked].tolist())


def _last_step(analysis: Analysis) -> pd.Series:
    """Last step of the finished runs that might have stopped early, indexed as `analysis.runs`; NaN of all others."""
    runs = analysis.runs
    patient = [parse_config(text).get("patience") is not None for text in runs["config"]]
    last = analysis.every_duration.groupby("run_id")["step"].max()
    return runs["run_id"].map(last).where(pd.Series(patient, runs.index, dtype=bool)).astype(float)
