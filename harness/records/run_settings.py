"""The settings of recorded runs under the names that the command line has for them, and which of them vary.

The `config` of a run holds every setting that changes its numbers. The runs of one curve may differ in size and seed;
where one command asked for several durations or learning rates, in those too (`comparable` then chooses). Runs that
differ in anything else belong to different curves, though a results folder may hold them under one name of a study.

Imported runs state none of these settings, so nothing is said about them here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from harness.errors import DataError, nearest

#: Units of a duration, as in ``ladder.steps``.
DURATIONS = ("steps", "tokens", "tokens_per_param", "flops", "epochs")
#: The number of training examples, a second axis beside the durations.
EXAMPLES = "ladder.train_examples"
#: The learning rate, which one command may ask for as a list.
RATE = "optimizer.lr"
HEADS = "ladder.heads"
#: Settings that list sizes, and the column of the runs table that has each run's.
_LISTED = {"ladder.widths": "width", "ladder.depths": "depth"}

#: Entries of a config that have another name on the command line.
_NAMES = {
    "family.name": "family",
    "task.name": "task",
    "batch_size": "ladder.batch_size",
    "precision": "training.precision",
    "evaluations": "training.evaluations",
    "evaluate": "training.evaluate",
    "patience": "training.patience",
    "min_delta": "training.min_delta",
}
#: Entries in which the runs of one curve may differ, or that change no number, or that repeat another.
_NOT_SETTINGS = (
    *("study", "seed", "shape", "steps", "train_examples", "notes", "training", "ladder", "launcher"),
    *("learning_rates", "rules", "init_from", "starts_from"),
)


#: Settings whose values are mappings, of names of the user's own.
_WHOLE = ("shifts", "reserve", "evaluate_on")


def parse_config(text: Any) -> dict[str, Any]:
    """The `config` of a run; {} where it is not a JSON object."""
    try:
        content = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def is_imported(config: Mapping[str, Any]) -> bool:
    """Whether another tool trained the run."""
    return "imported" in config


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in which the runs of one curve agree, e.g. ``{"task.n_bits": 32, "optimizer.lr": 0.01}``.

    One that follows a rule has another value at each size: here it is the rule, as JSON.
    """
    if is_imported(config):
        return {}
    flat = _flat({key: value for key, value in config.items() if key not in _NOT_SETTINGS})
    rules = {name: json.dumps(rule) for name, rule in config.get("rules", {}).items()}
    # Runs of one curve start from different runs of one name.
    starts = {"init_from": config["starts_from"]["asked"]} if "starts_from" in config else {}
    return {_NAMES.get(name, name): value for name, value in flat.items()} | rules | starts


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and key not in _WHOLE:
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = json.dumps(value) if isinstance(value, list | dict) else value
    return found


def is_duration(name: str) -> bool:
    """Whether a setting says how long a run trains."""
    return name in {f"ladder.{unit}" for unit in DURATIONS}


def duration_of(config: Mapping[str, Any], index: int) -> tuple[str, float]:
    """How long a run was asked to train: the setting and its value, e.g. ``("ladder.flops", 3e10)``.

    Args:
        index: column `duration` of the runs table, a position in the list of durations asked for, each with every
            number of training examples and every mixture. Where the config does not hold that list, it stands for the
            duration, and the setting is ``"duration"``.
    """
    ladder = config.get("ladder")
    if not isinstance(ladder, dict):
        return "duration", index
    position = index // (len(_limits(config)) * _n_mixtures(config))
    for unit in DURATIONS:
        asked = ladder.get(unit)
        values: list[Any] = asked if isinstance(asked, list) else [asked]
        if asked is not None and position < len(values):
            return f"ladder.{unit}", values[position]
    return "duration", index


def _limit_of(config: Mapping[str, Any], index: int) -> float:
    """The number of training examples that a run was asked for; `index` as in `duration_of`."""
    limits = _limits(config)
    limit = limits[index // _n_mixtures(config) % len(limits)]
    return math.inf if limit is None else limit


def _limits(config: Mapping[str, Any]) -> list[Any]:
    """The numbers of training examples that the run's command asked for; None stands for all."""
    ladder = config.get("ladder")
    limits = ladder.get("train_examples") if isinstance(ladder, dict) else None
    return limits if isinstance(limits, list) and limits else [limits]


def _n_mixtures(config: Mapping[str, Any]) -> int:
    """How many mixtures the run's command asked for; 1 where it asked for none beside the task's own."""
    ladder = config.get("ladder")
    mixtures = ladder.get("mixtures") if isinstance(ladder, dict) else None
    return len(mixtures) if isinstance(mixtures, list) and mixtures else 1


def durations(runs: pd.DataFrame) -> pd.DataFrame:
    """How long runs were asked to train, a row a run; indexed as `runs`.

    Columns are `unit` and `length` of `duration_of`, and `examples`, to which training was asked to be limited; inf
    where it was not, however many examples the data held.
    """
    configs = [parse_config(text) for text in runs["config"]]
    found = [duration_of(config, at) for config, at in zip(configs, runs["duration"], strict=True)]
    asked = pd.DataFrame(found, columns=["unit", "length"], index=runs.index)
    asked["examples"] = [_limit_of(config, at) for config, at in zip(configs, runs["duration"], strict=True)]
    return asked.astype({"length": float, "examples": float})


def stated_settings(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Every setting that each run states: those of `settings_of`, its duration and training examples, and its heads."""
    stated = []
    for row in runs[["config", "duration", "heads"]].to_dict("records"):
        settings = settings_of(config := parse_config(row["config"]))
        unit, length = duration_of(config, row["duration"])
        duration = {unit: length} if unit != "duration" else {}
        duration |= {EXAMPLES: config["train_examples"]} if "train_examples" in config else {}
        stated.append(settings | duration | ({HEADS: row["heads"]} if row["heads"] else {}))
    return stated


def setting_columns(runs: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """(runs, names) values of these settings, missing where a run does not state one; indexed as `runs`."""
    stated = stated_settings(runs)
    columns = {name: pd.Series([each.get(name) for each in stated], runs.index, dtype=object) for name in names}
    return pd.DataFrame(columns, index=runs.index).infer_objects()


def varying_settings(runs: pd.DataFrame) -> dict[str, dict[str, list[Any]]]:
    """What the runs of each study differ in, though the runs of one curve may not.

    Args:
        runs: a row a run, as `load_runs` gives them.

    Returns:
        study -> setting -> its values, None among them where a run does not state it; without studies of one curve.
    """
    found = {}
    for study, part in runs.groupby("study", sort=False):
        configs = [config for config in map(parse_config, part["config"]) if not is_imported(config)]
        varying = _varying([settings_of(config) for config in configs])
        if RATE in varying and _is_one_list(varying[RATE], configs):
            del varying[RATE]
        # Of several durations in one unit the longest is chosen; in several units none is known to be.
        if durations(part)["unit"].nunique() > 1:
            lengths = _varying(stated_settings(part))
            varying |= {name: lengths[name] for unit in DURATIONS if (name := f"ladder.{unit}") in lengths}
        if not _is_one_rule_of_heads(part):
            varying[HEADS] = _distinct(part["heads"])
        if varying:
            found[str(study)] = varying
    return found


def _varying(settings: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for each in settings for name in each)
    values = {name: _distinct(each.get(name) for each in settings) for name in names}
    return {name: several for name, several in values.items() if len(several) > 1}


def _is_one_list(rates: Sequence[float], configs: Iterable[Mapping[str, Any]]) -> bool:
    """Whether one command asked for all these learning rates, so that each size has its best among them.

    Older records do not tell, and are taken for such.
    """
    lists = [config.get("learning_rates") for config in configs]
    return None in lists or any(set(rates) <= set(asked) for asked in lists if asked)


def _is_one_rule_of_heads(runs: pd.DataFrame) -> bool:
    """Whether all sizes have the same number of attention heads, or heads of the same width."""
    heads = runs["heads"].to_numpy()
    return len(set(heads)) == 1 or (all(heads > 0) and len(set(runs["width"].to_numpy() / heads)) == 1)


def _distinct(values: Iterable[Any]) -> list[Any]:
    """Distinct values: numbers in order, then the rest as they come."""
    distinct = list({json.dumps(value): value for value in values}.values())
    numbers = [value for value in distinct if isinstance(value, (int, float)) and not isinstance(value, bool)]
    return sorted(numbers) + [value for value in distinct if not any(value is number for number in numbers)]


def in_words(varying: Mapping[str, Sequence[Any]]) -> str:
    """Settings with their values: ``task.n_bits 3, 12; optimizer.lr 0.003, 0.01``."""
    return "; ".join(f"{name} {', '.join(map(written, values))}" for name, values in varying.items())


def names_in_words(names: Sequence[str]) -> str:
    """Names as `by=` takes them: one, or a list in brackets."""
    return names[0] if len(names) == 1 else f"[{','.join(names)}]"


def written(value: Any) -> str:
    """A value as the command line takes it."""
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return value if isinstance(value, str) else json.dumps(value)


def with_varying_settings(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows of measurements with the settings that vary within a study as columns, and the names of these."""
    runs = frame.drop_duplicates("run_id")
    names = list(dict.fromkeys(name for varying in varying_settings(runs).values() for name in varying))
    columns = setting_columns(runs, names).set_axis(runs["run_id"])
    # The family or the task, where it varies, is a column of the runs table as it is.
    new = {name: frame["run_id"].map(columns[name]) for name in names if name not in frame.columns}
    return frame.assign(**new), names


def mixed_in_words(runs: pd.DataFrame) -> str:
    """Which studies hold runs of several settings, by rows of runs or of their measurements; '' where none does."""
    return "; ".join(
        f"study {study} holds runs of several settings: {in_words(varying)}"
        for study, varying in varying_settings(runs.drop_duplicates("run_id")).items()
    )


def refuse_mixed(runs: pd.DataFrame, way_out: str) -> None:
    """Raise DataError where runs of several settings would be taken for one curve.

    Args:
        runs: rows of runs or of their measurements.
        way_out: how to choose among them, with ``{names}`` for the settings that vary in the first such study, and
            ``{one}`` for an expression that is true of the runs that agree with its first run.
    """
    runs = runs.drop_duplicates("run_id")
    for study, varying in varying_settings(runs).items():
        first = setting_columns(runs[runs["study"] == study].head(1), list(varying)).iloc[0]
        equal = [f"`{name}` == {_quoted(value)}" for name, value in first.items() if value is not None]
        told = way_out.format(names=names_in_words(list(varying)), one=" and ".join(equal))
        raise DataError(f"{mixed_in_words(runs)}\n{told}")


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def split_by(runs: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """(runs,) names of studies that tell these settings, e.g. ``parity (optimizer.lr=0.003)``; indexed as `runs`.

    Args:
        names: settings as the command line has them, or width or depth.

    Raises:
        DataError: a setting that no run states.
    """
    stated = stated_settings(runs)
    for settings, size in zip(stated, runs[list(_LISTED.values())].to_dict("records"), strict=True):
        settings.update({str(name): value for name, value in size.items()})
    known = dict.fromkeys(name for each in stated for name in each)
    for name in names:
        if name not in known:
            meant = f"; did you mean '{_LISTED[name]}'?" if name in _LISTED else nearest(name, known)
            raise DataError(f"by={name}: no run states such a setting{meant}")
    studies = []
    for study, settings in zip(runs["study"], stated, strict=True):
        values = ", ".join(f"{name}={written(settings[name])}" for name in names if name in settings)
        # A multirun has named its studies for what it swept.
        named = not values or study.endswith(f"({values})")
        studies.append(study if named else f"{study} ({values})")
    return pd.Series(studies, runs.index, dtype=object)
