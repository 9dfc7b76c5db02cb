"""An example's side follows from itself, or from its group."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted_data import planted

from harness.data.settings import DataSettings
from harness.data.split import split
from harness.errors import DataError, SettingError

TEXTS = [f"text {i}" for i in range(400)]


def held_out(texts: list[str], **settings: object) -> set[str]:
    train, evaluation = split(planted("text", texts), DataSettings(**settings))  # type: ignore[arg-type]
    assert not set(train.inputs) & set(evaluation.inputs)
    assert set(train.inputs) | set(evaluation.inputs) == set(texts)
    return set(evaluation.inputs)


def test_the_hash_knows_nothing_of_other_examples() -> None:
    whole = held_out(TEXTS)
    assert 40 < len(whole) < 120  # 400 coins of 0.2, five deviations
    assert held_out(TEXTS[::-1][:300]) == whole & set(TEXTS[100:])
    assert held_out([*TEXTS, *TEXTS[:50], "another"]) - {"another"} == whole
    assert held_out(TEXTS, eval_fraction=0.3) > whole
    assert held_out(TEXTS, split_seed=1) != whole


def test_groups_are_held_out_whole() -> None:
    groups = np.array([f"speaker {i % 20}" for i in range(400)])
    data = planted("text", TEXTS, groups=groups)
    train, evaluation = split(data, DataSettings(split="groups", eval_fraction=0.3))
    assert train.groups is not None and evaluation.groups is not None
    assert not set(train.groups) & set(evaluation.groups) and len(set(evaluation.groups)) > 1
    assert "each group" in train.provenance.split_rule


def test_the_source_decides_where_it_has_a_split() -> None:
    sides = np.array(["train", "eval"] * 200)
    data = planted("text", TEXTS, split=sides)
    train, evaluation = split(data, DataSettings())
    assert train.inputs == TEXTS[::2] and evaluation.inputs == TEXTS[1::2]
    assert train.provenance.split_rule == "planted"
    assert len(split(data, DataSettings(split="hash"))[1]) < 120
    for rule, without in (("source", "no split of its own"), ("groups", "no groups are known")):
        with pytest.raises(SettingError, match=rf"data\.split={rule}: .*{without}"):
            split(replace(data, split=None), DataSettings(split=rule))


def test_reserved_groups_are_on_neither_side_and_move_no_other() -> None:
    groups = np.array([f"speaker {i % 20}" for i in range(400)])
    data = planted("text", TEXTS, groups=groups)
    whole, reserved = (DataSettings(split="groups", reserve=each) for each in (None, {"groups": ["speaker 3"]}))
    of = [[set(side.groups) for side in split(data, each)] for each in (whole, reserved)]  # type: ignore[arg-type]
    assert [side - {"speaker 3"} for side in of[0]] == of[1] and "speaker 3" in of[0][0] | of[0][1]
    chosen = replace(reserved, evaluate_on={"groups": ["speaker 3"]})
    train, evaluation = split(data, chosen)
    assert set(evaluation.groups) == {"speaker 3"} and len(evaluation) == 20  # type: ignore[arg-type]
    assert train.inputs == split(data, reserved)[0].inputs
    for settings, says in (
        (replace(whole, reserve={"groups": ["nobody"]}), r"data\.reserve\.groups: no group nobody"),
        (replace(whole, reserve={"files": ["*.wav"]}), r"data\.reserve\.files: no name matches \*\.wav"),
        (replace(whole, evaluate_on={"groups": [sorted(of[0][0])[0]]}), r"20 of these 20 examples are trained on"),
    ):
        with pytest.raises(DataError, match=says):
            split(data, settings)
