"""Tables shaped like those of the quickstart's studies, with numbers like theirs, made in a millisecond.

One row per run and metric, with the columns of `harness.load` that analysis reads: study, task, subtask, run_id, seed,
rung, params_total, params_non_embedding, flops, metric, value, chance, discontinuous, higher_is_better, paired_metric.
Each maker's docstring says what `find_jumps` finds in its table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.interpolate import PchipInterpolator
from scipy.special import expit, logit

from harness.datasets.arguments import RandomState, check_count
from harness.errors import SettingError

#: Widths of a transformer -> accuracy of each of its eight answers, as one sweep gave them; 1 - 1e-4 stands for 1.
LOOKUP_SCORES = {
    8: 0.09, 12: 0.17, 16: 0.34, 20: 0.53, 24: 0.73, 28: 0.90, 32: 0.99, 40: 0.999, 48: 0.9999, 64: 0.9999,
}  # fmt: skip
#: A step of half an octave of parameters: the accuracy of an answer takes more than four from 10 to 90 %.
LOOKUP_WIDTHS = (8, 9, 11, 13, 15, 18, 21, 25, 29, 34, 40, 48, 56)
#: Widths of a byte-level language model.
TEXT_WIDTHS = (8, 12, 16, 24, 32, 48, 64)
#: Tokens of an answer: exact match is about this power of token accuracy.
LOOKUP_LENGTH = 8
#: Widths of an MLP.
PARITY_WIDTHS = (8, 11, 16, 23, 32, 45, 64, 91, 128)


@dataclass(frozen=True)
class _Metric:
    """Values (K, S) of a metric, and what the table says of it."""

    name: str
    values: np.ndarray
    chance: float
    higher_is_better: bool = True
    paired_metric: str | None = None


def make_parity_study(
    n_seeds: int = 8, *, threshold_rung: float = 4.0, n_eval: int = 300, random_state: RandomState = None
) -> pd.DataFrame:
    """A subtask of sparse parity, learnt or not; emergent, for accuracy and loss jump together.

    Each run has learnt it from a rung of its own on, normal about `threshold_rung` with standard deviation 1: accuracy
    .5 below and .998 above, on `n_eval` items; loss .695 below and .005 above.
    """
    check_count("n_seeds", n_seeds)
    rng = np.random.default_rng(random_state)
    shape = (len(PARITY_WIDTHS), n_seeds)
    learnt = np.arange(len(PARITY_WIDTHS))[:, None] >= threshold_rung + rng.standard_normal(shape)
    accuracy = rng.binomial(n_eval, np.where(learnt, 0.998, 0.5)) / n_eval
    low, high = 0.005 * np.exp(0.5 * rng.standard_normal(shape)), 0.695 + 0.005 * rng.standard_normal(shape)
    return _table(
        "parity",
        parity_sizes(),
        _Metric("accuracy", accuracy, 0.5, paired_metric="loss"),
        _Metric("loss", np.where(learnt, low, high), np.log(2), higher_is_better=False),
        subtask=f"threshold at rung {threshold_rung:g}",
    )


def parity_sizes() -> np.ndarray:
    """Non-embedding parameters of each rung of `make_parity_study`."""
    return 50 * np.array(PARITY_WIDTHS) + 1


def make_induction_study(n_seeds: int = 3, *, random_state: RandomState = None) -> pd.DataFrame:
    """Induction; emergent: accuracy and loss leap at the second layer, all seeds alike, after a slow creep."""
    check_count("n_seeds", n_seeds)
    rng = np.random.default_rng(random_state)
    sizes = np.array([256, 576, 1024, 1600, 2304, 3136, 8192, 12800])
    accuracy = np.array([0.06, 0.08, 0.10, 0.12, 0.15, 0.17, 1, 1])[:, None]
    loss = np.array([3.41, 3.34, 3.25, 3.13, 3.02, 2.91, 0.008, 0.003])[:, None]
    shape = (len(sizes), n_seeds)
    accuracy = np.clip(accuracy + 0.007 * rng.standard_normal(shape), 0, 1)
    return _table(
        "induction",
        sizes,
        _Metric("accuracy", accuracy, 1 / 32, paired_metric="loss"),
        _Metric("loss", loss * np.exp(0.005 * rng.standard_normal(shape)), np.log(32), higher_is_better=False),
    )


def make_lookup_study(
    n_seeds: int = 3, *, widths: Sequence[int] = LOOKUP_WIDTHS, random_state: RandomState = None
) -> pd.DataFrame:
    """A memorised table; a metric artefact: exact match of eight answers is the eighth power of the accuracy of each.

    On a ladder of half as many widths the accuracy of an answer takes two to three steps, neither smooth nor a jump,
    and `find_jumps` calls the table inconclusive.

    Args:
        widths: from 8 to 64; between those of `LOOKUP_SCORES` accuracies are interpolated, on the logit scale over ln
            width.

    Raises:
        SettingError: a width out of range.
    """
    if outside := [width for width in widths if not min(LOOKUP_SCORES) <= width <= max(LOOKUP_SCORES)]:
        raise SettingError("widths", outside[0], f"from {min(LOOKUP_SCORES)} to {max(LOOKUP_SCORES)}")
    check_count("n_seeds", n_seeds)
    rng = np.random.default_rng(random_state)
    measured = PchipInterpolator(np.log(list(LOOKUP_SCORES)), logit(list(LOOKUP_SCORES.values())))
    token = expit(measured(np.log(widths)))[:, None]
    noisy = np.clip(token * (1 + 0.04 * (1 - token) * rng.standard_normal((len(widths), n_seeds))), 0, 1)
    return _table(
        "lookup",
        12 * np.array(widths) ** 2,
        _Metric("exact_match", noisy**LOOKUP_LENGTH, 0.0, paired_metric="token_accuracy"),
        _Metric("token_accuracy", noisy, 1 / 40),
    )


def make_text_study(n_seeds: int = 3, *, random_state: RandomState = None) -> pd.DataFrame:
    """A byte-level language model; smooth: loss 2.42 to 2.04 as a power of size, and byte accuracy with it."""
    check_count("n_seeds", n_seeds)
    rng = np.random.default_rng(random_state)
    sizes = 12 * np.array(TEXT_WIDTHS) ** 2
    shape = (len(sizes), n_seeds)
    loss = 2.42 * (sizes / sizes[0]) ** -0.041
    loss = loss[:, None] * np.exp(0.005 * rng.standard_normal(shape))
    accuracy = 0.55 - 0.25 * (loss - 1.6) + 0.003 * rng.standard_normal(shape)
    return _table(
        "text",
        sizes,
        _Metric("accuracy", accuracy, 0.1, paired_metric="loss"),
        _Metric("loss", loss, np.log(256), higher_is_better=False),
    )


def make_digits_study(n_seeds: int = 8, *, random_state: RandomState = None) -> pd.DataFrame:
    """Handwritten digits; smooth: accuracy .94 to .98, and a loss that saturates near .09."""
    check_count("n_seeds", n_seeds)
    rng = np.random.default_rng(random_state)
    sizes = 74 * np.array([8, 16, 32, 64, 128, 256])
    shape = (len(sizes), n_seeds)
    accuracy = np.array([0.94, 0.955, 0.968, 0.975, 0.98, 0.98])[:, None] + 0.004 * rng.standard_normal(shape)
    loss = np.array([0.25, 0.17, 0.12, 0.10, 0.092, 0.09])[:, None] * np.exp(0.06 * rng.standard_normal(shape))
    return _table(
        "digits",
        sizes,
        _Metric("accuracy", accuracy, 0.1, paired_metric="loss"),
        _Metric("loss", loss, np.log(10), higher_is_better=False),
    )


def _table(study: str, sizes: np.ndarray, *metrics: _Metric, subtask: str = "all") -> pd.DataFrame:
    """A row per run and metric; total parameters are twice the non-embedding ones, and training sees 1e6 tokens."""
    rung, seed = (index.ravel() for index in np.indices(metrics[0].values.shape))
    about = {
        "study": study,
        "task": study,
        "subtask": subtask,
        "run_id": [f"{study}-{i}-{j}" for i, j in zip(rung, seed, strict=True)],
        "seed": seed,
        "rung": rung,
        "params_total": sizes[rung] * 2,
        "params_non_embedding": sizes[rung],
        "flops": sizes[rung] * 6e6,
    }
    parts = [
        pd.DataFrame(
            about
            | {
                "metric": metric.name,
                "discontinuous": metric.paired_metric is not None,
                "value": metric.values.ravel(),
                "chance": metric.chance,
                "higher_is_better": metric.higher_is_better,
                "paired_metric": metric.paired_metric,
            }
        )
        for metric in metrics
    ]
    return pd.concat(parts, ignore_index=True)
