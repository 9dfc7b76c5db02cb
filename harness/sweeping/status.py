"""The verb status: how far each rung is, once, or renewed until all is done (`--watch`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harness.records.pieces import Recorded, recorded
from harness.settings import Settings
from harness.sweeping.checkpoints import interrupted
from harness.sweeping.claims import in_training
from harness.sweeping.failures import Ended, failure_lines
from harness.sweeping.launchers.of_folders import tell_running, tell_submissions
from harness.sweeping.plan import cells, recorded_cells
from harness.sweeping.presence import sweepers
from harness.sweeping.progress import JobProgress
from harness.sweeping.recorded import count_differences, explained
from harness.sweeping.run import folders_of, statuses
from harness.sweeping.start_check import lineage_line
from harness.sweeping.tables import INTERRUPTED, status_grid, status_table
from harness.wording import duration

#: Seconds between two looks at the results.
RENEWED_S = 2.0


@dataclass(frozen=True)
class _Seen:
    """What the results folders of some studies hold at one moment.

    Attributes:
        found: the recorded runs of each folder.
        now: the jobs that are running.
        stopped: run_ids of runs that were stopped in training, and go on from there.
        swept: whether one of the folders is being swept.
    """

    found: Mapping[Path, Recorded]
    now: Sequence[JobProgress]
    stopped: set[str]
    swept: bool

    @classmethod
    def of(cls, studies: Sequence[Settings]) -> _Seen:
        folders = folders_of(studies)
        now = [progress for folder in folders for progress in in_training(folder)]
        swept = any(True for folder in folders for _ in sweepers(folder))
        stopped = {run_id for folder in folders for run_id in interrupted(folder)}
        return cls({folder: recorded(folder) for folder in folders}, now, stopped, swept)

    @property
    def known(self) -> dict[str, str]:
        """How each recorded run ended, by run_id."""
        return statuses(self.found.values())

    @property
    def states(self) -> dict[str, str]:
        """How each run ended that is recorded, and which were interrupted, by run_id."""
        return dict.fromkeys(self.stopped, INTERRUPTED) | self.known

    @property
    def running(self) -> dict[str, JobProgress]:
        """The job of each run that is in training, by run_id."""
        return {run_id: job for job in self.now for run_id in job.run_ids}

    def remarks(self, studies: Sequence[Settings]) -> Iterator[str]:
        """Why runs failed, which have outdated counts, and which pieces cannot be used."""
        for study in studies:
            yield from _remarks(study, self.found[Path(study.results)].rows, set(self.running))
        for problem in (problem for of_folder in self.found.values() for problem in of_folder.bad.values()):
            yield f"cannot be used: {problem}; `harness sweep` sets it aside"

    def has_ended(self, studies: Sequence[Settings]) -> bool:
        """Whether every run asked for has ended, and nobody tries one again."""
        asked = {member.run_id for study in studies for cell in cells(study) for member in cell.members}
        return not self.swept and asked <= self.known.keys()


def status(studies: Sequence[Settings], console: Console, watch: bool = False) -> int:
    """Print how far each rung is, the jobs that are running now, why runs failed, and runs with outdated counts.

    Args:
        watch: renew a grid of rungs and seeds until every run has ended or Ctrl-C is pressed.
    """
    if watch:
        return _watch(studies, console)
    seen = _Seen.of(studies)
    console.print(_overview(studies, seen, console.width))
    for study in studies:
        if (line := lineage_line(study)) is not None:
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    tell_running(seen.now, console)
    for folder in folders_of(studies):
        tell_submissions(folder, console)
    for line in seen.remarks(studies):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0


def _watch(studies: Sequence[Settings], console: Console, sleep: Callable[[float], None] = time.sleep) -> int:
    """Renew what `picture` shows until every run has ended or Ctrl-C is pressed."""
    try:
        with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
            while True:
                seen = _Seen.of(studies)
                live.update(picture(studies, seen, console.width), refresh=True)
                if seen.has_ended(studies):
                    return 0
                sleep(RENEWED_S)
    except KeyboardInterrupt:  # the one way to end it early, and nothing is lost by it
        return 0


def picture(studies: Sequence[Settings], seen: _Seen, width: int) -> Group:
    """Rungs and seeds as a grid where `width` columns of text hold it, else counts; and what is to be said of them."""
    table = grid if _fits(grid := _grid(studies, seen), width) else _counts(studies, seen)
    lines = [_pace(job) for job in seen.now] + list(seen.remarks(studies))
    return Group(table, *(Text(line) for line in lines))


def _overview(studies: Sequence[Settings], seen: _Seen, width: int) -> Table:
    """Runs of each rung by state where `width` columns of text hold it, else the grid where they hold that."""
    counts, grid = _counts(studies, seen), _grid(studies, seen)
    return grid if not _fits(counts, width) and _fits(grid, width) else counts


def _counts(studies: Sequence[Settings], seen: _Seen) -> Table:
    return status_table(studies, seen.states, set(seen.running))


def _grid(studies: Sequence[Settings], seen: _Seen) -> Table:
    return status_grid(studies, seen.states, {run_id: job.step / job.steps for run_id, job in seen.running.items()})


def _fits(table: Table, width: int) -> bool:
    return Console(width=width).measure(table, options=Console(width=10**4).options).maximum <= width


def _pace(job: JobProgress) -> str:
    rate = f"{job.steps_per_s:,.0f} steps/s, " if job.steps_per_s >= 100 else f"{job.steps_per_s:.3g} steps/s, "
    rate = rate if job.steps_per_s else ""
    return f"running: {job.label}: {job.step}/{job.steps}, {rate}{duration(job.seconds_left)} left"


def _remarks(study: Settings, rows: Mapping[str, Mapping[str, Any]], running_now: set[str]) -> list[str]:
    """Why recorded runs of a study failed, and which have other counts than the code gives now."""
    lost, outdated, context = [], [], study.task.signature.context
    for cell in recorded_cells(study, rows.values()):
        for member in cell.members:
            row, name = rows[member.run_id], f"{cell.label} {member.label}"
            if row["error"] and member.run_id not in running_now:
                lost.append(Ended(study.study, cell.rung.index, name, row["status"], row["error"]))
            if differences := count_differences(row, cell.rung.params, cell.rung.flops_per_example, context):
                outdated.append(Ended(study.study, cell.rung.index, name, "outdated", explained(differences)))
    hint = ["`harness redo` shows what it costs to train outdated runs anew"] if outdated else []
    return failure_lines(lost) + failure_lines(outdated) + hint
