"""Pythia over training: which of 149 metrics jump along its tokens, and whether that depends on a model's size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from reading import read_pythia

import harness
from harness.analysis.size_bins import take_together

#: Checkpoints lie a doubling apart up to step 512, at 1,000 and 3,000, and every 10,000 steps from there.
BINS_PER_OCTAVE = 1
#: Tasks whose accuracy rises well above chance in every model or in the larger ones.
RISING = ("lambada_openai", "sciq", "arc_easy", "piqa", "arc_challenge", "winogrande")
#: First checkpoint of those that lie 10,000 steps apart; and the last of those in which next to nothing is learnt.
LATE, EARLY = 13_000, 8
MODELS = ("70m", "160m", "410m", "1.4b", "2.8b", "6.9b", "12b")


def read_training(data: Path) -> pd.DataFrame:
    """All checkpoints but the untrained one, at 0 tokens, which has no place on a logarithmic axis; study is the model.

    Checkpoints of one bin, an octave wide, are runs of one size of x.
    """
    frame = read_pythia(data)
    trained = frame[frame["tokens"] > 0]
    return take_together(trained.assign(study=trained["model"]), "tokens", BINS_PER_OCTAVE)


def of_each_model(training: pd.DataFrame) -> pd.DataFrame:
    """Rows of `find_jumps`, a curve a model, task and metric."""
    return harness.find_jumps(training, "tokens")


def of_all_models(training: pd.DataFrame) -> pd.DataFrame:
    """Rows of `find_jumps`, a curve a task and metric, the seven models taken for seven runs of one."""
    return harness.find_jumps(training.assign(study="Pythia", seed=training["model"]), "tokens")


def by_kind_of_task(found: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows apart by what they are of."""
    task = found["task"]
    kinds = {"MMLU": task.str.startswith("hendrycksTest"), "stereotypes": task.str.startswith("crows_pairs")}
    others = ~(kinds["MMLU"] | kinds["stereotypes"])
    return {name: found[of_kind] for name, of_kind in {**kinds, "other tasks": others}.items()}


def places(found: pd.DataFrame) -> pd.DataFrame:
    """Onset and half rise of the accuracy of the tasks that rise: a row a task and model, smallest model first."""
    rows = found[(found["metric"] == "acc") & found["task"].isin(RISING)]
    columns = [f"{place}{end}" for place in ("onset", "half_rise") for end in ("", "_low", "_high")]
    by_size = rows["study"].map(MODELS.index)
    in_order = rows.assign(size=by_size, order=rows["task"].map(RISING.index)).sort_values(["order", "size"])
    return in_order[["task", "study", "p_value", "verdict", *columns]].reset_index(drop=True)


def dependence_on_size(training: pd.DataFrame) -> pd.DataFrame:
    """Tokens that the largest model takes over those that a smaller one takes, to onset and to half of the rise.

    Returns:
        A row a task and model: ratio of onsets and of half rises with their 95 % intervals.
    """
    rows = []
    for task in RISING:
        of_task = training[(training["task"] == task) & (training["metric"] == "acc")]
        for model in ("70m", "410m"):
            row = {"task": task, "model": model}
            for name, fraction in {"onset": 0.1, "half rise": 0.5}.items():
                two = of_task[of_task["study"].isin((model, MODELS[-1]))]
                row |= _ratio(harness.compare_thresholds(two, "tokens", fraction=fraction).pairs, model, name)
            rows.append(row)
    return pd.DataFrame(rows)


def _ratio(pairs: pd.DataFrame, model: str, name: str) -> dict[str, float]:
    """12b / model, whichever of the two comes first."""
    if pairs.empty:
        return {}
    pair = pairs.iloc[0]
    ratio, low, high = pair["ratio"], pair["low"], pair["high"]
    if pair["first"] != model:
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
    return {name: ratio, f"{name} low": low, f"{name} high": high, f"{name} p": pair["p_value"]}


def scatter_of_checkpoints(data: Path) -> pd.DataFrame:
    """How much neighbouring checkpoints differ, about a line in the logarithm of tokens; medians over all curves.

    Returns:
        A row for checkpoints from step 13,000, and one for those to step 8: the standard deviation over the binomial
        standard error of as many items, and the correlation of a checkpoint with the next. The correlation is NaN for
        the second, whose four checkpoints are too few.
    """
    frame = read_pythia(data)
    shares = frame[frame["discontinuous"] & (frame["step"] > 0)]
    parts = {"from step 13,000": shares[shares["step"] >= LATE], "steps 1 to 8": shares[shares["step"] <= EARLY]}
    table = pd.DataFrame({name: _scatter(part).median() for name, part in parts.items()}).T
    table.loc["steps 1 to 8", "correlation"] = np.nan
    return table


def _scatter(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a curve whose values are not all on a line."""
    rows = []
    for _, curve in frame.sort_values("step").groupby(["model", "task", "metric"]):
        log_tokens, value = np.log(curve["tokens"].to_numpy(float)), curve["value"].to_numpy(float)
        residual = value - np.polyval(np.polyfit(log_tokens, value, 1), log_tokens)
        squares, mean = np.sum(residual**2), value.mean()
        if squares < 1e-12:
            continue
        error = np.sqrt(mean * (1 - mean) / curve["n_eval"].iloc[0])
        rows.append(
            {"sd / binomial error": np.sqrt(squares / (len(value) - 2)) / error}
            | {"correlation": np.sum(residual[:-1] * residual[1:]) / squares}
        )
    return pd.DataFrame(rows)
