"""The plan of studies on a cluster that is not this machine: their rungs in the numbers that `harness.cluster` takes.

No model is built and no step is timed: a plan of hundreds of billions of parameters is made on a laptop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd
from rich.console import Console
from rich.text import Text

from harness.cluster import Cluster, Model, Planned, Run, plan_run, read_cluster, sweep_seconds
from harness.families.transformer import Transformer
from harness.ladder import Job
from harness.settings import OptimizerSettings, Settings
from harness.sweeping.plan import cells
from harness.sweeping.runs_row import data_columns, size_columns
from harness.sweeping.tables import rungs_table, study_title
from harness.sweeping.trunks import with_branches
from harness.wording import ABSENT, count, counted, percent, seconds_in_words, short

#: Bytes of an optimizer's states for a parameter: Adam's two averages, one momentum, nothing.
_STATES = {"adam": 8.0, "adamw": 8.0, "sgd": 4.0, "gd": 0.0}


@dataclass(frozen=True)
class PlannedCell:
    """A rung at one duration: how its runs are spread, and how many of them train side by side in one process."""

    cell: Job
    planned: Planned
    together: int


def print_cluster_plan(studies: Sequence[Settings], asked: str, console: Console) -> int:
    """Print the rungs of each study and what they take on a cluster.

    Args:
        asked: as `read_cluster` takes it.

    Raises:
        UserError: a cluster that cannot be read, or a study that cannot be built or trained there.
    """
    cluster = read_cluster(asked)
    found = [planned_cells(study, cluster) for study in studies]
    for study, its in zip(studies, found, strict=True):
        console.print(rungs_table(study_title(study), [_taken(each) for each in its]))
        console.print(rungs_table("on each GPU", [_spread(each) for each in its]))
    every = [each for its in found for each in its]
    lacking = [f"{each.cell.label} does not fit: it {each.planned.lacks}" for each in every if each.planned.lacks]
    for line in (*_totals(every, cluster), *lacking):
        console.print(Text(line))
    return 0


def cluster_frame(studies: Sequence[Settings], asked: str) -> pd.DataFrame:
    """What `print_cluster_plan` shows, a row a rung at a duration (see `harness.plan`).

    Raises:
        UserError: as `print_cluster_plan`.
    """
    cluster = read_cluster(asked)
    every = [each for study in studies for each in planned_cells(study, cluster)]
    frame = pd.DataFrame([_columns(each) for each in every])
    if cluster.price is None:
        del frame["dollars"]
    fitting = [each.planned for each in every if not each.planned.lacks]
    spent = [name for name in ("gpu_hours", "dollars", "kwh") if name in frame]
    totals = {name: float(frame[name].sum()) for name in spent}
    wall_s = sweep_seconds(fitting, cluster)
    frame.attrs |= {"cluster": asked, "gpus": cluster.total, "wall_s": wall_s} | totals
    return frame


def planned_cells(study: Settings, cluster: Cluster) -> list[PlannedCell]:
    """The cells of a study on a cluster, smallest rung first.

    Raises:
        UserError: a size or duration that cannot be built, or a precision that the kind of GPU does not have.
    """
    precision = cluster.precision or study.training.precision
    cluster.check_precision(precision)
    return [_planned(cell, precision, cluster) for cell in with_branches(cells(study))]


def _planned(cell: Job, precision: str, cluster: Cluster) -> PlannedCell:
    """Runs that have a GPU each may train side by side on it, where that takes fewer hours."""
    settings = cell.settings
    states = _optimizer_bytes(settings.optimizer, cell)
    alone = Run(_model(cell), cell.own_steps, settings.ladder.batch_size, precision, states, len(cell.members))
    best = PlannedCell(cell, plan_run(alone, cluster), 1)
    most = min(settings.launcher.members_together or alone.count, alone.count)
    while most > 1 and best.planned.gpus == 1 and not best.planned.lacks:
        sharing = replace(alone, model=alone.model.side_by_side(most), count=-(-alone.count // most))
        planned = plan_run(sharing, cluster, gpus=1)
        if not planned.lacks and _hours(planned) < _hours(best.planned):
            best = PlannedCell(cell, planned, most)
        most //= 2
    return best


def _hours(planned: Planned) -> float:
    return planned.spent.gpu_hours if planned.spent else float("inf")


def _model(cell: Job) -> Model:
    settings, rung = cell.settings, cell.rung
    family, signature, views = settings.family, settings.signature, settings.loss.views
    if isinstance(family, Transformer):
        model = replace(family.in_numbers(rung.shape, signature), trained=rung.trained, flops=rung.flops_per_example)
        kept = model.kept
    else:
        kept = family.kept_for_backward(rung.shape, signature)
        model = Model(
            parameters=rung.params.total,
            trained=rung.trained,
            flops=rung.flops_per_example,
            blocks=rung.shape.depth,
            kept=kept,
            between=kept / rung.shape.depth,
            answers=float(signature.answer_positions * signature.n_outputs),
        )
    return replace(model, kept=views * kept, between=views * model.between, answers=views * model.answers)


def _optimizer_bytes(optimizer: OptimizerSettings, cell: Job) -> float:
    """Bytes of its states for a parameter: of Muon one momentum of hidden matrices, and Adam's two of the others."""
    if optimizer.kind == "sgd" and not optimizer.momentum:
        return 0.0
    if optimizer.kind == "muon":
        params = cell.rung.params
        hidden = (params.attention + params.mlp) / params.total
        return 4.0 * hidden + 8.0 * (1 - hidden)
    return _STATES[optimizer.kind]


def _taken(each: PlannedCell) -> dict[str, str]:
    """What the runs of a rung take."""
    cell, planned = each.cell, each.planned
    spent, shape = planned.spent, cell.rung.shape
    return {
        "rung": str(cell.rung.index),
        "width": str(shape.width),
        "depth": str(shape.depth),
        "params": short(cell.rung.params.total, 3),
        "FLOPs": f"{cell.own_flops:.2g}",
        "runs": f"{len(cell.members):,}",
        "GPUs": f"{planned.gpus:,}" if spent else ABSENT,
        "MFU": percent(spent.utilisation) if spent else ABSENT,
        "a run": _time(planned.seconds) if spent else ABSENT,
        "GPU-hours": count(spent.gpu_hours) if spent else ABSENT,
        **({"dollars": count(spent.dollars)} if spent and spent.dollars is not None else {}),
        "kWh": count(spent.kwh) if spent else ABSENT,
    }


def _spread(each: PlannedCell) -> dict[str, str]:
    """How a run is spread, what a GPU then holds, and which share of a step it waits for others."""
    planned = each.planned
    layout, memory, step = planned.sharded.layout, planned.sharded.memory, planned.sharded.step
    return {
        "rung": str(each.cell.rung.index),
        "runs together": str(each.together),
        "layout": layout.words if planned.spent else "does not fit",
        "micro-batch": f"{layout.micro_batch:,}",
        "recompute": "yes" if layout.recompute else "-",
        "states": _gigabytes(memory.states + memory.gathered),
        "activations": _gigabytes(memory.activations + memory.logits),
        "memory": _gigabytes(memory.total),
        "waits": percent((step.exposed_s + step.idle_s) / step.seconds) if step.exposed_s + step.idle_s else "-",
    }


def _gigabytes(number: float) -> str:
    if number < 1e9:
        return f"{max(1.0, number / 1e6):.0f} MB"
    return f"{number / 1e9:,.0f} GB" if number >= 9.95e9 else f"{number / 1e9:.1f} GB"


def _time(seconds: float) -> str:
    """Seconds; beyond two days in days."""
    return f"{seconds / 86400:,.1f} d" if seconds >= 2 * 86400 else seconds_in_words(seconds)


def _totals(every: Sequence[PlannedCell], cluster: Cluster) -> tuple[str, str]:
    fitting = [each for each in every if each.planned.spent is not None]
    n_runs, n_fitting = (sum(len(each.cell.members) for each in of) for of in (every, fitting))
    hours = sum(_hours(each.planned) for each in fitting)
    left = "" if n_fitting == n_runs else f", {n_fitting:,} of which fit"
    price = "" if cluster.price is None else f", ${count(hours * cluster.price)} at ${cluster.price:g} a GPU-hour"
    wall = sweep_seconds([each.planned for each in fitting], cluster)
    return (
        f"{counted(n_runs, 'run')}{left}, on {counted(cluster.nodes, 'node')} of {cluster.gpus} {cluster.kind.name}: "
        f"{count(hours)} GPU-hours, {_time(wall)} from the first to the last{price}.",
        f"Energy: {count(cluster.kwh(hours))} kWh, at {cluster.power:g} W a GPU and a PUE of {cluster.pue:g}.",
    )


def _columns(each: PlannedCell) -> dict[str, object]:
    cell, planned = each.cell, each.planned
    layout, spent, step = planned.sharded.layout, planned.spent, planned.sharded.step
    none = float("nan")
    return {
        "study": cell.settings.study,
        "family": cell.settings.family.name,
        "task": cell.settings.task.name,
        "rung": cell.rung.index,
        "steps": cell.steps,
        **size_columns(cell),
        "spent_flops": cell.own_flops,
        **data_columns(cell),
        "runs": len(cell.members),
        "together": each.together,
        "fits": spent is not None,
        "gpus_per_run": planned.gpus,
        "data_parallel": layout.data,
        "tensor_parallel": layout.tensor,
        "pipeline_stages": layout.pipeline,
        "sharding": layout.sharding,
        "micro_batch": layout.micro_batch,
        "recompute": layout.recompute,
        "memory_bytes": planned.sharded.memory.total,
        "utilisation": spent.utilisation if spent else none,
        "step_s": step.seconds,
        "exposed_communication_s": step.exposed_s,
        "run_s": planned.seconds if spent else none,
        "wall_s": spent.seconds if spent else none,
        "gpu_hours": spent.gpu_hours if spent else none,
        "dollars": spent.dollars if spent and spent.dollars is not None else none,
        "kwh": spent.kwh if spent else none,
    }
