"""`harness verify`: is what a results folder holds sound, and is it what the code of now would record?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console

from harness.records.comparable import differing_data
from harness.records.folders import find_folder
from harness.records.integrity import examine
from harness.records.run_settings import is_imported, parse_config
from harness.records.schema import STATUSES
from harness.sweeping.failures import Ended, failure_lines
from harness.sweeping.recorded import Counts, Rebuild, Row, identity_problems


def verify(folders: Sequence[Path], rebuild: Rebuild, console: Console) -> int:
    """Print what is wrong in results folders; returns 1 if something is, else 0. Nothing is written.

    Pieces and tables are read through (`records.integrity`). Of the runs that the harness trained, run_id and columns
    are compared with the recorded settings, and parameters and FLOPs with those that the code of now counts. Finished
    runs of one study have to have seen the same data.

    Raises:
        DataError: no such folder, or tables of another schema version.
    """
    return max([_verify(find_folder(folder), rebuild, console) for folder in folders])


def _verify(folder: Path, rebuild: Rebuild, console: Console) -> int:
    found = examine(folder)
    trained = [run for run in found.runs if not is_imported(parse_config(run["config"]))]
    problems = found.problems + failure_lines(_wrong_runs(trained, Counts(rebuild))) + _unlike(found.runs)
    statuses = Counter(run["status"] for run in found.runs)
    counts = ", ".join(f"{statuses[status]} {status}" for status in STATUSES if statuses[status])
    console.print(f"{folder}: {len(found.runs)} runs" + (f" ({counts})" if counts else ""), markup=False)
    for line in [*problems, *(f"note: {note}" for note in found.notes)]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if len(trained) < len(found.runs):
        n = len(found.runs) - len(trained)
        console.print(f"note: {n} runs are imported; their counts are as stated", markup=False, highlight=False)
    verdict = f"{len(problems)} things are wrong" if len(problems) > 1 else "1 thing is wrong"
    console.print(f"{folder}: {verdict if problems else 'nothing is wrong'}", markup=False, highlight=False)
    return 1 if problems else 0


def _unlike(runs: Sequence[Row]) -> list[str]:
    """A line for each study whose finished runs saw different data, as `harness collect` says it."""
    finished = [run for run in runs if run["status"] == "finished"]
    return list(differing_data(pd.DataFrame(finished, columns=["study", "versions"])))


def _wrong_runs(runs: Sequence[Row], counts: Counts) -> list[Ended]:
    """The runs whose identity or counts are wrong, in the words of a failure."""
    wrong = []
    for run in sorted(runs, key=lambda run: (run["study"], run["rung"], run["run_id"])):
        # Counts are compared for what `config` says, so it must be sound.
        problem = "; ".join(identity_problems(run)) or counts.problem(run)
        if problem:
            name = f"run {run['run_id']} ({run['study']}, rung {run['rung']}, {run['member']})"
            wrong.append(Ended(run["study"], run["rung"], name, "wrong", problem))
    return wrong
