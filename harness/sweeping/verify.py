"""`harness verify`: is what a results folder holds sound, and is it what the code of now would record?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console

from harness.records.comparable import differing_data
from harness.records.folders import find_folder
from harness.records.integrity import Findings, examine
from harness.records.kept import set_kept_aside
from harness.records.pieces import read_collected, set_aside, set_tables_aside
from harness.records.run_settings import is_imported, parse_config
from harness.records.schema import STATUSES
from harness.records.writer import piece_path
from harness.sweeping.failures import Ended, failure_lines
from harness.sweeping.kept_check import examine_kept
from harness.sweeping.presence import refuse_if_swept
from harness.sweeping.recorded import Counts, Rebuild, Row, identity_problems
from harness.sweeping.start_check import digest_problem
from harness.wording import counted


def verify(folders: Sequence[Path], rebuild: Rebuild, console: Console, fix: bool = False) -> int:
    """Print what is wrong in results folders; returns 1 if something is, else 0. Without `fix` nothing is written.

    Pieces and tables are read through (`records.integrity`). Of the runs that the harness trained, run_id and columns
    are compared with the recorded settings, and parameters and FLOPs with those that the code of now counts. Finished
    runs of one study have to have seen the same data. Kept checkpoints have to be those of their runs. Seeds that some
    sizes of a study lack are noted.

    Args:
        fix: set aside the pieces of runs that cannot be used or do not have the settings that their id stands for, so
            that a sweep trains them again; kept checkpoints that cannot be used too.

    Raises:
        DataError: no such folder, or tables of another schema version.
        UserError: with `fix`, a folder that is in use by a sweep or cannot be written.
    """
    return max([_verify(find_folder(folder), rebuild, console, fix) for folder in folders])


def _verify(folder: Path, rebuild: Rebuild, console: Console, fix: bool) -> int:
    if fix:
        refuse_if_swept(folder)
    found = examine(folder)
    trained = [run for run in found.runs if not is_imported(parse_config(run["config"]))]
    mistaken = {run["run_id"]: "; ".join(told) for run in trained if (told := identity_problems(run))}
    problems = found.problems + failure_lines(_wrong_runs(folder, trained, mistaken, Counts(rebuild)))
    problems += _unlike(found.runs)
    kept = examine_kept(folder, found.runs)
    problems += [f"{path}: {problem}" for path, problem in kept.bad.items()]
    done = _fix(folder, found, mistaken) if fix else []
    done += [f"{path}: set aside as {set_kept_aside(folder, path)}" for path in kept.bad if fix]
    statuses = Counter(run["status"] for run in found.runs)
    counts = ", ".join(f"{statuses[status]} {status}" for status in STATUSES if statuses[status])
    children = [run for run in found.runs if run["parent_run"] is not None]
    origins = {(parse_config(run["config"]).get("starts_from") or {}).get("asked", "others") for run in children}
    counts += (
        f"; {len(children)} of them started from runs of {', '.join(sorted(map(str, origins)))}" if children else ""
    )
    console.print(f"{folder}: {len(found.runs)} runs" + (f" ({counts})" if counts else ""), markup=False)
    notes = found.notes + kept.notes + _missing_seeds(folder, trained)
    if len(trained) < len(found.runs):
        notes.append(f"{len(found.runs) - len(trained)} runs are imported; their counts are as stated")
    for line in [*problems, *(f"note: {note}" for note in notes), *(f"fixed: {line}" for line in done)]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    verdict = f"{len(problems)} things are wrong" if len(problems) > 1 else "1 thing is wrong"
    console.print(f"{folder}: {verdict if problems else 'nothing is wrong'}", markup=False, highlight=False)
    return 1 if problems else 0


def _fix(folder: Path, found: Findings, mistaken: Mapping[str, str]) -> list[str]:
    """Set aside what a sweep is to train again; a line for each file or run.

    Runs that are not those of their id stand in the tables too, which are made anew from the pieces where these hold
    all other runs.
    """
    told = {run_id: f"{piece_path(folder, run_id)}: {problem}" for run_id, problem in mistaken.items()}
    bad = found.bad | {run_id: told[run_id] for run_id in told if run_id in found.pieces}
    lines = set_aside(folder, bad, mistaken=lambda run: bool(identity_problems(run)))
    in_tables = {run["run_id"] for run in read_collected(folder, ())["runs"].to_pylist()} if mistaken else set()
    if in_tables.isdisjoint(mistaken):
        return lines
    if alone := in_tables - set(mistaken) - found.pieces:
        stay = f"{folder / 'runs.parquet'}: stays, with {counted(len(mistaken), 'run')} of other settings than its id's"
        return [*lines, f"{stay}: {counted(len(alone), 'run')} in it have no piece to make it anew from"]
    return lines + set_tables_aside(folder)


def _missing_seeds(folder: Path, runs: Sequence[Row]) -> list[str]:
    """A line for each size of a study that lacks seeds which others of its sizes have."""
    seeds: dict[str, dict[tuple[int, int], set[int]]] = {}
    for run in runs:
        seeds.setdefault(run["study"], {}).setdefault((run["rung"], run["duration"]), set()).add(run["seed"])
    lines = []
    for study, cells in sorted(seeds.items()):
        every = set().union(*cells.values())
        for (rung, duration), own in sorted(cells.items()):
            if missing := sorted(every - own):
                at = f"{study}, rung {rung}" + (f", duration {duration}" if any(d for _, d in cells) else "")
                word = "seed" if len(missing) == 1 else "seeds"
                lines.append(f"{folder}: {at} lacks {word} {', '.join(map(str, missing))}, which other sizes have")
    return lines


def _unlike(runs: Sequence[Row]) -> list[str]:
    """A line for each study whose finished runs saw different data, as `harness collect` says it."""
    finished = [run for run in runs if run["status"] == "finished"]
    return list(differing_data(pd.DataFrame(finished, columns=["study", "versions"])))


def _wrong_runs(folder: Path, runs: Sequence[Row], mistaken: Mapping[str, str], counts: Counts) -> list[Ended]:
    """The runs whose identity or counts are wrong, in the words of a failure."""
    wrong = []
    for run in sorted(runs, key=lambda run: (run["study"], run["rung"], run["run_id"])):
        # Counts are compared for what `config` says, so it must be sound.
        config = parse_config(run["config"])
        problem = mistaken.get(run["run_id"]) or counts.problem(run) or digest_problem(run, config)
        if problem:
            piece = piece_path(folder, run["run_id"])
            file = piece if piece.exists() else folder / "runs.parquet"
            name = f"{file}: run {run['run_id']} ({run['study']}, rung {run['rung']}, {run['member']})"
            wrong.append(Ended(run["study"], run["rung"], name, "wrong", problem))
    return wrong
