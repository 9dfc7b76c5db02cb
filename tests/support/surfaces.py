"""Planted surfaces of loss over N and D."""

from __future__ import annotations

import numpy as np
import pandas as pd

TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}


def loss_of(n: np.ndarray, d: np.ndarray, truth: dict[str, float] = TRUTH) -> np.ndarray:
    return truth["E"] + truth["A"] * n ** -truth["alpha"] + truth["B"] * d ** -truth["beta"]


def isoflop_runs(
    rng: np.random.Generator, noise: float = 0.003, budgets: int = 5, sizes: int = 9, truth: dict[str, float] = TRUTH
) -> pd.DataFrame:
    """Sizes about the optimum at each budget: C, N, D, loss."""
    flops = np.repeat(np.geomspace(1e18, 1e21, budgets), sizes)
    scale = (truth["alpha"] * truth["A"] / truth["beta"] / truth["B"]) ** (1 / (truth["alpha"] + truth["beta"]))
    best = scale * (flops / 6) ** (truth["beta"] / (truth["alpha"] + truth["beta"]))
    n = best * np.tile(np.geomspace(0.2, 5, sizes), budgets)
    d = flops / 6 / n
    loss = loss_of(n, d, truth) * np.exp(noise * rng.standard_normal(len(n)))
    return pd.DataFrame({"C": flops, "N": n, "D": d, "loss": loss})
