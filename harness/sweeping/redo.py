"""`harness redo`: train runs anew that the results hold already, because the code or a formula has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from harness.errors import SettingError
from harness.ladder import Job, Member
from harness.records.pieces import recorded
from harness.settings import RedoSettings, Settings
from harness.sweeping.check import check_models
from harness.sweeping.kept import is_kept
from harness.sweeping.plan import only_waiting, pending, recorded_cells
from harness.sweeping.recorded import count_differences
from harness.sweeping.run import join_folders, look, tell_failures, train_jobs
from harness.sweeping.start_check import has_other_parent
from harness.sweeping.tables import cell_columns, cell_values, prediction
from harness.sweeping.tuning import known
from harness.sweeping.workplace import kind_of_device, worker_count

#: Lists under `redo` that choose runs -> the column of the runs table that they name.
_LISTS = {"rungs": "rung", "seeds": "seed", "runs": "run_id"}


def redo(studies: Sequence[Settings], console: Console, yes: bool = False) -> int:
    """Show which recorded runs of the studies would be trained anew and what that costs, and with `yes` train them.

    A run is replaced when its new self has finished, not before; where that fails or diverges, a finished run stays.

    Returns:
        1 if a run failed, else 0.

    Raises:
        UserError: a setting, study, device or results folder that cannot be used.
    """
    only_waiting(studies[0], "redo")
    device = kind_of_device(studies)
    check_models(studies, flops=True)
    if not yes:
        return _show(studies, _chosen_jobs(studies, device), device, console)
    with join_folders(studies) as shares:
        look(shares, console)
        if not (jobs := _chosen_jobs(studies, device)):
            return _show(studies, jobs, device, console)
        if studies[0].redo.which not in ("changed", "unkept") and studies[0].redo.before is None:
            console.print(f"After a stop the same command with {_before_now()} goes on.", highlight=False)
        return tell_failures(train_jobs(jobs, {}, worker_count(studies[0], device), console, shares), console)


def _chosen_jobs(studies: Sequence[Settings], device: str) -> list[Job]:
    """The jobs that train the chosen runs; a run that two studies share is trained once.

    Raises:
        SettingError: a rung, seed or run is asked for of which the results hold none.
    """
    jobs: list[Job] = []
    claimed, held = set[str](), list[Mapping[str, Any]]()
    for study in studies:
        rows = recorded(study.results).rows
        for cell in recorded_cells(study, rows.values()):
            held += [rows[member.run_id] for member in cell.members]
            members = tuple(m for m in cell.members if m.run_id not in claimed and _is_chosen(cell, m, rows[m.run_id]))
            claimed |= {member.run_id for member in members}
            jobs += pending(replace(cell, members=members), {}, device)
    _check_asked(studies[0].redo, held)
    return jobs


def _check_asked(redo: RedoSettings, recorded: Sequence[Mapping[str, Any]]) -> None:
    for name, column in _LISTS.items():
        known = sorted({row[column] for row in recorded})
        for asked in getattr(redo, name) or ():
            if asked not in known:
                some = ", ".join(map(str, known[:8])) + (", ..." if len(known) > 8 else "")
                raise SettingError(f"redo.{name}", asked, f"what is recorded under these settings: {some or 'nothing'}")


def _is_chosen(cell: Job, member: Member, row: Mapping[str, Any]) -> bool:
    """Whether the settings under `redo` choose a recorded run."""
    redo: RedoSettings = cell.settings.redo
    for name, column in _LISTS.items():
        asked = getattr(redo, name)
        if asked is not None and row[column] not in asked:
            return False
    if row["finished_at"] >= redo.before_time:
        return False
    if redo.which == "changed":
        rung, context = cell.rung, cell.settings.task.signature.context
        other_counts = count_differences(row, rung.params, rung.flops_per_example, context)
        return bool(other_counts) or has_other_parent(cell, member, row)
    if redo.which == "unkept":
        return row["status"] == "finished" and not is_kept(cell, member)
    return redo.which in ("all", row["status"])


def _show(studies: Sequence[Settings], jobs: Sequence[Job], device: str, console: Console) -> int:
    if not jobs:
        which = studies[0].redo.which
        what = {
            "changed": "has other counts than the code gives now (redo.which=all takes all of them)",
            "unkept": "lacks checkpoints that training.keep asks for",
        }.get(which, "is among those chosen under redo")
        console.print(f"Nothing to train anew: no recorded run of these settings {what}.", highlight=False)
        return 0
    console.print(_table(jobs))
    n_runs, workers = sum(len(job.members) for job in jobs), worker_count(studies[0], device)
    cost_in_words = prediction(jobs, known(studies, {}, device, workers).cost, device, workers)
    console.print(f"{n_runs} runs to train anew {cost_in_words}", highlight=False, soft_wrap=True)
    console.print(
        f"Nothing was trained: --yes trains these runs anew; an old run is replaced when the new one has finished. "
        f"With {_before_now()} the same command goes on after a stop.",
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _before_now() -> str:
    """The setting that leaves out what is recorded from now on."""
    return f"redo.before={datetime.now(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}"


def _table(jobs: Sequence[Job]) -> Table:
    columns = cell_columns(jobs)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("study", *columns, "seeds", "runs"):
        table.add_column(name, justify="left" if name in ("study", "seeds") else "right")
    cells: dict[tuple[str, ...], list[int]] = {}
    for job in jobs:
        seeds = cells.setdefault((job.settings.study, *cell_values(job, columns)), [])
        seeds += [member.seed for member in job.members]
    for cell, seeds in cells.items():
        table.add_row(*cell, ", ".join(map(str, sorted(set(seeds)))), str(len(seeds)))
    return table
