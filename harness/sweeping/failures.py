"""Why jobs and runs fail, each in one line, and failures that are alike told once."""

from __future__ import annotations

import re
import signal
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import IndivisibleError
from harness.records.schema import STATUSES
from harness.wording import stopped_early

#: What torch, its allocators, CUDA's libraries and the system say when memory runs out, beside a MemoryError.
_OUT_OF_MEMORY = re.compile(r"out of memory|not enough memory|[Cc]an(no|')t allocate memory|ALLOC_FAILED|bad_alloc")
#: What torch says around the sentence that it means.
_NOISE = re.compile(r"^\[enforce fail at [^\]]*\]\s*(?:err == 0\.\s*)?|\s*Error code \d+ \([^)]*\)$")

_NUMBER = re.compile(r"\d[\d,.]*(e[+-]?\d+)?")


class JobError(Exception):
    """A job failed; the reason in one line. Unlike the error behind it, this one always survives pickling."""


class OutOfMemoryError(JobError):
    """A job needs more memory than there is, and may fit if it is made smaller."""


class JobStopped(Exception):
    """A job was asked to end before its last step, and goes on from its checkpoint when it is tried again."""


@dataclass(frozen=True)
class Ended:
    """How one run ended, and why where it did not finish.

    Attributes:
        run: its study, rung, size and member, in words.
        done: the share of the steps asked for that it trained; below 1 in a finished run that stopped early.
        elsewhere: whether another sweep of the folder trained it.
    """

    study: str
    rung: int
    run: str
    status: str
    error: str | None = None
    done: float = 1.0
    elsewhere: bool = False


def job_error(error: BaseException) -> JobError:
    """A job's failure by any error."""
    smaller_may_fit = is_out_of_memory(error) and not isinstance(error, IndivisibleError)
    return (OutOfMemoryError if smaller_may_fit else JobError)(reason(error))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory has run out."""
    if isinstance(error, RuntimeError | OSError):
        return _OUT_OF_MEMORY.search(str(error)) is not None
    return isinstance(error, MemoryError)


def reason(error: BaseException) -> str:
    """An error in one line, with the place in the code where it arose: the innermost one that is not a library's."""
    text = _NOISE.sub("", (str(error).strip() or "no message").splitlines()[0])
    if is_out_of_memory(error):
        return f"out of memory: {text}"
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((frame for frame in reversed(frames) if "site-packages" not in frame.filename), frames[-1])
    return f"{type(error).__name__}: {text} ({Path(frame.filename).name}:{frame.lineno})"


def _name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


def death(exit_code: int | None) -> str:
    """Why a process ended without a result."""
    if exit_code is not None and exit_code < 0:
        return f"killed by {_name(-exit_code)}"
    return f"process ended with exit code {exit_code}"


def count_by_status(ended: Sequence[Ended]) -> str:
    """ "3 finished, 1 failed"."""
    statuses = [run.status for run in ended]
    return ", ".join(f"{statuses.count(status)} {status}" for status in STATUSES if status in statuses)


def early_stops(ended: Sequence[Ended]) -> str:
    """ "4 of them stopped early, after 35 % to 60 % of the steps asked for"; '' where none did."""
    return stopped_early([run.done for run in ended if run.status == "finished" and run.done < 1])


def failure_lines(ended: Iterable[Ended]) -> list[str]:
    """A line for each error, with all runs of one study that it ended; errors that differ in numbers alone are one."""
    alike: dict[tuple[str, str, str], list[Ended]] = {}
    for run in ended:
        if run.error is not None:
            alike.setdefault((run.status, run.study, _NUMBER.sub("0", run.error)), []).append(run)
    lines = []
    for (status, study, _), runs in alike.items():
        first, n_errors = runs[0], len({run.error for run in runs})
        who = first.run if len(runs) == 1 else f"{len(runs)} runs of {study}, {rungs_in_words(r.rung for r in runs)}"
        lines.append(f"{status}: {who}: {first.error}" + (" (numbers differ from run to run)" if n_errors > 1 else ""))
    return lines


def rungs_in_words(rungs: Iterable[int]) -> str:
    """ "rung 3", "rungs 0 to 4" or "rungs 0, 2, 5"."""
    distinct = sorted(set(rungs))
    if len(distinct) == 1:
        return f"rung {distinct[0]}"
    if len(distinct) > 2 and distinct[-1] - distinct[0] == len(distinct) - 1:
        return f"rungs {distinct[0]} to {distinct[-1]}"
    return f"rungs {', '.join(map(str, distinct))}"
