"""Coverage of effective data transferred and of the laws of transfer, fine-tuning and mixtures, on planted truth.

    python experiments/data_transferred/run.py [--tables 100] [--only laws | read]

1 core, about 12 minutes; nothing is trained.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from numpy.typing import ArrayLike  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.progress import track  # noqa: E402

from harness import ScalingLaw, data_transferred  # noqa: E402
from harness.datasets import LossSurface, TransferTruth, make_transfer  # noqa: E402

#: Tables of laws are fitted in hundredths of a second, those of the other part read in seconds.
LAWS_PER_TABLE = 5
#: Draws of a reading; the verb takes 1,000.
DRAWS = 400

Table = tuple[pd.DataFrame, np.ndarray]
OF_TRANSFER = {"k": 1.9e4, "alpha": 0.18, "beta": 0.38}


@dataclass(frozen=True)
class Bent(LossSurface):
    """No power law: the exponent of D rises from .1 to .6 about 2e8 examples."""

    def loss(self, n: ArrayLike, d: ArrayLike) -> np.ndarray:
        u = np.log(np.asarray(d, dtype=float) / 2e8)
        return 1.5 + 3 * np.asarray(n, dtype=float) ** -0.05 * np.exp(-0.1 * u - 0.35 * np.logaddexp(0, u / 0.7))


# ---------------------------------------------------------------------------------------------------------------- laws


def crossed(**sides: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({k: v.ravel() for k, v in zip(sides, np.meshgrid(*sides.values()), strict=True)})


def noisy(loss: ArrayLike, noise: float, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(loss) * np.exp(noise * rng.standard_normal(np.shape(loss)))


def hernandez(rng: np.random.Generator) -> Table:
    x = make_transfer(5, 6, 2, sizes=(1e6, 1e9)).frame[["N", "D", "pretrained"]]
    effective = np.where(x["pretrained"], TransferTruth().effective(x["N"], x["D"]), x["D"])
    loss = ((6.4e13 / x["N"]) ** (0.076 / 0.095) + 1.8e13 / effective) ** 0.095
    return x, noisy(loss, 0.003, rng)


def hernandez_floor(rng: np.random.Generator) -> Table:
    frame = make_transfer(4, 7, 2, random_state=rng).frame
    return frame[["N", "D", "pretrained"]], frame["loss"].to_numpy()


def transferred(rng: np.random.Generator) -> Table:
    x = crossed(N=np.geomspace(1e6, 1e9, 5), D_F=np.geomspace(1e5, 1e8, 6))
    return x, noisy(1.9e4 * x["D_F"] ** 0.18 * x["N"] ** 0.38, 0.2, rng)


def zhang(rng: np.random.Generator) -> Table:
    x = crossed(X=np.geomspace(1e9, 1.6e10, 5), D_f=np.geomspace(1e4, 1e7, 7))
    return x, noisy(1.1 + 150 * x["X"] ** -0.18 * x["D_f"] ** -0.12, 0.003, rng)


def zhang_joint(rng: np.random.Generator) -> Table:
    x = crossed(N=np.geomspace(1e9, 1.6e10, 4), P=np.geomspace(1e10, 1e12, 4), D_f=np.geomspace(1e4, 1e7, 5))
    return x, noisy(1.1 + 800 * x["N"] ** -0.15 * x["P"] ** -0.06 * x["D_f"] ** -0.14, 0.003, rng)


def mixture2(rng: np.random.Generator) -> Table:
    share = np.repeat(np.linspace(0, 1, 9), 3)
    return pd.DataFrame({"r1": share}), noisy(2 + 1.5 * np.exp(-3 * share), 0.005, rng)


def mixture3(rng: np.random.Generator) -> Table:
    shares = np.array([(i / 6, j / 6) for i in range(7) for j in range(7 - i)])
    return pd.DataFrame(shares, columns=["r1", "r2"]), noisy(2 + 1.5 * np.exp(shares @ [-3, 0.6]), 0.005, rng)


PLANTED: dict[str, tuple[Callable[[np.random.Generator], Table], dict[str, float]]] = {
    "hernandez": (hernandez, {"Nc": 6.4e13, "Dc": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.095} | OF_TRANSFER),
    "hernandez_floor": (hernandez_floor, {"E": 1.8, "A": 480, "B": 2100, "a": 0.35, "b": 0.37} | OF_TRANSFER),
    "transferred": (transferred, OF_TRANSFER),
    "zhang": (zhang, {"E": 1.1, "A": 150, "alpha": 0.18, "beta": 0.12}),
    "zhang_joint": (zhang_joint, {"E": 1.1, "A": 800, "alpha": 0.15, "gamma": 0.06, "beta": 0.14}),
    "mixture2": (mixture2, {"c": 2, "k": 1.5, "t1": -3}),
    "mixture3": (mixture3, {"c": 2, "k": 1.5, "t1": -3, "t2": 0.6}),
}


def progress(n: int, what: str) -> Iterator[int]:
    return iter(track(range(n), description=what, console=Console(stderr=True), transient=True))


def cover_laws(tables: int) -> None:
    print(f"laws, {tables} tables each: share of 95 % intervals that hold")
    for law, (make, truth) in PLANTED.items():
        held, status = Counter[str](), Counter[str]()
        for seed in progress(tables, law):
            fit = ScalingLaw(law).fit(*make(np.random.default_rng(seed)))
            status[str(fit.status_)] += 1
            for name, value in truth.items():
                held[name] += fit.intervals_[name][0] <= value <= fit.intervals_[name][1]
        shares = ", ".join(f"{name} {held[name] / tables:.3f}" for name in truth)
        print(f"  {law:16} {shares}; {dict(status)}", flush=True)


# ------------------------------------------------------------------------------------------------- data transferred


#: What is planted -> what differs from sizes 4, amounts 7 (half a decade apart), 3 seeds, .3 % noise, kept .6.
CASES: dict[str, dict[str, Any]] = {
    "as planted": {},
    "2 seeds": {"n_seeds": 2},
    "5 seeds": {"n_seeds": 5},
    "1 size": {"n_sizes": 1},
    "4 amounts, a decade apart": {"n_amounts": 4},
    "noise 2 %": {"noise": 0.02},
    "seeds share 1 % of noise": {"seed_noise": 0.01},
    "seeds share 1 %, not told": {"seed_noise": 0.01, "paired": False},
    "a tenth of the runs lost": {"lost": 0.1},
    "no power law": {"truth": TransferTruth(kept=0.6, scratch=Bent())},
    "no power law, 4 amounts": {"truth": TransferTruth(kept=0.6, scratch=Bent()), "n_amounts": 4},
    "always helps": {"truth": TransferTruth(k=1e5)},
    "worth nothing": {"truth": TransferTruth(k=1e-9)},
}


def cover_readings(tables: int) -> None:
    print(f"data transferred, {tables} tables each")
    print(
        "  held: 95 % intervals of D_E; ratio: of their ends, median; wrong: an effect said of the wrong sign, or where"
    )
    print("  there is none; beyond: read as a bound; turning: 95 % intervals of where it stops helping that hold")
    for name, given in CASES.items():
        rows, sizes = [], []
        for seed in progress(tables, name):
            settings = {"truth": TransferTruth(kept=0.6), "random_state": seed} | given
            paired, lost = settings.pop("paired", True), settings.pop("lost", 0.0)
            planted = make_transfer(**settings)
            frame, truth = planted.frame, planted.truth
            frame = frame[np.random.default_rng([seed, 1]).random(len(frame)) >= lost].reset_index(drop=True)
            label = frame["seed"] if paired else None
            found = data_transferred(frame[["N", "D"]], frame["loss"], frame["pretrained"], label, n_draws=DRAWS)
            rows.append(found.amounts.assign(truth=lambda t, of=truth: of.effective(t["N"], t["D_F"])))
            sizes.append(found.sizes.assign(truth=lambda t, of=truth: of.turning_point(t["N"])))
        amounts, turning = pd.concat(rows), pd.concat(sizes).dropna(subset="turning_point")
        held = amounts["truth"].between(amounts["D_E_low"], amounts["D_E_high"]).mean()
        ends = (amounts["D_E_high"] / amounts["D_E_low"]).replace(np.inf, np.nan).median()
        worth = np.log(amounts["truth"] / amounts["D_F"])
        helps, hurts = (amounts["effect"] == effect for effect in ("helps", "hurts"))
        wrong = ((helps & (worth < 1e-9)) | (hurts & (worth > -1e-9))).mean()
        beyond = (amounts["reading"] != "measured").mean()
        crossing = turning["truth"].between(turning["turning_point_low"], turning["turning_point_high"]).mean()
        print(
            f"  {name:26} held {held:.3f}, ratio {ends:.2f}, wrong {wrong:.3f}, beyond {beyond:.2f}, "
            f"turning {crossing:.3f} of {len(turning)}",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--tables", type=int, default=100, help="planted tables of each kind; of laws five times as many"
    )
    parser.add_argument("--only", choices=["laws", "read"])
    arguments = parser.parse_args()
    if arguments.only != "read":
        cover_laws(LAWS_PER_TABLE * arguments.tables)
    if arguments.only != "laws":
        cover_readings(arguments.tables)
