"""Imports into a folder that holds earlier ones."""

from __future__ import annotations

import json
from pathlib import Path

from imported import IMPORTED, SIZES_OF_ALL

from harness.records.importers import ImportReport, import_results
from harness.records.store import load, load_runs


def checkpoint(folder: Path, step: int, value: float, shots: int = 0) -> Path:
    path = folder / f"tiny_step{step}_{shots}.json"
    config = {"model_args": "pretrained=me/tiny", "num_fewshot": shots}
    path.write_text(json.dumps({"results": {"piqa": {"acc": value}}, "config": config}))
    return path


def test_checkpoints_imported_later_join_their_run(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def add(path: Path, tokens: int) -> ImportReport:
        return import_results("lm_eval", [path], out, {"params": 9, "tokens": tokens})

    add(checkpoint(tmp_path, 20, 0.6), 200)
    add(checkpoint(tmp_path, 10, 0.5), 100)
    report = add(checkpoint(tmp_path, 20, 0.7, shots=5), 200)
    assert report.n_runs == 1 and not any("replaced" in note for note in report.notes)
    frame = load(out, steps="all").sort_values(["subtask", "step"])
    assert frame[["subtask", "step", "tokens", "value"]].to_numpy().tolist() == [
        ["0-shot", 10, 100, 0.5],
        ["0-shot", 20, 200, 0.6],
        ["5-shot", 20, 200, 0.7],
    ]
    assert load_runs(out)[["steps", "tokens"]].to_numpy().tolist() == [[20, 200]]


def test_totals_stay_those_of_the_last_step(tmp_path: Path) -> None:
    for step, value in ((20, 0.6), (10, 0.5)):
        stated = {"params": 9, "tokens": 10 * step}
        import_results("lm_eval", [checkpoint(tmp_path, step, value)], tmp_path / "out", stated)
    assert load_runs(tmp_path / "out")[["steps", "tokens"]].to_numpy().tolist() == [[20, 200]]


def test_a_correction_is_counted(tmp_path: Path) -> None:
    import_results("lm_eval", [checkpoint(tmp_path, 20, 0.6)], tmp_path / "out", SIZES_OF_ALL)
    report = import_results("lm_eval", [checkpoint(tmp_path, 20, 0.7)], tmp_path / "out", SIZES_OF_ALL)
    assert "1 number imported earlier replaced by other values" in report.notes
    assert load(tmp_path / "out")["value"].to_list() == [0.7]


def test_runs_of_other_tools_stay(tmp_path: Path) -> None:
    import_results("nanogpt", [IMPORTED / "nanogpt/small.log"], tmp_path / "out", {"params": 2000, "study": "one"})
    path = checkpoint(tmp_path, 1, 0.5)
    report = import_results("lm_eval", [path], tmp_path / "out", {"params": 1000})
    assert report.n_runs == 2
    import_results("nanogpt", [IMPORTED / "nanogpt/large.log"], tmp_path / "out", {"params": 1000, "study": "one"})
    runs = load_runs(tmp_path / "out").set_index("member")
    assert runs["rung"].to_dict() == {"small": 1, "large": 0, "me/tiny": 0}
