"""Early stopping: a member's training ends once its evaluation loss no longer falls."""

from __future__ import annotations

import math

from harness.settings import TrainingSettings


class EarlyStopping:
    """Ends a member's training after `training.patience` evaluations in a row without a new lowest loss.

    A loss is a new lowest where it lies more than `training.min_delta` under the lowest so far (Prechelt 1998, "Early
    Stopping - But When?"). The run ends with the evaluation at which patience ran out: its last numbers, steps, tokens
    and FLOPs are of that moment, and those of its best evaluation are among its measurements.
    """

    def __init__(self, settings: TrainingSettings) -> None:
        self.settings = settings
        self.lowest, self.in_vain = math.inf, 0

    def ends(self, loss: float) -> bool:
        """Whether training ends with this evaluation."""
        if loss < self.lowest - self.settings.min_delta:
            self.lowest, self.in_vain = loss, 0
        else:
            self.in_vain += 1
        return self.settings.patience is not None and self.in_vain >= self.settings.patience
