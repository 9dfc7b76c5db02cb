"""Arguments that the makers share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.errors import SettingError

#: Seed of all draws, or a generator to draw from; None draws anew each time.
RandomState = int | Sequence[int] | np.random.Generator | None


def check_count(name: str, value: int, least: int = 1) -> None:
    """Raise SettingError where `value` is below `least`."""
    if value < least:
        raise SettingError(name, value, f"a whole number of at least {least}")


def check_noise(noise: float | np.ndarray) -> None:
    """Raise SettingError where a noise is negative or not finite."""
    if not (np.isfinite(noise) & (np.asarray(noise) >= 0)).all():
        raise SettingError("noise", np.asarray(noise).tolist(), "a number of at least 0")
