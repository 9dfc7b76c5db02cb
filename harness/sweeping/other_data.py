"""Whether the data of a study are still those that its recorded runs saw."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from harness.errors import warn_of_runs
from harness.records.comparable import data_hashes, shortened
from harness.records.run_settings import parse_config
from harness.settings import Settings


def warn_of_other_data(study: Settings, runs: Collection[Mapping[str, Any]]) -> None:
    """Give a RunsWarning where a study's data have another content than those of its runs.

    What is trained now would make one curve with them; nothing is refused, for data may be mended on purpose.

    Args:
        runs: rows of the runs table, of every run in the study's results folder.
    """
    own = [run for run in runs if run["study"] == study.study]
    if own:  # The data need not be read for a folder that holds nothing.
        for line in _changes(study, own):
            warn_of_runs(line)


def _changes(study: Settings, runs: Collection[Mapping[str, Any]]) -> Iterator[str]:
    recorded = [data_hashes(parse_config(run["versions"])) for run in runs if run["task"] == study.task.name]
    for key, digest in data_hashes(study.task.versions).items():
        others = [hashes[key] for hashes in recorded if hashes.get(key, digest) != digest]
        if others:
            yield (
                f"{study.results}: {len(others)} of {len(runs)} runs of {study.study} saw other data than now "
                f"({key} {shortened(others[0])}, now {shortened(digest)}); new runs join "
                "their curve, unless name=NAME gives them another folder, or study=NAME another curve"
            )
