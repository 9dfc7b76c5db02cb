"""What a law is asked to fit, checked before any arithmetic; errors name the law, or the row and column."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.analysis.checks import finite_numbers, positive_columns
from harness.analysis.fitting.laws import LAWS, Law
from harness.errors import DataError, SettingError, UserError, nearest

#: A variable whose largest value is less than this many times its least does not vary: steps are whole, budgets are met
#: to a percent.
SPREAD = 1.02


class TooFewDataError(UserError):
    """A law that cannot be had from this many runs."""


class NotIdentifiableError(UserError):
    """A law whose parameters the design of the runs cannot tell apart, whatever their values."""


def check_law(name: str, setting: str = "law") -> Law:
    """The law of this name, or SettingError."""
    if name not in LAWS:
        raise SettingError(setting, name, f"one of {', '.join(LAWS)}{nearest(name, LAWS)}")
    return LAWS[name]


def laws_for(x: ArrayLike | pd.DataFrame, by_variables: Mapping[int, tuple[str, ...]]) -> tuple[str, ...]:
    """Of names by number of variables those that suit x (n,) or (n, d), or DataError."""
    columns = np.asarray(x).shape[1] if np.ndim(x) == 2 else 1
    if columns not in by_variables:
        raise DataError(f"x has {columns} columns: laws are known for 1 (x), 2 (N, D) and 3 (width, depth, D)")
    return by_variables[columns]


def law_columns(law: Law, x: ArrayLike | pd.DataFrame, y: ArrayLike | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Places (n, d), and y on the law's scale (n,); without y, zeros.

    Raises:
        DataError: another number of columns than the law's variables, or a value that is not allowed.
    """
    table = x if isinstance(x, pd.DataFrame) else None
    given = np.asarray(x)
    given = given[:, None] if given.ndim == 1 else given
    if given.ndim != 2 or given.shape[1] != len(law.variables):
        found = given.shape[1] if given.ndim == 2 else given.shape
        raise DataError(f"{law.name} has {len(law.variables)} variables ({', '.join(law.variables)}); got {found}")
    names = law.variables if table is None else tuple(map(str, table.columns))
    columns = dict(zip(names, given.T, strict=True))
    if y is None:
        places = np.stack(positive_columns(**columns), axis=1)
        return places, np.zeros(len(places))
    if law.scale == "log":
        *sides, values = positive_columns(**columns, y=y)
        return np.stack(sides, axis=1), np.log(values)
    values = finite_numbers("y", y)
    if "floor" in law.parameters and (wrong := np.flatnonzero((values < 0) | (values > 1))).size:
        raise DataError(f"column y, row {wrong[0]}: {values[wrong[0]]:g}: allowed for {law.name} is 0 to 1")
    # Ones in the place of y, for lengths to be compared.
    *sides, _ = positive_columns(**columns, y=np.ones_like(values))
    return np.stack(sides, axis=1), values


def refuse_design(law: Law, places: np.ndarray) -> None:
    """Raises TooFewDataError or NotIdentifiableError for places (n, d) that no values of y could make up for."""
    distinct = len(np.unique(places, axis=0))
    for j, name in enumerate(law.variables):
        least, most = places[:, j].min(), places[:, j].max()
        if distinct > 1 and most < least * SPREAD:
            where = f"is {least:.4g}" if most == least else f"is {least:.4g} within {100 * (most / least - 1):.1f} %"
            raise NotIdentifiableError(
                f"{law.name}: not identifiable, {name} {where} in all {len(places)} runs; "
                "its term cannot be told from a constant"
            )
    if distinct < law.min_points:
        what = " and ".join(law.variables)
        raise TooFewDataError(
            f"{law.name}, {law.formula}, needs at least {law.min_points} distinct {what}; got {distinct}"
        )


def unsolved(law: Law, places: np.ndarray, n_runs: int) -> UserError:
    """The error to raise where no start of a fit to places (R, d) converged."""
    told = f"{law.formula}: no start of the fit converged on these {n_runs} runs"
    logs = np.log(places) - np.log(places).mean(axis=0)
    if len(law.variables) > 1 and np.linalg.matrix_rank(logs, tol=1e-6 * np.linalg.norm(logs)) < len(law.variables):
        names = " and ".join(law.variables)
        return NotIdentifiableError(f"{told}; {names} grow together in them, so their terms cannot be told apart")
    return UserError(told)
