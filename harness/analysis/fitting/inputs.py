"""What is to be fitted, checked before any arithmetic: the law, its columns, and the design of the runs.

Errors name the law, or the row and column.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.analysis.checks import finite_numbers, positive_columns
from harness.analysis.fitting.laws import LAWS, Law
from harness.by_name import import_by_name
from harness.errors import DataError, SettingError, UserError, nearest

#: Ratio of a variable's largest to its least value below which it counts as constant: steps are whole, and budgets are
#: met to a percent.
SPREAD = 1.02


class TooFewDataError(UserError):
    """There are too few runs for this law."""


class NotIdentifiableError(UserError):
    """The places of the runs do not determine the law's parameters, whatever the values of y."""


# ------------------------------------------------------------------------------------------------------------- the law


def find_law(law: str | Law, setting: str = "law") -> Law:
    """The law of a name of `LAWS`, of the class or instance that `module.name` names, or the given instance itself.

    Raises:
        SettingError: no such name.
        UserError: a class of the user's own that cannot be imported, is no `Law`, or lacks what a law needs.
    """
    if isinstance(law, str) and law in LAWS:
        return LAWS[law]
    if isinstance(law, str) and "." in law:
        return _usable(import_by_name(setting, law), f"{setting}={law}")
    if isinstance(law, str):
        allowed = f"one of {', '.join(LAWS)}, or module.Class of your own{nearest(law, LAWS)}"
        raise SettingError(setting, law, allowed)
    return law if law in LAWS.values() else _usable(law, setting)


def _usable(found: object, where: str) -> Law:
    """A law of the user's own that has all a law needs, as an instance."""
    if isinstance(found, type) and issubclass(found, Law):
        try:
            found = found()
        except TypeError as error:
            raise UserError(f"{where}: {error}") from error
    if not isinstance(found, Law):
        raise UserError(f"{where}: {found!r} is no Law: a subclass of harness.analysis.fitting.laws.Law is wanted")
    if lacking := [name for name in ("name", "formula", "parameters") if not hasattr(found, name)]:
        raise UserError(f"{where}: {type(found).__name__} has no attribute {lacking[0]}")
    if type(found).limits is Law.limits:
        for name in found.parameters:
            given = found.ranges.get(name, "nothing")
            least = 0.0 if name in found.log_parameters else -np.inf
            try:
                low, high = (float(end) for end in given)
            except (TypeError, ValueError):
                low = high = np.nan
            if not least < low < high < np.inf:
                allowed = "0 < low < high" if name in found.log_parameters else "low < high"
                given = given if isinstance(given, str) else ", ".join(map(str, np.atleast_1d(given)))
                raise UserError(f"{where}: ranges[{name!r}]: {given}: allowed is (low, high), finite, {allowed}")
    _try_value(found, where)
    return found


def _try_value(law: Law, where: str) -> None:
    """Call `value` once for two fits of three runs, lest a mistake in it come out of the solver's depths."""
    t, y = np.linspace(0.5, 1.5, 3) * np.ones((len(law.variables), 1)), np.zeros((2, 3))
    low, high = (np.broadcast_to(end, (2, len(law.parameters))) for end in law.limits(t, y))
    theta = (np.clip(low, -1e6, 1e6) + np.clip(high, -1e6, 1e6)) / 2  # within the limits, open ones too
    try:
        with np.errstate(all="ignore"):
            shape = np.shape(law.value(t, theta))
    except Exception as error:
        raise UserError(f"{where}: {law.name}.value fails: {type(error).__name__}: {error}") from error
    if shape != y.shape:
        wanted = f"t {t.shape} and theta {theta.shape} give {y.shape}: (fits, runs)"
        raise UserError(f"{where}: {law.name}.value returns an array of shape {shape}; wanted is that {wanted}")


def laws_for(x: ArrayLike | pd.DataFrame, by_variables: Mapping[int, tuple[str, ...]]) -> tuple[str, ...]:
    """The names, by number of variables, that suit x (n,) or (n, d), or DataError."""
    columns = np.asarray(x).shape[1] if np.ndim(x) == 2 else 1
    if columns not in by_variables:
        raise DataError(f"x has {columns} columns: laws are known for 1 (x), 2 (N, D) and 3 (width, depth, D)")
    return by_variables[columns]


# ------------------------------------------------------------------------------------------------------------ the runs


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
    places, values = _checked_columns(law, columns, y)
    if wrong := law.misplaced(places):
        raise DataError(f"{law.name}, {wrong}")
    return places, values


def _checked_columns(law: Law, columns: Mapping[str, ArrayLike], y: ArrayLike | None) -> tuple[np.ndarray, np.ndarray]:
    """Places and values, each a number that the law's scale allows."""
    zero = [name for name, variable in zip(columns, law.variables, strict=True) if variable in law.may_be_zero]
    if y is None:
        places = np.stack(positive_columns(zero, **columns), axis=1)
        return places, np.zeros(len(places))
    if law.scale == "log":
        *sides, values = positive_columns(zero, **columns, y=y)
        return np.stack(sides, axis=1), np.log(values)
    values = finite_numbers("y", y)
    if "floor" in law.parameters and (wrong := np.flatnonzero((values < 0) | (values > 1))).size:
        raise DataError(f"column y, row {wrong[0]}: {values[wrong[0]]:g}: allowed for {law.name} is 0 to 1")
    # Ones in the place of y, for lengths to be compared.
    *sides, _ = positive_columns(zero, **columns, y=np.ones_like(values))
    return np.stack(sides, axis=1), values


def refuse_design(law: Law, places: np.ndarray) -> None:
    """Raises TooFewDataError or NotIdentifiableError where no values of y at places (n, d) could determine the law."""
    distinct = len(np.unique(places, axis=0))
    for j, name in enumerate(law.variables):
        least, most = places[:, j].min(), places[:, j].max()
        if distinct > 1 and most <= least * SPREAD:
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
    message = f"{law.formula}: no start of the fit converged on these {n_runs} runs"
    logs = law.coordinates(places, law.centre(places)).T
    logs = logs - logs.mean(axis=0)
    if len(law.variables) > 1 and np.linalg.matrix_rank(logs, tol=1e-6 * np.linalg.norm(logs)) < len(law.variables):
        names = " and ".join(law.variables)
        return NotIdentifiableError(f"{message}; {names} grow together in them, so their terms cannot be told apart")
    return UserError(message)
