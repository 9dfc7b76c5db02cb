"""Classes or values from a table of features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.data.dataset import Dataset, Kind
from harness.ranges import setting
from harness.tasks.labelled import SUBTASKS_BY, LabelledTask


@dataclass
class Table(LabelledTask):
    """Which class, or which values (data.answers=values), does a row of F features have?"""

    subtasks_by: str = setting("none", *SUBTASKS_BY)

    data_kind: ClassVar[Kind] = "features"
    name = "table"

    def inputs_of(self, data: Dataset) -> np.ndarray:
        return np.asarray(data.inputs, dtype=np.float32)
