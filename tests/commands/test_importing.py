"""harness import: results of other tools into the two tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from command import run
from imported import IMPORTED, SIZES

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
