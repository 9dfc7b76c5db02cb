"""What a running sweep shows: bars on a terminal and in a notebook, a plain line for each finished job elsewhere.

Why runs failed is not told here but once at the end, and meanwhile by `harness status`.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from harness.ladder import Job
from harness.sweeping.failures import Ended, count_by_status
from harness.sweeping.progress import progress_path, read_progress
from harness.sweeping.schedule import makespan
from harness.wording import duration

Cost = Callable[[Job], float]

_IN_A_NOTEBOOK = "<pre style='line-height: normal; white-space: pre; overflow-x: auto'>{code}</pre>"


class Display(Protocol):
    """Hears of every job that ends, and is asked several times a second to show those that are left."""

    def __enter__(self) -> Display: ...
    def __exit__(self, *_: object) -> None: ...
    def ended(self, job: Job, runs: list[Ended]) -> None: ...
    def refresh(self, left: Sequence[Job]) -> None: ...
    def say(self, line: str) -> None: ...


#: Seconds of a sweep after which its own pace counts for as much as the prediction.
TRUSTED_S = 10.0


def display_for(console: Console, jobs: Sequence[Job], cost: Cost, workers: int = 1) -> Display:
    """Bars on a terminal and in a notebook, lines where output goes to a file or a pipe."""
    if console.is_jupyter:
        return NotebookBars(console, jobs, cost, workers)
    return Bars(console, jobs, cost, workers) if console.is_terminal else Lines(console, jobs, cost, workers)


class Overall:
    """How much of all the work is done, each job weighted by its predicted cost, and when the last job will have ended.

    Args:
        cost: predicted seconds of a job.
        workers: that take jobs in the order given.
    """

    def __init__(self, jobs: Sequence[Job], cost: Cost, workers: int = 1) -> None:
        self.costs = {job.members[0].run_id: cost(job) for job in jobs}
        self.total = sum(self.costs.values()) or 1.0
        self.jobs, self.done, self.started = len(jobs), 0, time.monotonic()
        self.share, self.workers = 0.0, workers
        self.waiting = dict(self.costs)
        self.predicted_s = makespan(list(self.costs.values()), workers)

    def counted(self) -> str:
        """ "3/12", jobs that have ended of all."""
        return f"{self.done}/{self.jobs}"

    def end(self, job: Job) -> None:
        self.done += 1
        self.share += self.costs[job.members[0].run_id] / self.total
        self.waiting.pop(job.members[0].run_id, None)

    def part(self, job: Job, step: int) -> float:
        own = max(0, step - (job.steps - job.own_steps))
        return self.costs[job.members[0].run_id] / self.total * own / max(1, job.own_steps)

    def time_left(self, steps: Mapping[str, float]) -> str:
        """When the last job will have ended: as the schedule of what is left says, at the pace so far.

        The pace is the time that passed over the time that was predicted for what is done. In the first seconds it
        hardly counts, for then it is mostly chance.

        Args:
            steps: of each job that a worker is at, by the run_id of its first member: the share of its steps done.
        """
        under_way = [(1 - done) * self.costs[key] for key, done in steps.items() if key in self.waiting]
        rest = [seconds for key, seconds in self.waiting.items() if key not in steps]
        left = makespan(rest, self.workers, under_way)
        done, elapsed = self.predicted_s - left, time.monotonic() - self.started
        return duration(left * (TRUSTED_S + elapsed) / (TRUSTED_S + max(done, 0.0)))


def shares_done(jobs: Iterable[Job]) -> dict[str, float]:
    """Of the jobs that are in training, what share of their steps is done, by the run_id of the first member."""
    states = {job.members[0].run_id: read_progress(progress_path(job)) for job in jobs}
    return {key: state.step / state.steps for key, state in states.items() if state is not None}


class Lines:
    """A line for each finished job, without control codes."""

    def __init__(self, console: Console, jobs: Sequence[Job], cost: Cost, workers: int = 1) -> None:
        self.console, self.overall = console, Overall(jobs, cost, workers)
        self.left = {job.members[0].run_id: job for job in jobs}

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def ended(self, job: Job, runs: list[Ended]) -> None:
        self.overall.end(job)
        self.left.pop(job.members[0].run_id, None)
        counts = count_by_status(runs)
        of, left = f"[{self.overall.counted()}]", self.overall.time_left(shares_done(self.left.values()))
        self.console.print(
            f"{of} {job.label}, {job.steps} steps: {counts}; {left} left", markup=False, soft_wrap=True, highlight=False
        )

    def refresh(self, left: Sequence[Job]) -> None:
        pass

    def say(self, line: str) -> None:
        self.console.print(line, markup=False, soft_wrap=True, highlight=False)


class Bars:
    """A bar for all the work and one for each running job."""

    def __init__(self, console: Console, jobs: Sequence[Job], cost: Cost, workers: int = 1) -> None:
        self.overall = Overall(jobs, cost, workers)
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[steps]}", justify="right"),
            TextColumn("{task.fields[loss]}", justify="right"),
            TextColumn("{task.fields[left]} left", justify="right"),
            console=console,
            auto_refresh=False,
            transient=True,
        )
        self.all = self.progress.add_task("all jobs", total=1.0, steps=f"0/{len(jobs)}", loss="", left="?")
        self.rows: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def ended(self, job: Job, runs: list[Ended]) -> None:
        self.overall.end(job)
        if (row := self.rows.pop(job.members[0].run_id, None)) is not None:
            self.progress.remove_task(row)
        if any(run.error for run in runs):
            self.progress.console.print(f"{job.label}: {count_by_status(runs)}", markup=False, highlight=False)

    def refresh(self, left: Sequence[Job]) -> None:
        share, done = self.overall.share, dict[str, float]()
        for job in left:
            key = job.members[0].run_id
            if (state := read_progress(progress_path(job))) is None:
                if key in self.rows:  # another sweep trained it, and has ended it
                    self.progress.remove_task(self.rows.pop(key))
                continue
            share += self.overall.part(job, state.step)
            done[key] = state.step / state.steps
            if key not in self.rows:
                members = job.members[0].label if len(job.members) == 1 else f"{len(job.members)} members"
                self.rows[key] = self.progress.add_task(
                    f"{job.label}, {members}", total=job.steps, steps="", loss="", left=""
                )
            self.progress.update(
                self.rows[key],
                completed=state.step,
                steps=f"{state.step}/{state.steps}",
                loss="" if math.isnan(state.loss) else f"loss {state.loss:.3f}",
                left=duration(state.seconds_left),
            )
        self.progress.update(
            self.all,
            completed=share,
            steps=self.overall.counted(),
            left=self.overall.time_left(done),
        )
        self.draw()

    def say(self, line: str) -> None:
        self.progress.console.print(line, markup=False, soft_wrap=True, highlight=False)

    def draw(self) -> None:
        """Show how far everything is."""
        self.progress.refresh()


class NotebookBars(Bars):
    """The same bars as one output of a notebook's cell, drawn anew in its place; the last state stays.

    rich's own way there needs ipywidgets, without which it shows nothing until the end.
    """

    def __enter__(self) -> NotebookBars:
        from IPython.display import display

        self.shown = self._picture()
        self.output: Any = display(self.shown, raw=True, display_id=True)
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def draw(self) -> None:
        if (picture := self._picture()) != self.shown:
            self.shown = picture
            self.output.update(picture, raw=True)

    def _picture(self) -> dict[str, str]:
        """The bars as notebooks show them, by MIME type."""
        paper = Console(file=io.StringIO(), record=True, force_terminal=True, force_jupyter=False, width=120)
        paper.print(self.progress.get_renderable())
        html = paper.export_html(inline_styles=True, clear=False, code_format=_IN_A_NOTEBOOK)
        return {"text/html": html, "text/plain": paper.export_text()}
