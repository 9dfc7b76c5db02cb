"""Foretelling on planted tables: how often intervals hold N*, and how often there is a forecast without reason."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from harness import ThresholdForecaster
from harness.datasets import PlantedFinetuning, make_finetuned

AMOUNTS = (100, 300, 1000, 3000, 10_000, 30_000)
#: What is planted -> settings of the maker; None for what each table draws for itself.
PLANTED: dict[str, dict[str, Any]] = {
    "power law": {},
    "power law with a floor": {"floor": 0.15},
    "law of the paper": {"movement": "log power"},
    "all or nothing by seed, 8 seeds": {"scatter": "seeds", "n_seeds": 8},
    "parents differ": {"of_parents": 0.4, "n_seeds": 6},
    "a jump between two sizes": {"width": 0.03, "of_parents": 0.02},
}
NOTHING: dict[str, dict[str, Any]] = {
    "amounts do not matter": {"movement": "none"},
    "amounts do not matter, parents differ": {"movement": "none", "of_parents": 0.4, "n_seeds": 6},
    "amounts do not matter, all or nothing": {"movement": "none", "scatter": "seeds", "n_seeds": 8},
    "out of reach of any amount": {"threshold": 1e7},
    "all or nothing, out of reach": {"threshold": 1e6, "scatter": "seeds", "n_seeds": 8},
}
#: `at`, over what pretraining is worth.
FACTORS = (None, 1.0, 3.0, 10.0)


def planted(settings: dict[str, Any], seed: int) -> tuple[PlantedFinetuning, float]:
    """A table of six sizes, its N* one to five steps beyond them, and what pretraining is worth in it."""
    rng = np.random.default_rng([seed, 2026])
    worth = float(np.exp(rng.uniform(np.log(30), np.log(1000))))
    drawn = {"threshold": 5657 * 2 ** rng.uniform(0.5, 2.5), "exponent": rng.uniform(0.3, 0.6), "worth": worth}
    return make_finetuned(amounts=AMOUNTS, random_state=rng, **drawn | settings), worth


def measure(tables: int) -> None:
    """Print a line for each kind of table and `at`."""
    for name, settings in PLANTED.items():
        for factor in FACTORS:
            held, error, span, refused = [], [], [], 0
            for seed in _each(tables, name):
                truth, worth = planted(settings, seed)
                found = _fit(truth, None if factor is None else factor * worth)
                if found.status_ != "forecast":
                    refused += 1
                    continue
                held.append(found.low_ <= truth.threshold <= found.high_)
                error.append(np.log2(found.threshold_ / truth.threshold))
                span.append(np.log2(found.high_ / found.low_))
            at = "at not given" if factor is None else f"at {factor:g} times the truth"
            print(
                f"{name}, {at}: held {np.mean(held):.3f} of {len(held)}, {refused} refused; error median "
                f"{np.median(error):+.2f}, absolute {np.median(np.abs(error)):.2f} octaves; interval "
                f"{np.median(span):.1f} octaves",
                flush=True,
            )
    for name, settings in NOTHING.items():
        false = sum(_fit(planted(settings, seed)[0], None).status_ == "forecast" for seed in _each(tables, name))
        print(f"{name}: {false} of {tables} have a forecast", flush=True)


def _each(tables: int, name: str) -> Any:
    return track(range(tables), description=name, console=Console(stderr=True), transient=True)


def _fit(truth: PlantedFinetuning, at: float | None) -> ThresholdForecaster:
    frame = truth.frame
    return ThresholdForecaster(at=at).fit(frame[["params", "examples"]], frame["value"], frame["parent"])
