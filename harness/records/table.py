"""Tables of a user's own, read from files or results folders."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from harness.errors import DataError, nearest
from harness.records.comparable import comparable, final_losses
from harness.records.folders import find_folder, is_results
from harness.records.object_store import is_url
from harness.records.run_settings import refuse_mixed

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_ALLOWED = ".csv, .tsv and .jsonl (each also with .gz), .parquet, or a results folder"


def read_rows(
    path: Path | str, as_text: bool = False, steps: Literal["last", "all"] = "last", split: str | None = None
) -> pd.DataFrame:
    """The rows of a table in the order of the file, indexed by row number: 1 is the first row of data.

    An empty cell and NaN are missing; "NA", "n/a", "null" and the like are text, for `columns.number_column` to name.

    Args:
        path: a CSV, TSV, JSONL (one object a line) or Parquet file, recognised by its suffix, all but Parquet also with
            .gz; or a results folder, or the name of one under ./results, of which `store.load` gives the rows of all
            runs. `curve_rows` then chooses those that make a curve.
        as_text: leave the cells of CSV and TSV files as text: "007" is then no number.
        steps: of the runs in a results folder, as `store.load` takes it.
        split: of a results folder "eval" where None, as `store.load` takes it; of another table the rows that a column
            split has under this name, all where None.

    Raises:
        DataError: no such file, a pipe, a suffix that is not known, no rows, two columns of one name, or not readable;
            or no such split.
    """
    if is_url(path):
        path = find_folder(path)
    path = Path(path)
    try:
        if is_results(path):
            return _numbered(_read_results(path, steps, split or "eval"))
        if not path.exists():
            beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
            raise DataError(f"no such file{nearest(path.name, beside)}", source=path)
        if not path.is_file():
            # It is read in several passes, and waiting for a pipe in Arrow cannot be stopped by SIGTERM.
            raise DataError("a pipe or a device; a file is wanted", source=path)
        frame = _read_file(path, as_text)
    except OSError as error:
        raise DataError(f"not readable: {error.strerror or _one_line(error)}", source=path) from error
    except (ValueError, EOFError, RecursionError, zlib.error) as error:
        raise DataError(f"not readable: {_one_line(error)}", source=path) from error
    if frame.empty:
        raise DataError("empty, has no rows of data", source=path)
    frame = _numbered(frame)
    return frame if split is None else _of_split(frame, path, split)


def _of_split(frame: pd.DataFrame, path: Path, split: str) -> pd.DataFrame:
    if "split" not in frame:
        raise DataError(f"no column split, of which {split} would be a value", source=path)
    names = frame["split"].astype(str)
    if not (names == split).any():
        known = list(dict.fromkeys(names))
        raise DataError(f"no split {split}{nearest(split, known)}; there are {', '.join(known)}", source=path)
    return frame[names == split]


def splits_of(path: Path | str) -> list[str]:
    """The splits of a table: of a results folder eval and the names of shifts, of another what its column split holds.

    Raises:
        DataError: as `read_rows`, or no column split.
    """
    if is_results(path):
        from harness.records.store import evaluation_splits

        return evaluation_splits(path)
    frame = read_rows(path)
    if "split" not in frame:
        raise DataError("no column split", source=path)
    return list(dict.fromkeys(frame["split"].astype(str)))


def _numbered(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_axis(pd.RangeIndex(1, len(frame) + 1), axis="index")


def curve_rows(
    path: Path | str, kept: pd.DataFrame, frame: pd.DataFrame, x: str | None = None, by: str | None = None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows that make curves, and what was left out in words; rows of a user's own table are kept, every one.

    Of the runs in a results folder, those of a study's longest duration and each size's best learning rate make its
    curve (`comparable`).

    Args:
        path: where the rows were read from.
        kept: the rows chosen so far.
        frame: all rows, as `read_rows` gives them of the task's own evaluation set, whose loss chooses among rates.
        x: as `comparable` takes it.
        by: column that holds curves apart, where it is one of runs: its values are then not alternatives.

    Raises:
        DataError: rows of runs that differ in a setting would make one curve.
    """
    if not is_results(path):
        return kept, ()
    refuse_mixed(kept, "choose those of one, e.g. by --where '{one}'")
    apart = [by] if by is not None and by in kept and _is_of_runs(kept, by) else []
    return comparable(kept, final_losses(frame), apart=apart, x=x, flags=True)


def _is_of_runs(frame: pd.DataFrame, column: str) -> bool:
    """Whether all rows of a run agree in this column."""
    return bool((frame.groupby("run_id")[column].nunique(dropna=False) == 1).all())


def _read_file(path: Path, as_text: bool) -> pd.DataFrame:
    name = path.name.lower()
    suffix = Path(name.removesuffix(".gz")).suffix
    if suffix in _SEPARATORS:
        return _read_separated(path, _SEPARATORS[suffix], as_text)
    if suffix == ".jsonl":
        return _read_jsonl(path)
    if name.endswith(".parquet"):
        return _read_parquet(path)
    raise DataError(f"suffix '{path.suffix}' is not known; allowed are {_ALLOWED}", source=path)


# Parquet is loaded for the two that need it alone: it takes longer than to read most tables of text.


def _read_results(path: Path, steps: Literal["last", "all"], split: str) -> pd.DataFrame:
    from harness.records.store import load

    return load(path, steps, split, runs="all")


def _read_parquet(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
        _refuse_repeated(path, table.column_names)
        return table.to_pandas(ignore_metadata=True)  # with metadata, an index that pandas wrote would not be a column
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error


def _read_separated(path: Path, separator: str, as_text: bool) -> pd.DataFrame:
    how: dict[str, Any] = {"sep": separator, "skipinitialspace": True, "keep_default_na": False}
    how |= {"encoding": "utf-8-sig", "low_memory": False}
    try:
        # pandas would rename the second of two columns of one name, so the header is read on its own first.
        header = pd.read_csv(path, header=None, nrows=1, dtype=str, **how).iloc[0]
        _refuse_repeated(path, (name.strip() for name in header if name.strip()))
        _refuse_longer_rows(path, len(header), how)
        frame = pd.read_csv(path, na_values=["", "nan", "NaN", "NAN"], dtype=str if as_text else None, **how)
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    return frame.rename(columns=str.strip)


def _refuse_longer_rows(path: Path, n_columns: int, how: dict[str, Any]) -> None:
    """Raise DataError where the first row has more cells than the header, for pandas would take its first for an index.

    Of later rows that are longer pandas says so itself.
    """
    try:
        pd.read_csv(path, header=None, nrows=2, dtype=str, **how)
    except pd.errors.ParserError as error:
        raise DataError(f"rows have more cells than the header's {n_columns}", source=path) from error


def _read_jsonl(path: Path) -> pd.DataFrame:
    rows = []
    with gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            place = f"{path}, line {number}"
            try:
                rows.append(json.loads(line.decode("utf-8-sig"), object_pairs_hook=partial(_as_row, place)))
                if rb"\ud" in line.lower():  # half a pair of UTF-16, which is no text, is refused by none but encode
                    json.dumps(rows[-1], ensure_ascii=False).encode()
            except ValueError as error:
                raise DataError(f"not JSON: {_one_line(error)}", source=place) from error
            if not isinstance(rows[-1], dict):
                raise DataError("an object {...} is wanted", source=place)
    return pd.DataFrame(rows)


def _as_row(place: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_repeated(place, (name for name, _ in pairs))
    return dict(pairs)


def _refuse_repeated(place: Path | str, names: Iterable[str]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise DataError(f"column '{name}' is there {times} times", source=place)


def _one_line(words: object) -> str:
    return " ".join(str(words).split())
