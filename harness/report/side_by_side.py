"""Which runs of a results folder belong on one pair of axes: studies of one task, and sweeps over learning rates.

Values can be compared where they are of the same questions. Studies share a picture where their runs state the same
task with the same settings, so that they may differ in family, ladder, parametrization, optimizer, schedule or length
of training, but not in what is learnt and evaluated. Their caption names what they differ in. Imported runs state no
settings: of those, studies of one name of a task share a picture. What is left out of the page can be drawn all the
same, with `harness compare --overlay` or `harness.plots.overlay`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.analysis.planning.learning_rates import LEAST_RATES
from harness.records.run_settings import RATE, durations, parse_config, settings_of
from harness.report.analyze import Analysis


@dataclass(frozen=True)
class Group:
    """Studies that share a picture.

    Attributes:
        studies: their names, in the order of the results folder; two or more.
        frame: their measurements.
        metrics: those that two or more of them have, with the same chance level; the loss first.
        differ_in: names of the settings that they differ in, `width` and `depth` for those that only some of them grow.
    """

    studies: list[str]
    frame: pd.DataFrame
    metrics: list[str]
    differ_in: list[str]


def groups(analysis: Analysis) -> Iterator[Group]:
    """The studies of each task that were trained at two sizes or more."""
    frame = analysis.frame
    whole = frame[frame["subtask"] == "all"]
    grown = whole.groupby("study")[analysis.x].nunique()
    whole = whole[whole["study"].isin(grown.index[grown > 1])]
    first = whole.drop_duplicates("study").set_index("study")
    configs = {str(study): parse_config(text) for study, text in first["config"].items()}
    asked = pd.Series({name: _task(config, first.loc[name, "task"]) for name, config in configs.items()}, dtype=object)
    for names in asked.groupby(asked, sort=False).groups.values():
        part = frame[frame["study"].isin(list(names))]
        rows = whole[whole["study"].isin(list(names))]
        if metrics := _common(rows):
            yield Group([str(name) for name in names], part, metrics, _differences(rows, [configs[n] for n in names]))


def _task(config: dict[str, Any], name: object) -> str:
    return json.dumps([name, config.get("task")], sort_keys=True, default=str)


def _common(rows: pd.DataFrame) -> list[str]:
    """Metrics that two studies or more have, and that mean the same in all of them."""
    found = []
    for metric, part in rows.groupby("metric", sort=False):
        if part["study"].nunique() > 1 and part["chance"].nunique(dropna=False) == 1:
            found.append(str(metric))
    return sorted(found, key=lambda metric: metric != "loss")


def _differences(rows: pd.DataFrame, configs: list[dict[str, Any]]) -> list[str]:
    settings = [settings_of(config) for config in configs]
    names = dict.fromkeys(name for each in settings for name in each)
    told = [name for name in names if len({json.dumps(each.get(name)) for each in settings}) > 1]
    for size in ("width", "depth"):
        by_study = rows.groupby("study")[size].unique().map(lambda sizes: tuple(sorted(sizes)))
        told += [size] if by_study.nunique() > 1 else []
    return told


@dataclass(frozen=True)
class RateSweep:
    """Runs of one task at several learning rates.

    Attributes:
        name: of the study; of the studies of a multirun, what their names have in common.
        several: whether it is of several studies.
        x: column of sizes: width or depth, where either tells the rungs apart.
        frame: losses of runs at all rates, of the longest duration.
    """

    name: str
    several: bool
    x: str
    frame: pd.DataFrame


def rate_sweeps(analysis: Analysis) -> Iterator[RateSweep]:
    """The studies, or those of one multirun taken together, that have three learning rates or more at some size."""
    frame = analysis.every_duration
    loss = frame[(frame["metric"] == "loss") & (frame["subtask"] == "all") & (frame["value"] > 0)]
    for (name, _), part in loss.groupby([loss["study"].map(_without_rate), "task"], sort=False):
        longest = _longest(part)
        if len(longest) and longest.groupby("rung")["lr"].nunique().max() >= LEAST_RATES:
            several = longest["study"].nunique() > 1
            yield RateSweep(str(name), several, _size(longest), longest.assign(study=str(name)))


def _without_rate(study: str) -> str:
    """A study's name without the learning rate that a multirun named it for: that of ``text (optimizer.lr=0.01)`` is
    text, of ``text (seeds=2, optimizer.lr=0.01)`` text (seeds=2)."""
    name, bracket, swept = study.removesuffix(")").rpartition(" (")
    if not bracket or not study.endswith(")"):
        return study
    others = [each for each in swept.split(", ") if not each.startswith(f"{RATE}=")]
    return f"{name} ({', '.join(others)})" if others else name


def _longest(part: pd.DataFrame) -> pd.DataFrame:
    """The runs of the most examples and the longest duration; none where durations are in several units."""
    part = part[(examples := durations(part)["examples"]) == examples.max()]
    asked = durations(part)
    return part[asked["length"] == asked["length"].max()] if asked["unit"].nunique() == 1 else part.head(0)


def _size(part: pd.DataFrame) -> str:
    for column in ("width", "depth"):
        if part[column].nunique() == part["rung"].nunique() == len(part.drop_duplicates([column, "rung"])):
            return column
    return "params_non_embedding"
