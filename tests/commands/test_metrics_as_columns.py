"""Verbs that are told of a metric of a results folder as if it were a column do what is meant."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from command import run
from own_tables import done
from planted_runs import LEAP, write_planted

from harness.config import compose

X = ("--x", "params_total")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which results/leap holds the runs of two studies, each with the metrics loss and accuracy."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, able_from in (("first", 60), ("second", 30)):
            (study,) = compose(*LEAP, f"study={name}")
            write_planted(study, able_from)
    return folder


@pytest.fixture(autouse=True)
def inside(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)


def test_a_law_of_a_metric_is_fitted_to_the_runs_of_one_study(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("fit", "results/leap", *X, "--law", "power")
    asked, _ = done(capsys, *words, "--y", "loss", "--where", "study == 'first'")
    by_rows, _ = done(capsys, *words, "--y", "value", "--where", "study == 'first' and metric == 'loss'")
    assert asked["n"] == 18 and asked["params"] == by_rows["params"]
    each, _ = done(capsys, *words, "--y", "loss", "--by", "study")
    assert [group["study"] for group in each["groups"]] == ["first", "second"]
    told = "holds runs of 2 studies: first, second; choose one by --where \"study == 'second'\""
    assert run(capsys, *words, "--y", "loss").refused("results/leap", told)
    where = told.partition('--where "')[2].rstrip('"')
    assert run(capsys, *words, "--y", "loss", "--where", where).code == 0


def test_a_metric_is_forecast_through_the_loss(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("forecast", "results/leap", *X, "--y", "loss", "--metric", "accuracy", "--at", "params_total=1e5")
    assert run(capsys, *words).refused("2 studies", "--where")
    assert run(capsys, *words, "--where", "study == 'first'").code == 0


def test_columns_that_are_derived_are_not_taken_for_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("fit", "results/leap", *X, "--law", "power", "--where", "metric == 'loss'")
    derived, _ = done(capsys, *words, "--derive", "loss = value", "--y", "loss")
    assert derived["n"] == 36


def test_metrics_of_value_choose_their_rows_and_their_judges(capsys: pytest.CaptureFixture[str]) -> None:
    plain, _ = done(capsys, "emergence", "results/leap")
    asked, ran = done(capsys, "emergence", "results/leap", "--value", "accuracy")
    assert asked["curves"] == plain["curves"]
    assert "read: rows of metric accuracy, judged by loss" in ran.out
    assert run(capsys, "compare", "results/leap", "--value", "accuracy,loss").code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["emergence", "results/leap", "--value", "a,b"], ["--value a,b", "metrics are accuracy, loss"]),
        (["compare", "results/leap", "--value", "accuracy,b"], ["b is no metric", "accuracy, loss"]),
        (["fit", "results/leap", *X, "--y", "los"], ["los is no column and no metric; did you mean 'loss'?"]),
        (["fit", "long.csv", *X, "--y", "loss"], ["long.csv: loss is a metric", "--where \"metric == 'loss'\""]),
        (["fit", "results/leap", "-x", "params_total", "--y", "loss"], ["fit: -x", "two dashes: --x"]),
        (["fit", "results/leap", "x=params_total", "--y", "loss"], ["x=params_total", "--x params_total"]),
        (["emergence", "experiment=leap"], ["experiment=leap", "results/leap"]),
        (["compare", "results/leap", "--metric_s", "a"], ["--metric_s", "did you mean '--metrics'?"]),
    ],
)
def test_what_is_not_meant_is_said(words: list[str], told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"metric": ["loss", "loss"], "value": [2.0, 1.0], "params_total": [10, 20]})
    frame.to_csv("long.csv", index=False)
    assert run(capsys, *words).refused(*told)


def test_a_value_of_a_flag_may_look_like_a_setting(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"x": [10, 20, 40, 80], "y": [4.0, 2.0, 1.0, 0.5]})
    frame.to_csv("own.csv", index=False)
    words = ("forecast", "own.csv", "--x", "x", "--y", "y", "--law", "power", "--at", "x=100")
    assert run(capsys, *words).code == 0
