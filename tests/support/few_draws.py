"""Calibrations of a quarter of the draws, for tests of what is said and written rather than of p values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.analysis.emergence import calibration
from harness.analysis.emergence.bounded_cache import BoundedCache

#: Apart from those of all draws, which other tests in this process are to find.
_KEPT: BoundedCache[calibration.Calibration] = BoundedCache(calibration.MAX_CALIBRATION_BYTES)


@contextmanager
def quarter_of_the_draws() -> Iterator[None]:
    """Ladders are calibrated in a quarter of the time; the verdicts of clear curves stay what they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "N_CURVES", calibration.N_CURVES // 4)
        patch.setattr(calibration, "_KEPT", _KEPT)
        yield
