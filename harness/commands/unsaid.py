"""What a user's table does not say, and the analysis has to do without: said, so that it can be supplied."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pandas as pd

from harness.analysis.curves import likely_pairs
from harness.commands.meanings import higher_is_better
from harness.records.columns import column
from harness.wording import listed

_CURVE = ("study", "task", "subtask", "metric")
#: A column of numbers whose values are shared by fewer rows of a curve than this is a measurement, not a setting.
_ROWS_A_VALUE = 2


def lacks_for_jumps(frame: pd.DataFrame, apart: Sequence[str]) -> Iterator[str]:
    """What tests of jumps have to do without, and which columns may tell rows apart."""
    scores = higher_is_better(frame)
    noise = [name for name in ("n_eval", "stderr") if name in frame and frame.loc[scores, name].notna().any()]
    if not noise:
        yield "n_eval (noise of the test items is judged by the scatter of seeds alone)"
    if "chance" not in frame or frame.loc[scores, "chance"].isna().all():
        yield "chance (heights of rises are judged by what is seen)"
    if "paired_metric" in frame:
        absent = set(frame["paired_metric"].dropna().astype(str)) - set(frame["metric"].astype(str)) - {""}
        yield from (f"{name}, which paired_metric names and no row measures" for name in sorted(absent))
    if not {"run_id", "member", "seed"} & set(frame.columns):
        yield "seeds (each row is a run of its own, unrelated to those at other sizes)"
    yield from apart_in_words(apart)


def offers(frame: pd.DataFrame, of_columns: Collection[tuple[str, str]]) -> Iterator[str]:
    """Pairs that metrics, and columns of metrics, may make, which no name can say for certain."""
    for metric, continuous in (*likely_pairs(frame).items(), *of_columns):
        yield (
            f"{continuous} may be the continuous metric of {metric}, if it scores the same outputs (a pretraining loss "
            f"does not): --pair {shlex.quote(f'{metric}={continuous}')}"
        )


def confounders(frame: pd.DataFrame, table: pd.DataFrame, x: Collection[str], used: Collection[str]) -> list[str]:
    """Names of columns that might say which curve a row is of, where nothing does: all rows then are runs of one curve.

    Text tells rows apart where it is shared by some rows of a curve and not by all, and is no other name of the sizes.
    Numbers (tokens, shots) do where they differ among runs of one size and most of their values occur more than once; a
    number to each row is a measurement, and 0, 1, 2 ... within each size are seeds.

    Args:
        frame: rows of curves, under the names that the analysis knows.
        table: the same rows under the table's own columns.
        x: columns of sizes.
        used: columns of the table that have a meaning already.
    """
    if "study" in frame:
        return []
    key = [name for name in _CURVE if name in frame]
    curve = frame.groupby(key, sort=False).ngroup().to_numpy()
    largest = curve == np.bincount(curve).argmax()
    found = []
    sizes = table.loc[largest, [name for name in x if name in table.columns]]
    for name in map(str, table.columns):
        cells = column(table, name)[largest]
        if name in used or name in _CURVE or cells.dtype.kind == "M":
            continue
        tells = _number_tells if cells.dtype.kind in "iuf" else _text_tells
        if cells.dtype.kind != "b" and tells(cells.to_numpy(), sizes):
            found.append(name)
    return found


def apart_in_words(names: Sequence[str], flags: str = "--by, --task or --subtask") -> Iterator[str]:
    """What is not known of columns that might tell curves apart, and the flags that would say."""
    if len(names) == 1:
        yield f"whether column {names[0]} tells curves apart (if so, name it by {flags})"
    elif names:
        yield f"whether columns {listed(names)} tell curves apart (if one does, name it by {flags})"


def _text_tells(cells: np.ndarray, sizes: pd.DataFrame) -> bool:
    labels = pd.Series(cells).astype(str)
    n_sizes = len(sizes.drop_duplicates())
    named_by_size = labels.nunique() == n_sizes == len(sizes.assign(label=labels.to_numpy()).drop_duplicates())
    return 1 < labels.nunique() < len(labels) and not named_by_size


def _number_tells(cells: np.ndarray, sizes: pd.DataFrame) -> bool:
    values = pd.Series(cells).dropna()
    if not 1 < values.nunique() <= len(values) / _ROWS_A_VALUE:
        return False
    of_size = [group.dropna().tolist() for _, group in pd.Series(cells).groupby(list(sizes.to_numpy().T))]
    of_size = [group for group in of_size if len(group) > 1]
    are_seeds = all(_are_seeds(group) for group in of_size)
    return not are_seeds and any(len(set(group)) > 1 for group in of_size)


def _are_seeds(numbers: list[float]) -> bool:
    """Whether numbers are 0, 1, 2 ... or 1, 2, 3 ..., each as often as the others."""
    distinct = sorted(set(numbers))
    times = {numbers.count(each) for each in distinct}
    return len(times) == 1 and distinct in (list(range(len(distinct))), list(range(1, len(distinct) + 1)))
