"""Whether the data of a study are still those that its recorded runs saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import warn_of_runs
from harness.records.integrity import recorded_runs
from harness.records.run_settings import parse_config
from harness.settings import Settings

#: Keys of `Task.versions` that end so are hashes of data.
_HASH = "_sha256"
#: Characters of a hash that tell it from others.
_SHORT = 8


def warn_of_other_data(studies: Sequence[Settings]) -> None:
    """A RunsWarning for each study whose data have another content than those of its runs in the results folder.

    What is trained now would make one curve with them; nothing is refused, for data may be mended on purpose.
    """
    rows = {folder: recorded_runs(Path(folder)) for folder in dict.fromkeys(study.results for study in studies)}
    for study in studies:
        for line in _changes(study, [row for row in rows[study.results] if row["study"] == study.study]):
            warn_of_runs(line)


def _changes(study: Settings, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not rows:
        return  # The data need not be read for a folder that holds nothing.
    now = {key: value for key, value in study.task.versions.items() if key.endswith(_HASH)}
    recorded = [parse_config(row["versions"]) for row in rows if row["task"] == study.task.name]
    for key, value in now.items():
        others = [versions[key] for versions in recorded if versions.get(key, value) != value]
        if others:
            yield (
                f"{study.results}: {len(others)} of {len(rows)} runs of {study.study} saw other data than now "
                f"({key} {str(others[0])[:_SHORT]}, now {value[:_SHORT]}): another study= or name= keeps them apart"
            )
