"""Scaling laws, thresholds and verdicts on emergence, from one configuration.

The analysis half stands alone: ``import harness`` gives the estimators of laws (`ScalingLaw`, `PowerLaw`, `fit_best`,
`fit_curves`, `exponents`), what follows from them (`Forecaster`, `Chain`, `IsoFlop`, `allocate`, `overtraining`),
jumps and thresholds (`find_jumps`, `thresholds`, `compare_thresholds`) and `load`. It loads neither torch nor Hydra;
each name is imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.analysis.allocation import allocate, overtraining
    from harness.analysis.batch import fit_curves
    from harness.analysis.chain import Chain
    from harness.analysis.choice import fit_best
    from harness.analysis.comparison import compare_thresholds
    from harness.analysis.emergence import find_jumps
    from harness.analysis.exponents import exponents
    from harness.analysis.fitting import PowerLaw, ScalingLaw
    from harness.analysis.forecast import Forecaster
    from harness.analysis.isoflop import IsoFlop
    from harness.analysis.known_scores import known_scores
    from harness.analysis.thresholds import thresholds
    from harness.records.store import load

_HOMES = {
    "Chain": "harness.analysis.chain",
    "Forecaster": "harness.analysis.forecast",
    "IsoFlop": "harness.analysis.isoflop",
    "allocate": "harness.analysis.allocation",
    "fit_curves": "harness.analysis.batch",
    "overtraining": "harness.analysis.allocation",
    "PowerLaw": "harness.analysis.fitting",
    "ScalingLaw": "harness.analysis.fitting",
    "compare_thresholds": "harness.analysis.comparison",
    "exponents": "harness.analysis.exponents",
    "find_jumps": "harness.analysis.emergence",
    "fit_best": "harness.analysis.choice",
    "known_scores": "harness.analysis.known_scores",
    "load": "harness.records.store",
    "thresholds": "harness.analysis.thresholds",
}

__all__ = [
    "Chain",
    "Forecaster",
    "IsoFlop",
    "PowerLaw",
    "ScalingLaw",
    "allocate",
    "compare_thresholds",
    "exponents",
    "find_jumps",
    "fit_best",
    "fit_curves",
    "known_scores",
    "load",
    "overtraining",
    "thresholds",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
