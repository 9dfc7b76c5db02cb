from __future__ import annotations

from harness.report.names import curve_name, metric_name, size_name


def test_what_columns_metrics_and_curves_are_called() -> None:
    assert curve_name({"study": "parity", "subtask": "all"}) == "parity"
    assert curve_name({"study": "parity", "subtask": "subtask 02"}) == "parity: subtask 02"
    assert curve_name({"study": "", "task": "", "metric": "exact_match", "subtask": "all"}) == "exact match"
    assert metric_name("exact_match") == "exact match"
    assert size_name("flops") == "training FLOPs" and size_name("my_size") == "my size"
