"""What may follow a flag: types for argparse, each of which says what is allowed."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable

from harness.errors import UserError, nearest


def positive(text: str) -> float:
    """A finite number above 0."""
    return _number(text, 0.0, math.inf, "a finite number above 0")


def above(least: float) -> Callable[[str], float]:
    """A finite number above this."""
    return lambda text: _number(text, least, math.inf, f"a finite number above {least:g}")


def finite(text: str) -> float:
    """A finite number."""
    return _number(text, -math.inf, math.inf, "a finite number")


def number_or_named(text: str) -> float | dict[str, float]:
    """A finite number, or 'NAME=NUMBER,NAME=NUMBER' as numbers by name."""
    if "=" not in text:
        return finite(text)
    parts = [part.rpartition("=") for part in text.split(",")]
    named = {name.strip(): finite(value) for name, _, value in parts}
    if "" in named or len(named) < len(parts):
        raise ArgumentTypeError(f"{text}: allowed is a number, or NAME=NUMBER,NAME=NUMBER, each name once")
    return named


def low_high(text: str) -> tuple[float, float]:
    """'LOW,HIGH': two finite numbers, the lower one first."""
    parts = text.split(",")
    if len(parts) == 2:
        low, high = map(finite, parts)
        if low < high:
            return low, high
    raise ArgumentTypeError(f"{text}: allowed is LOW,HIGH, two finite numbers, the lower one first")


def between_0_and_1(text: str) -> float:
    """A number between 0 and 1, neither of them."""
    return _number(text, 0.0, 1.0, "a number between 0 and 1")


def whole_number(least: int) -> Callable[[str], int]:
    """A whole number of at least this."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise ArgumentTypeError(f"{text}: allowed is a whole number of at least {least}")
        return value

    return read


def one_of(allowed: Iterable[str]) -> Callable[[str], str]:
    """One of these names; the nearest is offered instead of another."""
    names = tuple(allowed)

    def read(text: str) -> str:
        if text not in names:
            raise ArgumentTypeError(f"{text}: allowed is one of {', '.join(names)}{nearest(text, names)}")
        return text

    return read


def several_of(allowed: Iterable[str]) -> Callable[[str], list[str]]:
    """Some of these names, with commas between them."""
    one = one_of(allowed)
    return lambda text: [one(name.strip()) for name in text.split(",")]


def law_name(known: Iterable[str]) -> Callable[[str], str]:
    """One of these names of laws, or the module.Class of a law of the user's own."""
    one_of_known = one_of(known)
    return lambda text: text if "." in text else one_of_known(text)


def metric_and_judge(text: str, example: str = "exact_match=token_accuracy") -> tuple[str, str]:
    """'METRIC=CONTINUOUS' of --pair as the metric and the continuous one that judges it.

    Raises:
        UserError: another form, or a metric that is to judge itself; the form is shown with `example`.
    """
    metric, _, continuous = (part.strip() for part in text.partition("="))
    if not (metric and continuous):
        raise UserError(f"--pair {text}: allowed is METRIC=CONTINUOUS, e.g. {example}")
    if metric == continuous:
        raise UserError(f"--pair {text}: a metric cannot be the continuous metric that judges it")
    return metric, continuous


def _number(text: str, above: float, below: float, allowed: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not above < value < below:
        raise ArgumentTypeError(f"{text}: allowed is {allowed}")
    return value
