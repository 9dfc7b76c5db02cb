"""Weights of what training mixes, such as kinds of examples: checked where they are written, kept as shares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import SettingError, nearest
from harness.ranges import Range
from harness.wording import listed

#: Significant digits of a share, and how close to 1 shares sum that stay as they are: shares of shares are equal.
_DIGITS, _CLOSE = 6, 1e-5


#: Sums of weights stay finite.
LARGEST_WEIGHT = 1e100


@dataclass(frozen=True)
class Weights(Range):
    """Weights by the name of what is mixed, kept as shares, which sum to 1.

    A part of weight 0 is never trained on.

    Attributes:
        parts: the names that there may be; () for any.
    """

    parts: tuple[str, ...] = ()

    def check(self, setting: str, value: Any, owner: Any = None) -> dict[str, float]:
        if not isinstance(value, Mapping) or not value:
            raise SettingError(setting, value, self.words())
        for name, weight in value.items():
            if not isinstance(name, str) or (self.parts and name not in self.parts):
                allowed = f"weights of {listed(self.parts)}{nearest(str(name), self.parts)}"
                raise SettingError(setting, name, allowed if self.parts else "names")
            number = isinstance(weight, int | float) and not isinstance(weight, bool)
            if not number or not 0 <= weight <= LARGEST_WEIGHT:
                raise SettingError(f"{setting}.{name}", weight, f"a number from 0 to {LARGEST_WEIGHT:g}")
        if not sum(value.values()):
            raise SettingError(setting, dict(value), "weights of which one at least is above 0")
        return shares(value)

    def words(self, owner: Any = None) -> str:
        names = f" of {', '.join(self.parts)}" if self.parts else ""
        return f"weights{names} of at least 0, not all 0, as {{NAME: WEIGHT, ...}}"


@dataclass(frozen=True)
class Mixtures(Range):
    """Weights, or a list of them, no two of which are the same mixture."""

    def check(self, setting: str, value: Any, owner: Any = None) -> list[dict[str, float]]:
        several = list(value) if isinstance(value, list | tuple) else [value]
        if not several:
            raise SettingError(setting, value, self.words())
        found = [Weights().check(f"{setting}[{i}]", one) for i, one in enumerate(several)]
        trained = [{name: share for name, share in one.items() if share} for one in found]
        if any(one in trained[:i] for i, one in enumerate(trained)):
            raise SettingError(setting, value, "mixtures that differ from each other in their shares")
        return found

    def words(self, owner: Any = None) -> str:
        return f"a list of {Weights().words()}, each once"


def shares(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights over their sum, to six significant digits."""
    total = math.fsum(weights.values())
    divisor = 1.0 if abs(total - 1) < _CLOSE else total
    return {name: float(f"{weight / divisor:.{_DIGITS}g}") for name, weight in weights.items()}


def mixture_in_words(weights: Mapping[str, float]) -> str:
    """``shown 0.5, written 0.5``, without what is never trained on."""
    return ", ".join(f"{name} {share:.4g}" for name, share in weights.items() if share)
