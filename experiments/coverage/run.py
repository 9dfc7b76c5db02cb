"""Do 95 % intervals hold the truth 95 % of the time? Planted data of seven kinds, every number by the public estimator.

    python experiments/coverage/run.py [--data-sets 2000] [--only KIND] [--seed 0]

1 core, about 8 minutes. Expect: profile intervals cover 93 to 97 % in every column; bootstrap ones less with few runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness import ScalingLaw
from harness.datasets import LossSurface
from harness.errors import SettingError

#: Data sets on which the bootstrap is measured for contrast: it takes a few hundred refits each.
BOOTSTRAP_SHARE = 0.25


@dataclass(frozen=True)
class Kind:
    """A way in which runs come about: a law, its truth, places, and noise.

    Attributes:
        truth: parameters, in the law's order.
        places: (n, d) x of each run.
        noise: rng and the exact y (n,) -> y as measured.
        curve: x (m, d) -> exact y (m,).
        inside, outside: (d,) places at which predictions are judged, the second a decade beyond the largest run.
        n_eval: answers behind each share.
    """

    name: str
    law: str
    truth: tuple[float, ...]
    places: np.ndarray
    noise: Callable[[np.random.Generator, np.ndarray], np.ndarray]
    curve: Callable[[np.ndarray], np.ndarray]
    n_eval: int | None = None

    @property
    def inside(self) -> np.ndarray:
        return np.exp(np.log(self.places).mean(axis=0))

    @property
    def outside(self) -> np.ndarray:
        largest = self.places[np.argmax(np.log(self.places).sum(axis=1))]
        return largest * 10 ** (1 / len(largest))


def relative(
    sd: float, degrees: float = np.inf, of_size: float = 0.0, seeds: int = 1
) -> Callable[[np.random.Generator, np.ndarray], np.ndarray]:
    """Noise of ln y: normal or Student's t, and shared by the `seeds` runs of each size."""

    def measured(rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
        own = rng.standard_normal(len(y)) if np.isinf(degrees) else rng.standard_t(degrees, len(y))
        shared = np.repeat(rng.standard_normal(-(-len(y) // seeds)), seeds)[: len(y)]
        return y * np.exp(sd * own + of_size * shared)

    return measured


def answers(n: int, correlation: float) -> Callable[[np.random.Generator, np.ndarray], np.ndarray]:
    """Shares of n answers, each run with a success rate of its own."""

    def measured(rng: np.random.Generator, p: np.ndarray) -> np.ndarray:
        total = (1 - correlation) / correlation
        return rng.binomial(n, rng.beta(p * total, (1 - p) * total)) / n

    return measured


def power_floor(x: np.ndarray) -> np.ndarray:
    return 1.5 + 100 * x[:, 0] ** -0.5


SURFACE = LossSurface()


def surface(x: np.ndarray) -> np.ndarray:
    return SURFACE.loss(x[:, 0], x[:, 1])


RISE = (0.1, 0.9, 3e4, 0.6)


def rise(x: np.ndarray) -> np.ndarray:
    return RISE[0] + (RISE[1] - RISE[0]) / (1 + (x[:, 0] / RISE[2]) ** (-1 / RISE[3]))


def sizes(n: int, seeds: int, decades: float = 3.0) -> np.ndarray:
    return np.repeat(np.geomspace(1e3, 1e3 * 10**decades, n), seeds)[:, None]


def isoflop(budgets: int, n: int) -> np.ndarray:
    flops = np.repeat(np.geomspace(1e18, 1e21, budgets), n)
    size = np.sqrt(flops / 120) * np.tile(np.geomspace(0.2, 5, n), budgets)
    return np.stack([size, flops / 6 / size], axis=1)


KINDS = (
    Kind("8 sizes x 5 seeds, 1 % noise", "power_floor", (1.5, 100, 0.5), sizes(8, 5), relative(0.01), power_floor),
    Kind("few runs: 8 x 1, 1 %", "power_floor", (1.5, 100, 0.5), sizes(8, 1), relative(0.01), power_floor),
    Kind("heavy tails: 8 x 5, t3, 1 %", "power_floor", (1.5, 100, 0.5), sizes(8, 5), relative(0.01, 3), power_floor),
    Kind(
        "whole sizes off: 7 x 3, .3 % and 1 %",
        "power_floor",
        (1.5, 100, 0.5),
        sizes(7, 3),
        relative(0.003, of_size=0.01, seeds=3),
        power_floor,
    ),
    Kind("surface: 5 budgets x 8, .5 %", "hoffmann", astuple(SURFACE), isoflop(5, 8), relative(0.005), surface),
    Kind(
        "small surface: 4 budgets x 5, t3, .5 %",
        "hoffmann",
        astuple(SURFACE),
        isoflop(4, 5),
        relative(0.005, 3),
        surface,
    ),
    Kind("share: 8 x 5, 500 answers, seeds spread", "logistic", RISE, sizes(8, 5), answers(500, 0.02), rise, 500),
)


def coverage(kind: Kind, interval: str, n: int, seed: int) -> dict[str, object]:
    """Share of data sets whose 95 % interval holds the truth, for each parameter and prediction."""
    rng = np.random.default_rng(seed)
    exact = kind.curve(kind.places)
    judged = np.stack([kind.inside, kind.outside])
    truth = kind.curve(judged)
    held: dict[str, list[bool]] = {}
    statuses = []
    began = time.perf_counter()
    for i in range(n):
        objective = None if kind.law == "logistic" else "squares"
        fit = ScalingLaw(kind.law, objective=objective, interval=interval, n_bootstrap=400, seed=i)
        n_eval = None if kind.n_eval is None else np.full(len(exact), kind.n_eval)
        fit.fit(kind.places, kind.noise(rng, exact), n_eval=n_eval)
        statuses.append(str(fit.status_))
        for name, value in zip(fit.law_.parameters, kind.truth, strict=True):
            low, high = fit.intervals_[name]
            held.setdefault(name, []).append(low <= value <= high)
        band = fit.predict(judged, level=0.95)
        new = kind.noise(rng, truth)
        for j, where in enumerate(("inside", "decade out")):
            held.setdefault(where, []).append(band["low"][j] <= truth[j] <= band["high"][j])
            held.setdefault(f"new run {where}", []).append(band["run_low"][j] <= new[j] <= band["run_high"][j])
    shares = {name: float(np.mean(found)) for name, found in held.items()}
    converged = float(np.mean([status == "converged" for status in statuses]))
    milliseconds = 1e3 * (time.perf_counter() - began) / n
    return {"kind": kind.name, "interval": interval} | shares | {"converged": converged, "ms a fit": milliseconds}


def chosen_kinds(kinds: Sequence[Any], given: argparse.Namespace) -> list[Any]:
    """Those whose name holds what --only says, of enough data sets."""
    if given.data_sets < 20:
        raise SettingError("--data-sets", given.data_sets, "at least 20")
    chosen = [kind for kind in kinds if given.only is None or given.only in kind.name]
    if not chosen:
        raise SettingError("--only", given.only, f"part of one of: {'; '.join(kind.name for kind in kinds)}")
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-sets", type=int, default=2000, help="planted data sets of each kind")
    parser.add_argument("--only", help="kinds whose name holds this")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chosen = chosen_kinds(KINDS, given)
    for interval, n in (("profile", given.data_sets), ("bootstrap", round(BOOTSTRAP_SHARE * given.data_sets))):
        print(f"\n95 % intervals by {interval}: share that hold the truth ({n} data sets a kind)")
        for law in dict.fromkeys(kind.law for kind in chosen):
            rows = [coverage(kind, interval, n, given.seed) for kind in chosen if kind.law == law]
            print(pd.DataFrame(rows).drop(columns="interval").round(3).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
