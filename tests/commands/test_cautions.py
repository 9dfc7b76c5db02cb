"""What a table makes one suspect, in every verb on laws: two conditions in one, columns in the wrong order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import run
from own_tables import done, surface_loss

from harness.commands.cautions import label_columns

VERBS = (
    ("fit", "--law", "hoffmann"),
    ("allocate", "--compute", "1e22"),
    ("forecast", "--at", "N=7e9,D=1.4e11"),
)


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """surface.csv: 20 places of N and D, each on two corpora, 8 % apart; one run scatters by .4 %."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    n, d = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(2e10, 5e11, 4)))
    parts = [
        pd.DataFrame({"N": n, "D": d, "loss": up * surface_loss(n, d) * np.exp(0.004 * rng.standard_normal(20))})
        for up in (1.0, 1.08)
    ]
    both = pd.concat([parts[0].assign(corpus="web"), parts[1].assign(corpus="books")], ignore_index=True)
    both.assign(model=np.tile(np.arange(20), 2)).to_csv("surface.csv", index=False)


def call(verb: tuple[str, ...], x: str = "N,D") -> tuple[str, ...]:
    at = [words.replace("N=", f"{x.split(',')[0]}=").replace("D=", f"{x.split(',')[1]}=") for words in verb[1:]]
    return (verb[0], "surface.csv", "--x", x, "--y", "loss", *at)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_two_conditions_are_named_with_the_column_that_tells_them_apart(
    verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    found, ran = done(capsys, *call(verb))
    words = (
        "note: two conditions in one table? each of 20 places (N, D) has two kinds of run, loss a factor 1.08 apart; "
    )
    assert words + "column corpus tells them apart, books above web: --where chooses one" in ran.out
    assert len(found["cautions"]) == 1
    found, ran = done(capsys, *call(verb), "--where", "corpus == 'web'")
    assert found["cautions"] == [] and "note:" not in ran.out


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_swapped_columns_are_suspected_by_their_sizes_and_nothing_is_changed(
    verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv("surface.csv").query("corpus == 'web'").rename(columns={"N": "a", "D": "b"})
    frame.to_csv("surface.csv", index=False)
    found, ran = done(capsys, *call(verb, "b,a"))
    assert (
        "note: swapped? --x b,a: parameters N come first, then tokens D; as they stand, most runs have fewer" in ran.out
    )
    assert len(found["cautions"]) == 1 and "note:" not in run(capsys, *call(verb, "a,b")).out


@pytest.mark.parametrize("names", [("params", "tokens"), ("N", "D"), ("params_non_embedding", "train_tokens")])
def test_swapped_columns_are_suspected_by_their_names(
    names: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    n, d = names
    frame = pd.read_csv("surface.csv").query("corpus == 'web'").rename(columns={"N": n, "D": d})
    frame.to_csv("surface.csv", index=False)
    ran = run(capsys, *call(VERBS[0], f"{d},{n}"))
    assert f"swapped? --x {d},{n}: parameters N come first, then tokens D; {d} was taken for N" in ran.out
    assert "swapped" not in run(capsys, *call(VERBS[0], f"{n},{d}")).out


def test_checkpoints_of_a_model_are_taken_together_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    model = np.repeat(np.arange(10), 9)
    n = np.geomspace(2e7, 3e9, 10)[model]
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"N": n, "D": n * np.tile(np.geomspace(3, 300, 9), 10), "model": [f"m{i}" for i in model]})
    error = 0.01 * rng.standard_normal(10)[model] + 0.003 * rng.standard_normal(90)
    frame.assign(loss=surface_loss(frame["N"], frame["D"]) * np.exp(error)).to_csv("surface.csv", index=False)
    told, ran = done(capsys, *call(VERBS[0]))
    assert "residuals of runs that share model correlate by 0." in ran.out
    assert "intervals by profile over 10 clusters" in ran.out
    assert told["n_clusters"] == 10 and told["shared"] == "model"
    stated, ran = done(capsys, *call(VERBS[0]), "--cluster", "model")
    assert stated["intervals"] == told["intervals"] and stated["shared"] is None and "correlate" not in ran.out
    best, _ = done(capsys, "fit", "surface.csv", "--x", "N,D", "--y", "loss", "--cluster", "model")
    assert best["n_clusters"] == 10


def test_labels_are_text_and_whole_numbers() -> None:
    frame = pd.DataFrame({"x": [1, 2], "run": ["a", "b"], "seed": [0, 1], "C": [1e18, 1e19], "acc": [0.1, 0.2]})
    assert set(label_columns(frame.assign(gap=[np.nan, 1.0]), ("x",))) == {"run", "seed", "C"}
