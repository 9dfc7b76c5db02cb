"""Do intervals hold the truth where runs err together? Planted clusters, every number by the public estimator.

    python experiments/coverage/clusters.py [--data-sets 400] [--only KIND] [--interval profile] [--seed 0]

1 core, about 10 minutes. Each kind is fitted three ways: with its clusters given, left to what the residuals tell, and
as if runs were independent. Expect: with clusters given intervals cover 93 to 97 %.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from run import chosen_kinds

from harness import ScalingLaw
from harness.datasets import LossSurface

SURFACE = LossSurface()
WAYS = ("given", "told", "independent")


@dataclass(frozen=True)
class Kind:
    """Runs that err together.

    Attributes:
        law, truth: the law and its parameters, in its order.
        curve: places (n, d) -> exact y.
        places: (n, d); clusters: (n,) the runs that err together.
        own, shared: standard deviations of ln y of a run, and of what all of its cluster have in common.
        drift: of the slope that a cluster's error has along `along`, the last variable, over its range.
    """

    name: str
    law: str
    truth: tuple[float, ...]
    curve: Callable[[np.ndarray], np.ndarray]
    places: np.ndarray
    clusters: np.ndarray
    own: float = 0.003
    shared: float = 0.01
    drift: float = 0.0

    @property
    def judged(self) -> np.ndarray:
        """(2, d) places at which the curve is judged: the middle, and a decade beyond the largest run."""
        logs = np.log(self.places)
        largest = self.places[np.argmax(logs.sum(axis=1))]
        return np.stack([np.exp(logs.mean(axis=0)), largest * 10 ** (1 / len(largest))])

    def errors(self, rng: np.random.Generator) -> np.ndarray:
        """(n,) of ln y."""
        _, member = np.unique(self.clusters, return_inverse=True)
        n = member.max() + 1
        last = np.log(self.places[:, -1])
        along = (last - last.mean()) / np.ptp(last)
        of_cluster = self.shared * rng.standard_normal(n)[member] + self.drift * rng.standard_normal(n)[member] * along
        return of_cluster + self.own * rng.standard_normal(len(member))


def floor(x: np.ndarray) -> np.ndarray:
    return 1.5 + 100 * x[:, 0] ** -0.5


def surface(x: np.ndarray) -> np.ndarray:
    return SURFACE.loss(x[:, 0], x[:, 1])


def split(x: np.ndarray) -> np.ndarray:
    return 1.5 + 8 * x[:, 0] ** -0.5 + 3 * x[:, 1] ** -0.9 + 2000 * x[:, 2] ** -0.37


FLOOR, SPLIT = (1.5, 100, 0.5), (1.5, 8, 3, 2000, 0.5, 0.9, 0.37)
HOFFMANN = (SURFACE.E, SURFACE.A, SURFACE.B, SURFACE.alpha, SURFACE.beta)


def sizes(n: int, seeds: int | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Seeds of a size, which err together."""
    member = np.repeat(np.arange(n), seeds)
    return np.geomspace(1e3, 1e6, n)[member][:, None], member


def curves(n: int, checkpoints: int) -> tuple[np.ndarray, np.ndarray]:
    """Checkpoints of n runs over D alone, at places of their own; each run's reach over two of three decades."""
    member = np.repeat(np.arange(n), checkpoints)
    start = np.tile(np.linspace(0, 1, 5), -(-n // 5))[:n][member] + 0.01 * member / n
    return 10 ** (3 + start + 2 * np.tile(np.linspace(0, 1, checkpoints), n))[:, None], member


def trajectories(n: int, checkpoints: int | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Checkpoints of n models of different N along D."""
    member = np.repeat(np.arange(n), checkpoints)
    rank = np.concatenate([np.linspace(0, 1, k) for k in np.broadcast_to(checkpoints, n)])
    size = np.geomspace(2e7, 3e9, n)
    return np.stack([size[member], size[member] * 10 ** (0.5 + 2 * rank)], axis=1), member


def budgets(n: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    """IsoFLOP runs, each budget of which errs together."""
    member = np.repeat(np.arange(n), each)
    flops = np.geomspace(1e18, 1e21, n)[member]
    size = np.sqrt(flops / 120) * np.tile(np.geomspace(0.2, 5, each), n)
    return np.stack([size, flops / 6 / size], axis=1), member


def shapes(widths: int, depths: int, checkpoints: int) -> tuple[np.ndarray, np.ndarray]:
    """Checkpoints of models of different width and depth along D."""
    width, depth = (side.ravel() for side in np.meshgrid(np.geomspace(64, 2048, widths), np.geomspace(2, 32, depths)))
    member = np.repeat(np.arange(len(width)), checkpoints)
    tokens = np.tile(np.geomspace(1e8, 1e11, checkpoints), len(width)) * (1 + 0.01 * member / len(width))
    return np.stack([width[member], depth[member], tokens], axis=1), member


UNEQUAL = np.tile([2, 3, 5, 9, 16, 30], 4)

KINDS = (
    Kind("7 sizes x 3 seeds that err together", "power_floor", FLOOR, floor, *sizes(7, 3)),
    Kind("10 sizes, 2 to 30 seeds", "power_floor", FLOOR, floor, *sizes(10, UNEQUAL[:10])),
    Kind("5 runs over D", "power_floor", FLOOR, floor, *curves(5, 12)),
    Kind("10 runs over D", "power_floor", FLOOR, floor, *curves(10, 12)),
    Kind("25 runs over D that drift", "power_floor", FLOOR, floor, *curves(25, 12), drift=0.01),
    Kind("8 models along D", "hoffmann", HOFFMANN, surface, *trajectories(8, 15)),
    Kind("22 models along D", "hoffmann", HOFFMANN, surface, *trajectories(22, 15)),
    Kind("22 models along D that drift", "hoffmann", HOFFMANN, surface, *trajectories(22, 15), drift=0.01),
    Kind("12 models, 2 to 30 checkpoints", "hoffmann", HOFFMANN, surface, *trajectories(12, UNEQUAL[:12])),
    Kind("6 budgets x 8", "hoffmann", HOFFMANN, surface, *budgets(6, 8), shared=0.005),
    Kind("12 budgets x 8", "hoffmann", HOFFMANN, surface, *budgets(12, 8), shared=0.005),
    Kind("4 x 4 shapes along D", "width_depth", SPLIT, split, *shapes(4, 4, 8), own=0.002, shared=0.004),
)


def coverage(kind: Kind, way: str, n: int, seed: int, settings: dict[str, object]) -> dict[str, object]:
    """Share of data sets whose 95 % interval holds the truth, for each parameter, the curve, and a run of a cluster
    that is not among those fitted; and the median width of an exponent's interval."""
    rng = np.random.default_rng(seed)
    exact, truth = kind.curve(kind.places), kind.curve(kind.judged)
    clusters = {"given": kind.clusters, "told": None, "independent": np.arange(len(exact))}[way]
    # Over one variable only a label of the table can tell which runs belong together.
    suspects = {"run": kind.clusters} if kind.places.shape[1] == 1 else None
    held: dict[str, list[bool]] = {}
    widths, began, statuses = [], time.perf_counter(), []
    for i in range(n):
        fit = ScalingLaw(kind.law, seed=i, **{"objective": "squares"} | settings)  # type: ignore[arg-type]
        fit.fit(kind.places, exact * np.exp(kind.errors(rng)), clusters=clusters, suspects=suspects)
        statuses.append(str(fit.status_))
        for name, value in zip(fit.law_.parameters, kind.truth, strict=True):
            low, high = fit.intervals_[name]
            held.setdefault(name, []).append(low <= value <= high)
        low, high = fit.intervals_[fit.law_.exponents[-1]]
        widths.append(high - low)
        band = fit.predict(kind.judged, level=0.95)
        new = truth * np.exp(np.hypot(kind.own, kind.shared) * rng.standard_normal(2))
        for j, where in enumerate(("inside", "decade out")):
            held.setdefault(where, []).append(band["low"][j] <= truth[j] <= band["high"][j])
            held.setdefault(f"run {where}", []).append(band["run_low"][j] <= new[j] <= band["run_high"][j])
    shares = {name: float(np.mean(found)) for name, found in held.items()}
    about = {"converged": np.mean([status == "converged" for status in statuses]), "width": np.median(widths)}
    return {"kind": kind.name, "clusters": way} | shares | about | {"ms": 1e3 * (time.perf_counter() - began) / n}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-sets", type=int, default=400, help="planted data sets of each kind")
    parser.add_argument("--only", help="kinds whose name holds this")
    parser.add_argument("--way", choices=WAYS, action="append", help="; ".join(WAYS))
    parser.add_argument("--interval", default="profile", help="kind of interval")
    parser.add_argument("--objective", default="squares", help="squares or huber")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chosen = chosen_kinds(KINDS, given)
    settings: dict[str, object] = {"interval": given.interval, "objective": given.objective, "n_bootstrap": 400}
    for law in dict.fromkeys(kind.law for kind in chosen):
        rows = [
            coverage(kind, way, given.data_sets, given.seed, settings)
            for kind in chosen
            if kind.law == law
            for way in given.way or WAYS
        ]
        print(pd.DataFrame(rows).round(3).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
