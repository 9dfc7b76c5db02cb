"""Settings of recorded runs: their names on the command line, which of them vary, names of studies by their values."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from record_rows import run_row

from harness.errors import DataError
from harness.records.run_settings import (
    duration_of,
    in_words,
    refuse_mixed,
    setting_columns,
    settings_of,
    split_by,
    varying_settings,
    written,
)

CONFIG = {
    "version": 1,
    "study": "main",
    "family": {"name": "mlp", "zero_head": False},
    "task": {"name": "parity", "n_bits": 12, "places": [1, 2]},
    "shape": {"width": 8, "depth": 1, "heads": 0},
    "steps": 5,
    "batch_size": 8,
    "optimizer": {"kind": "adamw", "lr": 0.01, "grad_clip": None},
    "precision": "float32",
    "evaluations": 2,
    "seed": 0,
    "notes": "",
    "learning_rates": [0.01],
    "ladder": {"widths": [8, 16], "steps": 5, "tokens": None},
}


def runs(*configs: dict[str, Any], **columns: list[Any]) -> pd.DataFrame:
    """A row a run; each config is `CONFIG` with changes in its groups."""
    rows = []
    for i, changes in enumerate(configs):
        merged = {
            key: value | changes[key] if isinstance(changes.get(key), dict) else changes.get(key, value)
            for key, value in CONFIG.items()
        }
        rows.append(
            run_row(f"run{i}", config=json.dumps(merged)) | {name: values[i] for name, values in columns.items()}
        )
    return pd.DataFrame(rows)


def test_settings_have_the_names_of_the_command_line() -> None:
    assert settings_of(CONFIG) == {
        "version": 1,
        "family": "mlp",
        "family.zero_head": False,
        "task": "parity",
        "task.n_bits": 12,
        "task.places": "[1, 2]",
        "ladder.batch_size": 8,
        "optimizer.kind": "adamw",
        "optimizer.lr": 0.01,
        "optimizer.grad_clip": None,
        "training.precision": "float32",
        "training.evaluations": 2,
    }
    assert settings_of({"imported": {"kind": "wandb"}, "lr": 0.1}) == {}


@pytest.mark.parametrize(
    ("ladder", "index", "found"),
    [
        ({"steps": 5}, 0, ("ladder.steps", 5)),
        ({"steps": None, "flops": [1e6, 4e6]}, 1, ("ladder.flops", 4e6)),
        ({"flops": [1e6]}, 3, ("duration", 3)),
        (None, 2, ("duration", 2)),
    ],
)
def test_a_duration_is_what_was_asked_for(ladder: Any, index: int, found: tuple[str, float]) -> None:
    assert duration_of({"ladder": ladder}, index) == found


def test_what_may_differ_within_a_curve_does_not_vary() -> None:
    seeds_sizes_durations = runs(
        {},
        {"seed": 7, "shape": {"width": 16}, "ladder": {"widths": [16]}, "notes": "x"},
        {"steps": 9, "ladder": {"steps": 9}},
    )
    assert varying_settings(seeds_sizes_durations) == {}


def test_what_differs_is_named_with_its_values() -> None:
    table = runs({}, {"task": {"n_bits": 3}}, {"optimizer": {"grad_clip": 0.5}}, {"batch_size": 16})
    (varying,) = varying_settings(table).values()
    assert varying == {"task.n_bits": [3, 12], "optimizer.grad_clip": [0.5, None], "ladder.batch_size": [8, 16]}
    assert in_words(varying) == "task.n_bits 3, 12; ladder.batch_size 8, 16; optimizer.grad_clip 0.5, null"
    assert setting_columns(table, ["task.n_bits"])["task.n_bits"].tolist() == [12, 3, 12, 12]


def test_settings_vary_within_a_study_only() -> None:
    assert varying_settings(runs({}, {"task": {"n_bits": 3}}, study=["one", "two"])) == {}


def test_learning_rates_of_one_list_are_alternatives_and_others_are_not() -> None:
    def varying(*asked: list[float]) -> dict[str, dict[str, list[Any]]]:
        return varying_settings(runs(*({"optimizer": {"lr": each[0]}, "learning_rates": each} for each in asked)))

    assert varying([0.01, 0.1], [0.1, 0.01]) == {}
    # The first sweep asked for one of the two, a later one for both.
    assert varying([0.01], [0.1, 0.01]) == {}
    assert varying([0.01], [0.1]) == {"main": {"optimizer.lr": [0.01, 0.1]}}
    older = runs({"optimizer": {"lr": 0.01}}, {"optimizer": {"lr": 0.1}})
    older["config"] = [
        json.dumps({k: v for k, v in json.loads(text).items() if k != "learning_rates"}) for text in older["config"]
    ]
    assert varying_settings(older) == {}


def test_units_of_duration_cannot_be_compared() -> None:
    table = runs({}, {"ladder": {"steps": None, "tokens": 40}})
    assert varying_settings(table) == {"main": {"ladder.steps": [5, None], "ladder.tokens": [40, None]}}


def test_heads_follow_one_rule_or_vary() -> None:
    assert varying_settings(runs({}, {}, width=[16, 32], heads=[1, 2])) == {}, "heads of one width"
    assert varying_settings(runs({}, {}, width=[16, 32], heads=[2, 2])) == {}
    assert varying_settings(runs({}, {}, width=[16, 16], heads=[1, 2])) == {"main": {"ladder.heads": [1, 2]}}


def test_imported_runs_vary_in_nothing() -> None:
    table = runs({}, {})
    table["config"] = [json.dumps({"imported": {"run": name}, "lr": i}) for i, name in enumerate("ab")]
    assert varying_settings(table) == {}


def test_mixed_runs_are_refused_with_ways_out() -> None:
    table = runs({}, {"task": {"n_bits": 3}}, {"optimizer": {"kind": "sgd"}})
    told = "study main holds runs of several settings: task.n_bits 3, 12; optimizer.kind adamw, sgd\n"
    with pytest.raises(DataError) as refused:
        refuse_mixed(table, "by={names} or {one}")
    ways_out = 'by=[task.n_bits,optimizer.kind] or `task.n_bits` == 12 and `optimizer.kind` == "adamw"'
    assert str(refused.value) == told + ways_out
    refuse_mixed(table.head(1), "")


def test_studies_are_named_by_values() -> None:
    table = runs({}, {"optimizer": {"lr": 0.003}}, {"optimizer": {"grad_clip": None}})
    assert split_by(table, ["optimizer.lr"]).tolist() == [
        *("main (optimizer.lr=0.01)", "main (optimizer.lr=0.003)", "main (optimizer.lr=0.01)")
    ]
    both = split_by(table, ["task.n_bits", "ladder.steps"])
    assert both.iloc[0] == "main (task.n_bits=12, ladder.steps=5)"
    with pytest.raises(DataError, match=r"by=optimizr\.lr: no run states such a setting; did you mean 'optimizer\.lr'"):
        split_by(table, ["optimizr.lr"])


def test_studies_are_named_by_size() -> None:
    table = runs({}, {}, width=[16, 64], depth=[1, 2])
    assert split_by(table, ["width"]).tolist() == ["main (width=16)", "main (width=64)"]
    assert split_by(table, ["width", "depth"]).iloc[1] == "main (width=64, depth=2)"
    with pytest.raises(DataError, match=r"by=ladder\.widths: no run states such a setting; did you mean 'width'"):
        split_by(table, ["ladder.widths"])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.003, "0.003"),
        (0.0031234567, "0.0031234567"),
        (1e6, "1e+06"),
        (12, "12"),
        (None, "null"),
        (True, "true"),
        ("wsd", "wsd"),
    ],
)
def test_values_are_written_so_that_no_two_look_alike(value: Any, text: str) -> None:
    assert written(value) == text
