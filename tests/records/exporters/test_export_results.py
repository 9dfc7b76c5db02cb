"""What is exported is what was recorded, and a second export adds nothing twice."""

from __future__ import annotations

import builtins
import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from record_rows import measurement_rows, run_row
from synthetic import make_results

from harness.errors import DataError, UserError
from harness.records.exporters import FORMATS, export_results
from harness.records.importers import import_results
from harness.records.schema import LINEAGE
from harness.records.store import collect, load, load_runs
from harness.records.table import read_rows
from harness.records.writer import write_run

#: Columns of the runs table that these runs leave empty.
MISSING = (
    "error",
    "git_revision",
    "unique_examples",
    "epochs",
    "micro_batches",
    "params_trained",
    "spent_flops",
    *LINEAGE,
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two studies, subtasks, several steps in one of them, and runs that failed."""
    folder = make_results(tmp_path_factory.mktemp("results") / "tiny", ("text", "parity"), 2, 2)
    for seed in range(2):
        rows = measurement_rows((1, 2, 4)) + measurement_rows((1, 4), split="train", metric="loss")[::2]
        write_run(folder, run_row(f"aa{seed}", study="a study/of steps", seed=seed, duration=seed), rows)
    collect(folder)
    return folder


def numbers(folder: Path, split: str = "eval") -> pd.Series:
    """Every value, by what it is of."""
    frame = load(folder, "all", split, ("finished", "diverged", "failed"), "all")
    labels = ["study", "width", "seed", "duration", "metric", "subtask", "step"]
    return frame.set_index(labels)["value"].sort_index()


# ------------------------------------------------------------------------------------------------------------ csv


def test_csv_holds_every_run_and_number_exactly(results: Path, tmp_path: Path) -> None:
    done = export_results("csv", results, tmp_path)
    runs, trajectories = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("runs", "trajectories"))
    assert done.n_new == len(runs) == len(load_runs(results)) and set(runs["status"]) == {
        "finished",
        "diverged",
        "failed",
    }
    labels = ["study", "width", "seed", "duration", "metric", "subtask", "step"]
    for split in ("eval", "train"):
        back = trajectories[trajectories["split"] == split].set_index(labels)["value"].sort_index()
        pd.testing.assert_series_equal(back, numbers(results, split), check_exact=True, check_index_type=False)
    row = runs.set_index("run_id").loc["parity-3-1"]
    last = load(results, runs="all").set_index(["run_id", "metric", "subtask"])["value"]
    assert row["loss"] == last["parity-3-1", "loss", "all"]
    assert row["accuracy/subtask 02"] == last["parity-3-1", "accuracy", "subtask 02"]


def test_csv_tells_which_runs_make_the_curves(results: Path, tmp_path: Path) -> None:
    done = export_results("csv", results, tmp_path)
    rows = pd.read_csv(tmp_path / "measurements.csv")
    assert set(rows["step"]) == {4, 500}, "the last of each run"
    with pytest.warns(match="runs='all' keeps them"):
        comparable = load(results)
    assert set(rows.loc[rows["comparable"], "run_id"]) == set(comparable["run_id"]) != set(rows["run_id"])
    assert any("--where comparable" in note for note in done.notes)


def test_a_file_of_someone_elses_is_not_overwritten(results: Path, tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text("name,score\nmine,1\n")
    with pytest.raises(UserError, match=r"runs.csv: is no file of an earlier export"):
        export_results("csv", results, tmp_path)
    assert (tmp_path / "runs.csv").read_text() == "name,score\nmine,1\n" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("kind", ["csv", "tensorboard"])
def test_two_folders_exported_to_one_place_stand_there_together(kind: str, results: Path, tmp_path: Path) -> None:
    other = make_results(tmp_path / "other", ("lookup",), max_seeds=1, failures=False)
    name, key = ("runs.csv", "run_id") if kind == "csv" else ("about.csv", "run")
    into = tmp_path / "into"
    export_results(kind, results, into)
    first = pd.read_csv(into / name, dtype=str)
    with open(into / name, "a") as file:
        file.write("mine" + "," * (len(first.columns) - 1) + "\n")
    done = export_results(kind, other, into)
    both = pd.read_csv(into / name, dtype=str)
    assert done.n_new == len(load_runs(other)) and len(both) == len(first) + done.n_new + 1
    kept = both.set_index(key).loc[list(first[key]), list(first.columns[1:])]
    pd.testing.assert_frame_equal(kept, first.set_index(key)[list(first.columns[1:])])
    export_results(kind, other, into)
    assert len(pd.read_csv(into / name)) == len(both) and "mine" in set(both[key])


@pytest.mark.parametrize("kind", FORMATS)
def test_nothing_to_export_is_said_and_leaves_nothing(kind: str, tmp_path: Path) -> None:
    write_run(tmp_path / "all", run_row("a", status="diverged", error="loss is nan at step 1"), [])
    collect(tmp_path / "all")
    with pytest.raises(DataError, match=r"nothing to export: no run has measured anything \(1 diverged\)"):
        export_results(kind, tmp_path / "all", tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_csv_recommends_only_what_works(tmp_path: Path) -> None:
    write_run(tmp_path, run_row("a", status="diverged", error="loss is nan at step 3"), measurement_rows((1, 2)))
    collect(tmp_path)
    (note,) = export_results("csv", tmp_path).notes
    assert note.startswith("no run has finished")


# ---------------------------------------------------------------------------------------------------- tensorboard


def test_an_about_csv_of_someone_elses_is_not_overwritten(results: Path, tmp_path: Path) -> None:
    (tmp_path / "about.csv").write_text("name,score\nmine,1\n")
    with pytest.raises(UserError, match=r"about.csv: is no file of an earlier export"):
        export_results("tensorboard", results, tmp_path)
    assert (tmp_path / "about.csv").read_text() == "name,score\nmine,1\n" and len(list(tmp_path.iterdir())) == 1


def event_files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*tfevents*")
    }


def test_what_tensorboard_gets_comes_back_by_import(results: Path, tmp_path: Path) -> None:
    done = export_results("tensorboard", results, tmp_path / "logs")
    about = read_rows(tmp_path / "logs" / "about.csv", as_text=True)
    import_results("tensorboard", [tmp_path / "logs"], tmp_path / "back", about)
    for split in ("eval", "train"):
        back, recorded = numbers(tmp_path / "back", split), numbers(results, split)
        assert list(back.index) == list(recorded.index)
        # TensorBoard's own precision is single.
        np.testing.assert_allclose(back, recorded.to_numpy(), rtol=1e-6)
    sizes = ["study", "width", "seed", "params_total", "params_non_embedding", "tokens", "flops", "lr", "rung"]
    measured = load_runs(results).query("status == 'finished'")
    expected = measured[sizes].sort_values(sizes, ignore_index=True)
    pd.testing.assert_frame_equal(load_runs(tmp_path / "back")[sizes].sort_values(sizes, ignore_index=True), expected)
    assert done.n_new == len(measured) and "2 runs that failed before anything was measured are left out" in done.notes


def test_a_second_export_to_tensorboard_changes_nothing_but_what_has_changed(results: Path, tmp_path: Path) -> None:
    folder = make_results(tmp_path / "own", ("text",), max_seeds=1, failures=False)
    first = export_results("tensorboard", folder)
    before = event_files(first.into)
    assert first.into == folder / "exports" / "tensorboard" and len(before) == first.n_new == 7
    again = export_results("tensorboard", folder)
    assert event_files(first.into) == before and (again.n_new, again.n_there) == (0, 7)
    changed = load_runs(folder).iloc[0].to_dict() | dict.fromkeys(MISSING) | {"lr": 0.5}
    write_run(folder, changed, measurement_rows((500,)))
    write_run(folder, run_row("new", study="text", rung=7), measurement_rows())
    collect(folder)
    third = export_results("tensorboard", folder)
    assert (third.n_new, third.n_replaced, third.n_there) == (1, 1, 6)
    after = event_files(first.into)
    assert len(after) == 8 and sum(after[name] == before[name] for name in before) == 6


def test_hparams_and_names_are_in_the_event_files(results: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    export_results("tensorboard", results, tmp_path)
    (path,) = tmp_path.glob("text/*text-2-1/*tfevents*")
    events = list(EventFileLoader(str(path)).Load())
    content = events[1].summary.value[0].metadata.plugin_data.content
    hparams = HParamsPluginData.FromString(content).session_start_info.hparams
    assert hparams["width"].number_value == 16 and hparams["optimizer.lr"].number_value == 0.01
    assert hparams["study"].string_value == "text"
    assert not any(path.name.startswith(".") or ".." in path.name for path in tmp_path.rglob("*"))


# ---------------------------------------------------------------------------------------------------------- wandb


class FakeWandb:
    """As much of wandb as an export needs; an offline run is a folder with what was logged."""

    Settings = SimpleNamespace

    def init(self, *, dir: str, id: str, settings: Any, **said: Any) -> Any:
        folder = Path(dir) / "wandb" / f"offline-run-20250101_000000-{id}"
        folder.mkdir(parents=True)
        history: list[dict[str, float]] = []

        def log(values: dict[str, float], step: int) -> None:
            assert not history or step > history[-1]["step"], "wandb drops steps that fall"
            history.append(values | {"step": step})

        def finish(exit_code: int) -> None:
            assert settings.silent and said["mode"] == "offline"
            (folder / "run.json").write_text(json.dumps(said | {"history": history, "exit_code": exit_code}))

        return SimpleNamespace(log=log, finish=finish)


def test_runs_for_wandb_have_settings_history_and_ids(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", FakeWandb())  # type: ignore[arg-type]
    done = export_results("wandb", results, tmp_path)
    assert done.n_new == len(list(tmp_path.glob("wandb/offline-run-*"))) == 34
    (folder,) = tmp_path.glob("wandb/offline-run-*-aa1")
    run = json.loads((folder / "run.json").read_text())
    assert (run["group"], run["project"], run["job_type"]) == ("a study/of steps", "tiny", "parity")
    assert run["config"]["params_total"] == 50 and run["config"]["seed"] == 1 and run["exit_code"] == 0
    assert [values["step"] for values in run["history"]] == [1, 2, 4]
    assert run["history"][1]["eval/loss"] == 0.5 and run["history"][1]["train/num_input_tokens_seen"] == 4
    (parity,) = tmp_path.glob("wandb/offline-run-*-parity-0-0")
    assert "eval/accuracy/subtask 01" in json.loads((parity / "run.json").read_text())["history"][0]


def test_a_second_export_for_wandb_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", FakeWandb())  # type: ignore[arg-type]
    for run_id in ("aa", "bb"):
        write_run(tmp_path / "runs", run_row(run_id), measurement_rows())
    into = tmp_path / "into"
    assert export_results("wandb", tmp_path / "runs", into).n_new == 2
    write_run(tmp_path / "runs", run_row("aa"), measurement_rows((2, 4, 6)))
    write_run(tmp_path / "runs", run_row("cc"), measurement_rows())
    done = export_results("wandb", tmp_path / "runs", into)
    assert (done.n_new, done.n_replaced, done.n_there) == (1, 1, 1)
    assert len(list(into.glob("wandb/offline-run-*"))) == 3
    # An export that was cut short has left a run that nothing is remembered of.
    (into / "wandb" / "exported.json").write_text("{}")
    assert export_results("wandb", tmp_path / "runs", into).n_replaced == 3
    (into / "wandb" / "exported.json").write_text("not JSON")
    with pytest.raises(UserError, match="cannot be read as what earlier exports left"):
        export_results("wandb", tmp_path / "runs", into)


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="the package wandb is not installed")
def test_wandb_itself_takes_the_runs(tmp_path: Path) -> None:
    write_run(tmp_path / "runs", run_row("aa"), measurement_rows())
    for n_new in (1, 0):
        assert export_results("wandb", tmp_path / "runs", tmp_path / "into").n_new == n_new
    (folder,) = (tmp_path / "into" / "wandb").glob("offline-run-*-aa")
    assert (folder / "run-aa.wandb").stat().st_size > 0


# ------------------------------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("kind", ["tensorboard", "wandb"])
def test_a_package_that_is_missing_is_named(
    results: Path, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_import = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == kind:
            raise ImportError(name)
        return real_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(UserError, match=rf"pip install -e '\.\[{kind}\]'"):
        export_results(kind, results, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_format_or_folder_that_is_not_there(results: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'tensorboard'"):
        export_results("tensorbord", results, tmp_path)
    with pytest.raises(DataError, match="no such results folder"):
        export_results("csv", tmp_path / "nowhere")
