"""What files do not say of their runs: settings given for all of them, and sidecars with a row a file or a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from harness.errors import DataError, SettingError, UserError, nearest
from harness.records.importers.found import FoundRun
from harness.records.schema import RUNS

#: Columns of the runs table that the import itself fills.
_NOT_SETTABLE = ("run_id", "experiment", "rung", "status", "error", "config", "versions", "finished_at")
#: Columns of the runs table that a user may state.
SETTABLE = tuple(name for name in RUNS.names if name not in _NOT_SETTABLE)
#: Columns by which a sidecar says which runs a row is about.
KEYS = ("file", "run")


@dataclass(frozen=True)
class About:
    """Settings of runs that their files do not state, or state otherwise.

    Attributes:
        settings: of all runs, as `checked` returns them.
        sidecar: a row a file or run, as `import_results` takes it; its cells override `settings`.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    sidecar: pd.DataFrame | None = None

    def of(self, run: FoundRun) -> dict[str, Any]:
        """What is stated of one run, with the types of the runs table.

        Raises:
            DataError: the sidecar has no column of files or runs, several rows for this run, or a cell that is no
                setting or out of its range.
        """
        if self.sidecar is None:
            return dict(self.settings)
        rows = self.sidecar[self._is_about(run)].drop(columns=self._key).to_dict("records")
        if len(rows) > 1:
            raise DataError(f"{len(rows)} rows of the sidecar are about it; allowed is one", source=run.label)
        cells = {str(column): cell for row in rows for column, cell in row.items() if not _is_empty(cell)}
        try:
            return {**self.settings, **checked(cells)}
        except UserError as error:
            raise DataError(f"the sidecar's row about {run.label}: {error}") from error

    def unmatched(self, runs: list[FoundRun]) -> list[str]:
        """Keys of the sidecar's rows that are about none of these runs."""
        if self.sidecar is None:
            return []
        used = pd.Series(False, index=self.sidecar.index)
        for run in runs:
            used |= self._is_about(run)
        return [f"{self._key} {name}" for name in self.sidecar.loc[~used, self._key]]

    @property
    def _key(self) -> str:
        assert self.sidecar is not None
        keys = [key for key in KEYS if key in self.sidecar.columns]
        if len(keys) != 1:
            shown = ", ".join(map(str, self.sidecar.columns[:6]))
            raise DataError(f"the sidecar needs either a column file or a column run (columns {shown})")
        return keys[0]

    def _is_about(self, run: FoundRun) -> pd.Series:
        """Which rows of the sidecar are about this run."""
        assert self.sidecar is not None
        names = self.sidecar[self._key].astype(str)
        return names.eq(run.name) if self._key == "run" else names.map(lambda name: _is_part(name, run.source))


def _is_part(name: str, source: Path) -> bool:
    """Whether `name` (``a.json``, ``small/a.json``, ``small``) stands in the path as it was given."""
    wanted, parts = Path(name).parts, source.parts
    return any(parts[start : start + len(wanted)] == wanted for start in range(len(parts))) and bool(wanted)


def _is_empty(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value)) or value is pd.NA


def checked(stated: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the types of the runs table; whole numbers may be written as 124e6 or 124_000_000.

    Raises:
        SettingError: a value out of its range.
        UserError: no such setting; the nearest is named.
    """
    return {name: _checked(name, value) for name, value in stated.items()}


def _checked(name: str, value: Any) -> Any:
    if name not in SETTABLE:
        raise UserError(f"{name} cannot be set of a run{nearest(name, SETTABLE)} (settings: {', '.join(SETTABLE)})")
    kind = RUNS.field(name).type
    if kind == pa.string():
        return str(value)
    least = 1 if name == "params_total" else 0
    if kind == pa.float64():
        allowed = f"a finite number from {least}"
    else:
        allowed = f"a whole number from {least}" + (f" to {2**31 - 1}" if kind == pa.int32() else "")
    try:
        number = float(str(value))
        if not math.isfinite(number) or number < least or (kind == pa.int32() and number >= 2**31):
            raise SettingError(name, value, allowed)
        if kind == pa.float64():
            return number
        # Text such as 123456789012345678 is more exact than a float of it.
        exact = int(str(value)) if str(value).replace("_", "").isdigit() else int(number)
    except (ValueError, OverflowError) as error:
        raise SettingError(name, value, allowed) from error
    if number != int(number) or exact >= 2**63:
        raise SettingError(name, value, allowed)
    return exact
