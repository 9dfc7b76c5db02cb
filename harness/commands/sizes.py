"""The x of curves: a column or a metric, growing or falling, close sizes taken together, and what it does to p."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from harness.analysis.axis import Axis
from harness.analysis.curves import label_runs, with_defaults
from harness.analysis.emergence.evidence import MAX_SIZES
from harness.errors import DataError, nearest
from harness.metric_names import words
from harness.wording import counted, listed

#: Words of a column that counts how far one run has trained.
_TRAINING = {
    *("step", "steps", "iteration", "iterations", "iter", "iters", "update", "updates", "epoch", "epochs"),
    *("token", "tokens", "checkpoint", "checkpoints", "samples"),
}
#: Octaves of a step below which a ladder is fine: the four steps of a smooth rise are then less than a factor of four,
#: and most ladders that are made for one family step by a factor of 1.4 or more.
_FINE_OCTAVES = 0.49
#: Times that the mean gap of sizes exceeds the median one where sizes lie in clumps.
_CLUMPED = 3.0
#: Sizes from which a ladder is asked whether it is fine, and that --bins-per-octave is to leave.
_MANY, _ENOUGH = 12, 8
_BINS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


def measured_sizes(frame: pd.DataFrame, x: str) -> pd.Series:
    """(rows,) a metric as size: its mean over the runs of each row's study and size, by which models are ranked.

    Args:
        frame: rows of curves.
        x: the metric.

    Raises:
        DataError: no such metric, no column that tells which runs are of one size, or sizes without the metric.
    """
    frame = with_defaults(label_runs(frame))
    if x not in set(frame["metric"].astype(str)):
        known = [str(name) for name in frame.columns if frame[name].dtype.kind in "if" and name not in _NOT_SIZES]
        near = nearest(x, known) or f"; of numbers there are {listed(known) or 'none'}"
        raise DataError(f"--x {x}: no such column or metric{near}")
    rung = next((name for name in ("rung", "params_non_embedding", "params_total") if name in frame.columns), None)
    if rung is None:
        raise DataError(f"--x {x}: is a metric, and no column (rung, params_total) tells which runs are of one size")
    key = ["study", rung]
    whole = frame[(frame["metric"] == x) & (frame["subtask"] == "all")]
    means = whole.groupby(key)["value"].mean().rename("mean").reset_index()
    found = frame[key].merge(means, on=key, how="left")["mean"].set_axis(frame.index)
    if found.isna().any():
        raise DataError(f"--x {x}: study '{frame.loc[found.isna(), 'study'].iloc[0]}' has sizes without it")
    return found


_NOT_SIZES = ("value", "seed", "n_eval", "chance", "stderr", "higher_is_better", "discontinuous")


def take_together(frame: pd.DataFrame, x: str, bins_per_octave: float) -> pd.DataFrame:
    """The frame with sizes in one bin of log2 x as one size, at the geometric mean of the distinct sizes in the bin.

    Bins are centred on powers of two. Runs of one name at several sizes of a bin stay runs of their own; those of one
    seed stay of that seed.

    Args:
        frame: rows of curves; studies have bins of their own.
        x: column of sizes, > 0.
    """
    log_x = np.log2(frame[x].to_numpy(float))
    study = frame["study"].astype(str).to_numpy() if "study" in frame else np.full(len(frame), "")
    sizes = pd.DataFrame({"study": study, "bin": np.round(bins_per_octave * log_x), "log_x": log_x})
    means = sizes.drop_duplicates().groupby(["study", "bin"])["log_x"].mean().rename("mean")
    middle = sizes.join(means, on=["study", "bin"])["mean"].to_numpy()
    label = next((name for name in ("run_id", "member", "seed") if name in frame), None)
    if label is not None:
        frame = frame.assign(run_id=frame[label].astype(str) + " at " + frame[x].map(lambda size: f"{size:.12g}"))
    return frame.assign(**{x: 2**middle})


def checkpoints(frame: pd.DataFrame, x: str) -> Iterator[str]:
    """What it does to p where x is how far runs have trained, in words: checkpoints of one run are correlated.

    It is by its name, unless each run stands at one x; without names of runs it may be.
    """
    label = next((name for name in ("run_id", "member", "seed") if name in frame), None)
    if not _TRAINING & set(words(x)) or (label and (frame.groupby(label)[x].nunique() == 1).all()):
        return
    n_runs = 1 if label is None else frame[label].nunique()
    runs = counted(n_runs, "run") if n_runs > 1 else "one run"
    sure = "are" if label == "run_id" else "may be"
    yield f"along {x} these {sure} checkpoints of {runs}, whose errors are correlated from one to the next; " + (
        f"p counts each checkpoint as a measurement, and holds for these {n_runs} runs"
        if n_runs > 1
        else "p holds for this run alone, and what another seed would do is not known: several seeds would tell"
    )


def fine_steps(frame: pd.DataFrame, jumps: pd.DataFrame, axis: Axis) -> Iterator[str]:
    """Why hardly anything can jump where steps are fine, as those of many families in one table; study by study.

    Args:
        frame: rows of curves.
        jumps: as `find_jumps` returns them.
        axis: of the sizes.
    """
    for study, found in jumps.groupby("study", sort=False):
        part = frame[frame["study"].astype(str) == study] if "study" in frame else frame
        octaves, step = np.unique(np.log2(part[axis.x].to_numpy(float))), float(found["step_octaves"].median())
        if len(octaves) >= _MANY and _is_fine(octaves, step, axis):
            yield (f"{study!s}: " if study else "") + _fine_in_words(octaves, step, axis)


def _is_fine(octaves: np.ndarray, step: float, axis: Axis) -> bool:
    """Whether the steps of sizes (K,), in log2 x and rising, are short, or much shorter than most gaps are."""
    gap = (octaves[-1] - octaves[0]) / (min(len(octaves), MAX_SIZES) - 1)
    # What is few octaves of a loss is much of what a loss can do.
    return bool(gap > _CLUMPED * step or (step < _FINE_OCTAVES and not axis.falls))


def _fine_in_words(octaves: np.ndarray, step: float, axis: Axis) -> str:
    kept = {bins: len(np.unique(np.round(bins * octaves))) for bins in _BINS}
    bins = next((each for each, n in kept.items() if n >= _ENOUGH), _BINS[-1])
    return (
        f"the {len(octaves)} sizes lie close: a rise wider than four steps, {4 * step:.2g} octaves of {axis.x}, is "
        f"smooth, so that hardly anything can jump; --bins-per-octave {bins} takes them together to {kept[bins]} sizes"
        + ("" if _TRAINING & set(words(axis.x)) else ", --by COLUMN makes a curve of each family")
    )
