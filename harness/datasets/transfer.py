"""Losses of runs from scratch and of pretrained runs, of which it is known what data pretraining is worth."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.datasets.arguments import RandomState, check_count, check_noise
from harness.datasets.surfaces import LossSurface
from harness.errors import SettingError


@dataclass(frozen=True)
class TransferTruth:
    """A pretrained run has the loss that a run from scratch would have on D_E = kept D + k D^alpha N^beta examples.

    k D^alpha N^beta is the effective data transferred of Hernandez et al. 2021, eq. 1.1; the default is what they found
    from text to Python. `kept` below 1 plants pretraining that hurts where data of fine-tuning abound, which they call
    ossification: each example then counts for less than it would from scratch.
    """

    k: float = 1.9e4
    alpha: float = 0.18
    beta: float = 0.38
    kept: float = 1.0
    scratch: LossSurface = field(default_factory=LossSurface)

    def effective(self, n: ArrayLike, d: ArrayLike) -> np.ndarray:
        """D_E for arrays that broadcast."""
        n, d = np.asarray(n, dtype=float), np.asarray(d, dtype=float)
        return self.kept * d + self.k * d**self.alpha * n**self.beta

    def loss(self, n: ArrayLike, d: ArrayLike, pretrained: ArrayLike) -> np.ndarray:
        """In nats, for arrays that broadcast; `pretrained` of truth values."""
        return self.scratch.loss(n, np.where(pretrained, self.effective(n, d), d))

    def turning_point(self, n: ArrayLike) -> np.ndarray:
        """D beyond which pretraining hurts, where D_E = D; inf where `kept` is 1."""
        if self.kept == 1:
            return np.full(np.shape(n), np.inf)
        spared = self.k * np.asarray(n, dtype=float) ** self.beta / (1 - self.kept)
        return np.asarray(spared ** (1 / (1 - self.alpha)))


@dataclass(frozen=True)
class PlantedTransfer:
    """Runs and the truth that they were drawn from.

    Attributes:
        frame: one row per run: N (parameters), D (examples), pretrained (0 or 1), seed, loss (nats).
    """

    frame: pd.DataFrame
    truth: TransferTruth


def make_transfer(
    n_sizes: int = 4,
    n_amounts: int = 7,
    n_seeds: int = 3,
    *,
    truth: TransferTruth | None = None,
    sizes: tuple[float, float] = (1e7, 1e9),
    amounts: tuple[float, float] = (1e7, 1e10),
    noise: float = 0.003,
    seed_noise: float = 0.0,
    random_state: RandomState = None,
) -> PlantedTransfer:
    """Every size on every amount of data, from scratch and pretrained, with the same seeds.

    The loss of a run is L exp(noise e + seed_noise s), with e of the run and s of all runs of its size and seed.

    Args:
        n_sizes: evenly spaced in log N.
        n_amounts: evenly spaced in log D.
        n_seeds: runs of each size, amount and kind.
        truth: None takes the default one.
        sizes: least and greatest N.
        amounts: least and greatest D.
        noise, seed_noise: standard deviations in ln loss, >= 0; e and s are standard normal.
        random_state: seed of the noise, or a generator; None draws anew each time.

    Raises:
        SettingError: an argument out of its range.

    Examples:
        >>> from harness import ScalingLaw
        >>> from harness.datasets import make_transfer
        >>> runs = make_transfer(noise=0).frame
        >>> law = ScalingLaw("hernandez_floor", interval="delta").fit(runs[["N", "D", "pretrained"]], runs["loss"])
        >>> {name: float(f"{law.params_[name]:.4g}") for name in ("k", "alpha", "beta")}
        {'k': 19000.0, 'alpha': 0.18, 'beta': 0.38}
    """
    truth = truth or TransferTruth()
    for name, count in (("n_sizes", n_sizes), ("n_amounts", n_amounts), ("n_seeds", n_seeds)):
        check_count(name, count)
    for name, (least, greatest) in (("sizes", sizes), ("amounts", amounts)):
        if not 0 < least <= greatest < np.inf:
            raise SettingError(name, (least, greatest), "the least and the greatest, above 0")
    check_noise(np.array([noise, seed_noise]))
    rng = np.random.default_rng(random_state)
    size, amount, pretrained, seed = (
        side.ravel()
        for side in np.meshgrid(
            np.geomspace(*sizes, n_sizes), np.geomspace(*amounts, n_amounts), [0, 1], np.arange(n_seeds), indexing="ij"
        )
    )
    shared = rng.standard_normal((n_sizes, 1, 1, n_seeds)) * np.ones((n_sizes, n_amounts, 2, n_seeds))
    off = noise * rng.standard_normal(len(size)) + seed_noise * shared.ravel()
    loss = truth.loss(size, amount, pretrained) * np.exp(off)
    frame = pd.DataFrame({"N": size, "D": amount, "pretrained": pretrained, "seed": seed, "loss": loss})
    return PlantedTransfer(frame, truth)
