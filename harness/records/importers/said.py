"""What an import says of the files it read and of the numbers that it did not read but knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from harness.records.importers.found import FoundRun
from harness.records.importers.items import Derived
from harness.wording import counted, percent


def what_was_read(runs: Sequence[FoundRun]) -> str:
    """Models, checkpoints, tasks and files in words: "7 models, 27 checkpoints each, 87 tasks, 189 files"."""
    files = {file for run in runs for file in run.all_files}
    tasks = {run.settings["task"] for run in runs if run.settings.get("task")}
    several_tasks = [counted(len(tasks), "task")] if tasks else []
    if not any(run.key for run in runs):
        n_runs = len({(run.source, run.name, run.part.removesuffix(run.settings.get("task") or "")) for run in runs})
        return ", ".join([counted(n_runs, "run"), *several_tasks, counted(len(files), "file")])
    steps: dict[str, set[int]] = {}
    for run in runs:
        steps.setdefault(run.name, set()).update(number.step for number in run.numbers if number.step is not None)
    counts = sorted({max(1, len(of_model)) for of_model in steps.values()})
    checkpoints = []
    if any(steps.values()):
        many = counted(counts[-1], "checkpoint")
        checkpoints = [
            many + (" each" if len(steps) > 1 else "") if len(counts) == 1 else f"{counts[0]} to {many} each"
        ]
    return ", ".join([counted(len(steps), "model"), *checkpoints, *several_tasks, counted(len(files), "file")])


def notes_on(derived: Derived, numbers: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was derived, taken from the list of benchmarks, or is not known.

    Args:
        derived: numbers of items, as `with_items` found them.
        numbers, rows: rows of both tables.
    """
    notes = []
    if derived.from_errors:
        elsewhere = (
            f"; {counted(derived.from_others, 'number')} with an error of 0 have it from the same task elsewhere"
        )
        rounding = max(derived.from_errors.values())
        notes.append(
            f"n_eval of {counted(len(derived.from_errors), 'task')} was derived from shares and their standard errors, "
            f"n = p (1 - p) / stderr^2 + 1{f', to within {percent(rounding)} as they are rounded' if rounding else ''}"
            f"{elsewhere if derived.from_others else ''}"
        )
    if derived.unknown:
        some = sorted(derived.unknown)
        notes.append(f"n_eval of {_some(some)} does not follow from shares and errors in all numbers, and is missing")
    tasks = Counter({row["task"]: 0 for row in rows if row["task"] != "unknown"})
    task_of = {row["run_id"]: row["task"] for row in rows}
    for number in numbers:
        if number["chance"] is not None:
            tasks[task_of[number["run_id"]]] += 1
    if known := sum(many > 0 for many in tasks.values()):
        without = sorted(task for task, many in tasks.items() if not many)
        rest = f"; unknown for {_some(without)}" if without else ""
        notes.append(f"chance of {known} of {counted(len(tasks), 'task')} was taken from harness/benchmarks.toml{rest}")
    judged = [number for number in numbers if number["discontinuous"]]
    curves = {(task_of[number["run_id"]], number["metric"]) for number in judged}
    if alone := curves - {
        (task_of[number["run_id"]], number["metric"]) for number in judged if number["paired_metric"]
    }:
        notes.append(
            f"no continuous metric is known to be of the same answers for {len(alone)} of {len(curves)} discontinuous "
            f"metrics of tasks; --pair states one"
        )
    return notes


def _some(names: Sequence[str]) -> str:
    """The first few of some names, and how many more there are."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
