"""Items of the card that are of the runs of one study: each function takes these and describes them in a few words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from harness.records.run_settings import is_imported, parse_config
from harness.report.lineage_tables import lineage
from harness.report.losses import losses_of
from harness.report.names import NOT_RECORDED
from harness.wording import count, short


def by_study(runs: pd.DataFrame, describe: Callable[[pd.DataFrame], str]) -> str:
    """The description of each study; studies with the same description share it."""
    studies: dict[str, list[str]] = {}
    for study, part in runs.groupby("study", sort=False):
        studies.setdefault(describe(part), []).append(str(study))
    if len(studies) == 1:
        return next(iter(studies))
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in studies.items())


def values(part: pd.DataFrame, name: str) -> list[Any]:
    """Distinct values of a setting in the configs of runs, in order of appearance."""
    found = [config[name] for text in part["config"].unique() if name in (config := parse_config(text))]
    return list({json.dumps(value, sort_keys=True): value for value in found}.values())


def joined(values: Iterable[object]) -> str:
    return " or ".join(dict.fromkeys(text for value in values if (text := str(value)))) or NOT_RECORDED


def _abbreviated(value: Any) -> str:
    if value is None:
        return "none"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def span(values: pd.Series, write: Callable[[float], str]) -> str:
    if values.empty:
        return NOT_RECORDED
    low, high = write(float(values.min())), write(float(values.max()))
    return low if low == high else f"{low} to {high}"


def starts(part: pd.DataFrame) -> str:
    """What runs went on from, and what of them was trained."""
    told = [
        f"{row['starts from']} ({row['their tokens']} tokens, {row['their FLOPs']} FLOPs); trained: {row['trained']}, "
        f"{row['parameters trained']} of {row['of']} parameters"
        for row in lineage(part).to_dict("records")
    ]
    imported = any(is_imported(parse_config(config)) for config in part["config"])
    return "; ".join(told) or (NOT_RECORDED if imported else "initial values")


def task(part: pd.DataFrame) -> str:
    return _named(part, "task", "task")


def columns(part: pd.DataFrame) -> str:
    """The columns of a table that were asked for by name."""
    return joined(", ".join(_columns(data)) or "the usual ones, or the source's own" for data in data_of(part))


def _columns(data: Mapping[str, Any]) -> Iterator[str]:
    answers = "values" if data.get("answers") == "values" else "answers"
    for setting, what in {"label_columns": answers, "input_columns": "inputs"}.items():
        if names := data.get(setting):
            yield f"{what} in {' and '.join(map(str, names))}"
    for setting, what in {"group_column": "groups", "split_column": "split"}.items():
        if name := data.get(setting):
            yield f"{what} in {name}"


def steps(setting: str) -> Callable[[pd.DataFrame], str]:
    """The steps of `prepare` or `augment` with the settings that they were given; "none" where there are none."""

    def describe(part: pd.DataFrame) -> str:
        return joined(", ".join(map(_step, data.get(setting) or ())) or "none" for data in data_of(part))

    return describe


def _step(written: Any) -> str:
    """A name, or a name over its settings: standardise (by channel)."""
    if not isinstance(written, Mapping):
        return str(written)
    return ", ".join(f"{name} ({_pairs(given)})" if given else str(name) for name, given in written.items())


def data_of(part: pd.DataFrame) -> list[Mapping[str, Any]]:
    """The settings of data that runs state; [] of a task that makes its own."""
    tasks = [task for task in values(part, "task") if isinstance(task, dict)]
    return [data for task in tasks if isinstance(data := task.get("data"), dict)]


def family(part: pd.DataFrame) -> str:
    return _named(part, "family", "family")


def _named(part: pd.DataFrame, column: str, setting: str) -> str:
    """The names in the column, followed by their settings in the config, but those of data, which have an item."""
    names = [str(name) for name in dict.fromkeys(part[column]) if name != "unknown"]
    settings = [value for value in values(part, setting) if isinstance(value, dict)]
    details = joined(_pairs(value, without=("name", "data")) for value in settings)
    return joined(names) + (f" ({details})" if names and details != NOT_RECORDED else "")


def settings_of(group: str, without: tuple[str, ...] = ()) -> Callable[[pd.DataFrame], str]:
    def describe(part: pd.DataFrame) -> str:
        return joined(_pairs(value, without) for value in values(part, group) if isinstance(value, dict))

    return describe


def loss(part: pd.DataFrame) -> str:
    """What training minimised."""
    return joined(map(_pairs, losses_of(part)))


def criterion(part: pd.DataFrame) -> str:
    """What the metric "loss" is, with its unit where all tasks share it."""
    units = {"cross_entropy": ", in nats per scored token"}
    return joined(f"{kind}{units.get(kind, '')}" for kind in (str(each["kind"]) for each in losses_of(part)))


def _pairs(settings: Mapping[str, Any], without: tuple[str, ...] = ()) -> str:
    kind = [str(settings["kind"])] if "kind" in settings else []
    skipped = {"kind", "notes", *without}
    return ", ".join(
        kind + [f"{name} {_abbreviated(value)}" for name, value in settings.items() if name not in skipped]
    )


def range_of(column: str) -> Callable[[pd.DataFrame], str]:
    def describe(part: pd.DataFrame) -> str:
        known = part.loc[part[column] > 0, column]
        return span(known, count)

    return describe


def tried_rates(part: pd.DataFrame) -> list[float]:
    """The learning rates that are recorded, the lowest first."""
    return sorted({float(lr) for lr in part["lr"] if lr > 0})


def learning_rates(part: pd.DataFrame) -> str:
    rates = tried_rates(part)
    if not rates:
        return NOT_RECORDED
    if len(rates) == 1:
        return f"{rates[0]:g}, the same at every size; how it was chosen is {NOT_RECORDED}"
    several = part.groupby("rung")["lr"].nunique().min() > 1
    return ", ".join(f"{lr:g}" for lr in rates) + ("" if several else "; not all at every size")


def lr_choice(part: pd.DataFrame, frame: pd.DataFrame) -> str:
    """How the learning rate of each size was chosen, and at how many sizes it was the smallest or largest tried."""
    tried = part[part["status"] == "finished"].groupby("rung")["lr"].agg(["min", "max"])
    tried = tried[tried["min"] < tried["max"]]
    if tried.empty:
        return "only one was tried at each size"
    chosen = frame[frame["study"] == part["study"].iloc[0]].groupby("rung")["lr"].first().reindex(tried.index)
    edge = int(((chosen == tried["min"]) | (chosen == tried["max"])).sum())
    return f"lowest mean loss at each size; at {edge} of {len(tried)} sizes this is the smallest or largest tried"


def tokens_per_parameter(part: pd.DataFrame) -> str:
    known = part[(part["tokens"] > 0) & (part["params_total"] > 0) & (part["status"] == "finished")]
    return span(known["tokens"] / known["params_total"], short)


def six_nd(part: pd.DataFrame) -> str:
    known = part[(part["tokens"] > 0) & (part["params_total"] > 0) & (part["flops"] > 0)]
    return span(known["flops"] / (6.0 * known["params_total"] * known["tokens"]), lambda value: f"{value:.2f}")


def how_n(part: pd.DataFrame) -> str:
    if _imported(part):
        return f"as stated by the files or the user; the formula is {NOT_RECORDED}"
    return "by formula: total = all parameters; non-embedding = all but token and position tables and the readout"


def how_d(part: pd.DataFrame) -> str:
    if _imported(part):
        return f"as stated by the files or the user; the formula is {NOT_RECORDED}"
    return "steps x batch size x context length (examples, for tasks without tokens)"


def how_c(part: pd.DataFrame) -> str:
    if _imported(part):
        return f"as stated by the files or the user; the formula is {NOT_RECORDED}"
    return "by formula: forward and backward, 2 FLOPs per multiply-add; not 6 N D"


def shape(part: pd.DataFrame) -> str:
    known = part[(part["width"] > 0) & (part["depth"] > 0)].sort_values("params_total")
    shapes = dict.fromkeys(f"{row.width} x {row.depth}" for row in known.itertuples())
    return ", ".join(shapes) or NOT_RECORDED


def examples_per_step(part: pd.DataFrame) -> str:
    return joined(f"{size:,} examples" for size in sorted(set(part["batch_size"]) - {0}))


def _imported(part: pd.DataFrame) -> bool:
    return any("imported_from" in parse_config(text) for text in part["versions"].unique())
