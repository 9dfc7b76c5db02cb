from __future__ import annotations

from pathlib import Path

import pytest
from imported import IMPORTED, SIZES, SIZES_OF_ALL, values

from harness.errors import DataError
from harness.records.importers import import_results
from harness.records.store import load


def test_nanogpt_logs(tmp_path: Path) -> None:
    logs = [IMPORTED / "nanogpt/small.log", IMPORTED / "nanogpt/large.log"]
    report = import_results("nanogpt", logs, tmp_path, SIZES)
    assert (report.n_runs, report.problems) == (2, ())
    assert values(tmp_path, member="small") == {
        ("small", 0, "loss"): 2.6477,
        ("small", 20, "loss"): 2.5324,
        ("small", 40, "loss"): 2.4993,
    }
    training = values(tmp_path, split="train", member="small")
    assert training["small", 20, "loss"] == 2.5308, "the average, not the loss of one batch"
    assert training["small", 35, "loss"] == 2.5060
    assert load(tmp_path, steps="all")["tokens"].to_list() == [0, 20 * 256, 40 * 256] * 2


def test_llm_c_logs_state_val_loss_on_lines_of_their_own(tmp_path: Path) -> None:
    import_results("nanogpt", [IMPORTED / "nanogpt/llmc"], tmp_path)
    assert values(tmp_path) == {
        ("gpt2_d12", 0, "loss"): 11.009461,
        ("gpt2_d12", 2, "loss"): 9.013377,
        ("gpt2_d12", 4, "loss"): 8.277001,
    }
    assert load(tmp_path)[["params_total", "tokens"]].to_numpy().tolist() == [[124475904, 4 * 524288]]


def test_logs_of_other_makes(tmp_path: Path) -> None:
    lines = [
        "step:0/10 val_loss:10.8258 train_time:0ms",
        "step 3: train loss 7.5 (took 12.0 ms)",
        "val loss 7.25",
        "saving, best val loss 1.0",
        "step:10/10 val_loss:3.5e0 (best_val_loss: 3.25)",
        "the loss of time",
    ]
    (tmp_path / "a.log").write_text("\n".join(lines))
    import_results("nanogpt", [tmp_path / "a.log"], tmp_path / "out", {"params_total": 10})
    assert {step: value for (_, step, _), value in values(tmp_path / "out").items()} == {0: 10.8258, 4: 7.25, 10: 3.5}


def test_counts_that_are_no_numbers_or_of_thousands_of_digits_are_passed_over(tmp_path: Path) -> None:
    stated = ("tokens per iteration will be: ,,,", f"num_parameters: {'9' * 5000}", f"step {'9' * 5000}: val loss 1")
    (tmp_path / "a.log").write_text("\n".join(("step 5: train loss 2.0, val loss 2.25", *stated)))
    report = import_results("nanogpt", [tmp_path / "a.log"], tmp_path / "out", {"params_total": 10})
    assert values(tmp_path / "out") == {("a", 5, "loss"): 2.25}
    assert "line 4: step 999999999999999999..." in report.problems[0]


def test_losses_that_are_no_numbers_are_counted_and_repeated_steps_said(tmp_path: Path) -> None:
    lines = [
        "step 0: train loss 4.0, val loss 4.5",
        "step 5: train loss 3,9, val loss 2.75",
        "step 10: train loss N/A, val loss -",
        "iter 12: loss 3.1.2, time 12ms",
        "iter 13: loss .5, time 12ms",
        "step 15: train loss 2.0, val loss 2.5",
        "step 15: train loss 2.0, val loss 2.25",
    ]
    path = tmp_path / "a.log"
    path.write_text("\n".join(lines))
    report = import_results("nanogpt", [path], tmp_path / "out", {"params_total": 10})
    assert values(tmp_path / "out") == {("a", 0, "loss"): 4.5, ("a", 5, "loss"): 2.75, ("a", 15, "loss"): 2.25}
    assert {step for _, step, _ in values(tmp_path / "out", split="train")} == {0, 13, 15}
    assert report.problems == (
        f"{path}: 4 values of the loss left out that no number stands in (line 2: 3,9)",
        f"{path}: 1 value is left out because a later one of the same step counts (the first: eval loss of all at step "
        "15, 2.5)",
    )


@pytest.mark.parametrize(
    ("kind", "name", "content", "said"),
    [
        ("nanogpt", "a.log", "", "a.log: empty; allowed is a log with lines"),
        ("nanogpt", "a.log", "hello\nloss of hope 3\n", "a.log: no line with a loss; allowed is"),
        (
            "nanogpt",
            "a.log",
            "step 5: val loss 3,9",
            "a.log: 1 value of the loss left out .*line 1: 3,9.*; no line with a loss",
        ),
    ],
)
def test_files_that_cannot_be_used(kind: str, name: str, content: str | bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=said) as caught:
        import_results(kind, [tmp_path / name], tmp_path / "out", SIZES_OF_ALL)
    assert str(caught.value).startswith(str(tmp_path)) and str(caught.value).count("\n") <= 1
    assert not (tmp_path / "out").exists()
