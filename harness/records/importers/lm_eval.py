"""Results of EleutherAI's lm-evaluation-harness: JSON files, known by their content, of every layout since version 0.2.

One file is one model, or one checkpoint of it. Every task becomes a run of its own, for the tables have one task a run,
and a study of its own (see the package): `find_jumps` then sees one curve a task along the models' sizes. Members of
a group (``group_subtasks``) become subtasks of the outermost group, with the group's own score where lm-eval aggregates
one. Of a task that was evaluated several times in one file (results by task and time) the latest counts.

- The model is what lm-eval calls it (``model_name``, else ``pretrained`` of ``model_args``), less what says the step;
  else the file's name. A training step stands in its ``revision`` (step93000), else in its path, else in the file's
  name (70m_step128.json). The files of one model at several steps are one run (`checkpoints`); where none states a
  step, it is that of the setting `steps`.
- The subtask states the shots, "5-shot", wherever the file does, zero included; members of a group are
  "mmlu_anatomy, 5-shot". Where it does not, the subtask is "all", or the member's name.
- A metric keeps lm-eval's key: ``acc,none`` is acc, ``exact_match,strict-match`` stays as it is. Directions, standard
  errors and numbers of samples are the file's; so is the number of parameters where lm-eval knew it (models of `hf`).
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.records.importers.checkpoints import join_checkpoints
from harness.records.importers.found import (
    ForeignError,
    Format,
    FoundRun,
    Number,
    is_count,
    is_number,
    read_json,
    stem,
)

_EXPECTED = "a results file (JSON) of lm-evaluation-harness"
#: Numbers among a task's results that are no metrics.
_NO_METRICS = ("sample_len", "sample_count")
#: A step in a revision, a path or a file's name: step93000, checkpoint-500, global_step1000, iter_0010000.
_STEP = re.compile(r"(?:^|(?<=[^a-z]))(?:global_?)?(?:step|checkpoint|ckpt|iter)[-_]?(\d+)(?!\d)", re.IGNORECASE)


def read(path: Path) -> list[FoundRun]:
    """One run for each task, or outermost group of tasks, of a results file.

    Raises:
        ForeignError: not such a file.
        DataError: cut short.
    """
    content = read_json(path, "results", _EXPECTED)
    results = content["results"]
    if not isinstance(results, dict) or not all(isinstance(scores, dict) for scores in results.values()):
        raise ForeignError(f"{path}: foreign, its 'results' are not scores by task; allowed is {_EXPECTED}")
    groups = _part(content, "group_subtasks").items()
    parents = {str(member): group for group, members in groups if isinstance(members, list) for member in members}
    model = _model(content, path)
    numbers: dict[str, list[Number]] = {}
    problems: dict[str, list[str]] = {}
    for task, scores in results.items():
        root = _outermost(task, parents)
        latest, repeats = _latest(scores)
        numbers.setdefault(root, []).extend(_numbers(content, task, latest, model.step, root))
        problems.setdefault(root, []).extend([*model.problems, *repeats])
    settings, versions = _settings(content, model.step), _versions(content)
    runs = [
        FoundRun(
            path,
            model.name,
            of_task,
            settings | {"task": task},
            task,
            versions=versions,
            problems=tuple(problems[task]),
            key=f"{model.name}\0{task}",
        )
        for task, of_task in numbers.items()
        if of_task
    ]
    if not runs:
        raise ForeignError(f"{path}: holds no score of any task; allowed is {_EXPECTED}")
    return runs


def _outermost(task: str, parents: dict[str, str]) -> str:
    seen = {task}
    while (parent := parents.get(task)) and parent not in seen:
        seen.add(parent)
        task = parent
    return task


def _latest(scores: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A task's scores, of the latest evaluation where they are by time; and what that passes over."""
    evaluations = {time: each for time, each in scores.items() if isinstance(each, dict) and _is_time(time)}
    if not evaluations or any(map(is_number, scores.values())):
        return scores, []
    last = max(evaluations)
    others = len(evaluations) - 1
    passed_over = f"{others} earlier evaluation{'s' * (others > 1)} passed over, that of {last} is read"
    return evaluations[last], [passed_over] if others else []


def _is_time(key: str) -> bool:
    """Whether a key of a task's results is a time, as 2022-07-07-20-45-17, rather than a metric."""
    return re.match(r"\d{4}-\d{2}-\d{2}", key) is not None


def _numbers(
    content: dict[str, Any], task: str, scores: dict[str, Any], step: int | None, root: str
) -> Iterator[Number]:
    directions, samples = (_part(_part(content, name), task) for name in ("higher_is_better", "n-samples"))
    stated = (samples.get("effective"), scores.get("sample_len"))
    n_eval = next((n for n in stated if is_count(n) and n), None)
    subtask = _subtask(content, task, root)
    for key, value in scores.items():
        metric, _, filter_name = key.partition(",")
        if key in _NO_METRICS or metric.endswith("_stderr") or not is_number(value):
            continue
        stderr = scores.get(f"{metric}_stderr,{filter_name}" if filter_name else f"{metric}_stderr")
        yield Number(
            step=step,
            split="eval",
            metric=metric if filter_name in ("", "none") else key,
            value=float(value),
            subtask=subtask,
            stderr=float(stderr) if is_number(stderr) and math.isfinite(stderr) else None,
            n_eval=n_eval,
            higher_is_better=directions.get(metric),
            task=task,
        )


def _subtask(content: dict[str, Any], task: str, root: str) -> str:
    """Which member of a group it is, where it is one, and how many examples stood before each question."""
    stated = (_part(content, "n-shot").get(task), _part(content, "config").get("num_fewshot"))
    shots = next((f"{n}-shot" for n in stated if is_count(n)), "")
    return ", ".join(filter(None, ("" if task == root else task, shots))) or "all"


# -------------------------------------------------------------------------------------------------------- which model


@dataclass(frozen=True)
class _Model:
    """The model, or checkpoint of a model, that a file is about."""

    name: str
    step: int | None
    problems: tuple[str, ...] = ()


def _model(content: dict[str, Any], path: Path) -> _Model:
    arguments = _model_arguments(content)
    named = str(content.get("model_name") or arguments.get("pretrained") or "").rstrip("/")
    revision = str(arguments.get("revision") or _part(content, "config").get("model_revision") or "")
    places = {"revision": _STEP.search(revision), "model": _STEP.search(named), "file name": _STEP.search(stem(path))}
    steps = {place: int(found[1]) for place, found in places.items() if found}
    step = next(iter(steps.values()), None)
    problems: tuple[str, ...] = ()
    if len(set(steps.values())) > 1:
        told = ", ".join(f"{place} {at}" for place, at in steps.items())
        problems = (f"its steps differ: {told}; the first counts",)
    return _Model(_without_step(named) or _without_step(stem(path)) or path.resolve().parent.name, step, problems)


def _model_arguments(content: dict[str, Any]) -> dict[str, Any]:
    """``model_args`` by name; lm-eval writes them as text, "pretrained=gpt2,revision=main", or as an object."""
    stated = _part(content, "config").get("model_args")
    if isinstance(stated, dict):
        return stated
    pairs = (part.partition("=") for part in str(stated or "").split(","))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def _without_step(name: str) -> str:
    """'70m' of 70m_step128, 'runs/small' of runs/small/checkpoint-500."""
    return re.sub(r"([-_])[-_]+", r"\1", _STEP.sub("", name)).rstrip("-_./ ").lstrip("-_ ")


# ----------------------------------------------------------------------------------------------- what else a file says


def _settings(content: dict[str, Any], step: int | None) -> dict[str, Any]:
    settings: dict[str, Any] = {} if step is None else {"steps": step}
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


def _versions(content: dict[str, Any]) -> dict[str, str]:
    named = {"lm_eval": content.get("lm_eval_version"), "transformers": content.get("transformers_version")}
    return {name: str(version) for name, version in named.items() if version}


FORMAT = Format("lm_eval", ("*.json",), read, join=join_checkpoints, by_content=True)
