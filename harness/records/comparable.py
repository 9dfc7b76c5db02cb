"""Which of the runs of a results folder stand beside each other in one curve: one duration, one learning rate a size.

A sweep over several durations has each size trained to several ends, and a sweep over several learning rates has runs
that were never meant to be good. Of the numbers of training examples asked for in a study the largest counts, of its
durations the longest; of the learning rates of a size the one with the lowest mean loss, for otherwise a badly chosen
learning rate would look like a second mode. What is left out is counted and said. Along `unique_examples` all numbers
of examples make the curve, of the largest size unless width or depth holds curves apart.

Where data themselves have changed, no run counts more than another: all are kept, and it is said.

Imported runs are all kept: nobody asked for them as alternatives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.errors import DataError, warn_of_runs
from harness.records.run_settings import durations, is_imported, parse_config

#: Columns of the runs table that say which size a run is of.
_SIZE = ["width", "depth", "heads", "params_total"]
#: The column that counts the training examples that differ.
DATA = "unique_examples"
#: Whether a curve is over data -> columns of which the largest value of a study counts, and what the others are, with
#: the way to see them.
_CHOSEN_BY = {
    False: (
        (
            "examples",
            f"fewer training examples than the most of their study ({{x}}{DATA} makes a curve over them)",
        ),
        ("length", "shorter than the longest duration of their study"),
    ),
    True: (
        ("params_total", "smaller than the largest size of their study ({by}{size} makes a curve of each size)"),
        ("length", "shorter than the longest duration of their study"),
    ),
}
#: How settings and flags name the x of curves, and what holds them apart.
_AS_SETTINGS, _AS_FLAGS = {"x": "analysis.x=", "by": "by="}, {"x": "--x ", "by": "--by "}
#: Characters of a hash that tell it from others.
_SHORT = 8


@dataclass(frozen=True)
class ChosenRuns:
    """The runs of a results folder that somebody asked for.

    Attributes:
        lengths: run_id -> how long the run was asked to train, in whatever unit all of its study share.
        left_out: what else the folder holds, a sentence each.
    """

    lengths: Mapping[str, float]
    left_out: tuple[str, ...] = ()

    def rows(self, table: pd.DataFrame, folder: object) -> pd.DataFrame:
        """The rows of a folder's table that are of these runs.

        Raises:
            DataError: none is.
        """
        found = table[table["run_id"].isin(list(self.lengths))]
        if found.empty:
            raise DataError("; ".join([f"{folder}: no runs of the settings asked for", *self.left_out]))
        return found


def final_losses(frame: pd.DataFrame) -> pd.Series:
    """run_id -> evaluation loss of the task as a whole at the run's last step, from rows of measurements."""
    loss = frame[(frame["metric"] == "loss") & (frame["subtask"] == "all") & (frame["split"] == "eval")]
    last = loss[loss["step"] == loss.groupby("run_id")["step"].transform("max")]
    return last.groupby("run_id")["value"].mean()


def comparable(
    frame: pd.DataFrame,
    losses: pd.Series | None = None,
    *,
    lengths: Mapping[str, float] | None = None,
    apart: Sequence[str] = (),
    x: str | None = None,
    flags: bool = False,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows of the runs that count, and what was left out.

    Args:
        frame: rows of `store.load` with all runs.
        losses: as `final_losses` gives them, for choosing among learning rates; those of `frame` where None.
        lengths: run_id -> duration asked for; as the runs were recorded where None.
        apart: columns besides `study` that hold curves apart.
        x: the column of sizes along which the curves are.
        flags: whether what is said names flags (``--x``, ``--by``), not settings (``analysis.x=``, ``by=``).

    Returns:
        The rows, and a sentence for each reason why runs were left out, with their numbers by study.

    Warns:
        RunsWarning: runs of one curve saw different data, whether they count or not.

    Raises:
        DataError: learning rates differ at a size of which there is no loss.
    """
    runs = frame.drop_duplicates("run_id").set_index("run_id")
    for line in differing_data(runs, apart):
        warn_of_runs(line)
    asked = durations(runs)
    if lengths is not None:
        asked = asked.assign(unit="", length=runs.index.map(lengths))
    curve = [runs["study"], *(runs[name] for name in apart), asked["unit"]]
    imported, out, told = _imported(runs), pd.Series(False, runs.index), list[str]()
    for column, why in _CHOSEN_BY[x == DATA]:
        values = (runs if column in runs else asked)[column].where(~out)
        less = ~(values >= values.groupby(curve, dropna=False).transform("max")) & ~imported & ~out
        if less.any():
            size = "width" if (runs["width"].groupby(curve, dropna=False).nunique() > 1).any() else "depth"
            why = why.format(size=size, **(_AS_FLAGS if flags else _AS_SETTINGS))
            told.append(f"{_counted(runs['study'], less)} are left out: {why}")
        out |= less

    long_enough = runs[~out]
    within = [*apart, *([DATA] if x == DATA else [])]
    best = best_learning_rates(long_enough, final_losses(frame) if losses is None else losses, within)
    worse_rate = pd.Series(runs.index.isin(long_enough.index[~best]), runs.index)
    if worse_rate.any():
        rated = runs["study"].isin(runs["study"][worse_rate]) & ~worse_rate & ~out
        told.append(f"{_counted(runs['study'], rated)} are kept, those with the best learning rate of each size")
    out |= worse_rate
    return frame[~frame["run_id"].isin(runs.index[out])], tuple(told)


def differing_data(runs: pd.DataFrame, apart: Sequence[str] = ()) -> Iterator[str]:
    """A sentence for each study whose runs saw different data, by the hashes that `versions` holds under ``*_sha256``.

    Args:
        runs: a row a run.
        apart: columns besides `study` that hold curves apart.
    """
    hashes = pd.Series([data_hashes(parse_config(text)) for text in runs["versions"]], runs.index, dtype=object)
    for _, part in hashes.groupby([runs["study"], *(runs[name] for name in apart)], sort=False, dropna=False):
        for key in sorted({key for each in part for key in each}):
            seen = Counter(each[key] for each in part if key in each)
            if len(seen) > 1:
                counted = ", ".join(f"{shortened(digest)} of {n} runs" for digest, n in seen.most_common())
                yield f"study {runs.loc[part.index[0], 'study']}: runs of one curve saw different data: {key} {counted}"


def data_hashes(versions: Mapping[str, Any]) -> dict[str, str]:
    """The hashes of data in the versions of a run or task, by the keys under which they stand."""
    return {key: str(digest) for key, digest in versions.items() if key.endswith("_sha256")}


def shortened(digest: str) -> str:
    """The beginning of a hash, which tells it from others."""
    return digest[:_SHORT]


def best_learning_rates(runs: pd.DataFrame, losses: pd.Series, apart: Sequence[str] = ()) -> np.ndarray:
    """(runs,) whether each run has the learning rate of the lowest mean loss among the runs of its study and size.

    Args:
        runs: a row a run, indexed by run_id.
        losses: run_id -> loss.
        apart: columns besides study and size within which a learning rate is chosen.

    Raises:
        DataError: learning rates differ at a size of which there is no loss.
    """
    size = ["study", *apart, "task", *_SIZE]
    several = (runs.groupby(size, dropna=False)["lr"].transform("nunique") > 1) & ~_imported(runs)
    if not several.any():
        return np.full(len(runs), True)
    rated = runs.assign(loss=losses.reindex(runs.index)).dropna(subset="loss")
    means = rated.groupby([*size, "lr"], dropna=False)["loss"].mean().reset_index()
    best = means.loc[means.groupby(size, dropna=False)["loss"].idxmin(), [*size, "lr"]]
    found = runs[size].merge(best, on=size, how="left")["lr"].to_numpy()
    if (several & np.isnan(found)).any():
        raise DataError("runs of a rung differ in lr and there is no metric 'loss' to choose by: select rows of one lr")
    return np.asarray(~several | (runs["lr"] == found))


def _imported(runs: pd.DataFrame) -> np.ndarray:
    """(runs,) whether another tool trained each run."""
    return np.array([is_imported(parse_config(text)) for text in runs["config"]], dtype=bool)


def _counted(studies: pd.Series, out: pd.Series) -> str:
    """'14 of 21 runs of text, 3 of 6 runs of digits'."""
    counts = pd.DataFrame({"n": out.groupby(studies, sort=False).sum(), "of": studies.value_counts()})
    some = counts[counts["n"] > 0]
    return ", ".join(f"{row.n} of {row.of} runs of {study}" for study, row in some.iterrows())
