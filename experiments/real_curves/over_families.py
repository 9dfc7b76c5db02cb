"""Nine benchmarks over compute, models of many families: onset and half rise beside the places in the literature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from published import BENCHMARKS
from reading import read_benchmarks, read_difficulty_groups

import harness
from harness.commands.sizes import take_together

#: Bins of FLOPs, chosen beforehand: one an octave. What half and twice as many give is reported beside it.
BINS_PER_OCTAVE = 1
OTHER_BINS = (0.5, 2)


def jumps(data: Path, bins_per_octave: float = BINS_PER_OCTAVE) -> pd.DataFrame:
    """Rows of `find_jumps`, accuracy judged by the Brier score of the same answers."""
    return harness.find_jumps(take_together(read_benchmarks(data), "flops", bins_per_octave), "flops")


def jumps_of_groups(data: Path) -> pd.DataFrame:
    """Rows of `find_jumps`, the Brier score of each benchmark's ten groups of questions."""
    return harness.find_jumps(take_together(read_difficulty_groups(data), "flops", BINS_PER_OCTAVE), "flops")


def beside_the_literature(found: pd.DataFrame) -> pd.DataFrame:
    """A row a benchmark: onset, half rise and verdict beside where Wu and Lo, and Wei et al., place its emergence."""
    published = [BENCHMARKS[task] for task in found["task"]]
    columns = [f"{place}{end}" for place in ("onset", "half_rise") for end in ("", "_low", "_high")]
    beside = found[["task", "verdict", "p_value", "continuous_state", *columns]].assign(
        wu_lo=[each.wu_lo for each in published],
        wei=[each.wei for each in published],
        wei_model=[each.wei_model for each in published],
        note=[each.note for each in published],
    )
    order = beside["task"].map(list(BENCHMARKS).index)
    return beside.iloc[np.argsort(order)].reset_index(drop=True)


def half_rises_of_groups(found: pd.DataFrame) -> pd.DataFrame:
    """FLOPs of the half rise of each group, a row a benchmark and a column a group; NaN where it has none."""
    return found.pivot(index="task", columns="subtask", values="half_rise").loc[list(BENCHMARKS)]
