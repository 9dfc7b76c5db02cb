"""Recorded runs against the code of now: the identity that a run is stored under, and the counts that it was given."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.errors import UserError
from harness.families.adapted import trained_counts
from harness.families.base import Family, ParameterCount, Shape
from harness.families.check import check_size
from harness.finetuning import FinetuneSettings
from harness.ladder import identity_hash
from harness.records.schema import PARAMETER_CONVENTIONS
from harness.settings import LossSettings, ParametrizationSettings
from harness.sweeping.failures import reason
from harness.sweeping.runs_row import parameter_columns, recorded_identity
from harness.tasks.base import Signature

Row = Mapping[str, Any]

#: Makes the family or the task ("family" or "task") of a recorded run from the settings in its `config`.
Rebuild = Callable[[str, Mapping[str, Any]], Any]

#: Relative difference between two FLOP counts that float arithmetic explains.
_ROUNDING = 1e-9

#: Column of the runs table -> where `config` holds the same.
_SAME_IN_CONFIG = {
    "study": ("study",),
    "family": ("family", "name"),
    "task": ("task", "name"),
    "seed": ("seed",),
    "lr": ("optimizer", "lr"),
    "steps": ("steps",),
    "batch_size": ("batch_size",),
    "width": ("shape", "width"),
    "depth": ("shape", "depth"),
    "heads": ("shape", "heads"),
}


def count_differences(run: Row, params: ParameterCount, flops_per_example: float, context: int) -> list[str]:
    """What the formulas of now say otherwise than a row of the runs table, in words; [] where they agree.

    Args:
        params, flops_per_example: `Family.count` and `Family.training_flops` of the run's size.
        context: tokens an example.
    """
    now = {name: count for name, count in parameter_columns(params).items() if run[name] != count}
    # The sums follow from the groups.
    groups = [name for name in now if name not in PARAMETER_CONVENTIONS] or list(now)
    differences = [f"{name} is {run[name]:,} in the records and {now[name]:,} by count() now" for name in groups]
    flops = run["tokens"] / context * flops_per_example
    # A run that ended early may have its tokens rounded, by less than an example's.
    rounding = _ROUNDING * flops + (flops_per_example if run["status"] != "finished" else 0.0)
    if abs(run["flops"] - flops) > rounding:
        differences.append(f"flops is {run['flops']:.6g} in the records and {flops:.6g} by training_flops() now")
    return differences


def explained(differences: Sequence[str]) -> str:
    """Differences of counts in a line, with what must have changed."""
    if all(difference.startswith("flops") for difference in differences):
        return f"{differences[0]}: this formula has changed, and what was trained may be the same"
    return f"{'; '.join(differences)}: the formula or the model has changed"


def identity_problems(run: Row) -> list[str]:
    """Whether `run_id` is the hash of `config`, and columns say what it says: what is wrong; [] where all agree."""
    config = _config(run)
    if config is None:
        return ["config is not a JSON object"]
    problems = []
    if identity_hash(recorded_identity(config)) != run["run_id"]:
        problems.append("run_id is not the hash of the settings in config")
    for column, path in _SAME_IN_CONFIG.items():
        value: Any = config
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value != run[column]:
            problems.append(f"{column} is {run[column]} in its column and {value} in config")
    return problems


class Counts:
    """What the code of now counts for recorded runs; each size is built, checked and counted once."""

    def __init__(self, rebuild: Rebuild) -> None:
        self.rebuild = rebuild
        self.sizes: dict[str, tuple[ParameterCount, float, int] | str] = {}

    def problem(self, run: Row) -> str | None:
        """How the counts of a run differ from those of now, or why there is nothing to compare them with."""
        config = _config(run) or {}
        parts = {name: config.get(name) for name in ("family", "task", "shape", "parametrization")}
        parts["loss"], parts["finetune"] = config.get("loss") or {}, config.get("finetune") or {}
        parts["parents_outputs"] = (config.get("starts_from") or {}).get("n_outputs")
        key = json.dumps(parts, sort_keys=True)
        if key not in self.sizes:
            try:
                self.sizes[key] = self._count(**parts)
            except UserError as error:
                self.sizes[key] = str(error)
            except Exception as error:
                self.sizes[key] = f"its size cannot be built and run: {reason(error)}"
        size = self.sizes[key]
        if isinstance(size, str):
            return size
        differences = count_differences(run, *size)
        return explained(differences) if differences else None

    def _count(
        self, family: Any, task: Any, shape: Any, parametrization: Any, loss: Any, finetune: Any, parents_outputs: Any
    ) -> tuple[ParameterCount, float, int]:
        built: Family = self.rebuild("family", family)
        minimised = LossSettings(**loss)
        signature: Signature = minimised.signature_for(self.rebuild("task", task).signature)
        size, scaled, trained = Shape(**shape), ParametrizationSettings(**parametrization), FinetuneSettings(**finetune)
        check_size(built, size, signature, scaled, flops=True)
        flops = built.training_flops(size, signature)
        if trained.is_partial:
            _, flops = trained_counts(built, size, signature, scaled, trained, parents_outputs)
        return built.count(size, signature), minimised.views * flops, signature.context


def _config(run: Row) -> dict[str, Any] | None:
    try:
        config = json.loads(run["config"])
    except (ValueError, TypeError, RecursionError):
        return None
    return config if isinstance(config, dict) else None
