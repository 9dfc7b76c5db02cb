"""From a found run to its rows of the two tables."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from harness.errors import DataError, UserError
from harness.metric_names import meaning, usual_pair
from harness.records.importers.about import checked
from harness.records.importers.found import FoundRun, Number, read_bytes

#: What a column holds where neither the file nor the user states it; see the package.
NEUTRAL: dict[str, Any] = {
    "family": "unknown",
    "task": "unknown",
    "duration": 0,
    "seed": 0,
    "lr": 0.0,
    "width": 0,
    "depth": 0,
    "heads": 0,
    "params_embedding": 0,
    "params_attention": 0,
    "params_mlp": 0,
    "params_norm": 0,
    "params_head": 0,
    "params_non_embedding": 0,
    "steps": 0,
    "batch_size": 0,
    "tokens": 0,
    "flops": 0.0,
    "wall_s": 0.0,
    "tokens_per_s": 0.0,
    "device": "unknown",
    "git_revision": None,
}
#: The key of `versions` that only imported runs have.
ORIGIN = "imported_from"


def run_row(kind: str, run: FoundRun, stated: Mapping[str, Any], experiment: str) -> dict[str, Any]:
    """The runs row; `rung` is 0 until the sizes of the study's other runs are known.

    Args:
        kind: name of the format.
        run: what the file holds.
        stated: what the user states of the run, which overrides what the file states.
        experiment: name of the results folder.

    Raises:
        UserError: nobody states params_total.
    """
    in_file = {name: value for name, value in run.settings.items() if name != "finished_at"}
    try:
        known = checked(in_file) | dict(stated)
    except UserError as error:
        raise DataError(f"{run.label}: {error}") from error
    if "params_total" not in known:
        raise UserError(
            f"{run.label}: the file does not state params_total: give it with --set params_total=NUMBER, "
            f"or in a sidecar (--about FILE.csv) with columns file,params_total or run,params_total, "
            f"in which this run is {run.source.name} or {run.name}"
        )
    row = NEUTRAL | known
    if row["wall_s"] and row["tokens"] and not row["tokens_per_s"]:
        row["tokens_per_s"] = row["tokens"] / row["wall_s"]
    where = {"kind": kind, "file": run.source.name, "run": run.name}
    diverged = divergence(run)
    return row | {
        "run_id": identity(kind, run),
        "experiment": experiment,
        "study": study(run, known),
        "rung": 0,
        "member": known.get("member", run.name),
        "status": "diverged" if diverged else "finished",
        "error": diverged,
        "config": json.dumps({"imported": where}),
        "versions": json.dumps({ORIGIN: kind} | run.versions),
        "finished_at": run.settings.get("finished_at") or _written_at(run),
    }


def study(run: FoundRun, known: Mapping[str, Any]) -> str:
    """Name of the curve family: as stated, else the model family's, with the task where files hold several."""
    name = known.get("study") or known.get("family")
    task = run.settings.get("task")
    return "/".join(filter(None, (name, task))) or "main"


def identity(kind: str, run: FoundRun) -> str:
    """Hash of the format, the file's name and contents and the run's place in it."""
    digest = hashlib.sha256("\0".join((kind, run.source.resolve().name, run.part, "")).encode())
    for file in run.files or (run.source,):
        digest.update(read_bytes(file))
    return digest.hexdigest()[:16]


def _written_at(run: FoundRun) -> datetime:
    try:
        written = max(file.stat().st_mtime for file in run.files or (run.source,))
    except OSError as error:
        raise DataError(f"{run.source}: cannot be read: {error.strerror}") from error
    return datetime.fromtimestamp(int(written), UTC)


def divergence(run: FoundRun) -> str | None:
    """Why the run counts as diverged: its last loss is not finite. None where it did not."""
    last: dict[str, Number] = {}
    for number in run.numbers:
        if number.metric == "loss" and number.step >= last.get(number.split, number).step:
            last[number.split] = number
    for split, number in last.items():
        if not math.isfinite(number.value):
            return f"{split} loss is {number.value} at step {number.step}"
    return None


def continuous_metrics(
    runs: Sequence[FoundRun], rows: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, str, str], list[str]]:
    """(study, split, subtask) -> its continuous metrics, in order of appearance over all files."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for run, row in zip(runs, rows, strict=True):
        for number in run.numbers:
            if not meaning(number.metric).discontinuous:
                found[row["study"], number.split, number.subtask].append(number.metric)
    return found


def measurement_rows(
    run: FoundRun, row: Mapping[str, Any], continuous: Mapping[tuple[str, str, str], list[str]]
) -> list[dict[str, Any]]:
    """The measurements whose values are finite.

    Args:
        run: what the file holds.
        row: its runs row. Numbers that state no step (lm-eval's) are at the run's last.
        continuous: as `continuous_metrics` returns it.
    """
    numbers = [number for number in run.numbers if math.isfinite(number.value)]
    timed = any(number.step for number in numbers)
    last = max(row["steps"], *(number.step for number in numbers), 0)
    rows = []
    for number in numbers:
        step = number.step if timed else last
        share = step / last if last else 1.0
        measured = continuous.get((row["study"], number.split, number.subtask), [])
        by_name = meaning(number.metric)
        stated = number.higher_is_better
        rows.append(
            {
                "run_id": row["run_id"],
                "step": step,
                "tokens": run.tokens_at.get(step, round(row["tokens"] * share)),
                "flops": row["flops"] * share,
                "split": number.split,
                "subtask": number.subtask,
                "metric": number.metric,
                "value": number.value,
                "stderr": number.stderr,
                "n_eval": number.n_eval,
                "chance": None,
                "higher_is_better": by_name.higher_is_better if stated is None else bool(stated),
                "discontinuous": by_name.discontinuous,
                "paired_metric": (usual_pair(number.metric, measured) or None) if by_name.discontinuous else None,
            }
        )
    return rows


def problems_of(run: FoundRun) -> list[str]:
    """What of the run was left out, or can be overlooked, a line each."""
    lines = [f"{run.label}: {problem}" for problem in run.problems]
    lost: dict[tuple[str, str, str], list[Number]] = defaultdict(list)
    last: dict[tuple[str, str, str], int] = defaultdict(int)
    for number in run.numbers:
        key = (number.split, number.subtask, number.metric)
        if math.isfinite(number.value):
            last[key] = max(last[key], number.step)
        else:
            lost[key].append(number)
    for (split, subtask, metric), numbers in lost.items():
        first = numbers[0]
        many = f" ({len(numbers)} such values)" if len(numbers) > 1 else ""
        lines.append(
            f"{run.label}: {split} {metric} of {subtask} is {first.value} at step {first.step}{many}; left out"
        )
    end = max((step for (split, _, _), step in last.items() if split == "eval"), default=0)
    for (split, subtask, metric), step in last.items():
        if split == "eval" and step < end:
            lines.append(
                f"{run.label}: eval {metric} of {subtask} ends at step {step}, other metrics at {end}; "
                "only load(..., steps='all') shows it"
            )
    return lines
