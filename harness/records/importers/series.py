"""From the named series of a tracker (W&B, TensorBoard) to numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.records.importers.found import Number
from harness.records.importers.names import split_and_metric

#: What trackers call the tokens seen so far, and the FLOPs spent so far, after the last '/'.
TOKENS, FLOPS = "num_input_tokens_seen", "total_flos"


@dataclass(frozen=True)
class Series:
    """Numbers, and what else the series say of the run; as `FoundRun` has them."""

    numbers: list[Number]
    settings: dict[str, Any]
    tokens_at: dict[int, int]
    problems: tuple[str, ...]


def of_names(series: Mapping[str, Mapping[int, float]]) -> Series:
    """Numbers of the series that are metrics by name.

    Args:
        series: name -> step -> value.
    """
    numbers: list[Number] = []
    problems = []
    taken: dict[tuple[str, str], str] = {}
    # 'train/loss' says more plainly what it is than 'train_loss', which may be a mean over the training.
    for name in sorted(series, key=lambda name: "/" not in name):
        found = split_and_metric(name)
        if found is None:
            continue
        if found in taken:
            problems.append(f"both {taken[found]} and {name} are {' '.join(found)}: the first is read")
            continue
        taken[found] = name
        numbers += [Number(step, *found, value) for step, value in series[name].items()]
    tokens_at = {step: int(value) for step, value in _finite(series, TOKENS)}
    settings: dict[str, Any] = {"steps": max((number.step for number in numbers), default=0)}
    if tokens_at:
        settings["tokens"] = max(tokens_at.values())
    if flops := max((value for _, value in _finite(series, FLOPS)), default=0.0):
        settings["flops"] = flops
    return Series(numbers, settings, tokens_at, tuple(problems))


def _finite(series: Mapping[str, Mapping[int, float]], last_word: str) -> Iterator[tuple[int, float]]:
    """(step, value) of the series with this name after the last '/', where finite."""
    for name, values in series.items():
        if name.rpartition("/")[2] == last_word:
            yield from ((step, value) for step, value in values.items() if math.isfinite(value))
