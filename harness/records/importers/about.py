"""What files do not say of their runs: settings given for all of them, and sidecars with a row a file or a run."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
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
#: What others call the number of parameters -> the column. Names that do not say whether embeddings count are taken for
#: the total.
PARAMETERS = {
    **dict.fromkeys(("params", "n_params", "num_params", "param_count", "total_params", "params_all"), "params_total"),
    **dict.fromkeys(("parameters", "n_parameters", "num_parameters", "model_parameters"), "params_total"),
    **dict.fromkeys(("model_params", "model_size", "size", "n"), "params_total"),
    **dict.fromkeys(("non_embedding_params", "params_nonembedding", "params_non_emb"), "params_non_embedding"),
    **dict.fromkeys(("n_params_non_embedding", "n_non_embedding", "n_nonembed"), "params_non_embedding"),
    **dict.fromkeys(("non_embedding_parameters", "parameters_non_embedding"), "params_non_embedding"),
}
#: Columns of which a run's last checkpoint has the largest; a sidecar with a row a checkpoint states several.
_GROWING = ("steps", "tokens", "flops", "wall_s")
#: A number with a prefix, as models are called: 124M, 1.4B.
_WITH_PREFIX = re.compile(r"(\d+(?:\.\d+)?)\s*([kmbt])", re.IGNORECASE)
_PREFIXES = {"k": 3, "m": 6, "b": 9, "t": 12}


@dataclass(frozen=True)
class About:
    """Settings of runs that their files do not state, or state otherwise.

    Attributes:
        settings: of all runs, as `checked` returns them.
        sidecar: a row a file or run, as `import_results` takes it; its cells override `settings`.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    sidecar: pd.DataFrame | None = None
    _found: dict[tuple[object, ...], dict[str, Any]] = field(default_factory=dict, repr=False, compare=False)

    def of(self, run: FoundRun) -> dict[str, Any]:
        """What is stated of one run, with the types of the runs table.

        Raises:
            DataError: the sidecar has no column of files or runs, rows about this run that contradict each other, or a
                cell that is no setting or out of its range.
        """
        if self.sidecar is None:
            return dict(self.settings)
        asked = self._asked(run)
        if asked not in self._found:
            self._found[asked] = self._read(run)
        return dict(self._found[asked])

    def _read(self, run: FoundRun) -> dict[str, Any]:
        assert self.sidecar is not None
        rows = self.sidecar[self._is_about(run)].drop(columns=self._key).to_dict("records")
        try:
            stated = [checked({str(name): cell for name, cell in row.items() if not _is_empty(cell)}) for row in rows]
        except UserError as error:
            raise DataError(f"the sidecar's row about {run.label}: {error}") from error
        merged: dict[str, Any] = {}
        for name in dict.fromkeys(name for row in stated for name in row):
            values = list(dict.fromkeys(row[name] for row in stated if name in row))
            if len(values) > 1 and name not in _GROWING:
                found = f"{len(rows)} rows of the sidecar are about it and state {name} {values[0]} and {values[1]}"
                raise DataError(f"{found}; allowed is one", source=run.label)
            merged[name] = max(values) if name in _GROWING else values[0]
        return {**self.settings, **merged}

    def unmatched(self, runs: Iterable[FoundRun]) -> list[str]:
        """Keys of the sidecar's rows that are about none of these runs."""
        if self.sidecar is None:
            return []
        used = pd.Series(False, index=self.sidecar.index)
        for run in {self._asked(run): run for run in runs}.values():
            used |= self._is_about(run)
        return [f"{self._key} {name}" for name in self.sidecar.loc[~used, self._key]]

    def _asked(self, run: FoundRun) -> tuple[object, ...]:
        """What of a run decides which rows are about it."""
        return (run.name,) if self._key == "run" else run.all_files

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
        if self._key == "run":
            # lm-eval calls models by owner and name.
            return names.isin([run.name, run.name.rpartition("/")[2]])
        return names.map(lambda name: any(_is_part(name, file) for file in run.all_files))


def _is_part(name: str, source: Path) -> bool:
    """Whether `name` (``a.json``, ``small/a.json``, ``small``) stands in the path as it was given."""
    wanted, parts = Path(name).parts, source.parts
    return any(parts[start : start + len(wanted)] == wanted for start in range(len(parts))) and bool(wanted)


def _is_empty(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value)) or value is pd.NA


def checked(stated: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the types of the runs table; whole numbers may be written as 124e6, 124_000_000 or, of parameters,
    124M.

    Raises:
        SettingError: a value out of its range.
        UserError: no such setting, and the nearest is named; or one that is stated under two names.
    """
    found: dict[str, Any] = {}
    for name, value in stated.items():
        setting = PARAMETERS.get(name.lower(), name)
        if setting in found:
            raise UserError(f"{setting} is stated twice, once as {name}")
        found[setting] = _checked(setting, _without_prefix(value) if setting.startswith("params_") else value)
    return found


def _without_prefix(value: Any) -> Any:
    found = _WITH_PREFIX.fullmatch(str(value).strip())
    return f"{found[1]}e{_PREFIXES[found[2].lower()]}" if found else value


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
