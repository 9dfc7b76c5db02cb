"""From a results folder to everything that can be said of it: one call for the command line, the page and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.analysis.curves import label_runs
from harness.analysis.emergence.find_jumps import find_jumps
from harness.analysis.fitting.estimator import LEAST_BOOTSTRAP, ScalingLaw
from harness.analysis.fitting.exponents import fit_exponents
from harness.analysis.fitting.laws import NO_LAW
from harness.errors import DataError, SettingError, nearest
from harness.records.comparable import DATA, ChosenRuns, comparable, differing_data
from harness.records.folders import find_folder
from harness.records.run_settings import refuse_mixed, split_by
from harness.records.schema import PARAMETER_CONVENTIONS
from harness.records.store import evaluation_splits, load, load_runs
from harness.wording import by_numbers, counted

#: Kinds of interval of the laws.
INTERVALS = ("profile", "bootstrap")
#: What the loss is fitted against where curves are over sizes; an exponent is reported under each.
CONVENTIONS = (*PARAMETER_CONVENTIONS, "flops")


#: What the curves of fine-tuned runs can be drawn over besides.
OF_CHILDREN = ("params_trained", "parent_loss", "pretraining_tokens", "pretraining_flops", "total_flops")

#: How to analyse a folder that holds runs of several settings under one name.
_WAY_OUT = (
    "add by={names} for a curve of each value, or the words that the sweep of one of them was given; "
    "another name=NAME for a sweep keeps its runs apart"
)


@dataclass(frozen=True)
class Analysis:
    """What the runs of a results folder show.

    Attributes:
        folder: the results folder.
        x: column of sizes in which thresholds are given.
        alpha: false discovery rate of the jump tests.
        level: of all intervals.
        interval: kind of the laws' intervals, profile or bootstrap.
        bootstrap: refits of each bootstrap of a law.
        frame: measurements of finished runs at their last step, of one duration a study and one learning rate a size.
        every_duration: the same with the runs of all durations and learning rates.
        shifted: the runs of `frame` on their own evaluation set and on all shifts of it, which the column split tells
            apart; empty where there are no shifts.
        trajectories: the runs of `frame` at all the steps that they were measured at; tasks as a whole only.
        runs: the runs table, failures included.
        left_out: which runs of the folder are not in `frame`, and why, a sentence each.
        differing_data: which finished runs saw different data, whether they count or not, a sentence a study.
        jumps: as `find_jumps` returns it.
        laws: as `exponents` returns it.
        fits: (study, convention) -> the law chosen there, where one describes the runs (within NO_LAW).
        impossible: study -> why it could not be tested for jumps.
    """

    folder: Path
    x: str
    alpha: float
    level: float
    interval: str
    bootstrap: int
    frame: pd.DataFrame
    every_duration: pd.DataFrame
    shifted: pd.DataFrame
    trajectories: pd.DataFrame
    runs: pd.DataFrame
    left_out: tuple[str, ...]
    differing_data: tuple[str, ...]
    jumps: pd.DataFrame
    laws: pd.DataFrame
    fits: dict[tuple[str, str], ScalingLaw]
    impossible: dict[str, str]

    @property
    def conventions(self) -> tuple[str, ...]:
        """The columns of size that laws of the loss are fitted along; an exponent is reported under each."""
        return conventions_along(self.x)

    @property
    def studies(self) -> list[str]:
        """Names of all studies, those without a finished run included."""
        return list(self.runs["study"].unique())


def conventions_along(x: str) -> tuple[str, ...]:
    """What the loss is fitted against where curves are along x: parameters are one where it is data that grow."""
    return (DATA, "flops") if x == DATA else CONVENTIONS


def analyze(
    folder: Path | str,
    x: str = "params_non_embedding",
    alpha: float = 0.05,
    level: float = 0.95,
    interval: str = "profile",
    bootstrap: int = 1000,
    seed: int = 0,
    *,
    chosen: ChosenRuns | None = None,
    by: Sequence[str] = (),
) -> Analysis:
    """Fit laws to, and look for jumps in, every study of a results folder.

    A study that cannot be analysed is passed over with a reason, and the others go on.

    Args:
        folder: as `harness.load` takes it.
        x, alpha, level: as `find_jumps` takes them.
        interval: kind of the laws' intervals, profile or bootstrap.
        bootstrap, seed: refits of each bootstrap of a law, and the seed of its draws; unused with interval=profile.
        chosen: the runs to analyse; all of them where None.
        by: settings, e.g. ``optimizer.lr``, each of whose values makes a study of its own, named for it.

    Raises:
        DataError: no runs there, or none that can be used; or runs of several settings under one name of a study.
        SettingError: a setting out of its range.
    """
    if interval not in INTERVALS:
        raise SettingError("analysis.interval", interval, f"one of {', '.join(INTERVALS)}")
    if bootstrap < LEAST_BOOTSTRAP:
        raise SettingError("analysis.bootstrap", bootstrap, f"a whole number of at least {LEAST_BOOTSTRAP}")
    folder = find_folder(folder)
    runs, every_duration = load_runs(folder), load(folder, runs="all")
    # Whole tasks are drawn over training; their subtasks would be by far the most of the rows.
    steps = load(folder, steps="all", runs="all", subtask="all")
    if chosen is not None:
        runs = chosen.rows(runs, folder)
        every_duration, steps = (table[table["run_id"].isin(list(chosen.lengths))] for table in (every_duration, steps))
    if by:
        named = split_by(runs.set_index("run_id"), by)
        runs, every_duration, steps = (
            table.assign(study=table["run_id"].map(named)) for table in (runs, every_duration, steps)
        )
    if chosen is None:
        _refuse_mixed(runs, folder)
    _refuse_no_size(x, runs)
    runs = _in_order(runs, ["study"])
    every_duration, steps = (_in_order(table, ["study", "rung", "seed", "run_id"]) for table in (every_duration, steps))
    frame, left_out = comparable(every_duration, lengths=chosen.lengths if chosen else None, x=x)
    frame, without = _with_size(label_runs(frame), x)
    left_out = (*left_out, *(f"{study}: {why}" for study, why in without.items()))
    jumps, impossible = _jumps(frame, x, alpha, level)
    for study in runs["study"].unique():
        if study not in set(frame["study"]):
            impossible[study] = without.get(study) or _why_empty(runs[runs["study"] == study])
    jumps = _in_order(jumps, ["study", "subtask", "metric"]).reset_index(drop=True)
    laws = fit_exponents(frame, conventions_along(x), level=level, interval=interval, n_bootstrap=bootstrap, seed=seed)
    described = laws.table[laws.table["scatter"] <= NO_LAW]
    fits = {
        (str(row["study"]), str(row["x"])): laws.fits[row["study"], row["task"], row["x"]]
        for row in described.to_dict("records")
    }
    return Analysis(
        folder,
        x,
        alpha,
        level,
        interval,
        bootstrap,
        frame,
        every_duration,
        _shifted(folder, frame),
        steps[steps["run_id"].isin(frame["run_id"])],
        runs,
        (*(chosen.left_out if chosen else ()), *left_out),
        tuple(differing_data(every_duration.drop_duplicates("run_id"))),
        jumps,
        laws.table,
        fits,
        impossible,
    )


def _shifted(folder: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of these runs on every evaluation set, under the names that their studies have in the frame."""
    if len(evaluation_splits(folder)) == 1:
        return frame.head(0)
    every = load(folder, split=None, runs="all")
    studies = frame.drop_duplicates("run_id").set_index("run_id")["study"]
    every = every[every["run_id"].isin(studies.index)]
    return every.assign(study=every["run_id"].map(studies))


def _with_size(frame: pd.DataFrame, x: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """The rows of runs that have an x, and for each study how many of its runs have none, as pretrained ones no parent.

    Raises:
        DataError: no run has one.
    """
    lacks = frame[x].isna()
    if len(frame) and lacks.all():
        raise DataError(f"analysis.x={x}: no run has one")
    counts = frame[lacks].groupby("study")["run_id"].nunique()
    return frame[~lacks], {str(study): f"{counted(int(n), 'run')} without {x}" for study, n in counts.items()}


def _refuse_no_size(x: str, runs: pd.DataFrame) -> None:
    """Raise DataError unless x is a column of numbers of the runs table."""
    if x in runs.columns and runs[x].dtype.kind in "iuf":
        return
    known = [*CONVENTIONS, "tokens", DATA, "width", "depth", *OF_CHILDREN]
    sizes = ", ".join(known)
    found = "is no column of numbers" if x in runs.columns else f"no such column{nearest(x, known)}"
    raise DataError(f"analysis.x={x}: {found}; sizes are {sizes}")


def _why_empty(runs: pd.DataFrame) -> str:
    """Why nothing was measured of these runs of a study that could make a curve, in words."""
    n_finished = int((runs["status"] == "finished").sum())
    return f"{counted(n_finished, 'run')} finished, with no evaluation" if n_finished else "none of its runs finished"


def _in_order(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The rows in the order of these columns, studies by the numbers in their names: n=250, then n=1000."""

    def key(cells: pd.Series) -> pd.Series:
        if cells.name != "study":
            return cells
        return cells.map({name: i for i, name in enumerate(sorted(cells.unique(), key=by_numbers))})

    return table.sort_values(columns, kind="stable", key=key)


def _refuse_mixed(runs: pd.DataFrame, folder: Path) -> None:
    try:
        refuse_mixed(runs, _WAY_OUT)
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error


def _jumps(frame: pd.DataFrame, x: str, alpha: float, level: float) -> tuple[pd.DataFrame, dict[str, str]]:
    """All studies in one call, for their tests are corrected together; without those whose data cannot be used."""
    try:
        return find_jumps(frame, x, alpha, level), {}
    except DataError:
        impossible = {}
        for study, part in frame.groupby("study"):
            try:
                find_jumps(part, x, alpha, level)
            except DataError as error:
                impossible[str(study)] = str(error)
        if not impossible:
            raise
        return find_jumps(frame[~frame["study"].isin(impossible)], x, alpha, level), impossible
