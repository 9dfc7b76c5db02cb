"""Which setting is meant by a name that is none."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, get_type_hints

import yaml

from harness.choices import choices, config_groups, read_config
from harness.errors import UserError, nearest
from harness.ranges import ALLOWED, MEANING
from harness.settings import Settings

#: What others call a setting -> its name here.
_SYNONYMS = {
    **dict.fromkeys(("learning_rate", "learning-rate", "rate", "lrs"), "optimizer.lr"),
    **dict.fromkeys(("width", "d_model", "n_embd", "hidden_size", "hidden"), "ladder.widths"),
    **dict.fromkeys(("layers", "n_layers", "n_layer", "num_layers", "depth"), "ladder.depths"),
    **dict.fromkeys(("n_heads", "n_head", "num_heads"), "ladder.heads"),
    **dict.fromkeys(("batch", "bs", "batchsize"), "ladder.batch_size"),
    **dict.fromkeys(("iterations", "max_steps", "num_steps", "n_steps"), "ladder.steps"),
    **dict.fromkeys(("n_epochs", "num_epochs", "max_epochs"), "ladder.epochs"),
    **dict.fromkeys(("n_train", "train_size", "n_examples", "max_train_samples"), "ladder.train_examples"),
    **dict.fromkeys(("wd", "decay_weight"), "optimizer.weight_decay"),
    **dict.fromkeys(("clip", "max_norm", "clip_grad"), "optimizer.grad_clip"),
    **dict.fromkeys(("model", "architecture", "arch"), "family"),
    **dict.fromkeys(("data", "dataset"), "task"),
    **dict.fromkeys(("exp", "config", "conf"), "experiment"),
    **dict.fromkeys(("output", "out", "out_dir", "folder", "results_dir"), "results"),
    **dict.fromkeys(("n_seeds", "num_seeds"), "seeds"),
    **dict.fromkeys(("gpu", "cuda"), "training.device"),
    **dict.fromkeys(("n_workers", "num_workers", "jobs", "cores"), "launcher.workers"),
}


def setting_names() -> list[str]:
    """Every setting by its full name, those of all families and tasks among them."""
    return list(dict.fromkeys([*_names(Settings), "experiment", *config_groups(), *_of_choices()]))


def _names(kind: type, prefix: str = "") -> Iterator[str]:
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        yield prefix + field.name
        if dataclasses.is_dataclass(inner := hints[field.name]):
            yield from _names(inner, f"{prefix}{field.name}.")  # type: ignore[arg-type]


def _of_choices() -> Iterator[str]:
    """As the files of families and tasks name them: importing their classes takes seconds."""
    for group in ("family", "task"):
        for path in choices(group).values():
            try:
                values: Any = yaml.safe_load(read_config(path))
            except (UserError, yaml.YAMLError):
                continue
            for name in values if isinstance(values, dict) else ():
                if name != "_target_":
                    yield f"{group}.{name}"


def allowed_words(name: str) -> str:
    """What a setting may be, and what it means, by its full name; '' for one of a family or task, or none."""
    *path, last = name.split(".")
    kind: Any = Settings
    for part in path:
        kind = get_type_hints(kind).get(part) if dataclasses.is_dataclass(kind) else None
    fields = {field.name: field for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else {}
    if last not in fields or ALLOWED not in (about := fields[last].metadata):
        return ""
    return f"{about[ALLOWED]} ({about[MEANING]})"


def meant(name: str) -> str:
    """The setting that a name without its group, or what others call it, means; '' where that is not clear."""
    names = setting_names()
    same = [full for full in names if full == name or full.rpartition(".")[2] == name]
    return name if name in names else same[0] if len(same) == 1 else _SYNONYMS.get(name, "")


def suggestion(name: str) -> str:
    """'; did you mean ...?' for a name that is no setting, '' where nothing is close.

    A bare name that a group has, such as `lr`, is given its group, and what others call it is known too.
    """
    name, names = name.lower(), setting_names()
    last = name.rpartition(".")[2]
    if same := [name] if name in names else [full for full in names if full.rpartition(".")[2] == last]:
        return f"; did you mean {' or '.join(repr(full) for full in same)}?"
    if last in _SYNONYMS:
        return f"; did you mean '{_SYNONYMS[last]}'?"
    # A misspelt setting of a group is far from its full name where the group is left out.
    closest = get_close_matches(last, [full.rpartition(".")[2] for full in names], n=1, cutoff=0.7)
    return suggestion(closest[0]) if closest and "." not in name else nearest(name, names)
