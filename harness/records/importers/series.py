"""From the named series of a tracker (W&B, TensorBoard) to runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.records.importers.benchmark_names import benchmark_name
from harness.records.importers.found import FoundRun, Number
from harness.records.importers.names import split_metric_and_subtask

#: What trackers call the tokens seen so far, and the FLOPs spent so far, after the last '/'.
TOKENS, FLOPS = "num_input_tokens_seen", "total_flos"

#: Name -> (step, value) in the order of the file.
Series = Mapping[str, Sequence[tuple[int | None, float]]]


def runs_of_names(
    path: Path,
    name: str,
    series: Series,
    *,
    part: str = "",
    settings: Mapping[str, Any] | None = None,
    notes: tuple[str, ...] = (),
    files: tuple[Path, ...] = (),
) -> list[FoundRun]:
    """The numbers of one training run that are metrics by name, as a run of its own for each benchmark among them.

    Args:
        path, name, part, notes, files: as a `FoundRun` has them.
        series: name -> (step, value) in the order of the file; None for a step that is not known.
        settings: what else the file states of the run; these override what the series say.
    """
    numbers, problems = _numbers(series)
    steps = [number.step for number in numbers if number.step is not None]
    tokens_at = {step: int(value) for step, value in _finite(series, TOKENS) if step is not None}
    known: dict[str, Any] = {"steps": max(steps)} if steps else {}
    if tokens := max((value for _, value in _finite(series, TOKENS)), default=0.0):
        known["tokens"] = int(tokens)
    if flops := max((value for _, value in _finite(series, FLOPS)), default=0.0):
        known["flops"] = flops
    known |= settings or {}
    return [
        FoundRun(
            path,
            name,
            of_task,
            known | ({"task": task} if task else {}),
            ", ".join(filter(None, (part, task))),
            tokens_at,
            problems=problems if at == 0 else (),
            notes=notes,
            files=files,
        )
        for at, (task, of_task) in enumerate(_by_task(numbers).items())
    ]


def _by_task(numbers: list[Number]) -> dict[str, list[Number]]:
    found: dict[str, list[Number]] = {}
    for number in numbers:
        found.setdefault(number.task, []).append(number)
    return found


def _numbers(series: Series) -> tuple[list[Number], tuple[str, ...]]:
    numbers: list[Number] = []
    problems = []
    taken: dict[tuple[str, ...], str] = {}
    # 'train/loss' says more plainly what it is than 'train_loss', which may be a mean over the training.
    for name in sorted(series, key=lambda name: "/" not in name):
        benchmark, plain = benchmark_name(name), split_metric_and_subtask(name)
        if benchmark:
            task, subtask, split, metric = benchmark.task, benchmark.subtask, "eval", benchmark.metric
        elif plain:
            task, (split, metric, subtask) = "", plain
        else:
            continue
        of_subtask = () if subtask == "all" else ("of", subtask)
        what = (split, metric, *of_subtask) if not task else (metric, "of", task, subtask)
        if what in taken:
            problems.append(f"both {taken[what]} and {name} are {' '.join(what)}: the first is read")
            continue
        taken[what] = name
        numbers += [Number(step, split, metric, value, subtask, task=task) for step, value in series[name]]
    return numbers, tuple(problems)


def _finite(series: Series, last_word: str) -> Iterator[tuple[int | None, float]]:
    """(step, value) of the series with this name after the last '/', where finite."""
    for name, values in series.items():
        if name.rpartition("/")[2] == last_word:
            yield from ((step, value) for step, value in values if math.isfinite(value))
