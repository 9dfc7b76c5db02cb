"""``hf:NAME`` or ``hf:NAME:CONFIG``: data sets of Hugging Face, by its library `datasets`.

NAME is that of a data set on the hub, which the library downloads once and keeps in its cache (with HF_HUB_OFFLINE=1 it
asks nobody, as where it cannot be reached), or a folder that `save_to_disk` has written.
"""

from __future__ import annotations

import logging
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pandas as pd

from harness.data.dataset import EVAL, TRAIN, UNKNOWN_LICENCE, Kind
from harness.data.settings import DataSettings
from harness.data.sources.columns import LABELS, Columns
from harness.data.sources.found import Found
from harness.errors import DataError, UserError


def read(argument: str, settings: DataSettings, kind: Kind) -> Found:
    """The rows of `train` and of `test`, else `validation`; of the only split where there is one.

    Raises:
        DataError: it is neither in the cache nor can it be downloaded, it has no such splits, or as `Columns.found`.
        UserError: the library is not installed.
    """
    name, _, config = argument.partition(":")
    splits = _loaded(name, config)
    chosen = _chosen(splits, argument)
    parts = {part: _undecoded(splits[part]) for part in chosen}
    frames = {part: data.to_pandas() for part, data in parts.items()}
    names = [f"{part}, row {row}" for part, frame in frames.items() for row in range(1, len(frame) + 1)]
    frame = pd.concat(frames.values(), ignore_index=True)
    found = Columns(frame, names, f"hf:{argument}", Path()).found(settings, kind)
    first = parts[chosen[0]]
    found.classes = _classes(first, settings)
    found.title = name
    found.licence = first.info.license or UNKNOWN_LICENCE
    found.version = str(first.info.version or "no version")
    if len(chosen) > 1:
        found.split = [side for side, part in zip((TRAIN, EVAL), chosen, strict=True) for _ in range(len(frames[part]))]
        unused = sorted(set(splits) - set(chosen))
        found.split_rule = " and ".join(chosen) + (f" ({', '.join(unused)} unused)" if unused else "")
    return found


def _stay_offline_if_unreachable() -> None:
    """Set HF_HUB_OFFLINE where the hub does not answer: else the library tries again and again, for half a minute.

    It has to be set before the library is imported.
    """
    if "HF_HUB_OFFLINE" in os.environ:
        return
    try:
        urllib.request.urlopen(os.environ.get("HF_ENDPOINT", "https://huggingface.co"), timeout=3).close()
    except urllib.error.HTTPError:
        return  # an answer
    except (OSError, ValueError):
        os.environ["HF_HUB_OFFLINE"] = "1"


def _loaded(name: str, config: str) -> dict[str, Any]:
    saved = Path(name).expanduser()
    is_saved = any((saved / file).is_file() for file in ("dataset_dict.json", "dataset_info.json", "state.json"))
    if not is_saved:
        _stay_offline_if_unreachable()
    try:
        import datasets
    except ImportError as error:
        raise UserError("hf: needs Hugging Face datasets: pip install 'scaling-harness[hf]'") from error
    for library in ("datasets", "huggingface_hub"):
        logging.getLogger(library).setLevel(logging.ERROR)
    try:
        loaded = datasets.load_from_disk(str(saved)) if is_saved else datasets.load_dataset(name, config or None)
    except Exception as error:  # the library raises errors of many kinds, its own and those of the network
        said = str(error).strip().splitlines() or [type(error).__name__]
        how = "neither in the cache nor to be had" if isinstance(error, OSError) else "cannot be loaded"
        raise DataError(f"{how}: {said[0]}", source=f"hf:{name}") from error
    return dict(loaded) if isinstance(loaded, dict) else {"all": loaded}


def _chosen(splits: dict[str, Any], argument: str) -> list[str]:
    if len(splits) == 1:
        return list(splits)
    evaluation = [part for part in ("test", "validation") if part in splits][:1]
    if "train" not in splits or not evaluation:
        problem = f"has the splits {', '.join(splits)}; wanted are train and test, or train and validation"
        raise DataError(problem, source=f"hf:{argument}")
    return ["train", *evaluation]


def _undecoded(data: Any) -> Any:
    """Images and audio as the bytes that are stored, which our own readers decode."""
    import datasets

    for column, feature in data.features.items():
        if isinstance(feature, datasets.Image | datasets.Audio):
            data = data.cast_column(column, type(feature)(decode=False))
    return data


def _classes(data: Any, settings: DataSettings) -> tuple[str, ...] | None:
    column = next((name for name in settings.label_columns or LABELS if name in data.features), None)
    names = getattr(data.features[column], "names", None) if column else None
    return tuple(names) if names else None
