"""Tables with a known truth, shaped like the quickstart's studies."""

from __future__ import annotations

import numpy as np
import pandas as pd


def table(
    study: str, x: np.ndarray, metrics: dict[str, tuple[np.ndarray, str | None, bool, float]], subtask: str = "all"
) -> pd.DataFrame:
    """Rows of one study; metrics: name -> (values (R, k), paired metric if discontinuous, higher is better, chance)."""
    rungs, seeds = (axis.ravel() for axis in np.indices(next(iter(metrics.values()))[0].shape))
    about = {
        "study": study,
        "task": study,
        "subtask": subtask,
        "run_id": [f"{study}-{rung}-{seed}" for rung, seed in zip(rungs, seeds, strict=True)],
        "seed": seeds,
        "rung": rungs,
        "params_total": np.asarray(x)[rungs] * 2,
        "params_non_embedding": np.asarray(x)[rungs],
        "flops": np.asarray(x)[rungs] * 6e6,
    }
    parts = []
    for name, (values, paired, higher, chance) in metrics.items():
        own = {"value": values.ravel(), "chance": chance, "higher_is_better": higher, "paired_metric": paired}
        parts.append(pd.DataFrame(about | {"metric": name, "discontinuous": paired is not None} | own))
    return pd.concat(parts, ignore_index=True)


def parity(rng: np.random.Generator, seeds: int = 8, place: float = 4.0, n_eval: int = 300) -> pd.DataFrame:
    """A subtask learnt or not, each run from a rung of its own on (place +- 1 rung): .5 or 1, loss .69 or .005."""
    width = np.array([8, 11, 16, 23, 32, 45, 64, 91, 128])
    learnt = np.arange(9)[:, None] >= place + rng.standard_normal((9, seeds))
    accuracy = rng.binomial(n_eval, np.where(learnt, 0.998, 0.5)) / n_eval
    loss = np.where(
        learnt,
        0.005 * np.exp(0.5 * rng.standard_normal(learnt.shape)),
        0.695 + 0.005 * rng.standard_normal(learnt.shape),
    )
    metrics = {"accuracy": (accuracy, "loss", True, 0.5), "loss": (loss, None, False, np.log(2))}
    return table("parity", 50 * width + 1, metrics, f"place {place}")


def induction(rng: np.random.Generator, seeds: int = 3) -> pd.DataFrame:
    """Both metrics leap at the second layer, all seeds alike, after a slow creep."""
    x = np.array([256, 576, 1024, 1600, 2304, 3136, 8192, 12800])
    accuracy = np.array([0.06, 0.08, 0.10, 0.12, 0.15, 0.17, 1, 1])[:, None]
    loss = np.array([3.41, 3.34, 3.25, 3.13, 3.02, 2.91, 0.008, 0.003])[:, None]
    accuracy = np.clip(accuracy + 0.007 * rng.standard_normal((8, seeds)), 0, 1)
    loss = loss * np.exp(0.005 * rng.standard_normal((8, seeds)))
    metrics = {"accuracy": (accuracy, "loss", True, 1 / 32), "loss": (loss, None, False, np.log(32))}
    return table("induction", x, metrics)


#: Width -> (exact match, token accuracy).
LOOKUP = {
    8: (0, 0.09),
    12: (0, 0.17),
    16: (0.0002, 0.34),
    20: (0.015, 0.53),
    24: (0.085, 0.73),
    28: (0.43, 0.90),
    32: (0.90, 0.99),
    40: (0.99, 0.999),
    48: (1, 1),
    64: (1, 1),
}
LOOKUP_WIDTHS = (8, 12, 16, 24, 32, 48, 64)


def lookup(rng: np.random.Generator, widths: tuple[int, ...] = LOOKUP_WIDTHS, seeds: int = 3) -> pd.DataFrame:
    """Exact match of eight answers is about the eighth power of the accuracy of each."""
    exact, token = (np.array([LOOKUP[width][i] for width in widths], dtype=float)[:, None] for i in (0, 1))
    noisy = np.clip(token * (1 + 0.04 * (1 - token) * rng.standard_normal((len(widths), seeds))), 0, 1)
    exact = np.clip(exact * (noisy / token) ** 8, 0, 1)
    metrics = {"exact_match": (exact, "token_accuracy", True, 0.0), "token_accuracy": (noisy, None, True, 1 / 40)}
    return table("lookup", 12 * np.array(widths) ** 2, metrics)


def text(rng: np.random.Generator, seeds: int = 3) -> pd.DataFrame:
    """Loss 2.42 to 2.04 as a power of size; byte accuracy with it."""
    x = 12 * np.array(LOOKUP_WIDTHS) ** 2
    loss = 2.42 * (x / x[0]) ** -0.041
    loss = loss[:, None] * np.exp(0.005 * rng.standard_normal((7, seeds)))
    accuracy = 0.55 - 0.25 * (loss - 1.6) + 0.003 * rng.standard_normal((7, seeds))
    metrics = {"accuracy": (accuracy, "loss", True, 0.1), "loss": (loss, None, False, np.log(256))}
    return table("text", x, metrics)


def digits(rng: np.random.Generator, seeds: int = 8) -> pd.DataFrame:
    """Accuracy .94 to .98; loss saturates near .09."""
    x = 74 * np.array([8, 16, 32, 64, 128, 256])
    accuracy = np.array([0.94, 0.955, 0.968, 0.975, 0.98, 0.98])[:, None] + 0.004 * rng.standard_normal((6, seeds))
    loss = np.array([0.25, 0.17, 0.12, 0.10, 0.092, 0.09])[:, None] * np.exp(0.06 * rng.standard_normal((6, seeds)))
    metrics = {"accuracy": (accuracy, "loss", True, 0.1), "loss": (loss, None, False, np.log(10))}
    return table("digits", x, metrics)
