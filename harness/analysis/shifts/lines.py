"""Every line of a frame: a task's accuracy on each of its shifts against that on its own evaluation set."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

import pandas as pd

from harness.analysis.curves import label_runs, with_defaults
from harness.analysis.shifts.accuracy_line import AccuracyLine
from harness.analysis.shifts.shares import shifts_in
from harness.errors import DataError


@dataclass(frozen=True)
class TaskLine:
    """One line, or why there is none.

    Attributes:
        task, metric, shift: of what.
        line: fitted; None where it cannot be.
        problem: why not, else ''.
    """

    task: str
    metric: str
    shift: str
    line: AccuracyLine | None
    problem: str = ""

    @property
    def name(self) -> str:
        """What it is called among others."""
        return f"{self.task}, {self.metric.replace('_', ' ')}" if self.task else self.metric.replace("_", " ")


def accuracy_lines(
    frame: pd.DataFrame,
    baseline: str | None = None,
    link: str = "probit",
    cluster: str | None = None,
    own: str = "eval",
    level: float = 0.95,
    corrected: bool = False,
) -> list[TaskLine]:
    """A line for each task, discontinuous metric and shift, through the runs of all studies of the task.

    Args:
        frame: as `AccuracyLine.fit` takes it; of subtasks only 'all' counts.
        baseline, link, cluster, own, level, corrected: as `AccuracyLine` takes them; the baseline counts for the
            tasks that have such a study.

    Raises:
        DataError: no such split, or no task has such a study.
        SettingError: a setting out of its range.
    """
    shifts, filled = shifts_in(frame, own), with_defaults(label_runs(frame))
    if baseline is not None and baseline not in set(filled["study"].astype(str)):
        known = ", ".join(dict.fromkeys(filled["study"].astype(str)))
        raise DataError(f"baseline '{baseline}' is not there; studies are {known}")
    found = []
    for task, of_task in filled.groupby("task", sort=False):
        its = baseline if baseline in set(of_task["study"].astype(str)) else None
        for metric, part in of_task[of_task["discontinuous"]].groupby("metric", sort=False):
            line = AccuracyLine(str(metric), its, link, cluster, own, level=level, corrected=corrected)
            measured = set(part["split"].astype(str))
            found += list(_of_shifts(str(task), line, part, [shift for shift in shifts if shift in measured]))
    return found


def _of_shifts(task: str, line: AccuracyLine, part: pd.DataFrame, shifts: list[str]) -> Iterator[TaskLine]:
    for shift in shifts:
        try:
            yield TaskLine(task, str(line.metric), shift, copy(line).fit(part, shift))
        except DataError as error:
            yield TaskLine(task, str(line.metric), shift, None, str(error))
