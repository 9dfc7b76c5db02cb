"""Scores of a family of models and of what was fine-tuned from it, whose thresholds are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from harness.datasets.arguments import RandomState, check_count, check_noise
from harness.errors import SettingError

#: How thresholds move with the amount, and what makes runs of one size differ.
MOVEMENTS, SCATTERS = ("power", "log power", "none"), ("seeds", "noise")


@dataclass(frozen=True)
class PlantedFinetuning:
    """Runs and what they were drawn from.

    Attributes:
        frame: one row per (size, amount, seed): params, examples (0 for the family itself), seed, parent, metric,
            value.
        threshold: N* of the pretrained family.
        thresholds: amount -> N*, the family's own as 0.
    """

    frame: pd.DataFrame
    threshold: float
    thresholds: dict[float, float]


def make_finetuned(
    sizes: Sequence[float] = (1000, 1414, 2000, 2828, 4000, 5657),
    amounts: Sequence[float] = (300, 1000, 3000, 10000),
    *,
    threshold: float = 16000.0,
    exponent: float = 0.45,
    worth: float = 100.0,
    floor: float = 0.0,
    movement: str = "power",
    scatter: str = "noise",
    noise: float = 0.05,
    width: float = 0.25,
    of_parents: float = 0.1,
    top: float = 1.0,
    chance: float = 0.0,
    n_seeds: int = 3,
    family_sizes: Sequence[float] = (),
    random_state: RandomState = None,
) -> PlantedFinetuning:
    """Scores that rise about N*(D), which falls with the examples D that a run was fine-tuned on.

    N*(0) = `threshold`. By movement "power", N*(D) / N*(0) = floor + (1 - floor) (1 + D / worth)^-exponent; by "log
    power", ln N*(D) = ln N*(0) - exponent (ln(1 + D / worth))^1.5 / 2; by "none", N*(D) = `threshold` / 4 whatever
    D > 0 is. The score is chance + (top - chance) / (1 + exp(-(ln N - ln N*(D) - u) / width)), where u is normal
    with standard deviation `of_parents`, one a pretrained run, whose children share it. Scatter "noise" adds a normal
    error on the logistic scale, 4 `noise` times; scatter "seeds" makes each run all or nothing with that probability.

    Args:
        sizes: of the models that are fine-tuned, rising, > 0.
        amounts: of examples, > 0; the family itself, amount 0, is measured at every size too.
        threshold: N* of the family, > 0.
        exponent: how fast thresholds fall.
        worth: examples that pretraining is worth, > 0.
        floor: share of N* that no amount takes away, in [0, 1).
        movement: one of `MOVEMENTS`; scatter: one of `SCATTERS`.
        noise: of scores half way up, >= 0.
        width: of the rise in ln N, > 0.
        n_seeds: runs of each size and amount.
        family_sizes: sizes at which the family alone is measured, beyond `sizes`.
        random_state: seed, or a generator; None draws anew each time.

    Raises:
        SettingError: an argument out of its range.
    """
    check_count("n_seeds", n_seeds)
    check_noise(noise)
    for name, value, allowed in (("movement", movement, MOVEMENTS), ("scatter", scatter, SCATTERS)):
        if value not in allowed:
            raise SettingError(name, value, f"one of {', '.join(allowed)}")
    if not (threshold > 0 and worth > 0 and width > 0 and 0 <= floor < 1):
        raise SettingError(
            "threshold, worth, width, floor", (threshold, worth, width, floor), "numbers above 0; floor in [0, 1)"
        )
    rng = np.random.default_rng(random_state)
    thresholds = {0.0: float(threshold)} | {
        float(amount): threshold * _share(amount, exponent, worth, floor, movement) for amount in amounts
    }
    parent_of = {size: of_parents * rng.standard_normal(n_seeds) for size in (*sizes, *family_sizes)}
    parts = []
    for size, shift in parent_of.items():
        for amount in (0.0, *map(float, amounts)) if size in sizes else (0.0,):
            z = (np.log(size / thresholds[amount]) - shift) / width
            if scatter == "noise":
                share = expit(z + 4 * noise * rng.standard_normal(n_seeds))
            else:
                share = (rng.random(n_seeds) < expit(z)).astype(float)
            parts.append(
                pd.DataFrame(
                    {
                        "params": float(size),
                        "examples": amount,
                        "seed": np.arange(n_seeds),
                        "parent": [f"{size:g}, {seed}" for seed in range(n_seeds)],
                        "metric": "accuracy",
                        "value": chance + (top - chance) * share,
                    }
                )
            )
    return PlantedFinetuning(pd.concat(parts, ignore_index=True), float(threshold), thresholds)


def _share(amount: float, exponent: float, worth: float, floor: float, movement: str) -> float:
    """N*(amount) over N*(0)."""
    if movement == "none":
        return 0.25
    if movement == "log power":
        return float(np.exp(-exponent * np.log1p(amount / worth) ** 1.5 / 2))
    return float(floor + (1 - floor) * (1 + amount / worth) ** -exponent)
