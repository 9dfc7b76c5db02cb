from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable

import pytest

from harness.commands.values import between_0_and_1, one_of, positive, several_of, whole_number


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (positive, "1e24", 1e24),
        (between_0_and_1, ".5", 0.5),
        (whole_number(2), "2", 2),
        (one_of(["a", "b"]), "b", "b"),
        (several_of(["a b", "c"]), "c, a b", ["c", "a b"]),
    ],
)
def test_what_is_allowed(read: Callable[[str], object], text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "texts", "allowed"),
    [
        (positive, ["0", "-1", "inf", "nan", "many"], "a finite number above 0"),
        (between_0_and_1, ["0", "1", "nan", "half"], "a number between 0 and 1"),
        (whole_number(100), ["99", "100.5", "1e3"], "a whole number of at least 100"),
        (one_of(["power", "hoffmann"]), ["powr"], "one of power, hoffmann; did you mean 'power'?"),
    ],
)
def test_what_is_not(read: Callable[[str], object], texts: list[str], allowed: str) -> None:
    for text in texts:
        with pytest.raises(ArgumentTypeError) as caught:
            read(text)
        assert str(caught.value) == f"{text}: allowed is {allowed}"
