from __future__ import annotations

import math

from harness.records.importers.found import Number
from harness.records.importers.series import of_names


def test_numbers_tokens_and_flops_of_named_series() -> None:
    found = of_names(
        {
            "train_loss": {1: 9.0},
            "train/loss": {1: 2.5, 2: 2.0},
            "loss": {1: 8.0},
            "eval/acc": {2: 0.5},
            "train/num_input_tokens_seen": {1: 100.0, 2: 200.0},
            "train/total_flos": {2: 1e9, 1: math.nan},
            "system/gpu": {1: 3.0},
        }
    )
    assert found.numbers == [
        Number(1, "train", "loss", 2.5),
        Number(2, "train", "loss", 2.0),
        Number(2, "eval", "acc", 0.5),
    ]
    assert found.settings == {"steps": 2, "tokens": 200, "flops": 1e9} and found.tokens_at == {1: 100, 2: 200}
    assert found.problems == (
        "both train/loss and train_loss are train loss: the first is read",
        "both train/loss and loss are train loss: the first is read",
    )
