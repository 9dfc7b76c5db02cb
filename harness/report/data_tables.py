"""Where the data of runs are from, and what preparation did to them, as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from harness.records.run_settings import parse_config

#: Keys of a run's versions that describe its data, and the columns that they fill.
_COLUMNS = {
    "data_name": "data",
    "data_licence": "licence",
    "data_version": "version",
    "data_split_rule": "split",
    "data_sha256": "SHA-256",
}
_PREPARED = "data_prepared"
#: What stands before the steps: the examples as they were read.
_READ = "read"
#: Digits of a hash that a table shows.
_SHOWN = 12


def data_sources(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each study and data set that its runs saw; of the SHA-256 the first digits."""
    rows = []
    for study, versions in _versions(runs):
        if "data_name" in versions:
            row = {column: str(versions.get(key, "")) for key, column in _COLUMNS.items()}
            row["SHA-256"] = row["SHA-256"][:_SHOWN]
            rows.append({"study": study} | row)
    return pd.DataFrame(rows, columns=["study", *_COLUMNS.values()]).drop_duplicates(ignore_index=True)


def preparation(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each study, step of preparation and side: study, step, split, removed, changed, left, note."""
    rows = []
    for study, versions in _versions(runs):
        try:
            steps = json.loads(versions.get(_PREPARED, "[]"))
        except (ValueError, TypeError, RecursionError):
            continue
        rows += [{"study": study} | step for step in steps if isinstance(step, dict)]
    columns = ["study", "step", "split", "removed", "changed", "left", "note"]
    return pd.DataFrame(rows, columns=columns).drop_duplicates(ignore_index=True)


def data_in_words(part: pd.DataFrame) -> str:
    """The data sets of runs, each with licence, start of its hash and split; '' where none is recorded."""
    rows = data_sources(part).drop(columns="study").drop_duplicates().to_dict("records")
    return "; ".join(
        f"{row['data']} ({row['licence']}; SHA-256 {row['SHA-256']}; split: {row['split']})" for row in rows
    )


def steps_in_words(part: pd.DataFrame) -> str:
    """The names of the steps of preparation of runs, in order; '' where there were none."""
    return ", ".join(step for step in preparation(part)["step"].astype(str).unique() if step != _READ)


def software(versions: str) -> dict[str, str]:
    """What a run's `versions` say beside its prepared data: names and versions of software, and other hashes."""
    told = parse_config(versions)
    return {str(name): str(version) for name, version in told.items() if name not in (*_COLUMNS, _PREPARED)}


def _versions(runs: pd.DataFrame) -> Iterator[tuple[str, dict[str, Any]]]:
    for (study, text), _ in runs.groupby(["study", "versions"], sort=False):
        yield str(study), parse_config(text)
