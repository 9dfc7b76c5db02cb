"""Results of EleutherAI's lm-evaluation-harness: ``results_*.json``, of version 0.3 on.

One file is one model. Every task of it becomes a run of its own with subtask 'all', for the tables have one task a
run, and a study of its own (see the package): `find_jumps` then sees one curve a task along the models' sizes.
Members of a group (``group_subtasks``) become subtasks of the outermost group instead, with the group's own score,
where lm-eval aggregates one, as 'all'.

A metric keeps lm-eval's key: ``acc,none`` is acc, ``exact_match,strict-match`` stays as it is. Directions, standard
errors and numbers of samples are the file's; so is the number of parameters where lm-eval knew it (models of `hf`).
lm-eval does not say at which step of its training a model was taken: the step is that of the setting `steps`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.records.importers.found import Format, FoundRun, Number, is_count, is_number, read_json

_EXPECTED = "a results_*.json of lm-evaluation-harness"
#: Numbers among a task's results that are no metrics.
_NO_METRICS = ("sample_len", "sample_count")


def read(path: Path) -> list[FoundRun]:
    """One run for each task, or outermost group of tasks, of a results file.

    Raises:
        DataError: not such a file, or it holds no score.
    """
    content = read_json(path, "results", _EXPECTED)
    results = content["results"]
    if not isinstance(results, dict) or not all(isinstance(scores, dict) for scores in results.values()):
        raise DataError(f"{path}: foreign, its 'results' are not scores by task; allowed is {_EXPECTED}")
    groups = _part(content, "group_subtasks").items()
    parents = {str(member): group for group, members in groups if isinstance(members, list) for member in members}
    numbers: dict[str, list[Number]] = {}
    for task in results:
        root = _outermost(task, parents)
        found = _numbers(content, task, "all" if task == root else task)
        numbers.setdefault(root, []).extend(found)
    runs = [
        FoundRun(path, _model_name(content, path), of_task, _settings(content, task), task, versions=_versions(content))
        for task, of_task in numbers.items()
        if of_task
    ]
    if not runs:
        raise DataError(f"{path}: holds no score of any task; allowed is {_EXPECTED}")
    return runs


def _outermost(task: str, parents: dict[str, str]) -> str:
    seen = {task}
    while (parent := parents.get(task)) and parent not in seen:
        seen.add(parent)
        task = parent
    return task


def _numbers(content: dict[str, Any], task: str, subtask: str) -> Iterator[Number]:
    scores = content["results"][task]
    directions, samples = (_part(_part(content, name), task) for name in ("higher_is_better", "n-samples"))
    for key, value in scores.items():
        metric, _, filter_name = key.partition(",")
        if key in _NO_METRICS or metric.endswith("_stderr") or not is_number(value):
            continue
        stderr = scores.get(f"{metric}_stderr,{filter_name}" if filter_name else f"{metric}_stderr")
        yield Number(
            step=0,
            split="eval",
            metric=metric if filter_name in ("", "none") else key,
            value=float(value),
            subtask=subtask,
            stderr=float(stderr) if is_number(stderr) and math.isfinite(stderr) else None,
            n_eval=next((n for n in (samples.get("effective"), scores.get("sample_len")) if is_count(n)), 0),
            higher_is_better=directions.get(metric),
        )


def _settings(content: dict[str, Any], task: str) -> dict[str, Any]:
    settings: dict[str, Any] = {"task": task}
    parameters = _part(content, "config").get("model_num_parameters")
    # -1 stands for a model whose parameters lm-eval cannot count.
    if is_number(parameters) and parameters > 0:
        settings["params_total"] = parameters
    with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError, OSError):
        settings["finished_at"] = datetime.fromtimestamp(content["date"], UTC)
    return settings


def _part(content: dict[str, Any], name: str) -> dict[str, Any]:
    """An object within an object; {} where it is absent or null."""
    part = content.get(name)
    return part if isinstance(part, dict) else {}


def _model_name(content: dict[str, Any], path: Path) -> str:
    return str(content.get("model_name") or path.stem)


def _versions(content: dict[str, Any]) -> dict[str, str]:
    named = {"lm_eval": content.get("lm_eval_version"), "transformers": content.get("transformers_version")}
    return {name: str(version) for name, version in named.items() if version}


FORMAT = Format("lm_eval", ("results*.json",), read)
