"""What the metric "loss" is: the criterion of the runs that we trained, with its settings and its unit."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.records.run_settings import parse_config

#: Criteria that are logarithms of probabilities, in nats.
_IN_NATS = {"cross_entropy", "binary", "contrastive"}


def losses_of(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """The settings of the loss of runs that we trained; those that state none had plain cross-entropy."""
    configs = [parse_config(text) for text in runs["config"].unique()]
    stated = [config.get("loss", {}) for config in configs if "version" in config]
    return [{"kind": "cross_entropy"} | each for each in stated if isinstance(each, dict)]


def is_in_nats(metric: str, runs: pd.DataFrame) -> bool:
    """Whether a metric's unit is the nat in all these runs; a loss that does not say is taken for cross-entropy."""
    if metric == "answer_log_likelihood":
        return True
    return metric == "loss" and ("config" not in runs or {each["kind"] for each in losses_of(runs)} <= _IN_NATS)
