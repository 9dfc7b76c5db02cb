"""Ranges of settings, with errors in the words of the command line."""

from __future__ import annotations

import math

from harness.errors import SettingError


def check_range(setting: str, value: float, low: float, high: float = math.inf) -> None:
    """Check that `value` lies in [low, high].

    Args:
        setting: full name, such as ``task.k``.

    Raises:
        SettingError: it does not.
    """
    if low <= value <= high:
        return
    kind = "a whole number" if isinstance(value, int) else "a number"
    span = f"of at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
    raise SettingError(setting, value, f"{kind} {span}")
