"""Python values written in Hydra's grammar come back as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from harness.errors import SettingError, UserError
from harness.overrides import overrides_of


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 3, -2, 0.01, 1e-8, 3e12, float("inf")),
        *("plain", "two words", " ends with a space ", "a,b", "a=b", "a: {b}", "[1,2]", "it's", '"quoted"', "", "#no"),
        *("null", "true", "3", "1e-3", "back\\slash", "ends in \\", "\\'both", "two\nlines", "10 %", "N\\*", "é"),
        *([], [1, 2], ["a,b", "c d"], [None, 0.5, "x=y"], [[1, 2], [3]]),
    ],
    ids=repr,
)
def test_a_value_comes_back(value: Any) -> None:
    (written,) = overrides_of({"group.name": value})
    (parsed,) = OverridesParser.create().parse_overrides([written])
    assert parsed.key_or_group == "group.name"
    found = parsed.value()
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        *((np.float64(0.5), "0.5"), (np.int64(3), "3"), (np.bool_(True), "true"), (np.arange(3), "[0,1,2]")),
        *(
            ((8, 16), "[8,16]"),
            (range(2), "[0,1]"),
            (Path("results/a b"), "'results/a b'"),
            ([np.float32(0.5)], "[0.5]"),
        ),
    ],
    ids=repr,
)
def test_what_is_like_a_number_a_list_or_a_string_is_written_as_one(value: Any, written: str) -> None:
    assert overrides_of(name=value) == [f"name={written}"]


def test_order_and_groups() -> None:
    given = overrides_of(
        "seeds=1", {"optimizer": {"lr": 0.1, "kind": "sgd"}, "ladder.steps": 5}, "seeds=2", task="text"
    )
    assert given == ["seeds=1", "optimizer.lr=0.1", "optimizer.kind='sgd'", "ladder.steps=5", "seeds=2", "task='text'"]


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 1j, [object()]], ids=lambda value: type(value).__name__)
def test_other_values_are_refused_by_name(value: Any) -> None:
    with pytest.raises(SettingError, match=r"^optimizer\.lr=.*: allowed is None, a boolean"):
        overrides_of(optimizer={"lr": value})


def test_a_list_of_overrides_is_taken_as_they_are() -> None:
    assert overrides_of(["family=mlp", "task=digits"], "seeds=2") == ["family=mlp", "task=digits", "seeds=2"]


@pytest.mark.parametrize("given", [None, 3, [3], ["seeds=1", None], {3: 4}, {"ladder": {3: 4}}], ids=repr)
def test_what_is_no_setting_is_refused(given: Any) -> None:
    with pytest.raises(UserError, match=r"is no (setting|name of a setting): allowed are strings"):
        overrides_of(given)
