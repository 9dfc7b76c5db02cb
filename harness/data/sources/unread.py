"""Settings of data that are given and that nothing reads: they would change nothing, and were meant to."""

from __future__ import annotations

import dataclasses
from typing import get_args

from harness.data.dataset import Kind
from harness.data.settings import DataSettings
from harness.data.sources.found import Found
from harness.errors import SettingError

#: Those that name columns, which tables and Hugging Face's data sets have.
_OF_COLUMNS = ("label_columns", "input_columns", "group_column", "split_column")
_OF_LABELS = ("answers", "classes")
#: Those that only some kinds of data have a use for.
_KINDS: dict[str, tuple[Kind, ...]] = {
    "image_size": ("images",),
    "channels": ("images",),
    "sample_rate": ("audio",),
    **dict.fromkeys(_OF_LABELS, tuple(kind for kind in get_args(Kind) if kind != "questions")),
}


def refuse_unread(settings: DataSettings, found: Found, kind: Kind) -> None:
    """Raise SettingError for one that neither this kind of data nor this source reads, and say which are read."""
    unread = {name for name, kinds in _KINDS.items() if kind not in kinds}
    if not found.of_columns:
        unread |= set(_OF_COLUMNS)
    if found.labels is None:
        unread |= set(_OF_LABELS)
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if field.name in unread and value != field.default:
            read = [f"data.{name}" for name in (*_OF_COLUMNS, *_KINDS) if name not in unread]
            reads = f"reads {', '.join(read)}" if read else "reads no setting of columns, labels, images or sound"
            without = " without labels" if field.name in _OF_LABELS and kind != "questions" else ""
            allowed = "null" if field.default is None else field.default
            raise SettingError(
                f"data.{field.name}", value, f"{allowed}: {kind}{without} from {settings.source} {reads}"
            )
