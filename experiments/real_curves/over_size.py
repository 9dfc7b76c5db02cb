"""OPT and Pythia over size: how many curves are claimed to jump, and whether a planted jump would be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from counting import claims
from published import AT_CHINCHILLA_7B
from reading import read_opt, read_pythia

import harness
from harness.analysis.emergence.verdicts import Verdict

#: Steps from which Pythia's last five checkpoints are averaged.
LATE = 103_000
#: Heights of planted jumps.
HEIGHTS = (0.05, 0.1, 0.2, 0.3)
#: One curve in so many gets a planted jump: as claims are adjusted for all curves, jumps in all would help each other.
EVERY = 10
_SIZES = {"OPT": "params_total", "Pythia": "params_non_embedding"}


def opt(data: Path) -> dict[str, pd.DataFrame]:
    """What is found of OPT -> rows of `find_jumps`."""
    frame = read_opt(data)
    return _each_and_pooled("OPT", frame, _SIZES["OPT"])


def pythia(data: Path) -> dict[str, pd.DataFrame]:
    """What is found of Pythia's last checkpoints, one and five averaged -> rows of `find_jumps`."""
    frame = read_pythia(data)
    last = frame[frame["step"] == frame["step"].max()]
    late = frame[frame["step"] >= LATE]
    averaged = harness.find_jumps(late, _SIZES["Pythia"])
    return _each_and_pooled("Pythia", last, _SIZES["Pythia"]) | {"Pythia, five checkpoints averaged": averaged}


def _each_and_pooled(name: str, frame: pd.DataFrame, x: str) -> dict[str, pd.DataFrame]:
    """As imported, a study a task; and all tasks one study, so that the noise is pooled over them."""
    return {
        f"{name}, a study a task": harness.find_jumps(frame, x),
        f"{name}, one study": harness.find_jumps(frame.assign(study=name), x),
    }


def at_chinchilla_7b(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of `find_jumps` about the accuracy of subjects that the literature places at 7 billion parameters."""
    return found[found["task"].isin(AT_CHINCHILLA_7B) & (found["metric"] == "acc")]


def planted_in_opt(data: Path, heights: Sequence[float] = HEIGHTS) -> pd.DataFrame:
    """OPT's curves with a jump in every tenth of them, between the fourth and the fifth size.

    Returns:
        A row a height: curves with a jump, the shares of them with p < .05, claimed and called smooth, the share of
        claims whose interval holds the gap, and the share of the other curves that are claimed.
    """
    frame = read_opt(data)
    sizes = np.sort(frame["params_total"].unique())
    keys = frame.loc[frame["discontinuous"], ["task", "metric"]].drop_duplicates()
    chosen = pd.MultiIndex.from_frame(keys.iloc[::EVERY])
    rows = []
    for height in heights:
        found = harness.find_jumps(_with_jump(frame, chosen, sizes[4], height), "params_total")
        is_planted = pd.MultiIndex.from_frame(found[["task", "metric"]]).isin(chosen)
        claimed = claims(found)
        placed = (found["threshold_low"] <= sizes[4]) & (found["threshold_high"] >= sizes[3])
        rows.append(
            {"height": height, "curves": is_planted.sum()}
            | {"p < .05": (found["p_value"] < 0.05)[is_planted].mean(), "claimed": claimed[is_planted].mean()}
            | {"called smooth": (found["verdict"] == Verdict.SMOOTH)[is_planted].mean()}
            | {"placed": placed[claimed & is_planted].mean(), "others claimed": claimed[~is_planted].mean()}
        )
    return pd.DataFrame(rows)


def _with_jump(frame: pd.DataFrame, chosen: pd.MultiIndex, size: float, height: float) -> pd.DataFrame:
    """The frame with `height` added to the chosen (task, metric) from a size on, shares kept below 1."""
    of_chosen = pd.MultiIndex.from_frame(frame[["task", "metric"]]).isin(chosen)
    raised = (frame["value"] + height).clip(upper=1.0)
    return frame.assign(value=frame["value"].mask(of_chosen & (frame["params_total"] >= size), raised))
