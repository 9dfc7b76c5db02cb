"""What a table of runs makes one suspect before a law is fitted: two conditions in one, columns in the wrong order."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.analysis.fitting.conditions import find_conditions, told_apart_by
from harness.analysis.runs import gather_runs

#: Names of columns that say parameters, and tokens.
_OF_PARAMETERS = re.compile(r"^(n|n_?)?(params?|parameters?|model_?size)(_.*)?$|^n$", re.IGNORECASE)
_OF_TOKENS = re.compile(r"^((n|train|training)_?)?(tokens?|data_?size)(_.*)?$|^d$", re.IGNORECASE)
#: Variables whose order can be told by their names or sizes.
_ORDERED = (("N", "D"), ("w", "d", "D"))


def cautions(
    x: pd.DataFrame, y: pd.Series, frame: pd.DataFrame, variables: Sequence[str] | None = None
) -> tuple[str, ...]:
    """What to say of runs x (n, d), y (n,), whose whole rows are `frame`.

    Args:
        variables: of the law that is to be fitted; None where it is one over sizes alone, or over N and D.
    """
    ordered = variables is None or tuple(variables) in _ORDERED
    return tuple(filter(None, [_swapped(x) if ordered else "", _conditions(x, y.to_numpy(), str(y.name), frame)]))


def label_columns(frame: pd.DataFrame, taken: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns that label runs: text, truth values and whole numbers, complete, and not among those taken.

    Numbers with decimals are mostly other results of a run, which agree with its loss because they follow from it.
    """
    found = {}
    for name in frame.columns:
        column = frame[name]
        if name in taken or column.isna().any():
            continue
        if column.dtype.kind == "f" and not np.all(np.mod(column, 1) == 0):
            continue
        found[str(name)] = column.astype(str).to_numpy(dtype=str)
    return found


def _conditions(x: pd.DataFrame, y: np.ndarray, y_name: str, frame: pd.DataFrame) -> str:
    if (y <= 0).any():
        return ""
    found = find_conditions(gather_runs(x.to_numpy(), np.log(y)))
    if found is None:
        return ""
    told = told_apart_by(found, label_columns(frame, (*x.columns, y_name)))
    by = "no column tells them apart"
    if told is not None:
        name, upper, lower = told
        by = f"column {name} tells them apart, {upper} above {lower}: --where chooses one"
    return (
        f"two conditions in one table? each of {found.n_places} places ({', '.join(map(str, x.columns))}) has two "
        f"kinds of run, {y_name} a factor {found.factor:.3g} apart; {by}"
    )


def _swapped(x: pd.DataFrame) -> str:
    """N and D, or width and depth, in the wrong order, by their names or their sizes."""
    names = [str(name) for name in x.columns]
    if len(names) == 2:
        n, d = names
        if _OF_TOKENS.match(n) and _OF_PARAMETERS.match(d):
            return f"swapped? --x {n},{d}: parameters N come first, then tokens D; {n} was taken for N"
        ratio = float(np.median(x[d] / x[n]))
        if ratio < 1:
            return (
                f"swapped? --x {n},{d}: parameters N come first, then tokens D; as they stand, most runs have fewer "
                f"tokens than parameters (median D/N {ratio:.2g})"
            )
    if len(names) == 3 and float(np.median(x[names[1]] / x[names[0]])) > 1:
        order = "width comes first, then depth; as they stand, most models are deeper than wide"
        return f"swapped? --x {','.join(names)}: {order}"
    return ""
