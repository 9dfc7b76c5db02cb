"""``harness data``: what data there are, what preparation removed of them, and a picture of some."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd
import yaml
from rich.console import Console
from rich.table import Table

from harness.by_name import import_by_name
from harness.choices import choices, read_config
from harness.command_words import told_apart
from harness.data.augment.composed import augmenter
from harness.data.dataset import Dataset, Kind, Question
from harness.data.load import Prepared, prepared
from harness.data.scale import cautions
from harness.data.settings import DataSettings
from harness.errors import SettingError, UserError, warn_of_runs
from harness.records.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from omegaconf import DictConfig

#: Examples in a picture, and classes that the table lists.
_SHOWN: dict[Kind, int] = {"images": 24, "audio": 12, "text": 8, "questions": 8, "features": 0}
_MOST_CLASSES = 40


def run(words: Sequence[str], console: Console) -> int:
    """Print counts, provenance and what each step did; draw examples into the file of --out; 0.

    Raises:
        UserError: a mistake in the words, or data that cannot be used.
    """
    flags, rest = _flags(words)
    (overrides,) = told_apart("data", rest).commands()
    settings, kind = _settings(overrides, flags.get("--kind"))
    augmenter(settings, kind, n_outputs=1)  # a step for other data is refused, pictures or not
    data = prepared(settings, kind)
    for caution in cautions(data.train):
        warn_of_runs(caution)
    for table in (_counts(data), _steps(data)):
        console.print(table)
        console.print()
    for name, value in data.versions.items():
        if name != "data_prepared":
            console.print(f"{name.removeprefix('data_').replace('_', ' ')}: {value}", markup=False, highlight=False)
    if out := flags.get("--out"):
        _save(_picture(data, settings, kind), Path(out))
        console.print(f"picture: {out}", markup=False, highlight=False)
    return 0


def _flags(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """--out and --kind with their values, and the other words."""
    found, rest, following = dict[str, str](), list[str](), iter(words)
    for word in following:
        name, given, value = word.partition("=")
        if name not in ("--out", "--kind"):
            rest.append(word)
        elif not (value := value if given else next(following, "")):
            raise UserError(f"{name}: a value is wanted, {name} {'FILE' if name == '--out' else 'KIND'}")
        else:
            found[name] = value
    return found, rest


def _settings(overrides: Sequence[str], kind: str | None) -> tuple[DataSettings, Kind]:
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from harness import config
    from harness.explain import explain

    try:
        with config.composing():
            studies = config.compose_studies(overrides)
            if len(studies) > 1:
                names = ", ".join(study.study for study in studies)
                raise UserError(f"data shows those of one study; choose one, e.g. by task=NAME. Found {names}")
            settings = config.to_settings_alone(studies[0]).data
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise UserError(explain(error)) from error
    found = kind or _kind_of_task(studies[0])
    kinds: tuple[Kind, ...] = get_args(Kind)
    for known in kinds:
        if found == known:
            return settings, known
    if found is not None:
        raise SettingError("--kind", found, f"one of {', '.join(kinds)}")
    problem = "no task is chosen" if studies[0].task is None else "the chosen task reads no data"
    tasks = ", ".join(_tasks_that_read())
    remedy = f"give task=NAME ({tasks}) or --kind KIND ({', '.join(kinds)})"
    raise UserError(f"data: {problem}; {remedy}, e.g. harness data task=table data.source=path:mine.csv")


def _kind_of_task(study: DictConfig) -> str | None:
    """What the chosen task reads."""
    return None if study.task is None else _kind_read_by(study.task._target_)


def _tasks_that_read() -> list[str]:
    targets = {
        name: (yaml.safe_load(read_config(path)) or {}).get("_target_") for name, path in choices("task").items()
    }
    found = []
    for name, target in targets.items():
        with suppress(UserError):  # a class of the user's folder, whose code runs only where it is chosen
            if target and _kind_read_by(target, from_here=False):
                found.append(name)
    return found


def _kind_read_by(target: object, *, from_here: bool = True) -> str | None:
    """What a class of tasks reads, as it says in `data_kind`."""
    return getattr(import_by_name("task._target_", str(target), from_here=from_here), "data_kind", None)


def _counts(data: Prepared) -> Table:
    """A row a class, up to some, and one for all."""
    table = Table(box=None)
    table.add_column("class")
    for side in ("train", "eval"):
        table.add_column(side, justify="right")
    if data.train.has_classes:
        counts = [side.class_counts() for side in (data.train, data.evaluation)]
        for name, *of in list(zip(data.train.classes, *counts, strict=True))[:_MOST_CLASSES]:
            table.add_row(name, *(f"{count:,}" for count in of))
        if (more := len(data.train.classes) - _MOST_CLASSES) > 0:
            table.add_row(f"... {more:,} more", "", "")
    table.add_row("all", f"{len(data.train):,}", f"{len(data.evaluation):,}")
    return table


def _steps(data: Prepared) -> Table:
    table = Table(box=None)
    for column in data.report:
        table.add_column(str(column), justify="right" if column in ("removed", "changed", "left") else "left")
    for row in data.report.itertuples(index=False):
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    return table


def _picture(data: Prepared, settings: DataSettings, kind: Kind) -> Figure:
    from harness.report import example_plots

    if kind == "features":
        names = [data.train.feature_name(i) for i in range(data.train.inputs.shape[1])]
        labels = data.train.labels if data.train.has_classes else None
        targets = _targets(data.train, settings)
        return example_plots.plot_features(data.train.inputs, names, labels, data.train.classes, targets)
    some = _some(data.train, _SHOWN[kind])
    titles = [_label(some, row) for row in range(len(some))]
    if kind == "text":
        return example_plots.plot_texts(some.inputs, titles)
    if kind == "questions":
        return example_plots.plot_texts([_with_choices(one) for one in some.inputs], titles)
    if kind == "audio":
        assert some.sample_rate is not None
        return example_plots.plot_sounds(some.inputs, some.sample_rate, titles)
    return example_plots.plot_images(some.inputs, titles, _augmented(some, settings))


def _some(data: Dataset, count: int) -> Dataset:
    """Examples that are always the same, class by class, as many of each class as of any other while they last."""
    order = np.random.default_rng(0).permutation(len(data))
    if data.labels is None or not data.has_classes:
        return data.take(order[:count])
    labels = pd.Series(data.labels[order])
    before_in_class = labels.groupby(labels).cumcount()
    chosen = order[np.argsort(before_in_class, kind="stable")][:count]
    return data.take(chosen[np.argsort(data.labels[chosen], kind="stable")])


def _label(data: Dataset, row: int) -> str:
    if data.labels is None:
        return str(data.names[row])
    if data.has_classes:
        return data.classes[data.labels[row]]
    return ", ".join(f"{value:.3g}" for value in data.labels[row])


def _targets(data: Dataset, settings: DataSettings) -> dict[str, np.ndarray]:
    """The values to be predicted by the names of their columns; none where answers are classes."""
    if data.labels is None or data.has_classes:
        return {}
    names = settings.label_columns
    if names is None or len(names) != data.labels.shape[1]:
        names = [f"value {i}" for i in range(data.labels.shape[1])]
    return dict(zip(names, data.labels.T, strict=True))


def _with_choices(question: Question) -> str:
    """A question and its choices, the right one marked."""
    marked = [f"{'*' if i == question.right else ' '} {choice}" for i, choice in enumerate(question.choices)]
    return "\n".join([question.text, *marked])


def _augmented(data: Dataset, settings: DataSettings) -> np.ndarray | None:
    """Images as a training batch would have them; None where `data.augment` asks for nothing."""
    from harness.tasks.base import Batch

    how = augmenter(settings, data.kind, len(data.classes))
    if how is None:
        return None
    import torch

    labels = np.zeros(len(data), dtype=np.int64) if not data.has_classes else np.asarray(data.labels)
    batch = Batch.of_answers(data.inputs.astype(np.float32), labels)
    drawn = {name: torch.as_tensor(each) for name, each in how.draw(np.random.default_rng(0), batch).items()}
    return how.apply(torch.as_tensor(batch.inputs), torch.as_tensor(batch.targets), drawn)[0].numpy()


def _save(figure: Figure, out: Path) -> None:
    kinds = figure.canvas.get_supported_filetypes()
    if (suffix := out.suffix.removeprefix(".").lower()) not in kinds:
        raise SettingError("--out", out, f"a file that ends with .{', .'.join(sorted(kinds))}")
    picture = io.BytesIO()
    figure.savefig(picture, format=suffix, dpi=200)
    write_whole(out, picture.getvalue())
