"""The Hugging Face Trainer's ``trainer_state.json``.

`loss` goes to the train split, every ``eval_*`` metric to the eval split; ``eval_NAME_*``, of one evaluation set among
several, to subtask NAME. Tokens and FLOPs are the file's where the Trainer counted them. A folder may hold the states
of several checkpoints of a run: the latest is read, for it holds what was logged before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.records.importers.found import Format, FoundRun, Number, is_count, is_number, read_json, stem
from harness.records.importers.names import split_and_metric
from harness.wording import counted

_EXPECTED = "a trainer_state.json of the Hugging Face Trainer"
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


def read(path: Path) -> list[FoundRun]:
    """The one run of a state.

    Raises:
        DataError: not such a file, or nothing was logged yet.
    """
    state = read_json(path, "log_history", _EXPECTED)
    entries = state["log_history"]
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and is_count(entry.get("step")) for entry in entries
    ):
        raise DataError(f"{path}: foreign, its 'log_history' is no list of logged steps; allowed is {_EXPECTED}")
    stated = [(number, value) for entry in entries for number, value in _stated(entry)]
    numbers = [replace(number, value=float(value)) for number, value in stated if is_number(value)]
    others = [
        f"{number.split} {number.metric} at step {number.step}: {value!r}"
        for number, value in stated
        if not is_number(value)
    ]
    problems = (f"{counted(len(others), 'value')} left out that no number stands in ({others[0]})",) if others else ()
    if not numbers:
        raise DataError(f"{path}: nothing was logged in it (no loss, no eval_loss)")
    seen = ((entry["step"], entry.get("num_input_tokens_seen")) for entry in entries)
    tokens_at = {step: tokens for step, tokens in seen if is_count(tokens)}
    return [FoundRun(path, _run_name(path), numbers, _settings(state, entries), tokens_at=tokens_at, problems=problems)]


def _stated(entry: dict[str, Any]) -> Iterator[tuple[Number, Any]]:
    """The metrics of an entry without their values, and these as they stand there."""
    # Each evaluation set leaves its own runtime, which tells its name from that of the metric.
    prefix = next((key.removesuffix("_runtime") for key in entry if re.fullmatch(r"eval(_.+)?_runtime", key)), "eval")
    subtask = prefix.removeprefix("eval").removeprefix("_") or "all"
    for key, value in entry.items():
        if key == "loss":
            yield Number(entry["step"], "train", "loss", math.nan), value
        elif key.startswith(f"{prefix}_"):
            found = split_and_metric("eval_" + key.removeprefix(f"{prefix}_"))
            if found:
                yield Number(entry["step"], *found, math.nan, subtask), value


def _settings(state: dict[str, Any], entries: list[dict[str, Any]]) -> dict[str, Any]:
    settings = {"steps": state.get("global_step") or max(entry["step"] for entry in entries)}
    for column, key in (("flops", "total_flos"), ("tokens", "num_input_tokens_seen")):
        if is_number(state.get(key)) and state[key] > 0:
            settings[column] = state[key]
    # Where training ended, its last entry holds the time of the whole of it.
    if entries and "train_loss" in entries[-1] and is_number(entries[-1].get("train_runtime")):
        settings["wall_s"] = entries[-1]["train_runtime"]
    return settings


def _run_name(path: Path) -> str:
    """The run's folder, for states are all called alike; else the file's own name."""
    if stem(path) != "trainer_state":
        return stem(path)
    return _run_folder(path).name


def _run_folder(path: Path) -> Path:
    folder = path.resolve().parent
    return folder.parent if _CHECKPOINT.fullmatch(folder.name) else folder


def latest_of_each_run(paths: list[Path]) -> list[Path]:
    """Of several states of a run the one in the run's own folder, else the one of its last checkpoint."""

    def progress(path: Path) -> float:
        checkpoint = _CHECKPOINT.fullmatch(path.resolve().parent.name)
        return int(checkpoint[1]) if checkpoint else float("inf")

    latest: dict[Path, Path] = {}
    for path in sorted(paths, key=progress):
        latest[_run_folder(path)] = path
    return sorted(latest.values())


FORMAT = Format("trainer", ("trainer_state.json",), read, latest_of_each_run)
