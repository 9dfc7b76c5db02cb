"""The planted curves of experiments/detector_calibration are the truth that the detector is tested on."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "experiments" / "detector_calibration"))
