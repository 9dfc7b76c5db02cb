"""harness import: results of other tools into the two tables."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from command import run
from imported import IMPORTED, REAL, SIZES, needs_real_data

from harness.records.store import load_runs


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_import_then_fit_of_the_results(capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(IMPORTED / "lm_eval" / f"results_{size}.json") for size in ("small", "large")]
    pd.DataFrame({"run": ["small", "large"], "params_total": [6040, 15152]}).to_csv("sizes.csv", index=False)
    imported = run(capsys, "import", "lm-eval", *files, "--into", "results/tiny", "--about", "sizes.csv")
    assert imported.code == 0 and "results/tiny: 8 runs (8 finished)" in imported.out, imported.err
    assert set(load_runs(Path("results/tiny"))["params_total"]) == {6040, 15152}
    fit = ("fit", "results/tiny", "--x", "params_total", "--y", "value", "--where", "metric == 'word_perplexity'")
    assert run(capsys, *fit, "--law", "power_floor").refused("needs at least 4 distinct x; got 2")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("import", "lm_evl", "x", "--into", "r"), ["lm_evl", "'lm_eval'"]),
        (("import", "lm_eval", "nowhere.json", "--into", "r"), ["nowhere.json: no such file"]),
        (("import", "lm_eval", "x"), ["required: --into"]),
        (("import", "lm_eval", "x", "--into", "r", "--set", "a"), ["--set a", "SETTING=VALUE"]),
        (("import", "lm_eval", "x", "--into", "r", "--pair", "a"), ["--pair a", "METRIC=CONTINUOUS"]),
        (("import", "lm_eval", "x", "--into", "r", "--about", "sizes.csv"), ["sizes.csv: no such file"]),
        (("import", "lm_eval", "x", "--into", "r", "--about", "a.xlsx"), ["a.xlsx: no such file"]),
    ],
)
def test_import_refuses(argv: tuple[str, ...], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *argv).refused(*words)


def test_settings_sidecar_and_what_is_not_stated(capsys: pytest.CaptureFixture[str]) -> None:
    SIZES.drop(columns="params_non_embedding").to_csv("sizes.csv", index=False)
    stated = ("--about", "sizes.csv", "--set", "family=gpt2")
    ran = run(capsys, "import", "trainer", str(IMPORTED / "trainer"), "--into", "out", *stated)
    assert ran.code == 0 and "out: 2 runs (2 finished), 24 measurements" in ran.out
    assert "note: params_non_embedding is not stated of 2 runs: analyse with analysis.x=params_total" in ran.out
    assert set(load_runs(Path("out"))["family"]) == {"gpt2"}
    one = ("lm-eval", str(IMPORTED / "lm_eval/results_small.json"), "--into", "b")
    assert run(capsys, "import", *one).code == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("about.xlsx", b"", "suffix '.xlsx' is not known"),
        ("about.csv", b"", "about.csv: empty"),
        ("about.parquet", b"PAR1", "about.parquet: not readable"),
        ("about.jsonl", b'{"run": ', "about.jsonl, line 1: not JSON"),
    ],
)
def test_sidecars_that_cannot_be_read(name: str, content: bytes, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(name).write_bytes(content)
    import_them = ("import", "trainer", str(IMPORTED / "trainer"), "--into", "out", "--about", name)
    assert run(capsys, *import_them).refused(said)
    assert not Path("out").exists()


@needs_real_data
def test_what_is_said_of_models_checkpoints_items_and_chance(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {"pythia-70m": "18.915328M", "pythia-160m": "85.056M"}
    pd.DataFrame({"file": list(sizes), "params_non_embedding": list(sizes.values())}).to_csv("sizes.csv", index=False)
    folders = [str(REAL / "lm_eval_pythia" / name) for name in sizes]
    ran = run(capsys, "import", "lm-eval", *folders, "--into", "out", "--about", "sizes.csv")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("read: 2 models, 27 checkpoints each, 87 tasks, 54 files\nout: 174 runs (174 finished), ")
    for words in (
        "n_eval of 87 tasks was derived from shares and their standard errors",
        "chance of 87 of 87 tasks was taken from harness/benchmarks.toml",
        "params_total is not stated of 174 runs: analyse with analysis.x=params_non_embedding",
    ):
        assert words in ran.out
    assert run(capsys, "verify", "out").code == 0


def test_curves_of_an_import_without_items(capsys: pytest.CaptureFixture[str]) -> None:
    """A missing n_eval is accepted by every verb that reads the folder or its table."""
    pd.concat([SIZES, SIZES.assign(run=["small2", "large2"])]).to_csv("sizes.csv", index=False)
    stated = ("--about", "sizes.csv", "--pair", "accuracy=loss")
    ran = run(capsys, "import", "trainer", str(IMPORTED / "trainer"), "--into", "out", *stated)
    assert ran.code == 0 and "no continuous metric is known" not in ran.out
    table = pd.read_parquet("out/measurements.parquet").merge(
        pd.read_parquet("out/runs.parquet")[["run_id", "params_total"]]
    )
    assert table["n_eval"].isna().all()
    table[table["split"] == "eval"].to_parquet("joined.parquet")
    for source in ("out", "joined.parquet"):
        ran = run(capsys, "emergence", source, "--x", "params_total", "--json", "out.json")
        assert ran.code == 0, ran.err
        assert json.loads(Path("out.json").read_text())["curves"][0]["continuous_metric"] == "loss"
    assert run(capsys, "verify", "out").code == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b'{"results": {"piqa": {"acc": 0.', "a.json: not JSON, or cut short"),
        ("a.json", b"[1, 2]", "a.json: foreign"),
        ("a.json.gz", b"", "a.json.gz: empty"),
        ("a.json", b"", "a.json: empty"),
    ],
)
def test_bad_files_are_refused_in_a_line(
    name: str, content: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_bytes(content)
    assert run(capsys, "import", "lm-eval", name, "--into", "out", "--set", "params=1").refused(said)
    assert not Path("out").exists()


def test_two_files_that_contradict_each_other_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in (("a.json", 0.5), ("b.json", 0.25)):
        scores = {"results": {"piqa": {"acc": value}}, "config": {"model_args": "pretrained=m,revision=step5"}}
        Path(name).write_text(json.dumps(scores))
    both = ("import", "lm-eval", "a.json", "b.json", "--into", "out", "--set", "params=1")
    assert run(capsys, *both).refused("a.json and b.json state acc of piqa of m at step 5, 0.5 and 0.25: keep one")
    assert not Path("out").exists()
