"""Which runs of a results folder some settings ask for, what else the folder holds, and what is still to do.

A run is asked for where its run_id is the one that the settings give at its size and seed, for one of their durations
and learning rates. Sizes between those of the ladder (`harness refine`) and seeds beyond those of the settings are of
the same curve, so they count as asked for. Imported runs, which have no settings, always do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from harness.durations import ALL, lengths_of, mixtures_of, unit_of
from harness.errors import UserError, warn_of_runs
from harness.families.base import Shape
from harness.ladder import Rung, build_ladder, identity_settings, learning_rates, member, rung_of_size
from harness.ranges import defaults_outside_identity
from harness.records.comparable import ChosenRuns, comparable
from harness.records.run_settings import (
    DURATIONS,
    EXAMPLES,
    HEADS,
    RATE,
    durations,
    in_words,
    is_duration,
    names_in_words,
    parse_config,
    settings_of,
    split_by,
    stated_settings,
)
from harness.records.store import load, load_runs
from harness.rules.base import RULED
from harness.settings import Settings
from harness.sweeping.plan import DONE, cells


def load_asked(
    studies: Sequence[Settings],
    folder: Path | str | None = None,
    steps: Literal["last", "all"] = "last",
    by: Sequence[str] = (),
    name_others: bool = True,
) -> pd.DataFrame:
    """`harness.load`, of the runs that these studies ask for.

    Args:
        studies: as `harness.config.compose` gives them.
        folder: the results folder; that of the studies where None.
        steps: as `harness.load` takes it.
        by: settings, each of whose values makes a study of its own.
        name_others: whether a warning names the folder's runs that were not asked for.

    Raises:
        DataError: as `harness.load`, or a setting that no run states.
    """
    folder = studies[0].results if folder is None else folder
    chosen = choose_runs(studies, load_runs(folder), by)
    frame = chosen.rows(load(folder, steps, runs="all"), folder)
    if by:
        runs = frame.drop_duplicates("run_id").set_index("run_id")
        frame = frame.assign(study=frame["run_id"].map(split_by(runs, by)))
    frame, left_out = comparable(frame, lengths=chosen.lengths, x=studies[0].analysis.x)
    for line in (*(chosen.left_out if name_others else ()), *left_out):
        warn_of_runs(f"{folder}: {line}")
    return frame.reset_index(drop=True)


def choose_runs(studies: Sequence[Settings], runs: pd.DataFrame, by: Sequence[str] = ()) -> ChosenRuns:
    """The runs that these studies ask for, with whatever value of the settings `by`.

    Args:
        runs: a row a run, as `load_runs` gives them.

    Raises:
        UserError: two studies of one name that differ in their settings.
    """
    # Runs that do not state what made them cannot be told from those that were asked for.
    states = np.array(["version" in parse_config(text) for text in runs["config"]], dtype=bool)
    lengths = dict(zip(runs.loc[~states, "run_id"], durations(runs[~states])["length"], strict=True))
    runs, left_out = runs[states], []
    by_name: dict[str, Settings] = {}
    for study in studies:
        if _asked_values(study) != _asked_values(by_name.setdefault(study.study, study)):
            raise UserError(f"study={study.study}: the name of two studies that differ in their settings")
        lengths |= _asked_for(study, runs[runs["study"] == study.study], by)
    for name, study in by_name.items():
        of_study = runs[runs["study"] == name]
        if len(others := of_study[~of_study["run_id"].isin(list(lengths))]):
            counted = f"{len(others)} of {len(of_study)} runs are left out"
            left_out.append(f"study {name} holds runs of {_other_settings(study, others, by, counted)}")
    if len(others := runs[~runs["study"].isin(list(by_name))]):
        left_out.append(
            f"studies not asked for are left out: {', '.join(others['study'].unique())} ({len(others)} runs)"
        )
    return ChosenRuns(lengths, tuple(left_out))


def still_to_do(studies: Sequence[Settings], runs: pd.DataFrame) -> Iterator[str]:
    """A line for each study that has runs to be trained; `runs` as `load_runs` gives them.

    Raises:
        SettingError: a size or duration that cannot be built.
    """
    done = set(runs.loc[runs["status"].isin(DONE), "run_id"])
    for study in studies:
        asked = [each.run_id for cell in cells(study) for each in cell.members]
        if missing := len(set(asked) - done):
            yield f"{study.study}: {missing} of {len(asked)} runs are still to do"


def _other_settings(study: Settings, others: pd.DataFrame, by: Sequence[str], counted: str) -> str:
    """In which settings runs differ from the study, and how to see them."""
    if not (differing := _differences(study, others, by)):
        return f"sizes that its settings do not give; {counted}"
    told = f"other settings: {in_words(differing)}; {counted}"
    # Another family or task, or another version of the numbers, is not a value of a setting of this study.
    if not all("." in name for name in differing):
        return told
    return f"{told} (by={names_in_words([*by, *differing])} shows a curve of each)"


def _asked_for(study: Settings, runs: pd.DataFrame, by: Sequence[str]) -> dict[str, float]:
    """run_id -> duration in the study's unit, of the runs that the study asks for."""
    found = {}
    rungs: dict[tuple[str, Shape], Rung | None] = {}
    for row, stated in zip(runs.to_dict("records"), _stated_settings(study, runs), strict=True):
        own = {name: stated[name] for name in _with_the_whole_mixture(study, by, stated) if name in stated}
        variant = _with_settings(study, own)
        shape = Shape(row["width"], row["depth"], row["heads"])
        key = json.dumps(own), shape
        if key not in rungs:
            rungs[key] = rung_of_size(variant, shape.width, shape.depth) if variant else None
        rung = rungs[key]
        if variant is None or rung is None or rung.shape != shape:
            continue
        for duration, trained in enumerate(rung.durations):
            if trained.steps != row["steps"] or row["lr"] not in learning_rates(variant, rung, duration):
                continue
            if member(variant, rung, duration, row["seed"], row["lr"]).run_id == row["run_id"]:
                found[row["run_id"]] = float(trained.length)
    return found


def _with_the_whole_mixture(study: Settings, by: Sequence[str], stated: Mapping[str, Any]) -> list[str]:
    """The names of `by`, where one is a weight of a mixture with all weights of the mixture that the run states."""
    prefix = f"task.{study.task.mixture_setting}."
    weights = [name for name in stated if name.startswith(prefix)]
    return [*(name for name in by if name not in weights), *(weights if any(name in weights for name in by) else [])]


def _with_settings(study: Settings, values: Mapping[str, Any]) -> Settings | None:
    """The study with other values of some settings; None where it has no such setting."""
    for name, value in _nested(study, values).items():
        group, _, field = name.partition(".")
        beside: dict[str, Any] = dict.fromkeys(DURATIONS) if is_duration(name) else {}
        beside |= {"head_width": None} if name == HEADS else {}
        if isinstance(value, Mapping):  # of one run, whichever mixtures the study asks for
            study = replace(study, ladder=replace(study.ladder, mixtures=None))
        try:
            owner = getattr(study, group)
            is_list = isinstance(getattr(owner, field), (list, tuple))
            if isinstance(value, str) and (name in RULED or is_list or value.startswith("[")):
                value = value if value == ALL else json.loads(value)  # lists and rules are compared as text
            study = replace(study, **{group: replace(owner, **beside | {field: value})})
        except (AttributeError, TypeError, ValueError, UserError):
            return None
    return study


def _nested(study: Settings, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of settings, with the weights of a mixture as one mapping."""
    whole = f"task.{study.task.mixture_setting}"
    weights = {name.removeprefix(f"{whole}."): value for name, value in values.items() if name.startswith(f"{whole}.")}
    others = {name: value for name, value in values.items() if not name.startswith(f"{whole}.")}
    return others | ({whole: weights} if weights else {})


def _differences(study: Settings, runs: pd.DataFrame, by: Sequence[str]) -> dict[str, list[Any]]:
    """Setting -> its values where runs differ from the study: those that the study asks for, then those of the runs."""
    asked = {name: values for name, values in _asked_values(study).items() if name not in by}
    of_durations = any(map(is_duration, by))
    found: dict[str, list[Any]] = {}
    rungs: dict[tuple[int, int], Rung | None] = {}
    for row, stated in zip(runs.to_dict("records"), _stated_settings(study, runs), strict=True):
        size = row["width"], row["depth"]
        if size not in rungs:
            rungs[size] = rung_of_size(study, *size)
        rung = rungs[size]
        own = {name: [stated[name]] for name, values in asked.items() if name in stated and stated[name] not in values}
        if rung is not None and rung.shape.heads != row["heads"]:
            own[HEADS] = [rung.shape.heads, row["heads"]]
        elif rung is not None and row["steps"] not in rung.steps and EXAMPLES not in own and not of_durations:
            # Perhaps recorded in another unit than the study's; in epochs, other examples are other steps.
            own |= {name: [value] for name, value in stated.items() if is_duration(name)}
        for name, values in own.items():
            known = found.setdefault(name, list(asked.get(name, [])))
            known += [value for value in values if value not in known]
    return {name: found[name] for name in [*asked, *found] if name in found}


def _asked_values(study: Settings) -> dict[str, list[Any]]:
    """Setting -> the values that runs of the study may have."""
    rung = build_ladder(study)[0]
    rules, rates = rung.durations[0].rules, learning_rates(study, rung, 0)
    identity = json.loads(json.dumps(identity_settings(study, rung, 0, study.first_seed, rates[0]) | {"rules": rules}))
    if study.init_from is not None:
        identity["starts_from"] = {"asked": study.init_from.asked}
    values = {name: [value] for name, value in (_unstated(study) | settings_of(identity)).items()}
    if RATE not in rules:
        values[RATE] = rates
    for mixture in mixtures_of(study):
        for name, weights in mixture.items():
            for part, share in weights.items():
                values[f"{name}.{part}"] = sorted({share, *values[f"{name}.{part}"]})
    limits = list(dict.fromkeys(trained.examples for trained in rung.durations))
    return values | {f"ladder.{unit_of(study.ladder)}": lengths_of(study.ladder), EXAMPLES: limits}


def _stated_settings(study: Settings, runs: pd.DataFrame) -> list[dict[str, Any]]:
    """`stated_settings`, with the values of those that a run's identity leaves out where they are at their default."""
    return [_unstated(study) | stated for stated in stated_settings(runs)]


def _unstated(study: Settings) -> dict[str, Any]:
    """What the study's settings are in runs that do not state them, e.g. ``{"family.activation": "gelu"}``."""
    return settings_of(defaults_outside_identity(study)) | {EXAMPLES: None, "init_from": None}
