"""CSV files for a spreadsheet, for R, and for the harness's own verbs on tables.

- ``runs.csv``: a row a run, failures included: every column of the runs table, and the last value of each metric of the
  evaluation set in a column ``METRIC`` or, of a subtask, ``METRIC/SUBTASK``. ``harness fit`` reads it.
- ``measurements.csv``: a row a metric of a finished run at its last step, with the run's sizes and seed beside it.
  ``harness emergence measurements.csv`` reads it.
- ``trajectories.csv``: the same of every step, split and run.

Each file keeps the rows of runs that are not exported, such as those of another results folder or a user's own. In the
first two, a column ``comparable`` holds for the runs that make the curves: those of the longest duration and
each size's best learning rate. Numbers are written in full: what is read back is what was recorded.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from harness.records.exporters.earlier import read_earlier, with_earlier
from harness.records.exporters.recorded import ABOUT, OF_A_MEASUREMENT, Exported, Recorded
from harness.records.files import write_whole

#: Beside each measurement, of its run.
_OF_ITS_RUN = tuple(name for name in ABOUT if name not in OF_A_MEASUREMENT)


def write(recorded: Recorded, into: Path) -> Exported:
    """Write the three files; of those of an earlier export the rows of other runs are kept.

    Raises:
        UserError: a file of that name is there that no export has written, or one cannot be written.
    """
    tables = {
        "runs.csv": _runs(recorded),
        "measurements.csv": _at_last_step(recorded),
        "trajectories.csv": recorded.numbers[_columns(recorded)],
    }
    before = {name: read_earlier(into / name, "run_id") for name in tables}
    for name, table in tables.items():
        write_whole(into / name, with_earlier(table, before[name], "run_id"))
    n_there = int(recorded.runs["run_id"].isin(list(before["runs.csv"]["run_id"])).sum())
    return Exported(into, len(recorded.runs) - n_there, n_there, notes=_notes(recorded, into))


def _runs(recorded: Recorded) -> pd.DataFrame:
    runs = recorded.runs.assign(comparable=recorded.runs["run_id"].isin(recorded.comparable))
    last = _last_evaluations(recorded)
    of_whole = last["subtask"] == "all"
    names = last["metric"].where(of_whole, last["metric"] + "/" + last["subtask"])
    # A metric may be called as a column is.
    names = names.where(~names.isin(list(runs.columns)), "eval/" + names)
    wide = last.assign(name=names).pivot(index="run_id", columns="name", values="value")
    return runs.merge(wide[list(dict.fromkeys(names))], left_on="run_id", right_index=True, how="left")


def _at_last_step(recorded: Recorded) -> pd.DataFrame:
    last = _last_evaluations(recorded)
    last = last.loc[last["status"] == "finished", _columns(recorded)]
    return last.assign(comparable=last["run_id"].isin(recorded.comparable))


def _last_evaluations(recorded: Recorded) -> pd.DataFrame:
    """What each run measured on the evaluation set at its last step there."""
    numbers = recorded.numbers[recorded.numbers["split"] == "eval"]
    return numbers[numbers["step"] == numbers.groupby("run_id")["step"].transform("max")]


def _columns(recorded: Recorded) -> list[str]:
    varying = [name for name in recorded.numbers.attrs.get("varying", []) if name in recorded.numbers]
    return list(dict.fromkeys([*OF_A_MEASUREMENT, *_OF_ITS_RUN, *varying]))


def _notes(recorded: Recorded, into: Path) -> tuple[str, ...]:
    finished = recorded.runs[recorded.runs["status"] == "finished"]
    n_others = int((~finished["run_id"].isin(recorded.comparable)).sum())
    measured = recorded.numbers[(recorded.numbers["split"] == "eval") & (recorded.numbers["status"] == "finished")]
    has_loss = (measured["metric"] == "loss").any()
    others = f"{n_others} finished runs are of other durations or learning rates than those of the curves"
    return (
        *([f"a row a run: harness fit {into / 'runs.csv'} --x params_total --y loss"] if has_loss else []),
        *([f"a row a number: harness emergence {into / 'measurements.csv'}"] if len(measured) else []),
        *(["no run has finished; runs.csv has what each measured before it ended"] if finished.empty else []),
        *([f"{others}: --where comparable leaves them out"] if n_others else []),
    )
