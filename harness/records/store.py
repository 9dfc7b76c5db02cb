"""Results folders: merging the pieces that runs left, and loading the tables.

A results folder holds ``pieces/<run_id>.parquet``, a file a run, and what `collect` makes of them: ``runs.parquet`` and
``measurements.parquet``. Imported runs, of which there may be thousands and whose files are elsewhere, stand in these
two alone.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.errors import DataError, UserError, nearest, warn_of_runs
from harness.records.comparable import comparable, differing_data, final_losses
from harness.records.encoded import select_measurements
from harness.records.files import write_whole
from harness.records.fingerprint import Noted, Stamps, keep_note, read_note, stamp_tables
from harness.records.folders import find_folder
from harness.records.order import ORDER, measurements_in_order, ranks
from harness.records.pieces import (
    Listing,
    known_bad,
    list_pieces,
    pull_runs,
    read_collected,
    read_pieces,
    recorded,
    table_paths,
)
from harness.records.reading import ENCODED, OtherVersionError, read_table
from harness.records.rows import check_finite
from harness.records.run_settings import is_duration, mixed_in_words, with_varying_settings
from harness.records.schema import SCHEMAS, SPLITS, STATUSES
from harness.records.working_copy import push_changed
from harness.records.writer import PIECES, alone, table_bytes


@dataclass(frozen=True)
class CollectReport:
    """What `collect` found.

    Attributes:
        folder: the results folder.
        n_runs: runs in the table.
        by_status: number of runs with each status, in the order finished, diverged, failed.
        n_measurements: rows of the measurements table.
        problems: "file: what is wrong" for each file that was left out.
        differing_data: a sentence for each study whose finished runs saw different data.
    """

    folder: Path
    n_runs: int
    by_status: dict[str, int]
    n_measurements: int
    problems: tuple[str, ...]
    differing_data: tuple[str, ...]


@dataclass(frozen=True)
class _Merged:
    """Both tables with the rows of all pieces in them.

    Attributes:
        problems: as in `CollectReport`.
        noted: what they are made of.
        before: `stamp_tables` from before they were read.
        unreadable: why what stood in the tables before is lost, where it is.
    """

    tables: dict[str, pa.Table]
    problems: tuple[str, ...]
    noted: Noted
    before: Stamps
    unreadable: DataError | None


def collect(folder: Path | str) -> CollectReport:
    """Merge a folder's pieces, and the rows already in its tables, into runs.parquet and measurements.parquet.

    Collecting twice gives the same bytes; where no file has changed since (`records.fingerprint`), none is read again.
    A piece takes the place of the same run's rows in the tables. Files that cannot be used are named in the report and
    left where they are, except tables: where one of the two is unreadable, both are renamed to ``<name>.unreadable``
    and made anew from the pieces.

    Raises:
        OtherVersionError: the folder's tables are of another schema version; nothing is written.
        DataError: nothing to collect, or a run with several rows in a table; nothing is written.
        UserError: the tables cannot be written, or a store cannot be asked.
    """
    folder = Path(folder)
    pull_runs(folder)
    if (problems := _unchanged(folder)) is not None:
        runs = read_table(table_paths(folder)["runs"], "runs")
        n_measurements = pq.read_metadata(table_paths(folder)["measurements"]).num_rows
    else:
        while not _write(folder, merged := _merge(folder)):
            pass  # another process has written the tables meanwhile
        runs, n_measurements, problems = merged.tables["runs"], merged.tables["measurements"].num_rows, merged.problems
    push_changed(*(table_paths(folder)[name] for name in ("measurements", "runs")))
    counts = Counter(runs.column("status").to_pylist())
    by_status = {status: counts[status] for status in STATUSES}
    finished = runs.filter(pc.equal(runs.column("status"), "finished")).select(["study", "versions"]).to_pandas()
    unlike = tuple(differing_data(finished))
    return CollectReport(folder, runs.num_rows, by_status, n_measurements, problems, unlike)


def _unchanged(folder: Path) -> tuple[str, ...] | None:
    """The problems of a folder whose tables hold all that its pieces do; None where they do not."""
    noted, listing = read_note(folder), list_pieces(folder)
    if noted is None or listing.stamps != noted.pieces:
        return None
    return _problems(listing, noted.bad)


def _problems(listing: Listing, bad: Mapping[str, str]) -> tuple[str, ...]:
    return (*(f"{path}: foreign, not a piece of a run" for path in listing.foreign), *bad.values())


def _merge(folder: Path) -> _Merged:
    """The tables as `collect` writes them; pieces that are in them already are not read again."""
    before, noted, listing = stamp_tables(folder), read_note(folder), list_pieces(folder)
    changed = listing.changed(noted)
    pieces = read_pieces(folder, changed)
    bad = dict(sorted((known_bad(listing, noted, changed) | pieces.bad).items()))
    problems = _problems(listing, bad)
    unreadable = None
    try:
        collected = read_collected(folder, besides=list(pieces.measurements))
    except OtherVersionError:
        raise
    except DataError as error:
        unreadable = error
        problems += (f"{error}; kept as *.parquet.unreadable, made anew from the pieces",)
        collected = {"runs": SCHEMAS["runs"].empty_table(), "measurements": ENCODED["measurements"].empty_table()}
    runs = pa.concat_tables([*pieces.runs, collected["runs"]])
    by_run = _by_run(collected["measurements"]) | pieces.measurements
    empty = ENCODED["measurements"].empty_table()
    tables = {
        "runs": runs.sort_by([(column, "ascending") for column in ORDER["runs"]]),
        "measurements": pa.concat_tables([empty, *(by_run[run_id] for run_id in sorted(by_run))]),
    }
    if not tables["runs"].num_rows:
        told = [str(unreadable)] if unreadable is not None else problems
        because = f"; {told[0]}" if told else "; `harness sweep experiment=NAME` makes them"
        raise DataError(f"{folder}: no runs to collect{because}")
    _refuse_repeated(tables["runs"], table_paths(folder)["runs"])
    return _Merged(tables, problems, Noted(listing.stamps, bad), before, unreadable)


def _by_run(numbers: pa.Table) -> dict[str, pa.Table]:
    """run_id -> its rows of a table of measurements, in order."""
    if not numbers.num_rows:
        return {}
    numbers = measurements_in_order(numbers)
    ids = ranks(numbers.column("run_id"))
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    ends = [*starts[1:], len(ids)]
    names = numbers.column("run_id").take(pa.array(starts)).to_pylist()
    return {name: numbers.slice(i, j - i) for name, i, j in zip(names, starts, ends, strict=True)}


def _write(folder: Path, merged: _Merged) -> bool:
    """Write tables and the note of what they are made of; False where others have been written since `merged`."""
    contents = {table_paths(folder)[name]: table_bytes(merged.tables[name]) for name in ("measurements", "runs")}
    with alone(folder / PIECES):
        if stamp_tables(folder) != merged.before:
            return False
        if merged.unreadable is not None:
            _rename_unreadable(table_paths(folder).values())
        # The runs last: a run is there once its numbers are.
        for path, content in contents.items():
            # A report is older than its tables only where these have changed.
            if not (path.exists() and path.read_bytes() == content):
                write_whole(path, content)
        if merged.unreadable is None:  # else it is to be named once only
            keep_note(folder, merged.noted)
    return True


def _rename_unreadable(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.exists():
            try:
                os.replace(path, path.with_name(path.name + ".unreadable"))
            except OSError as error:
                raise UserError(f"{path} cannot be renamed: {error.strerror}") from error


def finished_run_ids(folder: Path | str) -> dict[str, str]:
    """Status of every run that a folder holds, by run_id; as `pieces.recorded`."""
    return {run_id: row["status"] for run_id, row in recorded(folder).rows.items()}


def load(
    path: Path | str,
    steps: Literal["last", "all"] = "last",
    split: str | None = "eval",
    statuses: Sequence[str] = ("finished",),
    runs: Literal["comparable", "all"] = "comparable",
    subtask: str | None = None,
) -> pd.DataFrame:
    """Measurements joined to the runs that made them.

    Pieces of runs that are newer than a folder's tables are collected at once; in memory, where it cannot be written.

    Args:
        path: a results folder, a folder of several, or the name of one under ./results.
        steps: "last" for each run's last step, "all" for its trajectory.
        split: "eval", the task's own evaluation set; the name of a shift; "train"; or None for the task's own and all
            shifts, which the column `split` tells apart.
        subtask: the only subtask, "all" for each task as a whole; every one where None.
        statuses: which runs; only finished ones unless told otherwise.
        runs: "comparable" for those that make one curve, of a study's longest duration and each size's best learning
            rate (see `records.comparable`), with a `RunsWarning` that counts the others; "all" for every one.

    Returns:
        One row per (run, subtask, metric), or per (run, subtask, metric, step) with steps="all", of each split. All
        columns of both tables: `step`, `tokens`, `flops` are those at the measurement, `tokens_run`, `flops_run` the
        run's totals.
        Settings that differ among the runs of one study are columns too, e.g. ``task.n_bits``; `attrs["varying"]`
        lists them. `attrs["left_out"]` says which runs were left out and why, where any were.

    Raises:
        DataError: no such folder, no runs in it, no such split, a table that cannot be used, a value of a finished run
            that is not finite, or learning rates that differ at a size without a loss to choose by.
    """
    for name, given, allowed in (("steps", steps, ("last", "all")), ("runs", runs, ("comparable", "all"))):
        if given not in allowed:
            raise DataError(f"{name}={given!r}: allowed is {' or '.join(map(repr, allowed))}")
    if unknown := set(statuses) - set(STATUSES):
        raise DataError(f"statuses={sorted(unknown)[0]!r}: allowed are {', '.join(STATUSES)}")
    tables: list[dict[str, pa.Table]] = []
    problems: list[str] = []
    folders = _folders(path)
    for folder in folders:
        tables.append(_tables(folder, problems))
        if "finished" in statuses:
            _check_finished(folder, tables[-1])
    for problem in problems:
        warn_of_runs(f"left out {problem}")
    splits = [split] if split is not None else ["eval", *_shifts(tables)]
    _refuse_absent(splits, tables, path)
    of_subtask = {} if subtask is None else {"subtask": subtask}
    parts = [
        _joined(*each, steps, {"split": one} | of_subtask, statuses)
        for one in splits
        for each in zip(folders, tables, strict=True)
    ]
    # An empty one, of a folder without the shift, would take the types of its columns to the others.
    parts = [part for part in parts if len(part)] or parts[:1]
    frame = pd.concat(parts, ignore_index=True)
    frame, varying = with_varying_settings(frame)
    left_out: tuple[str, ...] = ()
    if runs == "comparable":
        losses = pd.concat([_losses(each["measurements"]) for each in tables])
        # Without this, runs of several settings would compete for the longest duration and the best learning rate.
        apart = [name for name in varying if not is_duration(name)]
        frame, left_out = comparable(frame, losses.groupby(level=0).first(), apart=apart)
        if varying:
            warn_of_runs(f"{path}: {mixed_in_words(frame)}")
        if left_out:
            warn_of_runs(f"{path}: {'; '.join(left_out)} (runs='all' keeps them)")
    frame = frame.reset_index(drop=True)
    frame.attrs = {"varying": varying, "left_out": list(left_out)}
    return frame


def evaluation_splits(path: Path | str) -> list[str]:
    """The evaluation sets of a results folder: "eval", then the names of shifts in alphabetical order.

    Raises:
        DataError: as `load`.
    """
    return ["eval", *_shifts([_tables(folder, []) for folder in _folders(path)])]


def _shifts(tables: Iterable[Mapping[str, pa.Table]]) -> list[str]:
    columns = [each["measurements"].column("split") for each in tables]
    named = {str(name) for column in columns for name in pc.unique(column).to_pylist()}
    return sorted(named - set(SPLITS))


def _refuse_absent(splits: Sequence[str], tables: Sequence[Mapping[str, pa.Table]], path: Path | str) -> None:
    """Raise DataError for a split other than `SPLITS` that no run was measured on."""
    for split in splits:
        if split not in SPLITS and split not in (shifts := _shifts(tables)):
            known = [*SPLITS, *shifts]
            raise DataError(f"no split {split}{nearest(split, known)}; there are {', '.join(known)}", source=path)


def load_runs(path: Path | str) -> pd.DataFrame:
    """The runs table, failures included: one row a run, columns as in `schema.RUNS`.

    Raises:
        DataError: as `load`.
    """
    problems: list[str] = []
    runs = [_tables(folder, problems, only_runs=True)["runs"].to_pandas() for folder in _folders(path)]
    for problem in problems:
        warn_of_runs(f"left out {problem}")
    return pd.concat(runs, ignore_index=True)


def _joined(
    folder: Path, tables: Mapping[str, pa.Table], steps: str, texts: Mapping[str, str], statuses: Sequence[str]
) -> pd.DataFrame:
    """Measurements of one folder that hold these texts, joined to its runs, as `load` gives them."""
    runs, numbers = tables["runs"], tables["measurements"]
    runs = runs.filter(pc.is_in(runs.column("status"), value_set=pa.array(statuses, pa.string())))
    frame = select_measurements(numbers, only_last=steps == "last", **texts).to_pandas()
    _refuse_doubled(folder, frame)
    frame["n_eval"] = frame["n_eval"].where(frame["n_eval"] > 0)  # earlier imports wrote 0 for not known
    # Each text of a run stands in all its rows, its settings of a kilobyte too: as Python's strings they share one.
    with pd.option_context("mode.string_storage", "python"):
        of_runs = runs.to_pandas()
    return frame.merge(of_runs, on="run_id", suffixes=("", "_run"), validate="many_to_one")


def _refuse_doubled(folder: Path, numbers: pd.DataFrame) -> None:
    """Raise DataError where a run has the same number of the same step twice, as a table edited by hand may."""
    twice = numbers.duplicated(["run_id", "step", "split", "subtask", "metric"])
    if twice.any():
        row = numbers[twice].iloc[0]
        what = f"{row['metric']} of {row['subtask']} twice at step {row['step']}"
        raise DataError(f"{folder / 'measurements.parquet'}: run {row['run_id']} has {what}")


def _losses(numbers: pa.Table) -> pd.Series:
    of_all = {"split": "eval", "metric": "loss", "subtask": "all"}
    return final_losses(select_measurements(numbers, only_last=True, **of_all).to_pandas())


def _tables(folder: Path, problems: list[str], only_runs: bool = False) -> dict[str, pa.Table]:
    """Both tables of a folder with all its pieces in them; pieces that cannot be used go to `problems`.

    Pieces that the tables lack are collected at once; where the folder cannot be written, in memory. Text of the
    measurements is as in `reading.ENCODED`.
    """
    paths = table_paths(folder)
    if (unchanged := _unchanged(folder)) is not None:
        problems += unchanged
        names = ["runs"] if only_runs else list(paths)
        tables = {name: read_table(paths[name], name, encoded=name == "measurements") for name in names}
    else:
        merged = _merge(folder)
        if merged.unreadable is not None:
            raise merged.unreadable
        problems += merged.problems
        with contextlib.suppress(UserError):
            _write(folder, merged)
            push_changed(*paths.values())
        tables = merged.tables
    _refuse_repeated(tables["runs"], paths["runs"])
    return tables


def _refuse_repeated(runs: pa.Table, path: Path) -> None:
    """Raise DataError where a run has several rows."""
    ids = runs.column("run_id")
    if len(pc.unique(ids)) < len(ids):
        twice = Counter(ids.to_pylist()).most_common(1)[0][0]
        raise DataError(f"{path}: run {twice} has more than one row")


def _check_finished(folder: Path, tables: Mapping[str, pa.Table]) -> None:
    """Raises DataError where a value of a finished run is not finite."""
    runs, numbers = tables["runs"], tables["measurements"]
    finished = runs.filter(pc.equal(runs.column("status"), "finished")).column("run_id")
    wrong = numbers.filter(pc.invert(pc.is_finite(numbers.column("value"))))
    of_finished = wrong.filter(pc.is_in(wrong.column("run_id"), value_set=finished))
    check_finite(of_finished, str(folder / "measurements.parquet"))


def _folders(path: Path | str) -> list[Path]:
    """The folders with runs that `path` means."""
    found = find_folder(path)
    inner = [found, *sorted(folder for folder in found.iterdir() if folder.is_dir())]
    folders = [folder for folder in inner if (folder / "runs.parquet").exists() or list_pieces(folder).files]
    if not folders:
        raise DataError(f"{found}: no runs; `harness sweep experiment=NAME` makes them")
    return folders
