from __future__ import annotations

import pytest

from harness.records.importers.benchmark_names import benchmark_name


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("eval/downstream/arc_easy_val_rc_5shot_len_norm", ("arc_easy_val_rc", "5-shot", "len_norm")),
        ("arc_easy_val_rc_5shot_len_norm", ("arc_easy_val_rc", "5-shot", "len_norm")),
        ("eval/downstream_bpb/piqa_val_rc_5shot_bpb_bpb", ("piqa_val_rc", "5-shot", "bpb")),
        ("eval/downstream_soft/hellaswag_rc_0shot_soft", ("hellaswag_rc", "0-shot", "soft")),
        ("eval/downstream_soft_log/hellaswag_rc_0shot_soft_log", ("hellaswag_rc", "0-shot", "soft_log")),
        ("eval/downstream_ce_loss/boolq_ce_loss", ("boolq", "all", "ce_loss")),
        ("eval/downstream/csqa_mc_5shot (accuracy)", ("csqa_mc", "5-shot", "accuracy")),
        (
            "eval/downstream/csqa_mc_5shot_fast (length-normalized accuracy v2)",
            ("csqa_mc_fast", "5-shot", "length_normalized_accuracy_v2"),
        ),
        ("eval/downstream/csqa_rc_5shot_bpb (BPB)", ("csqa_rc", "5-shot", "bpb")),
        ("eval/downstream/csqa_rc (BPB)", ("csqa_rc", "all", "bpb")),
        ("eval/downstream/winogrande_acc", ("winogrande", "all", "acc")),
        ("eval/downstream/openbook_qa_acc_norm", ("openbook_qa", "all", "acc_norm")),
        ("eval/accuracy", None),
        ("eval/downstream/loss", None),
        ("train/loss (smoothed)", None),
        ("eval/winogrande_acc", None),
    ],
)
def test_names(name: str, wanted: tuple[str, str, str] | None) -> None:
    assert benchmark_name(name) == wanted
