"""Scores of the runs, and the forecasts that were made before the larger ones: as stored beside this file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

import harness
from harness.records.store import collect

_SCORES = "scores.csv.gz"


def scores_of(results: Path) -> pd.DataFrame:
    """A row a run and skill: study, width, params_non_embedding, amount, seed, skill, accuracy, loss.

    Of runs that were fine-tuned the skill that they were fine-tuned on alone; amount 0 is the family.
    """
    collect(results)
    frame = harness.load(results, runs="all")
    frame = frame[(frame["split"] == "eval") & (frame["subtask"] != "all")]
    keys = ["study", "width", "params_non_embedding", "unique_examples", "seed", "subtask", "run_id"]
    frame = frame.assign(unique_examples=frame["unique_examples"].fillna(0).astype(int))
    wide = frame.pivot_table(index=keys, columns="metric", values="value").reset_index()
    wide = wide.rename(columns={"unique_examples": "amount", "subtask": "skill"})
    wide["skill"] = wide["skill"].str.removeprefix("skill ").astype(int)
    own = (wide["amount"] == 0) | (wide["study"] == "skill_" + wide["skill"].astype(str))
    columns = ["study", "width", "params_non_embedding", "amount", "seed", "skill", "accuracy", "loss"]
    return wide.loc[own, columns].sort_values(columns[:6], ignore_index=True)


def store(made: dict[str, Any], scores: pd.DataFrame, folder: Path) -> None:
    """Write both."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "forecasts.json").write_text(json.dumps(made, indent=1) + "\n")
    scores.round(5).to_csv(folder / _SCORES, index=False, compression={"method": "gzip", "mtime": 0})


def read_scores(folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """Both, as `store` left them."""
    return json.loads((folder / "forecasts.json").read_text()), pd.read_csv(folder / _SCORES)
