"""Losses of runs over parameters N and training tokens D, on a surface that is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.datasets.arguments import RandomState, check_count, check_noise
from harness.errors import SettingError

#: Training takes C = 6 N D FLOPs.
FLOPS_PER_TOKEN_PARAMETER = 6.0


@dataclass(frozen=True)
class LossSurface:
    """L(N, D) = E + A N^-alpha + B D^-beta, the law of Hoffmann et al. 2022 ("Chinchilla"), approach 3.

    The default is near what Besiroglu et al. 2024 (arXiv:2404.10102) fitted to the runs of that paper.
    """

    E: float = 1.8
    A: float = 480.0
    B: float = 2100.0
    alpha: float = 0.35
    beta: float = 0.37

    def loss(self, n: ArrayLike, d: ArrayLike) -> np.ndarray:
        """L(N, D) in nats, for arrays that broadcast."""
        n, d = np.asarray(n, dtype=float), np.asarray(d, dtype=float)
        return self.E + self.A * n**-self.alpha + self.B * d**-self.beta

    @property
    def size_exponent(self) -> float:
        """a of N_opt = G (C / 6)^a: beta / (alpha + beta)."""
        return self.beta / (self.alpha + self.beta)

    def optimal_size(self, compute: ArrayLike) -> np.ndarray:
        """N_opt(C), the N of lowest loss where D = C / (6 N): equation 4 of Hoffmann et al. 2022.

        N_opt = G (C / 6)^a with G = (alpha A / (beta B))^(1 / (alpha + beta)) and a = beta / (alpha + beta).
        """
        scale = (self.alpha * self.A / self.beta / self.B) ** (1 / (self.alpha + self.beta))
        return scale * (np.asarray(compute, dtype=float) / FLOPS_PER_TOKEN_PARAMETER) ** self.size_exponent


@dataclass(frozen=True)
class PlantedSurface:
    """Runs and the surface that they were drawn from.

    Attributes:
        frame: one row per run: C (FLOPs), N (parameters), D (tokens), loss (nats).
    """

    frame: pd.DataFrame
    truth: LossSurface


def make_surface(
    n_budgets: int = 5,
    n_sizes: int = 9,
    *,
    truth: LossSurface | None = None,
    compute: tuple[float, float] = (1e18, 1e21),
    span: float = 5.0,
    noise: float = 0.003,
    random_state: RandomState = None,
) -> PlantedSurface:
    """An IsoFLOP experiment: at each budget of compute, sizes about the optimum, and the loss L(N, D) exp(noise * e).

    Args:
        n_budgets: budgets, evenly spaced in log C.
        n_sizes: sizes at each budget, evenly spaced in log N.
        truth: the surface; None takes the default one.
        compute: least and greatest budget, in FLOPs.
        span: the sizes reach from 1 / span to span times the optimal one, > 1.
        noise: standard deviation of ln loss, >= 0; e is standard normal.
        random_state: seed of the noise, or a generator; None draws anew each time.

    Raises:
        SettingError: an argument out of its range.

    Examples:
        >>> from harness import ScalingLaw
        >>> from harness.datasets import make_surface
        >>> planted = make_surface(noise=0, random_state=0)
        >>> runs = planted.frame
        >>> law = ScalingLaw("hoffmann", objective="squares", interval="delta").fit(runs[["N", "D"]], runs["loss"])
        >>> {name: round(value, 3) for name, value in law.params_.items()}
        {'E': 1.8, 'A': 480.0, 'B': 2100.0, 'alpha': 0.35, 'beta': 0.37}
        >>> planted.truth
        LossSurface(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
    """
    truth = truth or LossSurface()
    least, greatest = compute
    check_count("n_budgets", n_budgets)
    check_count("n_sizes", n_sizes)
    check_noise(noise)
    if not 0 < least <= greatest < np.inf:
        raise SettingError("compute", compute, "the least and the greatest budget, above 0")
    if not 1 < span < np.inf:
        raise SettingError("span", span, "a number above 1")
    rng = np.random.default_rng(random_state)
    flops = np.repeat(np.geomspace(least, greatest, n_budgets), n_sizes)
    n = truth.optimal_size(flops) * np.tile(np.geomspace(1 / span, span, n_sizes), n_budgets)
    d = flops / FLOPS_PER_TOKEN_PARAMETER / n
    loss = truth.loss(n, d) * np.exp(noise * rng.standard_normal(len(n)))
    return PlantedSurface(pd.DataFrame({"C": flops, "N": n, "D": d, "loss": loss}), truth)
