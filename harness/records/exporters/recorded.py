"""What every exporter starts from: the runs of a results folder, and the series that each has logged."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from harness.errors import RunsWarning
from harness.records.files import file_name
from harness.records.importers.series import FLOPS, TOKENS
from harness.records.run_settings import stated_settings
from harness.records.schema import MEASUREMENTS, STATUSES
from harness.records.store import load, load_runs

#: Columns of the runs table that say what a run is; a tracker shows them beside its settings.
ABOUT = (
    *("run_id", "experiment", "study", "family", "task", "rung", "duration", "seed", "lr", "width", "depth", "heads"),
    *("params_total", "params_embedding", "params_non_embedding", "steps", "batch_size", "tokens", "flops"),
    *("status", "device"),
)


@dataclass(frozen=True)
class RecordedRun:
    """One run, as a tracker has it.

    Attributes:
        row: its row of the runs table.
        settings: `ABOUT`, and every setting that its config states, by the names of the command line.
        series: step -> name -> value, e.g. ``{100: {"eval/loss": 2.1, "eval/accuracy/subtask 3": 0.5}}``; with the
            tokens and FLOPs spent by then. Steps rise.
    """

    row: Mapping[str, Any]
    settings: dict[str, str | float | int | bool]
    series: dict[int, dict[str, float]]

    @property
    def run_id(self) -> str:
        return str(self.row["run_id"])

    @property
    def name(self) -> str:
        """A name that tells it from the other runs of its study, and that a file may have."""
        shape = f"width{self.row['width']}-depth{self.row['depth']}-" if self.row["width"] else ""
        return file_name(f"{shape}{self.row['member']}-{self.run_id}")

    def time_s(self, step: int) -> float:
        """When this step was done, in seconds since 1970, as if all steps took equally long."""
        ended: datetime = self.row["finished_at"]
        last = max(self.series, default=0)
        return ended.timestamp() - float(self.row["wall_s"]) * (1 - step / last if last else 0.0)


@dataclass(frozen=True)
class Recorded:
    """The runs of a results folder.

    Attributes:
        folder: the results folder.
        runs: the runs table, failures included, in the order of its rows.
        numbers: every measurement, joined to its run: all splits and steps.
        comparable: ids of the runs that make one curve a study, of the longest duration and each size's best learning
            rate.
    """

    folder: Path
    runs: pd.DataFrame
    numbers: pd.DataFrame
    comparable: frozenset[str]

    def each(self) -> Iterator[RecordedRun]:
        """The runs that measured anything."""
        settings = dict(zip(self.runs["run_id"], stated_settings(self.runs), strict=True))
        series = {str(run_id): _series(part) for run_id, part in self.numbers.groupby("run_id", sort=False)}
        for values in self.runs.to_dict("records"):
            row = {str(name): value for name, value in values.items()}
            if row["run_id"] in series:
                known = {name: _plain(row[name]) for name in ABOUT} | settings[row["run_id"]]
                kept = {name: value for name, value in known.items() if value is not None}
                yield RecordedRun(row, kept, series[row["run_id"]])

    @property
    def without_numbers(self) -> int:
        """How many runs measured nothing before they failed."""
        return int((~self.runs["run_id"].isin(self.numbers["run_id"])).sum())


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        into: the folder.
        n_new, n_there, n_replaced: runs written, found there as they are, and written anew because they have changed.
        notes: what was left out, and how to go on; a line each.
    """

    into: Path
    n_new: int = 0
    n_there: int = 0
    n_replaced: int = 0
    notes: tuple[str, ...] = field(default=())


def read_recorded(folder: Path) -> Recorded:
    """Read a results folder.

    Raises:
        DataError: as `load`.
    """
    with warnings.catch_warnings():
        # What is left out is said by the exporter, which alone knows what that means for its files.
        warnings.simplefilter("ignore", RunsWarning)
        chosen = load(folder, runs="comparable")
        parts = [load(folder, "all", split, STATUSES, "all") for split in (None, "train")]
    numbers = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return Recorded(folder, load_runs(folder), numbers, frozenset(chosen["run_id"]))


def series_name(split: str, metric: str, subtask: str) -> str:
    """What a tracker calls a series: ``eval/accuracy``, of a subtask ``eval/accuracy/NAME``; importers read it back."""
    return f"{split}/{metric}" if subtask == "all" else f"{split}/{metric}/{subtask}"


def without_numbers_in_words(recorded: Recorded) -> tuple[str, ...]:
    """A line on the runs that have nothing to show in a tracker."""
    n = recorded.without_numbers
    many = "1 run that" if n == 1 else f"{n} runs that"
    return (f"{many} failed before anything was measured {'is' if n == 1 else 'are'} left out",) if n else ()


def _series(part: pd.DataFrame) -> dict[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = {}
    columns = [part[name].tolist() for name in ("step", "split", "metric", "subtask", "value", "tokens", "flops")]
    for step, split, metric, subtask, value, tokens, flops in sorted(zip(*columns, strict=True), key=lambda at: at[0]):
        at_step = found.setdefault(int(step), {f"train/{TOKENS}": float(tokens), f"train/{FLOPS}": float(flops)})
        at_step[series_name(split, metric, subtask)] = float(value)
    return found


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


#: Columns of a measurement, in the order of the schema.
OF_A_MEASUREMENT = tuple(MEASUREMENTS.names)
