from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import run
from synthetic import make_results

from harness.analysis.fitting.estimator import ScalingLaw
from harness.records.store import load


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_results(tmp_path_factory.mktemp("results") / "tiny", ("text",), max_seeds=3, failures=False)


def test_the_harness_reads_its_own_csv(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "export", "csv", str(results), "--into", str(tmp_path))
    assert done.code == 0 and "21 runs written" in done.out

    law = ("--x", "params_total", "--y", "loss", "--law", "power", "--json", str(tmp_path / "law.json"))
    assert run(capsys, "fit", str(tmp_path / "runs.csv"), *law).code == 0
    loss = load(results).query("metric == 'loss'")
    fitted = ScalingLaw("power").fit(loss[["params_total"]], loss["value"])
    params = json.loads((tmp_path / "law.json").read_text())["params"]
    assert params == pytest.approx(fitted.params_, rel=1e-9)

    verdicts = []
    for table in (results, tmp_path / "measurements.csv"):
        out = tmp_path / "verdicts.json"
        assert run(capsys, "emergence", str(table), "--json", str(out)).code == 0
        verdicts.append(json.loads(out.read_text())["curves"])
    assert verdicts[0] == verdicts[1] != []


def test_what_cannot_be_exported_is_said(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "export", "xlsx", str(results)).refused("xlsx", "csv, tensorboard, wandb")
    assert run(capsys, "export", "csv", "nowhere").refused("nowhere", "no such results folder")
