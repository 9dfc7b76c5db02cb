"""Which class is this image of?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.data.dataset import Dataset, Kind
from harness.tasks.labelled import LabelledTask


@dataclass
class Images(LabelledTask):
    """Classes (or values) of images (C, H, W); pixels that no step of preparation scales are divided by 255."""

    data_kind: ClassVar[Kind] = "images"
    name = "images"

    def inputs_of(self, data: Dataset) -> np.ndarray:
        pixels = np.asarray(data.inputs)
        return pixels.astype(np.float32) / 255 if pixels.dtype == np.uint8 else pixels.astype(np.float32)
