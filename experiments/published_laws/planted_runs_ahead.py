"""Planted runs to forecast from and to: surfaces that laws fit or miss, noise of several kinds, and checkpoints."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from data import planted_surface

#: Standard deviations of ln loss of one run.
NOISE = (0.003, 0.01)
_FAR = np.array([[1e9, 6e10], [3e9, 1e11], [7e9, 1.4e11], [3e10, 6e11], [1.4e9, 9e11]])  # the last one over-trained

#: ln of what a surface differs by from the law, at n, d in units of the middle of the runs, from two normal draws.
MISFITS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "broken": lambda n, d, z: 0.03 * z[0] * np.logaddexp(0, 2 * np.log(n * d) - 2 - z[1]) / 2,
    "curved": lambda n, d, z: 0.001 * z[0] * np.log(n * d) ** 2,
    "interaction": lambda n, d, z: 0.1 * np.exp(0.3 * z[0]) * (n * d) ** -0.15,
    "wavy": lambda n, d, z: 0.01 * np.sin(np.log(n) / 2 + 3 * z[0]) + 0.01 * np.sin(np.log(d) / 2 + 3 * z[1]),
}


def surface(rng: np.random.Generator, kind: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs seen, 6 budgets x 6 sizes, and runs 8 to 1,000 times the compute.

    Args:
        kind: of `MISFITS`, or of noise: 'heavy tails', 'shared by budgets'; else the law itself with normal noise.
    """
    flops = np.repeat(np.geomspace(1e18, 3e20, 6), 6)
    n = np.sqrt(flops / 120) * np.tile(np.geomspace(0.25, 4, 6), 6)
    truth, sd, z = planted_surface(rng, n, flops / 6 / n), rng.choice(NOISE), rng.standard_normal(2)

    def runs(n: np.ndarray, d: np.ndarray) -> pd.DataFrame:
        normal = rng.standard_normal(len(n))
        if kind == "heavy tails":
            normal = rng.standard_t(3, len(n)) / np.sqrt(3)
        elif kind == "shared by budgets":
            budget = np.unique(np.round(np.log(n * d), 3), return_inverse=True)[1]
            normal = 0.6 * normal + 0.8 * rng.standard_normal(budget.max() + 1)[budget]
        missed = MISFITS[kind](n / 3e8, d / 6e9, z) if kind in MISFITS else 0.0
        return pd.DataFrame({"N": n, "D": d, "loss": truth.loss(n, d) * np.exp(missed + sd * normal)})

    return runs(n, flops / 6 / n), runs(*_FAR.T)


def checkpoints(rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """35 checkpoints of each of 22 runs of a width and a depth, and four of each of six larger runs.

    Each run has an offset in ln loss of its own, and drifts slowly along D.
    """
    widths, depths = (256, 384, 512, 768, 1024, 1536, 2048), (3, 6, 12, 18, 24, 36)
    sizes = np.array([(w, d) for w in widths for d in depths if 4 < w / d < 200], dtype=float)
    larger = np.array([(w, d) for w in (2560, 3072, 4096) for d in (24, 48)], dtype=float)
    floor, a, b, c = rng.uniform(1.3, 2.2), *rng.uniform(0.3, 0.6, 3)
    wide, deep, sd = rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.4), rng.choice([0.003, 0.008, 0.015])
    tokens = np.geomspace(2e9, 3e11, 35)

    def runs(sizes: np.ndarray) -> pd.DataFrame:
        curve = floor + wide * (sizes[:, :1] / 800) ** -a + deep * (sizes[:, 1:] / 12) ** -b
        loss = curve + 0.6 * (tokens / 1e10) ** -c
        steps = rng.standard_normal(loss.shape) / np.sqrt(len(tokens))
        off = rng.standard_normal((len(sizes), 1)) + 0.6 * steps.cumsum(axis=1)
        frame = pd.DataFrame(np.repeat(sizes, len(tokens), axis=0), columns=["width", "depth"])
        return frame.assign(
            D=np.tile(tokens, len(sizes)),
            loss=(loss * np.exp(sd * off)).ravel(),
            run=np.repeat(np.arange(len(sizes)), len(tokens)),
        )

    return runs(sizes[rng.permutation(len(sizes))[:22]]), runs(larger).iloc[4::10]
