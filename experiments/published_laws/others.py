"""3, 4 and 5: IsoFLOP minima beside the surface, recovery of every law without noise, and many curves at once."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
from data import marin
from planted_laws import design, planted_theta

from harness import ScalingLaw
from harness.analysis.fitting.batch import fit_curves
from harness.analysis.fitting.laws import LAWS
from harness.analysis.fitting.objectives import Squares
from harness.analysis.fitting.solver import Problem, optimum
from harness.analysis.planning.allocation import optimal_exponent
from harness.analysis.planning.isoflop import IsoFlop
from harness.datasets import LossSurface


def isoflop(folder: Path) -> None:
    """Exponent a of N_opt ~ C^a by parabolas and by the surface, and what the parabola makes of the surface itself."""
    rows = []
    for corpus, runs in marin(folder).items():
        parabola = IsoFlop().fit(runs["N"], runs["D"], runs["loss"], runs["C"])
        envelope = IsoFlop(approach=1).fit(runs["N"], runs["D"], runs["loss"], runs["C"])
        surface = ScalingLaw("hoffmann", objective="squares").fit(runs[["N", "D"]], runs["loss"])
        robust = ScalingLaw("hoffmann", objective="huber").fit(runs[["N", "D"]], runs["loss"])
        n, d = runs["N"].to_numpy(), runs["D"].to_numpy()
        exact = IsoFlop(n_bootstrap=100).fit(n, d, LossSurface(*surface.params_.values()).loss(n, d), runs["C"])
        by_surface = optimal_exponent(surface)
        low, high = parabola.exponent_interval_
        apart = low > by_surface[2] or high < by_surface[1]
        rows.append(
            {
                "corpus": corpus,
                "runs": len(runs),
                "budgets accepted": int((parabola.minima_["status"] == "accepted").sum()),
                "parabola": _told(parabola.exponent_, low, high),
                "envelope": _told(envelope.exponent_, *envelope.exponent_interval_),
                "surface": _told(*by_surface),
                "surface, Huber": _told(*optimal_exponent(robust)),
                "intervals disjoint": apart,
                "parabola's bias": f"{exact.exponent_ - by_surface[0]:+.3f}",
            }
        )
    print(pd.DataFrame(rows).to_string(index=False))
    print("parabola's bias: what it finds on the fitted surface itself, noise-free at the same N and D, less the truth")


def _told(value: float, low: float, high: float) -> str:
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def recovery(n: int = 200, seed: int = 1) -> None:
    """Every law from its default starts on planted parameters without noise: the share that misses 1e-6 relative."""
    rows = []
    for name, law in LAWS.items():
        t, theta = design(law, {1: 60, 2: 7, 3: 5}), planted_theta(law, np.random.default_rng(seed), n)
        y = law.value(t, theta)
        began = time.perf_counter()
        found = optimum(Problem.of(law, Squares(), t, y, np.ones_like(y)))
        seconds = time.perf_counter() - began
        centre = np.full(len(law.variables), 100.0)
        off = np.abs(law.public(found.theta, centre, 2.0) / law.public(theta, centre, 2.0) - 1).max(axis=1)
        failed = float(np.mean(~(off <= 1e-6)))
        rows.append(
            {
                "law": name,
                "parameters": len(law.parameters),
                "points": t.shape[1],
                "share that fails": failed,
                "largest error": off.max(),
                "ms a fit": 1e3 * seconds / n,
            }
        )
    print(pd.DataFrame(rows).to_string(index=False))


def many_curves(curves: int = 10_000, seed: int = 0) -> None:
    """Curves of 8 sizes and 5 seeds, each with a floor and exponent of its own, fitted with 95 % intervals."""
    rng = np.random.default_rng(seed)
    x = np.geomspace(1e3, 1e6, 8)
    alpha, floor = rng.uniform(0.2, 0.8, curves), rng.uniform(0.5, 2, curves)
    scale = rng.uniform(0.5, 2, curves) * 3e4**alpha
    exact = floor[:, None, None] + scale[:, None, None] * x[:, None] ** -alpha[:, None, None]
    loss = exact * np.exp(0.01 * rng.standard_normal((curves, 8, 5)))
    frame = pd.DataFrame(
        {"curve": np.repeat(np.arange(curves), 40), "x": np.tile(np.repeat(x, 5), curves), "loss": loss.ravel()}
    )
    began = time.perf_counter()
    table = fit_curves(frame, "x", "loss", by=["curve"])
    seconds = time.perf_counter() - began
    held = {
        name: np.mean((table[f"{name}_low"] <= truth) & (truth <= table[f"{name}_high"]))
        for name, truth in (("E", floor), ("A", scale), ("alpha", alpha))
    }
    shares = ", ".join(f"{name} {share:.3f}" for name, share in held.items())
    print(
        f"{curves} curves in {seconds:.2f} s, {1000 * seconds / curves:.2f} s a thousand; 95 % intervals hold {shares};"
        f" status {table['status'].value_counts().to_dict()}"
    )
