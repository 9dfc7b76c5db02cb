"""Sizes that lie close, as those of many families in one table, taken together."""

from __future__ import annotations

import numpy as np
import pandas as pd


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
