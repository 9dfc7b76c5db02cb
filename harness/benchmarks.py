"""What is known of public benchmarks: the chance level of their metrics, their directions, and which make a pair.

The facts stand in ``benchmarks.toml`` beside this file, each with its source. A task is found by its name: case and
signs do not matter ("ARC-Easy" is arc_easy), nor does what tools add at the end of it to say how it was asked: split
(val, test), format (rc, mc, cf) and shots (5shot). A metric is found by what stands before lm-eval's comma ("acc,none"
is acc) and OLMo's version ("accuracy v2" is accuracy). Whatever is not listed is not known, and never guessed from a
likeness.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from harness.metric_names import Meaning

_FACTS = Path(__file__).with_name("benchmarks.toml")
#: Signs between the words of a column's name.
_BETWEEN = re.compile(r"[_\-./:, ]")
#: What tools add to the name of a task to say how it was asked.
_HOW_ASKED = re.compile(r"(_(\d+_?shot|fewshot|val|validation|dev|test|rc|mc|cf|olmes|full|fast|v\d))+$")


@cache
def known_chance(task: str, metric: str) -> float | None:
    """What a guesser scores in a metric of a public benchmark; None where it is not known.

    A guesser picks one of the options uniformly, or, where answers are written freely, is never right.

    >>> known_chance("hendrycksTest-virology", "acc_norm"), known_chance("arc_easy_val_rc_5shot", "len_norm")
    (0.25, 0.25)
    >>> known_chance("my_task", "acc") is None
    True
    """
    for entry in _facts()["benchmarks"]:
        if _metric(metric) in _metrics_of(entry) and _is_of(task, entry):
            return float(entry["chance"])
    return None


@cache
def chance_of_column(name: str) -> float | None:
    """The same of a column that is named for both, as tables with a column a task have it; None where it is not known.

    >>> chance_of_column("acc_hellaswag"), chance_of_column("winogrande/acc"), chance_of_column("bpb_hellaswag") is None
    (0.25, 0.5, True)
    """
    for sign in _BETWEEN.finditer(name):
        before, after = name[: sign.start()], name[sign.end() :]
        for task, metric in ((after, before), (before, after)):
            if (chance := known_chance(task, metric)) is not None:
                return chance
    return None


@cache
def known_meaning(task: str, metric: str) -> Meaning | None:
    """Direction and kind of a metric of a public benchmark whose name says nothing or would mislead; None for others.

    >>> known_meaning("crows_pairs_english", "likelihood_difference").higher_is_better
    False
    """
    for entry in _facts()["meanings"]:
        if _metric(metric) in _metrics_of(entry) and _is_of(task, entry):
            return Meaning(entry["higher_is_better"], entry["discontinuous"])
    return None


def known_pair(task: str, metric: str, measured: Collection[str]) -> str | None:
    """The continuous metric that is known to be of the same answers, among those measured; None where none is.

    Args:
        task, metric: what is to be judged.
        measured: names of the metrics of the same evaluation: one model, task, and way of asking.

    >>> known_pair("lambada_openai", "acc", ["ppl", "acc"])
    'ppl'
    >>> known_pair("hellaswag", "acc", ["loss", "acc_norm"]) is None
    True
    """
    return _known_pair(task, metric, tuple(measured))


@cache
def _known_pair(task: str, metric: str, measured: tuple[str, ...]) -> str | None:
    by_name = {_metric(name): name for name in measured}
    for entry in _facts()["pairs"]:
        if _metric(metric) in _metrics_of(entry) and _is_of(task, entry):
            for judge in entry["continuous"]:
                if judge in by_name:
                    return by_name[judge]
    return None


@cache
def is_share_of_items(metric: str) -> bool:
    """Whether a metric is known to be a mean over items that are each right or wrong.

    >>> is_share_of_items("acc_norm,none"), is_share_of_items("f1")
    (True, False)
    """
    return any(_metric(metric) in _facts()["metrics"][group] for group in ("choice", "written", "stereotypes"))


@cache
def _facts() -> dict[str, Any]:
    return tomllib.loads(_FACTS.read_text(encoding="utf-8"))


@cache
def _name(text: str) -> str:
    """A name in lower case, its words joined by one underscore."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


@cache
def _metric(text: str) -> str:
    """A metric's name less the filter by which lm-eval took the answer from the output, and OLMo's version of it."""
    return re.sub(r"_v\d+$", "", _name(text.partition(",")[0]))


def _metrics_of(entry: dict[str, Any]) -> list[str]:
    """The metrics that an entry is about, which it lists or names by their group."""
    metrics = entry.get("metrics", "choice")
    return metrics if isinstance(metrics, list) else _facts()["metrics"][metrics]


def _is_of(task: str, entry: dict[str, Any]) -> bool:
    name = _name(task)
    names = {name, _HOW_ASKED.sub("", name)}
    return any(fnmatchcase(each, pattern) for each in names for pattern in _patterns(entry))


def _patterns(entry: dict[str, Any]) -> Iterator[str]:
    for pattern in entry["tasks"]:
        yield from [pattern.format(part) for part in entry["parts"]] if "{}" in pattern else [pattern]
