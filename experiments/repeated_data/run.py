"""The law of repeated data: intervals on planted runs, and the published runs fitted anew.

    python experiments/repeated_data/run.py [--datablations CHECKOUT] [--tables 200]

1 core, about 3 minutes. CHECKOUT is a copy of github.com/huggingface/datablations; without it the second part is left
out.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import warnings  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from published import read_runs, without_overfitted  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.progress import track  # noqa: E402

from harness import ScalingLaw  # noqa: E402
from harness.analysis.fitting.laws.repetition import Muennighoff  # noqa: E402

VARIABLES = ["N", "D", "U"]
TRUTH = {"E": 1.8, "A": 500.0, "B": 1500.0, "alpha": 0.35, "beta": 0.36, "R_D": 12.0, "R_N": 5.0}
#: Muennighoff et al. 2023: E, A, B, alpha = beta fitted to other runs, then R_D and R_N to theirs.
PUBLISHED = {"E": 1.869, "A": 521.0, "B": 1487.0, "alpha": 0.353, "beta": 0.353, "R_D": 15.39, "R_N": 5.31}


def planted_runs(noise: float, rng: np.random.Generator) -> pd.DataFrame:
    """100 runs: five sizes, four amounts of unique data, 1 to 60 epochs."""
    sides = np.meshgrid([1e7, 6e7, 3e8, 2e9, 1e10], [1e8, 4e8, 1.6e9, 6.4e9], [1, 2, 6, 20, 60])
    size, unique, epochs = (side.ravel() for side in sides)
    places = np.stack([size, epochs * unique, unique], axis=1)
    theta = np.array([*TRUTH.values()])
    theta[5:] = np.log(theta[5:])
    ln_loss = Muennighoff().value(np.log(places).T, theta[None])[0] + noise * rng.standard_normal(len(places))
    return pd.DataFrame(places, columns=VARIABLES).assign(loss=np.exp(ln_loss))


def coverage(tables: int, noise: float) -> None:
    held = dict.fromkeys(TRUTH, 0)
    status: dict[str, int] = {}
    for i in track(
        range(tables), description=f"planted, noise {noise:g}", console=Console(stderr=True), transient=True
    ):
        runs = planted_runs(noise, np.random.default_rng([i, round(1e4 * noise)]))
        law = ScalingLaw("muennighoff").fit(runs[VARIABLES], runs["loss"])
        status[law.status_.value] = status.get(law.status_.value, 0) + 1
        for name, truth in TRUTH.items():
            low, high = law.intervals_[name]
            held[name] += low <= truth <= high
    print(f"{tables} tables of {len(runs)} runs, noise {noise:g} of ln L: status {status}")
    print("  95 % intervals hold: " + ", ".join(f"{name} {count / tables:.3f}" for name, count in held.items()))


def published(checkout: Path) -> None:
    runs = read_runs(checkout)
    kept = without_overfitted(runs)
    print(f"{len(runs)} published runs; {len(runs) - len(kept)} of them lie beyond the least loss of their N and U")
    for label, frame in {"all": runs, "without those": kept}.items():
        for objective in ("squares", "huber"):
            law = ScalingLaw("muennighoff", objective=objective).fit(frame[VARIABLES], frame["loss"])
            print(f"{label}, {objective}: {law.status_.value}; rms of ln L {_rms(law, frame):.3f}; {law.message_}")
            for name, value in law.params_.items():
                low, high = law.intervals_[name]
                within = "holds" if low <= PUBLISHED[name] <= high else "does not hold"
                print(
                    f"  {name:5s} {value:10.4g}  ({low:.4g} to {high:.4g}) {within} the published {PUBLISHED[name]:g}"
                )
    print(
        f"the published parameters: rms of ln L {_published_rms(runs):.3f} on all runs, {_published_rms(kept):.3f} on "
        "those kept"
    )


def _rms(law: ScalingLaw, frame: pd.DataFrame) -> float:
    return float(np.sqrt(np.mean(np.log(law.predict(frame[VARIABLES]) / frame["loss"]) ** 2)))


def _published_rms(frame: pd.DataFrame) -> float:
    theta = np.array([*PUBLISHED.values()])
    theta[5:] = np.log(theta[5:])
    ln_loss = Muennighoff().value(np.log(frame[VARIABLES].to_numpy()).T, theta[None])[0]
    return float(np.sqrt(np.mean((ln_loss - np.log(frame["loss"])) ** 2)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datablations", type=Path, metavar="CHECKOUT", help="a copy of the public repository")
    parser.add_argument("--tables", type=int, default=200, help="planted tables for each noise")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for noise in (0.003, 0.01):
        coverage(given.tables, noise)
    if given.datablations is None:
        print("the published runs are left out: --datablations CHECKOUT says where they lie")
    else:
        published(given.datablations)


if __name__ == "__main__":
    main()
