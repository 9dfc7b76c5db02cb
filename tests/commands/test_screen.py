"""harness screen, from a user's own table to verdicts, JSON, a picture and words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import loaded_after, run
from one_style import check_one_style
from own_tables import done

from harness.datasets import make_recipes

#: A warning of numpy would stand between the lines that a user reads.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
SCREEN = ("screen", "recipes.csv", "--x", "params", "--recipe", "recipe")
PYTHIA = Path(__file__).parents[3] / "shared/data/real/lm_eval_pythia"


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """recipes.csv: 12 recipes, 4 sizes, 5 checkpoints; one task is readable everywhere, one is noise."""
    monkeypatch.chdir(tmp_path)
    clear = make_recipes(12, snr=30, random_state=1).frame.assign(task="clear")
    noise = make_recipes(12, snr=0, random_state=2).frame.assign(task="noise")
    pd.concat([noise, clear]).to_csv("recipes.csv", index=False)


def test_verdicts_numbers_and_words(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *SCREEN)
    clear, noise = found["tasks"]
    assert clear["task"] == "clear" and clear["verdict"] == "readable from 20M"
    assert noise["reading"] == "no order at the target"
    assert clear["snr_low"] < 30 < clear["snr_high"] and noise["snr_low"] == 0
    assert clear["decision_accuracy"] > 0.85 and clear["p_adjusted"] < 0.01 < noise["p_adjusted"]
    assert found["target"] == 1e9 and found["small"] == 2e7 and len(found["sizes"]) == 8
    assert found["settings"]["step"] == "step" and found["settings"]["by"] == "recipe"
    assert "noise: standard deviation over the last 5 checkpoints" in ran.out
    assert "not known: chance" in ran.out and "tells curves apart" not in ran.out
    assert "2 benchmarks – readable: 1, no order at the target: 1" in ran.out
    assert "noise: no order at 1G – recipes do not differ by more than the noise at 1G itself" in ran.out
    check_one_style(ran.out)


def test_rows_of_runs_without_a_name_are_of_one_run(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("recipes.csv").drop(columns=["run_id", "member"], errors="ignore")
    frame.assign(seed=np.nan).to_csv("unnamed.csv", index=False)
    frame.assign(seed=1).to_csv("named.csv", index=False)
    unnamed, ran = done(capsys, "screen", "unnamed.csv", *SCREEN[2:])
    assert f"{len(frame):,} rows, 0 excluded" in ran.out
    named, _ = done(capsys, "screen", "named.csv", *SCREEN[2:])
    assert unnamed["tasks"] == named["tasks"]


def test_choices(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *SCREEN, "--target", "1.5e8", "--small", "6e7", "--noise", "items", "--top", "1")
    assert found["target"] == 1.5e8 and found["small"] == 6e7 and len(found["tasks"]) == 2
    assert found["tasks"][0]["snr"] is None and "not known: the noise of a score" in ran.out
    assert "1 shown (--json has all)" in ran.out
    frame = pd.read_csv("recipes.csv")
    frame = frame[frame["step"] == 10].drop(columns=["step", "seed"]).assign(n_eval=2000)
    frame.to_csv("recipes.csv", index=False)
    found, ran = done(capsys, *SCREEN)
    assert {row["noise_source"] for row in found["tasks"]} == {"items"} and "recipes answer the same items" in ran.out


def test_a_column_a_task_and_sizes_that_lie_close(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("recipes.csv").query("step == 10")
    wide = frame.pivot(index=["recipe", "params"], columns="task", values="value").add_prefix("acc_").reset_index()
    wide["params"] *= 1 + 0.01 * np.arange(len(wide)) / len(wide)
    wide.assign(acc_stderr_clear=0.01, acc_stderr_noise=0.01).to_csv("recipes.csv", index=False)
    columns = ("--value", "acc_*", "--stderr", "acc_stderr_*")
    found, ran = done(capsys, *SCREEN, *columns)
    assert {row["verdict"] for row in found["tasks"]} == {"too few recipes"}
    assert "48 of 48 sizes are of one recipe each: --bins-per-octave N" in ran.out
    found, ran = done(capsys, *SCREEN, *columns, "--bins-per-octave", "2")
    assert found["tasks"][0]["verdict"].startswith("readable from") and "taken together to 4" in ran.out


def test_one_recipe_is_read_along_its_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    one = ("screen", "recipes.csv", "--x", "params", "--where", "recipe == 'recipe 03'")
    found, ran = done(capsys, *one, "--plot", "one.png")
    assert {row["reading"] for row in found["tasks"]} == {"improves"} and found["target"] is None
    assert "one recipe: whether a benchmark orders recipes as large models do takes 5" in ran.out
    assert Path("one.png").stat().st_size > 5000 and "one.svg" in ran.out
    check_one_style(ran.out)


def test_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    _, ran = done(capsys, *SCREEN, "--plot", "out/read.png")
    assert Path("out/read.png").stat().st_size > 5000 and Path("out/read.svg").exists() and "out/read.png" in ran.out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("screen", "recipes.csv"), ["--x", "the column of sizes must be named", "params"]),
        (("screen", "recipes.csv", "--x", "params"), ["row", "more than once", "no column of recipes"]),
        ((*SCREEN[:4], "--recipe", "recip"), ["column 'recip' is missing", "recipe"]),
        ((*SCREEN, "--target", "3e8"), ["target=3e+08", "20000000, 60000000, 150000000, 1000000000"]),
        ((*SCREEN, "--small", "1e9"), ["small=1e+09", "150000000"]),
        ((*SCREEN, "--target-metric", "bpb"), ["no metric 'bpb'", "accuracy"]),
        ((*SCREEN, "--noise", "luck"), ["--noise: luck", "checkpoints, seeds, items"]),
        ((*SCREEN, "--step", "iteration"), ["column 'iteration' is missing"]),
        ((*SCREEN, "--last", "1"), ["--last: 1", "at least 2"]),
        ((*SCREEN, "--accuracy", "1.2"), ["--accuracy: 1.2", "between 0 and 1"]),
        ((*SCREEN, "--plot", "read.pdf"), ["--plot=read.pdf", ".png"]),
        ((*SCREEN, "--pair", "a=b"), ["--pair"]),
        (
            ("screen", "recipes.csv", "--x", "recipe", "--recipe", "task"),
            ["column recipe, row 1", "a number is wanted"],
        ),
        (("screen", "recipes.csv", "--x", "val_loss", "--recipe", "recipe"), ["--x val_loss", "which grow"]),
        ((*SCREEN, "--where", "params > 1e12"), ["no rows left"]),
    ],
)
def test_screen_refuses(argv: tuple[str, ...], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *argv).refused(*words)


@pytest.mark.skipif(not PYTHIA.is_dir(), reason="needs ../shared/data/real")
def test_checkpoints_of_imported_runs_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    """Easy questions improve from 85M on; those of college mathematics do not, above the noise of 100 items."""
    sizes = {"70m": 18915328, "160m": 85056000, "410m": 302311424, "1.4b": 1208602624}
    steps = ("103000", "113000", "123000", "133000", "143000")
    files = [str(PYTHIA / f"pythia-{name}" / f"{name}_step{step}.json") for name in sizes for step in steps]
    about = {"file": [f"pythia-{name}" for name in sizes], "family": "pythia", "params_non_embedding": sizes.values()}
    pd.DataFrame(about | {"tokens": 299892736000}).to_csv("about.csv", index=False)
    assert run(capsys, "import", "lm_eval", *files, "--into", "results/pythia", "--about", "about.csv").code == 0
    found, _ = done(capsys, "screen", "results/pythia", "--where", "metric == 'acc'")
    by_task = {row["task"]: row for row in found["tasks"]}
    easy, college = by_task["arc_easy"], by_task["hendrycksTest-college_mathematics"]
    assert easy["reading"] == "improves" and easy["moves_from"] == 85056000 and easy["snr_low"] > 1
    assert college["reading"] == "does not move" and easy["n_sizes"] == 4


def test_neither_torch_nor_matplotlib_is_loaded() -> None:
    assert loaded_after(SCREEN) == "[0] {'scipy.stats'}\n"
