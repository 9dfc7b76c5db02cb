"""Ranges of settings: what they take, what they refuse, and how they say it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.errors import SettingError
from harness.ranges import (
    Checked,
    Flag,
    Following,
    ListOf,
    Number,
    OneOrMore,
    Range,
    Text,
    above,
    at_least,
    between,
    defaults_outside_identity,
    identity_of,
    moment,
    number_list,
    one_of,
    or_null,
    setting,
    whole,
)

#: Range -> its words, values that it takes, values that it refuses.
RANGES: list[tuple[Range, str, list[Any], list[Any]]] = [
    (whole(1), "a whole number of at least 1", [1, 10**9], [0, 1.0, 1.5, "1", True, math.inf, None]),
    (whole(1, 5), "a whole number from 1 to 5", [1, 5], [0, 6]),
    (whole(200_000), "a whole number of at least 200,000", [200_000], [1]),
    (between(0, 0.5), "a number from 0 to 0.5", [0, 0.5], [-0.1, 0.6, math.nan, "0.1"]),
    (above(0), "a number above 0", [1e-9, 3], [0, -1, math.inf, math.nan]),
    (at_least(0), "a number of at least 0", [0], [-1e-9, math.inf]),
    (Number(0, 1, below=True), "a number of at least 0 and below 1", [0, 0.999], [1, -0.1, math.nan]),
    (one_of("a", "b"), "one of a, b", ["a"], ["c", None, 1, []]),
    (Flag(), "true or false", [True, False], [0, "true", None]),
    (Text("a folder"), "a folder", ["x"], ["", 3, None]),
    (moment(), "a time such as 2026-01-31T12:00:00", ["2026-01-31"], ["yesterday", ""]),
    (ListOf(whole(1)), "a list of whole numbers of at least 1", [[1, 2]], [[], [0], ["a"], "12", {}]),
    (
        OneOrMore(above(0)),
        "a number above 0, or a list of them, each once",
        [1, [1, 2]],
        [0, [], [1, 1], [1, -1], "many"],
    ),
    (or_null(whole(1), "all"), "a whole number of at least 1, or null for all", [None, 1], [0, "all"]),
]


@pytest.mark.parametrize(("allowed", "words", "taken", "refused"), RANGES, ids=[words for _, words, _, _ in RANGES])
def test_a_range_takes_and_refuses_what_it_says(
    allowed: Range, words: str, taken: list[Any], refused: list[Any]
) -> None:
    assert str(allowed) == words
    for value in taken:
        assert allowed.check("x", value) == value
    for value in refused:
        with pytest.raises(SettingError, match=r"^x(\[\d\])?="):
            allowed.check("x", value)


def test_one_value_counts_as_a_list_of_one() -> None:
    assert ListOf(whole(1)).check("ladder.depths", 1) == [1]
    assert or_null(ListOf(Text("names"))).check("by", "optimizer.lr") == ["optimizer.lr"]


def test_the_place_in_a_list_is_named() -> None:
    with pytest.raises(SettingError, match=r"^lr\[1\]=-1: allowed is a number above 0$"):
        or_null(OneOrMore(above(0))).check("lr", [1, -1])


def test_what_null_means_is_said() -> None:
    with pytest.raises(SettingError, match=r"^x=0: allowed is a whole number of at least 1, or null for all cores$"):
        or_null(whole(1), "all cores").check("x", 0)


@dataclass
class Ends(Checked):
    settings_group = "task"

    least: int = setting(2, "from here", whole(1, "most"))
    most: int = setting(4, "to here", whole(1, Following("10 - spare", lambda self: 10 - self.spare)))
    spare: int = setting(0, "kept", whole(0))


def test_ends_that_follow_other_settings() -> None:
    assert str(Ends.__dataclass_fields__["most"].metadata["allowed"]) == "a whole number from 1 to 10 - spare"
    Ends(most=10, least=10)
    with pytest.raises(SettingError, match=r"^task\.least=5: allowed is a whole number from 1 to 4 \(most\)$"):
        Ends(least=5)
    with pytest.raises(SettingError, match=r"^task\.most=9: allowed is a whole number from 1 to 8 \(10 - spare\)$"):
        Ends(most=9, spare=2)


def test_no_setting_is_measured_by_one_that_is_out_of_range() -> None:
    with pytest.raises(SettingError, match=r"^task\.most=0"):
        Ends(most=0)


def test_a_class_without_ranges_takes_any_value() -> None:
    @dataclass
    class Own(Checked):
        colour: str = "red"
        sizes: tuple[int, ...] = ()

    assert Own(colour="", sizes=(-1,)).sizes == (-1,)


def test_a_list_is_not_shared_between_objects() -> None:
    @dataclass
    class Own(Checked):
        names: Any = setting([], "of them", ListOf(Text("names"), empty=True))

    Own().names.append("a")
    assert Own().names == []


@dataclass
class Inner(Checked):
    old: int = setting(1, "of it", whole(1))
    added: float = setting(0.0, "of it", at_least(0), default_in_identity=False)


@dataclass
class Outer(Checked):
    colour: str = "red"
    added: Any = setting([], "of it", ListOf(Text("names"), empty=True), default_in_identity=False)
    inner: Inner = field(default_factory=Inner)


def test_an_added_setting_is_in_the_identity_where_it_is_not_at_its_default() -> None:
    assert identity_of(Outer()) == {"colour": "red", "inner": {"old": 1}}
    assert identity_of(Outer(added=["a"])) == {"colour": "red", "added": ["a"], "inner": {"old": 1}}
    assert identity_of(Outer(inner=Inner(added=2)))["inner"] == {"old": 1, "added": 2}


def test_what_changes_no_number_is_never_in_the_identity() -> None:
    @dataclass
    class Named(Checked):
        name: str = setting("a", "for the record", Text("text"), in_identity=False)
        size: int = setting(1, "of it", whole(1))

    assert identity_of(Named(name="b")) == identity_of(Named()) == {"size": 1}
    assert defaults_outside_identity(Outer(added=["a"])) == {"added": [], "inner": {"added": 0.0}}


def test_a_number_or_a_list_of_numbers() -> None:
    assert number_list("x", 3) == [3]
    assert number_list("x", [1, 2.5]) == [1, 2.5]
    for wrong in ([], "a", [1, "a"], True, None):
        with pytest.raises(SettingError):
            number_list("x", wrong)
