"""One run out of the files that each hold one of its checkpoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from harness.errors import DataError
from harness.records.importers.found import FoundRun, Number


def join_checkpoints(runs: list[FoundRun]) -> list[FoundRun]:
    """One run of those with the same `key`, in the order in which each first appears, its numbers in order of step.

    A number that several files state alike counts once, and is said to.

    Raises:
        DataError: files state different values of one number, or some of them no step where others state one.
    """
    together: dict[str, list[FoundRun]] = {}
    for run in runs:
        together.setdefault(run.key, []).append(run)
    return [_joined(parts) if len(parts) > 1 else parts[0] for parts in together.values()]


def _joined(parts: Sequence[FoundRun]) -> FoundRun:
    kept: dict[tuple[object, ...], tuple[Number, FoundRun]] = {}
    repeats: dict[Path, Path] = {}
    for part in parts:
        for number in part.numbers:
            key = (number.step, number.split, number.subtask, number.metric)
            earlier, of_run = kept.setdefault(key, (number, part))
            if earlier is number:
                continue
            if repr(earlier.value) != repr(number.value):
                raise DataError(_contradiction(earlier, of_run, number, part))
            repeats[part.source] = of_run.source
    stepless = next((part for part in parts if any(number.step is None for number in part.numbers)), None)
    timed = next((part for part in parts if any(number.step is not None for number in part.numbers)), None)
    if stepless and timed:
        found = f"states no training step, and {timed.source} of the same model ({timed.name}) does"
        raise DataError(f"{stepless.source}: {found}; rename the file to NAME_stepNUMBER.json, or import it apart")
    numbers = sorted((number for number, _ in kept.values()), key=lambda number: number.step or 0)
    # Later checkpoints say more of the run than earlier ones.
    in_order = sorted(parts, key=lambda part: part.settings.get("steps", 0))
    settings = dict(chain.from_iterable(part.settings.items() for part in in_order))
    twice = tuple(f"{path} repeats numbers of {first}, which count once" for path, first in repeats.items())
    return dataclasses.replace(
        in_order[-1],
        source=parts[0].source,
        numbers=numbers,
        settings=settings,
        problems=tuple(dict.fromkeys(f"{part.source.name}: {each}" for part in parts for each in part.problems)),
        notes=tuple(dict.fromkeys(chain(chain.from_iterable(part.notes for part in parts), twice))),
        files=tuple(dict.fromkeys(part.source for part in parts)),
    )


def _contradiction(earlier: Number, of_run: FoundRun, number: Number, part: FoundRun) -> str:
    task = part.settings.get("task", "")
    at = "" if number.step is None else f" at step {number.step}"
    how = "" if number.subtask == "all" else f" ({number.subtask})"
    what = f"{number.metric} of {task}{how} of {part.name}{at}"
    return f"{of_run.source} and {part.source} state {what}, {earlier.value:g} and {number.value:g}: keep one of them"
