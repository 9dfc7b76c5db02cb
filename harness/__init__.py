"""Scaling laws, thresholds and verdicts on emergence, from one configuration.

The analysis half stands alone: ``import harness`` gives `load`, `PowerLaw`, `fit_best`, `exponents`, `find_jumps`,
`thresholds` and `compare_thresholds`, and loads neither torch nor Hydra; each name is imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.analysis.choice import fit_best
    from harness.analysis.emergence import find_jumps
    from harness.analysis.exponents import exponents
    from harness.analysis.fitting import PowerLaw, ScalingLaw
    from harness.analysis.thresholds import compare_thresholds, thresholds
    from harness.records.store import load

_HOMES = {
    "PowerLaw": "harness.analysis.fitting",
    "ScalingLaw": "harness.analysis.fitting",
    "compare_thresholds": "harness.analysis.thresholds",
    "exponents": "harness.analysis.exponents",
    "find_jumps": "harness.analysis.emergence",
    "fit_best": "harness.analysis.choice",
    "load": "harness.records.store",
    "thresholds": "harness.analysis.thresholds",
}

__all__ = ["PowerLaw", "ScalingLaw", "compare_thresholds", "exponents", "find_jumps", "fit_best", "load", "thresholds"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
