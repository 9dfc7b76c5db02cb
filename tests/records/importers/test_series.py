from __future__ import annotations

import math
from pathlib import Path

from harness.records.importers.found import Number
from harness.records.importers.series import runs_of_names

PATH = Path("a.csv")


def test_numbers_tokens_and_flops_of_named_series() -> None:
    (found,) = runs_of_names(
        PATH,
        "small",
        {
            "train_loss": [(1, 9.0)],
            "train/loss": [(1, 2.5), (2, 2.0)],
            "loss": [(1, 8.0)],
            "eval/acc": [(2, 0.5)],
            "train/num_input_tokens_seen": [(1, 100.0), (2, 200.0)],
            "train/total_flos": [(2, 1e9), (1, math.nan)],
            "system/gpu": [(1, 3.0)],
        },
        settings={"seed": "3"},
    )
    assert found.numbers == [
        Number(1, "train", "loss", 2.5),
        Number(2, "train", "loss", 2.0),
        Number(2, "eval", "acc", 0.5),
    ]
    assert found.settings == {"steps": 2, "tokens": 200, "flops": 1e9, "seed": "3"}
    assert found.tokens_at == {1: 100, 2: 200}
    assert found.problems == (
        "both train/loss and train_loss are train loss: the first is read",
        "both train/loss and loss are train loss: the first is read",
    )


def test_each_benchmark_is_a_run_of_its_own() -> None:
    runs = runs_of_names(
        PATH,
        "small",
        {
            "eval/loss": [(1, 2.5)],
            "eval/downstream/piqa_val_rc_0shot_acc": [(1, 0.5)],
            "eval/downstream/piqa_val_rc_5shot_acc": [(1, 0.6)],
            "eval/downstream_bpb/piqa_val_rc_5shot_bpb_bpb": [(1, 1.2)],
            "downstream/piqa_val_rc_5shot_acc": [(1, 0.7)],
            "eval/downstream/boolq_acc": [(1, 0.4)],
        },
        part="small",
    )
    assert [(run.part, run.settings) for run in runs] == [
        ("small", {"steps": 1}),
        ("small, piqa_val_rc", {"steps": 1, "task": "piqa_val_rc"}),
        ("small, boolq", {"steps": 1, "task": "boolq"}),
    ]
    assert [(number.subtask, number.metric, number.value) for number in runs[1].numbers] == [
        ("0-shot", "acc", 0.5),
        ("5-shot", "acc", 0.6),
        ("5-shot", "bpb", 1.2),
    ]
    assert runs[0].problems == (
        "both eval/downstream/piqa_val_rc_5shot_acc and downstream/piqa_val_rc_5shot_acc are acc of piqa_val_rc "
        "5-shot: the first is read",
    )


def test_nothing_known_is_no_run() -> None:
    assert runs_of_names(PATH, "small", {"system/gpu": [(1, 3.0)]}) == []
