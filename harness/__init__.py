"""Scaling laws, thresholds and verdicts on emergence, from one configuration.

The analysis half stands alone: ``import harness`` gives the estimators of laws (`ScalingLaw`, `PowerLaw`, `fit_best`,
`fit_curves`, `fit_groups`, `exponents`), what follows from them (`Forecaster`, `Chain`, `IsoFlop`, `allocate`,
`overtraining`, `compute_gain`, `data_transferred`), `screen` (benchmarks that can be read at small size), `foretell`
(where an ability will appear in a pretrained family), jumps and thresholds (`find_jumps`, `jumps_in_training`,
`thresholds`, `compare_thresholds`), shifted evaluation sets (`AccuracyLine`, `jump_survival`), `take_together` (sizes
that lie close), `load`, `datasets`, tables whose truth is known, and `plots`. `plan` and `sweep` are the other half:
they plan and train experiments; `checkpoints` lists what these have kept, and `load_model` gives a trained model.
Nothing of torch or Hydra is loaded before `plan`, `sweep` or `load_model` is used; each name is imported when first
used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness import datasets as datasets
    from harness import plots as plots
    from harness.analysis.emergence.comparison import compare_thresholds
    from harness.analysis.emergence.find_jumps import find_jumps
    from harness.analysis.emergence.known_scores import known_scores
    from harness.analysis.emergence.thresholds import thresholds
    from harness.analysis.emergence.training_jumps import jumps_in_training
    from harness.analysis.fitting.batch import fit_curves
    from harness.analysis.fitting.estimator import PowerLaw, ScalingLaw
    from harness.analysis.fitting.exponents import exponents
    from harness.analysis.fitting.groups import fit_groups
    from harness.analysis.fitting.selection import fit_best
    from harness.analysis.planning.allocation import allocate, overtraining
    from harness.analysis.planning.compute_gain import compute_gain
    from harness.analysis.planning.data_transferred import data_transferred
    from harness.analysis.planning.forecast import Forecaster
    from harness.analysis.planning.foretell import foretell
    from harness.analysis.planning.isoflop import IsoFlop
    from harness.analysis.planning.learning_rates import best_rates
    from harness.analysis.planning.loss_to_metric import Chain
    from harness.analysis.planning.screening import screen
    from harness.analysis.planning.threshold_forecast import ThresholdForecaster
    from harness.analysis.shifts.accuracy_line import AccuracyLine
    from harness.analysis.shifts.jump_survival import jump_survival
    from harness.analysis.size_bins import take_together
    from harness.kept_models import load_model
    from harness.records.kept import checkpoints
    from harness.records.store import load
    from harness.study_calls import plan, sweep

    __version__: str

_HOMES = {
    "AccuracyLine": "harness.analysis.shifts.accuracy_line",
    "Chain": "harness.analysis.planning.loss_to_metric",
    "ThresholdForecaster": "harness.analysis.planning.threshold_forecast",
    "Forecaster": "harness.analysis.planning.forecast",
    "IsoFlop": "harness.analysis.planning.isoflop",
    "allocate": "harness.analysis.planning.allocation",
    "best_rates": "harness.analysis.planning.learning_rates",
    "compute_gain": "harness.analysis.planning.compute_gain",
    "data_transferred": "harness.analysis.planning.data_transferred",
    "fit_curves": "harness.analysis.fitting.batch",
    "fit_groups": "harness.analysis.fitting.groups",
    "overtraining": "harness.analysis.planning.allocation",
    "PowerLaw": "harness.analysis.fitting.estimator",
    "ScalingLaw": "harness.analysis.fitting.estimator",
    "checkpoints": "harness.records.kept",
    "compare_thresholds": "harness.analysis.emergence.comparison",
    "exponents": "harness.analysis.fitting.exponents",
    "foretell": "harness.analysis.planning.foretell",
    "find_jumps": "harness.analysis.emergence.find_jumps",
    "fit_best": "harness.analysis.fitting.selection",
    "jump_survival": "harness.analysis.shifts.jump_survival",
    "jumps_in_training": "harness.analysis.emergence.training_jumps",
    "known_scores": "harness.analysis.emergence.known_scores",
    "load": "harness.records.store",
    "load_model": "harness.kept_models",
    "plan": "harness.study_calls",
    "screen": "harness.analysis.planning.screening",
    "sweep": "harness.study_calls",
    "take_together": "harness.analysis.size_bins",
    "thresholds": "harness.analysis.emergence.thresholds",
}

__all__ = [
    "AccuracyLine",
    "Chain",
    "Forecaster",
    "IsoFlop",
    "PowerLaw",
    "ScalingLaw",
    "ThresholdForecaster",
    "allocate",
    "best_rates",
    "checkpoints",
    "compare_thresholds",
    "compute_gain",
    "data_transferred",
    "exponents",
    "find_jumps",
    "fit_best",
    "fit_curves",
    "fit_groups",
    "foretell",
    "jump_survival",
    "jumps_in_training",
    "known_scores",
    "load",
    "load_model",
    "overtraining",
    "plan",
    "screen",
    "sweep",
    "take_together",
    "thresholds",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in ("datasets", "plots"):
        return import_module(f"harness.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def _version() -> str:
    """Version of the installed package, or "unknown" where it runs from a bare checkout."""
    from importlib import metadata

    try:
        return metadata.version("scaling-harness")
    except metadata.PackageNotFoundError:
        return "unknown"


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
