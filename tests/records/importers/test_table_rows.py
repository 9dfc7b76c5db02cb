from __future__ import annotations

from pathlib import Path

from imported import SIZES_OF_ALL

from harness.records.importers import import_results
from harness.records.store import load, load_runs


def test_values_that_are_not_finite_are_reported(tmp_path: Path) -> None:
    log = ["step 0: train loss 2.5, val loss 2.5", "iter 10: loss nan, time 1ms", "step 20: train loss 2.1, val loss 2"]
    (tmp_path / "bumpy.log").write_text("\n".join(log))
    (tmp_path / "lost.log").write_text("\n".join([*log, "iter 30: loss nan, time 1ms", "iter 40: loss nan, time 1ms"]))
    report = import_results("nanogpt", [tmp_path / "bumpy.log", tmp_path / "lost.log"], tmp_path / "out", SIZES_OF_ALL)
    assert report.problems == (
        f"{tmp_path / 'bumpy.log'}: train loss of all is nan at step 10; left out",
        f"{tmp_path / 'lost.log'}: train loss of all is nan at step 10 (3 such values); left out",
    )
    assert report.by_status == {"finished": 1, "diverged": 1, "failed": 0}
    runs = load_runs(tmp_path / "out").set_index("member")
    assert runs.loc["lost", "error"] == "train loss is nan at step 40"
    assert load(tmp_path / "out")["member"].to_list() == ["bumpy"]
