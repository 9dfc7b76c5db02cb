"""Are the tables of two results folders equal, value for value?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

#: Columns that tell when, how fast, or at which commit a run was trained: somebody may commit meanwhile.
OF_THE_OCCASION = ["wall_s", "tokens_per_s", "finished_at", "git_revision"]
#: Settings in the column `config` that tell where.
SETTINGS_OF_THE_OCCASION = ("results", "launcher")

_KEY = ["run_id", "step", "split", "subtask", "metric"]


@dataclass(frozen=True)
class Difference:
    """Runs by which tables differ from those of an undisturbed sweep.

    Attributes:
        lost: not in the tables.
        doubled: in the tables twice, or with one number twice.
        differing: with another value in any column of either table; also runs that the undisturbed sweep has not.
    """

    lost: frozenset[str]
    doubled: frozenset[str]
    differing: frozenset[str]

    @property
    def none(self) -> bool:
        return not (self.lost or self.doubled or self.differing)


def difference(undisturbed: Path, disturbed: Path, only: str | None = None) -> Difference:
    """Compare the collected tables of two results folders; runs of the family `only`, where that is given."""
    runs, other_runs = _runs(undisturbed), _runs(disturbed)
    if only is not None:
        runs = runs[runs["family"] == only]
    numbers, other_numbers = _measurements(undisturbed), _measurements(disturbed)
    lost = set(runs["run_id"]) - set(other_runs["run_id"])
    doubled = set(other_runs.loc[other_runs["run_id"].duplicated(), "run_id"])
    doubled |= set(other_numbers.loc[other_numbers.duplicated(_KEY), "run_id"])
    of_run, other_of_run = dict(list(numbers.groupby("run_id"))), dict(list(other_numbers.groupby("run_id")))
    differing = set(other_runs["run_id"]) - set(runs["run_id"])
    for run_id in set(runs["run_id"]) - lost - doubled:
        rows = [table[table["run_id"] == run_id] for table in (runs, other_runs)]
        values = [table.get(run_id, numbers.iloc[:0]) for table in (of_run, other_of_run)]
        if not all(_equal(*pair) for pair in (rows, values)):
            differing.add(run_id)
    return Difference(frozenset(lost), frozenset(doubled), frozenset(differing))


def _equal(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """In every value, to the bit; NaN and null equal themselves."""
    # Whole numbers are floats where some other run of the table has none.
    alike, unlike = (frame.reset_index(drop=True).convert_dtypes() for frame in (one, other))
    return alike.equals(unlike)


def _runs(results: Path) -> pd.DataFrame:
    runs = pd.read_parquet(results / "runs.parquet").drop(columns=OF_THE_OCCASION)
    return runs.assign(config=runs["config"].map(_settings))


def _settings(config: str) -> str:
    settings = json.loads(config)
    return json.dumps({name: settings[name] for name in sorted(settings) if name not in SETTINGS_OF_THE_OCCASION})


def _measurements(results: Path) -> pd.DataFrame:
    return pd.read_parquet(results / "measurements.parquet").sort_values(_KEY, kind="stable")
