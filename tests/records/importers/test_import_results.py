"""What holds for importing files of any format."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest
from imported import IMPORTED, SIZES, tables

import harness
from harness.records.importers import FORMATS, import_results
from harness.records.store import load, load_runs


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_importing_twice_changes_nothing(kind: str, tmp_path: Path) -> None:
    stated = {"params_total": 1000, "study": "one"}
    first = import_results(kind, [IMPORTED / kind], tmp_path / "out", stated)
    before = tables(tmp_path / "out")
    assert import_results(kind, [IMPORTED / kind], tmp_path / "out", stated) == first
    assert tables(tmp_path / "out") == before


def test_sizes_imported_later_take_their_place_on_the_ladder(tmp_path: Path) -> None:
    for name in ("large", "small"):
        import_results("trainer", [IMPORTED / "trainer" / name], tmp_path / "apart", SIZES)
    import_results("trainer", [IMPORTED / "trainer"], tmp_path / "together", SIZES)
    apart, together = load_runs(tmp_path / "apart"), load_runs(tmp_path / "together")
    pd.testing.assert_frame_equal(apart.drop(columns="experiment"), together.drop(columns="experiment"))
    assert together["rung"].to_list() == [0, 1]


def test_a_correction_replaces_the_run(tmp_path: Path) -> None:
    for size in (1000, 2000):
        import_results("nanogpt", [IMPORTED / "nanogpt/small.log"], tmp_path, {"params_total": size})
    assert load_runs(tmp_path)["params_total"].to_list() == [2000]


def test_curves_of_an_import_that_does_not_state_its_evaluation_sets(tmp_path: Path) -> None:
    """Such files state no n_eval, and that a loss is of the same texts as an accuracy is not known either."""
    import_results("trainer", [IMPORTED / "trainer"], tmp_path, SIZES)
    frame = load(tmp_path)
    assert frame["n_eval"].isna().all()
    jumps = harness.find_jumps(frame, x="params_total")
    assert jumps["metric"].tolist() == ["accuracy"] and jumps["continuous_metric"].tolist() == [""]
    assert jumps.attrs["assumed"] == {}


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_packed_files_are_read_alike(kind: str, tmp_path: Path) -> None:
    """Every file of the kind with .gz after its name."""
    for path in (IMPORTED / kind).rglob("*.*"):
        if path.is_file():
            packed = tmp_path / kind / path.relative_to(IMPORTED / kind)
            packed.parent.mkdir(parents=True, exist_ok=True)
            packed.with_name(packed.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    stated = {"params_total": 1000, "study": "one"}
    frames = []
    for source in (IMPORTED / kind, tmp_path / kind):
        import_results(kind, [source], tmp_path / f"{source.parent.name}-out", stated)
        frame = load(tmp_path / f"{source.parent.name}-out", steps="all", runs="all")
        columns = ["member", "task", "subtask", "metric", "step", "value", "n_eval", "tokens"]
        frames.append(frame[columns].sort_values(columns, ignore_index=True))
    pd.testing.assert_frame_equal(*frames)


def test_a_copy_of_a_file_counts_once_and_is_said(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "small.log").write_bytes((IMPORTED / "nanogpt/small.log").read_bytes())
    report = import_results("nanogpt", [tmp_path / "a", tmp_path / "b"], tmp_path / "out", {"params": 1000})
    assert (report.read, report.n_runs) == ("1 run, 1 file", 1)
    first, copy = (tmp_path / name / "small.log" for name in ("a", "b"))
    assert report.problems == (f"{copy} is a copy of {first}, which counts once",)
    assert not load(tmp_path / "out", steps="all").duplicated(["run_id", "step", "metric"]).any()
