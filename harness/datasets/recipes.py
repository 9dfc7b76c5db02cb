"""Scores of recipes along a ladder, whose signal, noise and agreement with the largest size are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.datasets.arguments import RandomState, check_count
from harness.errors import SettingError


@dataclass(frozen=True)
class PlantedRecipes:
    """Scores and what they were drawn from.

    Attributes:
        frame: one row per (task, size, recipe, seed, checkpoint): task, params, recipe, seed, step, metric, value.
        snr: standard deviation of the recipes' true scores over that of one run's noise.
        decision_accuracy: size below the largest -> probability that two recipes are ordered as at the largest.
    """

    frame: pd.DataFrame
    snr: float
    decision_accuracy: dict[float, float]


def make_recipes(
    n_recipes: int = 20,
    sizes: Sequence[float] = (2e7, 6e7, 1.5e8, 1e9),
    *,
    n_tasks: int = 1,
    snr: float = 3.0,
    correlation: float | Sequence[float] = 1.0,
    n_seeds: int = 1,
    n_checkpoints: int = 5,
    noise: float = 0.01,
    random_state: RandomState = None,
) -> PlantedRecipes:
    """Accuracies that rise with size, of recipes that differ, with noise from checkpoint to checkpoint.

    score = .3 + .05 ln(size / smallest) + noise (snr u + e), with u standard normal for each recipe and size and e for
    each checkpoint. u at a smaller size has the given correlation with u at the largest. A recipe's score is the mean
    of its runs' last checkpoints, so two recipes are ordered alike with probability 1/2 + arcsin(r) / pi, where
    r = correlation snr^2 / (snr^2 + 1 / n_seeds).

    Args:
        n_recipes: recipes of each size.
        sizes: rising, > 0.
        n_tasks: drawn independently.
        snr: >= 0.
        correlation: of true scores with those at the largest size, in [-1, 1]; one for all smaller sizes or one each.
        n_seeds: runs of each recipe and size.
        n_checkpoints: of each run, at steps 1 to n from half of training on.
        noise: standard deviation of e, > 0.
        random_state: seed, or a generator; None draws anew each time.

    Raises:
        SettingError: an argument out of its range.
    """
    for name, value in (("n_recipes", n_recipes), ("n_tasks", n_tasks), ("n_seeds", n_seeds)):
        check_count(name, value)
    check_count("n_checkpoints", n_checkpoints)
    if not (noise > 0 and snr >= 0):
        raise SettingError("noise, snr", (noise, snr), "noise above 0 and snr of at least 0")
    if len(sizes) < 2 or not (np.diff(sizes) > 0).all() or sizes[0] <= 0:
        raise SettingError("sizes", sizes, "two sizes or more above 0, rising")
    shared = np.append(np.broadcast_to(np.asarray(correlation, dtype=float), len(sizes) - 1), 1.0)
    if not (np.abs(shared) <= 1).all():
        raise SettingError("correlation", correlation, "numbers from -1 to 1")
    rng = np.random.default_rng(random_state)
    at_largest = rng.standard_normal((n_tasks, 1, n_recipes, 1, 1))
    own = rng.standard_normal((n_tasks, len(sizes), n_recipes, 1, 1))
    weight = shared[:, None, None, None]
    offset = weight * at_largest + np.sqrt(1 - weight**2) * own
    level = 0.3 + 0.05 * np.log(np.asarray(sizes) / sizes[0])
    shape = (n_tasks, len(sizes), n_recipes, n_seeds, n_checkpoints)
    value = level[:, None, None, None] + noise * (snr * offset + rng.standard_normal(shape))
    task, size, recipe, seed, checkpoint = (index.ravel() for index in np.indices(shape))
    columns = {
        "task": [f"task {i}" for i in task],
        "params": np.asarray(sizes, dtype=float)[size],
        "recipe": [f"recipe {i:02d}" for i in recipe],
        "seed": seed,
        "step": n_checkpoints + 1 + checkpoint,
        "metric": "accuracy",
        "value": value.ravel(),
    }
    share = snr**2 / (snr**2 + 1 / n_seeds)
    accuracy = {float(s): float(0.5 + np.arcsin(c * share) / np.pi) for s, c in zip(sizes[:-1], shared, strict=False)}
    return PlantedRecipes(pd.DataFrame(columns), snr, accuracy)
