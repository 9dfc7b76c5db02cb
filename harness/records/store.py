"""Results folders: merging the pieces that runs left, and loading the tables.

A results folder holds ``pieces/<run_id>.runs.parquet`` and ``pieces/<run_id>.measurements.parquet``, one pair a run,
and what `collect` makes of them: ``runs.parquet`` and ``measurements.parquet``. Imported runs, of which there may be
thousands and whose files are elsewhere, stand in these two alone.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.errors import DataError, UserError, warn_of_runs
from harness.records.comparable import comparable, differing_data, final_losses
from harness.records.files import write_whole
from harness.records.fingerprint import Collected, Stamps, keep_collected, read_collected_note, stamp_pieces
from harness.records.folders import find_folder
from harness.records.pieces import list_pieces, read_collected, read_piece, recorded, table_paths
from harness.records.reading import ENCODED, OtherVersionError, read_table
from harness.records.run_settings import is_duration, mixed_in_words, with_varying_settings
from harness.records.schema import SCHEMAS, STATUSES
from harness.records.writer import check_finite, piece_path, table_bytes

_ORDER = {
    "runs": ("study", "rung", "duration", "lr", "seed", "run_id"),
    "measurements": ("run_id", "split", "metric", "subtask", "step"),
}


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
    """Both tables with the rows of all pieces in them; `replaced` where what stood in the tables is unreadable."""

    tables: dict[str, pa.Table]
    found: Collected
    replaced: bool
    stamps: Stamps


def collect(folder: Path | str) -> CollectReport:
    """Merge a folder's pieces, and the rows already in its tables, into runs.parquet and measurements.parquet.

    Collecting twice gives the same bytes; where no file has changed since (`records.fingerprint`), none is read again.
    A piece takes the place of the same run's rows in the tables. Files that cannot be used are named in the report and
    left where they are, except tables: where one of the two is unreadable, both are renamed to ``<name>.unreadable``
    and made anew from the pieces.

    Raises:
        OtherVersionError: the folder's tables are of another schema version; nothing is written.
        DataError: nothing to collect, or a run with several rows in a table; nothing is written.
        UserError: the tables cannot be written.
    """
    folder = Path(folder)
    if (found := read_collected_note(folder)) is not None:
        runs = read_table(table_paths(folder)["runs"], "runs")
        n_measurements = pq.read_metadata(table_paths(folder)["measurements"]).num_rows
    else:
        merged = _merge(folder)
        if merged.replaced:
            _rename_unreadable(table_paths(folder).values())
        _write(folder, merged)
        runs, n_measurements, found = merged.tables["runs"], merged.tables["measurements"].num_rows, merged.found
    counts = Counter(runs.column("status").to_pylist())
    by_status = {status: counts[status] for status in STATUSES}
    finished = runs.filter(pc.equal(runs.column("status"), "finished")).select(["study", "versions"]).to_pandas()
    unlike = tuple(differing_data(finished))
    return CollectReport(folder, runs.num_rows, by_status, n_measurements, found.problems, unlike)


def _merge(folder: Path) -> _Merged:
    """The tables as `collect` writes them."""
    stamps = stamp_pieces(folder)
    problems: list[str] = []
    pieces, bad = _read_pieces(folder, problems)
    replaced = False
    try:
        collected = read_collected(folder, besides=list(pieces))
    except OtherVersionError:
        raise
    except DataError as error:
        replaced = True
        problems.append(f"{error}; kept as *.parquet.unreadable, made anew from the pieces")
        collected = {name: schema.empty_table() for name, schema in SCHEMAS.items()}
    runs = pa.concat_tables([*(piece["runs"] for piece in pieces.values()), collected["runs"]])
    by_run = _by_run(collected["measurements"]) | {run_id: piece["measurements"] for run_id, piece in pieces.items()}
    empty = ENCODED["measurements"].empty_table()
    tables = {
        "runs": runs.sort_by([(column, "ascending") for column in _ORDER["runs"]]),
        "measurements": pa.concat_tables([empty, *(by_run[run_id] for run_id in sorted(by_run))]),
    }
    if not tables["runs"].num_rows:
        because = f"; {problems[0]}" if problems else "; `harness sweep experiment=NAME` makes them"
        raise DataError(f"{folder}: no runs to collect{because}")
    _refuse_repeated(tables["runs"], table_paths(folder)["runs"])
    return _Merged(tables, Collected(tuple(problems), bad), replaced, stamps)


def _by_run(numbers: pa.Table) -> dict[str, pa.Table]:
    """run_id -> its rows of a table of measurements, in order and as in `ENCODED`."""
    if not numbers.num_rows:
        return {}
    numbers = numbers.sort_by([(column, "ascending") for column in _ORDER["measurements"]])
    ids = numbers.column("run_id").to_numpy()
    numbers = numbers.cast(ENCODED["measurements"])
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    ends = [*starts[1:], len(ids)]
    return {ids[start]: numbers.slice(start, end - start) for start, end in zip(starts, ends, strict=True)}


def _read_pieces(folder: Path, problems: list[str]) -> tuple[dict[str, dict[str, pa.Table]], dict[str, str]]:
    """run_id -> its rows in each table, and what is wrong with the pieces of others, which goes to `problems` too."""
    listing = list_pieces(folder)
    problems += [f"{path}: foreign, not a piece of a run" for path in listing.foreign]
    for run_id in listing.interrupted:
        path = piece_path(folder, run_id, "measurements")
        problems.append(f"{path}: left by a run that was interrupted; running it again replaces it")
    pieces, bad = dict[str, dict[str, pa.Table]](), dict[str, str]()
    for run_id in listing.run_ids:
        try:
            piece = read_piece(folder, run_id)
        except DataError as error:
            bad[run_id] = str(error)
        else:
            pieces[run_id] = piece | {"measurements": _sorted(piece["measurements"])}
    problems += bad.values()
    return pieces, bad


def _sorted(numbers: pa.Table) -> pa.Table:
    """The measurements of one run in the order of the table."""
    numbers = numbers.combine_chunks()
    keys = [numbers.column("step").to_numpy()]
    for name in ("subtask", "metric", "split"):
        column = numbers.column(name).unify_dictionaries().combine_chunks()
        column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        ranks = np.argsort(np.argsort(np.asarray(column.dictionary.to_pylist(), dtype=object)))
        keys.append(ranks[column.indices.to_numpy()] if len(column) else np.zeros(0, dtype=int))
    order = np.lexsort(keys)
    return numbers if (np.diff(order) == 1).all() else numbers.take(pa.array(order))


def _write(folder: Path, merged: _Merged) -> None:
    # The runs last, as in a piece: a run is there once its numbers are.
    for name in ("measurements", "runs"):
        path, content = folder / f"{name}.parquet", table_bytes(merged.tables[name])
        # A report is older than its tables only where these have changed.
        if not (path.exists() and path.read_bytes() == content):
            write_whole(path, content)
    if not merged.replaced:  # what was replaced is named this once
        keep_collected(folder, merged.stamps, merged.found)


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
    split: str = "eval",
    statuses: Sequence[str] = ("finished",),
    runs: Literal["comparable", "all"] = "comparable",
) -> pd.DataFrame:
    """Measurements joined to the runs that made them.

    Pieces of runs that are newer than a folder's tables are collected at once; in memory, where it cannot be written.

    Args:
        path: a results folder, a folder of several, or the name of one under ./results.
        steps: "last" for each run's last step, "all" for its trajectory.
        split: "eval" or "train".
        statuses: which runs; only finished ones unless told otherwise.
        runs: "comparable" for those that make one curve, of a study's longest duration and each size's best learning
            rate (see `records.comparable`), with a `RunsWarning` that counts the others; "all" for every one.

    Returns:
        One row per (run, subtask, metric), or per (run, subtask, metric, step) with steps="all". All columns of both
        tables: `step`, `tokens`, `flops` are those at the measurement, `tokens_run`, `flops_run` the run's totals.
        Settings that differ among the runs of one study are columns too, e.g. ``task.n_bits``; `attrs["varying"]`
        lists them. `attrs["left_out"]` says which runs were left out and why, where any were.

    Raises:
        DataError: no such folder, no runs in it, a table that cannot be used, a value of a finished run that is not
            finite, or learning rates that differ at a size without a loss to choose by.
    """
    for name, given, allowed in (("steps", steps, ("last", "all")), ("runs", runs, ("comparable", "all"))):
        if given not in allowed:
            raise DataError(f"{name}={given!r}: allowed is {' or '.join(map(repr, allowed))}")
    if unknown := set(statuses) - set(STATUSES):
        raise DataError(f"statuses={sorted(unknown)[0]!r}: allowed are {', '.join(STATUSES)}")
    tables: list[dict[str, pa.Table]] = []
    problems: list[str] = []
    for folder in _folders(path):
        tables.append(_tables(folder, problems))
        if "finished" in statuses:
            _check_finished(folder, tables[-1])
    for problem in problems:
        warn_of_runs(f"left out {problem}")
    frame = pd.concat([_joined(each, steps, split, statuses) for each in tables], ignore_index=True)
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


def load_runs(path: Path | str) -> pd.DataFrame:
    """The runs table, failures included: one row a run, columns as in `schema.RUNS`.

    Raises:
        DataError: as `load`.
    """
    problems: list[str] = []
    runs = [_tables(folder, problems)["runs"].to_pandas() for folder in _folders(path)]
    for problem in problems:
        warn_of_runs(f"left out {problem}")
    return pd.concat(runs, ignore_index=True)


def _joined(tables: Mapping[str, pa.Table], steps: str, split: str, statuses: Sequence[str]) -> pd.DataFrame:
    """Measurements of one folder joined to its runs, as `load` gives them."""
    runs, numbers = tables["runs"], tables["measurements"]
    runs = runs.filter(pc.is_in(runs.column("status"), value_set=pa.array(statuses, pa.string())))
    frame = numbers.filter(pc.equal(numbers.column("split"), split)).to_pandas()
    if steps == "last":
        frame = frame[frame["step"] == frame.groupby("run_id")["step"].transform("max")]
    frame["n_eval"] = frame["n_eval"].where(frame["n_eval"] > 0)  # earlier imports wrote 0 for not known
    return frame.merge(runs.to_pandas(), on="run_id", suffixes=("", "_run"), validate="many_to_one")


def _losses(numbers: pa.Table) -> pd.Series:
    return final_losses(numbers.filter(pc.equal(numbers.column("metric"), "loss")).to_pandas())


def _tables(folder: Path, problems: list[str]) -> dict[str, pa.Table]:
    """Both tables of a folder with all its pieces in them; pieces that cannot be used go to `problems`.

    Pieces that the tables lack are collected at once; where the folder cannot be written, in memory.
    """
    paths = table_paths(folder)
    have_tables = any(path.exists() for path in paths.values())
    tables = {name: read_table(path, name) for name, path in paths.items()} if have_tables else {}
    if tables and (noted := read_collected_note(folder)) is not None:
        problems += noted.problems
    elif not tables or _pieces_are_newer(folder, tables["runs"]):
        merged = _merge(folder)
        problems += merged.found.problems
        with contextlib.suppress(UserError):
            _write(folder, merged)
        tables = {name: table.cast(SCHEMAS[name]) for name, table in merged.tables.items()}
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
    of_finished = numbers.filter(pc.is_in(numbers.column("run_id"), value_set=finished))
    check_finite(of_finished, str(folder / "measurements.parquet"))


def _pieces_are_newer(folder: Path, runs: pa.Table) -> bool:
    """Whether a piece holds what the tables do not: a run that is not in them, or another end of one that is.

    Pieces copied from another machine may bear an older date than the tables: of runs that had failed, which are the
    ones that are tried again, the piece itself is asked.
    """
    written_ns = min(path.stat().st_mtime_ns for path in table_paths(folder).values())
    known = dict(zip(runs.column("run_id").to_pylist(), runs.column("status").to_pylist(), strict=True))
    for run_id in list_pieces(folder).run_ids:
        path = piece_path(folder, run_id, "runs")
        if run_id not in known or os.stat(path).st_mtime_ns >= written_ns:
            return True
        if known[run_id] == "failed" and _cells(path, ["status"]).get("status") != "failed":
            return True
    return False


def _cells(path: Path, columns: Sequence[str]) -> dict[str, Any]:
    """Some columns of the run of a runs piece; {} where the piece cannot be read."""
    try:
        table = pq.read_table(path, columns=list(columns), partitioning=None)
        return {name: table.column(name)[0].as_py() for name in columns}
    except (pa.ArrowException, OSError, IndexError, KeyError):
        return {}


def _folders(path: Path | str) -> list[Path]:
    """The folders with runs that `path` means."""
    found = find_folder(path)
    inner = [found, *sorted(folder for folder in found.iterdir() if folder.is_dir())]
    folders = [folder for folder in inner if (folder / "runs.parquet").exists() or list_pieces(folder).run_ids]
    if not folders:
        raise DataError(f"{found}: no runs; `harness sweep experiment=NAME` makes them")
    return folders
