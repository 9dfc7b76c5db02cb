"""The tables that `plan` and `status` print, and the frame of `harness.plan`."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from harness.ladder import Job
from harness.mixtures import mixture_in_words
from harness.records.schema import STATUSES
from harness.rules.base import BATCH_SIZE, BETA2, LR, WARMUP, WEIGHT_DECAY
from harness.settings import Settings
from harness.sweeping.cost import CostModel
from harness.sweeping.disk import checkpoint_bytes, in_words, kept_bytes
from harness.sweeping.plan import DONE, cells
from harness.sweeping.runs_row import data_columns, size_columns
from harness.sweeping.trunks import with_branches
from harness.sweeping.tuning import Tuned
from harness.wording import counted, duration, seconds_in_words

#: State of a run that was stopped in training, and goes on from its checkpoint.
INTERRUPTED = "interrupted"


def plan_table(study: Settings, tuned: Tuned) -> Group:
    """A study's rungs: sizes as built (and as asked, where rounding changed them), counts, durations, cost.

    Tokens (or examples) and FLOPs are those of one run, time is for all runs of the rung on one worker, memory is that
    of one worker. Where a size has been timed, the seconds of one run and of its evaluations are told, too, how many
    members a process trains, and how it runs a step.
    Columns with one value for all rungs are in the title instead.
    """
    return rungs_table(
        study_title(study), [_plan_row(cell, jobs, tuned.cost) for cell, jobs in _cells_with_jobs(study, tuned)]
    )


def study_title(study: Settings) -> str:
    """A study's name, what it trains on what, and from what."""
    parents = "" if study.init_from is None else f", from {study.init_from.asked}"
    return f"{study.study}: {study.family.name} on {study.task.name}{parents}"


def rungs_table(title: str, rows: Sequence[Mapping[str, str]]) -> Group:
    """Rows of cells under a title, in which columns with one value for all stand, too."""
    same = {name for name in rows[0] if len(rows) > 1 and len({row[name] for row in rows}) == 1}
    shared = ", ".join(
        f"{name} {rows[0][name]}" for name in rows[0] if name in same and rows[0][name] not in ("0", "-")
    )
    title += f" ({shared})" if shared else ""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    varying = [name for name in rows[0] if name not in same]
    for name in varying:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(row[name] for name in varying))
    return Group(Text(title, style="bold"), table)


def _cells_with_jobs(study: Settings, tuned: Tuned) -> list[tuple[Job, list[Job]]]:
    """Every cell of a study with the jobs that train it, where nothing is trained yet."""
    found = cells(study)
    jobs: dict[tuple[int, int], list[Job]] = {}
    for job in with_branches(job for cell in found for job in tuned.pending(cell, {})):
        jobs.setdefault((job.rung.index, job.duration), []).append(job)
    return [(cell, jobs[cell.rung.index, cell.duration]) for cell in found]


def _plan_row(job: Job, jobs: Sequence[Job], cost: CostModel) -> dict[str, str]:
    rung, family = job.rung, job.settings.family
    groups = dataclasses.asdict(rung.params)
    asked_width, asked_depth = rung.asked
    return {
        "rung": str(rung.index),
        "width": _rounded(asked_width, rung.shape.width),
        "depth": _rounded(asked_depth, rung.shape.depth),
        "heads": str(rung.shape.heads or "-"),
        "params": f"{rung.params.total:,}",
        **({"trained": f"{rung.trained:,}"} if rung.trained != rung.params.total else {}),
        **{family.mlp_holds if group == "mlp" else group: f"{count:,}" for group, count in groups.items()},
        "steps": f"{job.steps:,}",
        **_data_and_rules(job),
        **_seen(job),
        "FLOPs": f"{job.flops:.2g}",
        **({"to spend": f"{jobs[0].own_flops:.2g}"} if job.settings.ladder.branched else {}),
        "runs": str(len(job.members)),
        **_timed(jobs[0], cost),
        "time": duration(sum(cost.seconds(j) for j in jobs)),
        "memory": f"{max(cost.bytes(j) for j in jobs) / 1e6:.0f} MB",
    }


def _timed(job: Job, cost: CostModel) -> dict[str, str]:
    """Columns of a size that has been timed, or whose neighbours have."""
    if cost.trial(job) is None:
        return {}
    found, members = cost.of(job), len(job.members)
    return {
        "together": str(members),
        "step": job.settings.launcher.step,
        "a run": seconds_in_words(found.seconds / members),
        "evaluation": seconds_in_words((found.evaluation_s or 0.0) / members),
    }


def _seen(job: Job) -> dict[str, str]:
    """How much a run trains on; the column `examples` is of those that differ."""
    if job.settings.task.signature.kind in ("tokens", "mixed"):
        return {"tokens": f"{job.tokens:.3g}"}
    return {"examples seen": f"{job.tokens:,}"}


#: Setting that may follow a rule -> its column.
_RULED = {BATCH_SIZE: "batch", LR: "lr", WARMUP: "warmup", BETA2: "beta2", WEIGHT_DECAY: "decay"}


def _data_and_rules(job: Job) -> dict[str, str]:
    """Columns of a study that trains by epochs, of its mixtures, and of the settings that follow a rule there."""
    found = {}
    if job.examples is not None:
        found = {"examples": f"{job.examples:,}", "epochs": f"{job.epochs:.3g}"}
    found |= _mixture(job)
    values = job.rung.durations[job.duration].values
    for name, column in _RULED.items():
        if name in values:
            each = values[name] if isinstance(values[name], list) else [values[name]]
            found[column] = ", ".join(f"{value:,}" if isinstance(value, int) else f"{value:.4g}" for value in each)
    return found


def _mixture(job: Job) -> dict[str, str]:
    """The column of a study that asks for mixtures."""
    asked = job.settings.ladder.mixtures
    return {} if asked is None else {"mixture": mixture_in_words(job.settings.task.mixture)}


def plan_frame(studies: Sequence[Settings], status: Mapping[str, str], tuned: Tuned) -> pd.DataFrame:
    """A row a cell of each study: its size in the columns of the runs table, its runs and their predicted cost.

    Args:
        status: as `pending` takes it.
    """
    rows = []
    for study in studies:
        cost = tuned.cost
        for cell, jobs in _cells_with_jobs(study, tuned):
            rows.append(
                {
                    "study": study.study,
                    "family": study.family.name,
                    "task": study.task.name,
                    "rung": cell.rung.index,
                    "steps": cell.steps,
                    **size_columns(cell),
                    "spent_flops": jobs[0].own_flops,
                    **data_columns(cell),
                    "runs": len(cell.members),
                    "runs_to_do": sum(status.get(member.run_id) not in DONE for member in cell.members),
                    "together": len(jobs[0].members),
                    "step": jobs[0].settings.launcher.step,
                    "predicted_s": sum(map(cost.seconds, jobs)),
                    "predicted_evaluation_s": sum(cost.of(job).evaluation_s or 0.0 for job in jobs),
                    "predicted_from": cost.source(jobs),
                    "predicted_bytes": round(max(map(cost.bytes, jobs))),
                    "checkpoint_bytes": max(map(checkpoint_bytes, jobs)),
                    "kept_bytes": kept_bytes(cell),
                }
            )
    return pd.DataFrame(rows)


def plan_totals(studies: Sequence[Settings], jobs: Sequence[Job], tuned: Tuned) -> str:
    """Runs in all and still to do, predicted time and memory, and what the prediction rests on.

    Args:
        jobs: what is still to be done.
    """
    n_runs = sum(len(cell.members) for study in studies for cell in cells(study))
    n_left = sum(len(job.members) for job in jobs)
    words = prediction(jobs, tuned.cost, tuned.device, tuned.workers)
    return f"{n_runs} runs, {n_left} of them to do {words}"


def prediction(jobs: Sequence[Job], cost: CostModel, device: str, workers: int) -> str:
    """Jobs, FLOPs, time and memory, and what the prediction rests on: "in 3 jobs: 1e+10 FLOPs, ..."."""
    jobs = with_branches(jobs)
    work, wall = sum(map(cost.seconds, jobs)), cost.wall_s(jobs, workers)
    flops = sum(len(job.members) * job.flops for job in jobs)
    spent = sum(len(job.members) * job.own_flops for job in jobs)
    once = f" of which {spent:.2g} are spent, for durations share their first steps" if spent < flops else ""
    told = (
        f"in {counted(len(jobs), 'job')}: {flops:.2g} FLOPs{once}, {duration(work)} of work, {duration(wall)} "
        f"on {counted(workers, 'worker')} ({device}), {in_words(cost.peak_bytes(jobs, workers))} of memory."
    )
    by_family: dict[str, list[Job]] = {}
    for job in jobs:
        by_family.setdefault(job.settings.family.name, []).append(job)
    sources = "; ".join(f"{name} from {cost.source(its)}" for name, its in sorted(by_family.items()))
    return f"{told} Predicted for {sources}." if sources else told


def status_table(studies: Sequence[Settings], status: Mapping[str, str], running: set[str]) -> Table:
    """Runs of each rung by state.

    Args:
        status: run_id -> how it ended, or `INTERRUPTED`.
        running: the run_ids in training now.
    """
    by_study = [list(cells(study)) for study in studies]
    columns = cell_columns(cell for of_study in by_study for cell in of_study)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("study", *columns):
        table.add_column(name, justify="left" if name == "study" else "right")
    states = [*STATUSES, "running", *([INTERRUPTED] if INTERRUPTED in status.values() else []), "pending"]
    for name in states:
        table.add_column(name, justify="right")
    total: Counter[str] = Counter()
    for of_study in by_study:
        for cell in of_study:
            counts = count_by_state(cell, status, running)
            total += counts
            table.add_row(cell.settings.study, *cell_values(cell, columns), *_numbers(counts, states))
        table.add_section()
    table.add_row("all", *[""] * len(columns), *_numbers(total, states))
    return table


def status_grid(studies: Sequence[Settings], status: Mapping[str, str], running: Mapping[str, float]) -> Table:
    """A row a rung and duration, a column a seed, and in each place how far its runs are.

    Args:
        running: run_id -> share of the steps done, of the runs in training now.
    """
    found = [cell for study in studies for cell in cells(study)]
    columns = [name for name in cell_columns(found) if name in ("rung", "width", "mixture", "steps", "examples")]
    seeds = sorted({member.seed for cell in found for member in cell.members})
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("study", *columns, *(f"s{seed}" for seed in seeds)):
        table.add_column(name, justify="left" if name == "study" else "right", no_wrap=True)
    for cell in found:
        ids: dict[int, list[str]] = {}
        for member in cell.members:
            ids.setdefault(member.seed, []).append(member.run_id)
        states = (_state(ids[seed], status, running) if seed in ids else "" for seed in seeds)
        table.add_row(cell.settings.study, *cell_values(cell, columns), *states)
    return table


def _state(run_ids: Sequence[str], status: Mapping[str, str], running: Mapping[str, float]) -> str:
    """How far the runs of one seed at one size are: one word, or the share that is done."""
    if now := [running[run_id] for run_id in run_ids if run_id in running]:
        return f"{100 * sum(now) / len(now):.0f}%"
    counts = Counter(status.get(run_id, "waiting") for run_id in run_ids)
    for state in ("failed", INTERRUPTED):
        if counts[state]:
            return state
    if not counts["waiting"]:
        return "diverged" if counts["diverged"] else "done"
    done = len(run_ids) - counts["waiting"]
    return f"{done}/{len(run_ids)}" if done else "-"


def cell_columns(found: Iterable[Job]) -> tuple[str, ...]:
    """What tells cells of a study apart; examples and mixtures only where some study has them."""
    cells_found = list(found)
    by_epochs = any(cell.examples is not None for cell in cells_found)
    mixed = any(_mixture(cell) for cell in cells_found)
    return ("rung", "width", "depth", *(["mixture"] if mixed else []), *(["examples"] if by_epochs else []), "steps")


def cell_values(cell: Job, columns: Sequence[str]) -> tuple[str, ...]:
    """A cell's values of `cell_columns`."""
    shape = cell.rung.shape
    known = {"rung": cell.rung.index, "width": shape.width, "depth": shape.depth, "steps": cell.steps}
    known |= {} if cell.examples is None else {"examples": cell.examples}
    told = {name: f"{value:,}" for name, value in known.items()} | _mixture(cell)
    return tuple(told.get(name, "-") for name in columns)


def count_by_state(cell: Job, status: Mapping[str, str], running: set[str]) -> Counter[str]:
    """How many members of a cell have finished, diverged or failed, are running, were interrupted, or are pending."""
    ids = [member.run_id for member in cell.members]
    return Counter("running" if run_id in running else status.get(run_id, "pending") for run_id in ids)


def _numbers(counts: Counter[str], states: Sequence[str]) -> list[str]:
    return [str(counts[state] or "-") for state in states]


def _rounded(asked: float, built: int) -> str:
    return str(built) if asked == built else f"{asked:.4g} -> {built}"
