"""Which benchmarks can be read at small size: signal-to-noise and decision accuracy of each task over a ladder.

Signal and noise are those of Heineman et al. 2025 ("Signal and Noise", arXiv:2508.13144), decision accuracy is that of
Magnusson et al. 2025 ("DataDecide", arXiv:2504.11393). METHOD.md, section 5, says what differs and why.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.checks import check_between_0_and_1
from harness.analysis.planning.ladder_movement import screen_ladder
from harness.analysis.planning.ladder_scores import NoiseSource, ladder_scores
from harness.analysis.planning.recipe_screening import Goal, screen_recipes
from harness.errors import DataError, SettingError


@dataclass(frozen=True)
class Screening:
    """What `screen` found.

    Attributes:
        tasks: a row a task and metric, the greatest signal-to-noise first. Of several recipes: task, subtask, metric,
            noise_source, size (at which the row is), n_recipes, n_shared (with the target), score, chance, signal,
            noise, range_to_noise, snr (with _low and _high), decision_accuracy (with _low and _high), p_value,
            p_adjusted, target_p_value (of recipes that do not differ at the target), readable_from, reading, verdict,
            reason. Of one recipe: n_sizes, noise, gain, snr (with _low and _high), rank_correlation, p_value,
            p_adjusted, moves_from, above_chance_from, reading, verdict, reason in their place.
        sizes: a row a task, metric and size, with what is known there.
        x: the column of sizes.
        target: the size whose order counts; NaN where there is one recipe only.
        small: the size at which the rows of `tasks` are; NaN where there is one recipe only, or no smaller size.
        level: of the intervals.
    """

    tasks: pd.DataFrame
    sizes: pd.DataFrame
    x: str
    target: float
    small: float
    level: float

    @property
    def of_recipes(self) -> bool:
        """Whether there are recipes to be told apart."""
        return "decision_accuracy" in self.tasks


def screen(
    frame: pd.DataFrame,
    x: str = "params_non_embedding",
    *,
    step: str | None = None,
    last: int = 5,
    noise: str | None = None,
    target: float | None = None,
    target_metric: str | None = None,
    small: float | None = None,
    accuracy: float = 0.8,
    alpha: float = 0.05,
    level: float = 0.95,
) -> Screening:
    """Which benchmarks tell recipes apart at small size, and order them as the target size does.

    With one recipe only: which scores move along the sizes by more than their noise.

    Args:
        frame: one row per (recipe, size, run, checkpoint, task, metric): columns x, metric, value; study, the recipe or
            model; and where there are such, task, subtask, seed or run_id, n_eval, stderr, chance, higher_is_better,
            discontinuous.
        x: the column of sizes, > 0; recipes have the same sizes.
        step: the column of checkpoints.
        last: checkpoints of a run, from its end, whose scatter is its noise.
        noise: where noise is known from: checkpoints, seeds or items; None takes the first of these that there is, and
            of one recipe that of the items too, where it is larger.
        target: the size whose order of recipes is to be foreseen; None takes the largest that five recipes have.
        target_metric: the metric that orders recipes there; None takes each metric itself.
        small: the size at which `tasks` has signal, noise and accuracy; None takes the smallest.
        accuracy: decision accuracy from which a benchmark counts as readable, in (0, 1).
        alpha: of all tests of the table together, after Benjamini and Hochberg.
        level: of the intervals.

    Raises:
        DataError: as `ladder_scores`; no rows, or no such metric.
        SettingError: a setting out of its range.
    """
    check_between_0_and_1(accuracy=accuracy, alpha=alpha, level=level)
    if noise is not None and noise not in list(NoiseSource):
        raise SettingError("noise", noise, ", ".join(NoiseSource))
    of_metrics = list(ladder_scores(frame, x, step, last, NoiseSource(noise) if noise else None))
    if not of_metrics:
        raise DataError("no rows to screen")
    if max(len(scores.recipes) for scores in of_metrics) < 2:
        for name, asked in (("target", target), ("target_metric", target_metric), ("small", small)):
            if asked is not None:
                raise SettingError(name, asked, "a choice for tables of several recipes; here is one")
        return Screening(*screen_ladder(of_metrics, x, alpha, level, items_too=noise is None), x, np.nan, np.nan, level)
    goal = Goal.of(of_metrics, target, target_metric)
    tasks, sizes, place = screen_recipes(of_metrics, x, goal, small, accuracy, alpha, level)
    return Screening(tasks, sizes, x, goal.size, place, level)
