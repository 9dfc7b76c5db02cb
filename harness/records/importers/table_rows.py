"""From a found run to its rows of the two tables."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from harness.benchmarks import known_chance, known_meaning, known_pair
from harness.errors import DataError, UserError
from harness.metric_names import meaning
from harness.records.importers.about import checked
from harness.records.importers.found import FoundRun, Number, read_bytes
from harness.records.schema import LINEAGE, PARAMETER_CONVENTIONS

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
    "params_total": 0,
    "params_embedding": 0,
    "params_attention": 0,
    "params_mlp": 0,
    "params_norm": 0,
    "params_head": 0,
    "params_non_embedding": 0,
    "params_trained": None,
    "steps": 0,
    "batch_size": 0,
    "micro_batches": None,
    "tokens": 0,
    "unique_examples": None,
    "epochs": None,
    "flops": 0.0,
    "spent_flops": None,
    **dict.fromkeys(LINEAGE),
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
        UserError: nobody states params_total or params_non_embedding.
    """
    in_file = {name: value for name, value in run.settings.items() if name != "finished_at"}
    try:
        known = checked(in_file) | dict(stated)
    except UserError as error:
        raise DataError(f"{run.label}: {error}") from error
    if not any(known.get(name) for name in PARAMETER_CONVENTIONS):
        raise UserError(
            f"{run.label}: the file does not state params_total: give it with --set params_total=NUMBER, or in a "
            f"sidecar (--about FILE.csv) with columns file,params_total or run,params_total, in which this run is "
            f"{run.source.name} or {run.name}; params_non_embedding does as well"
        )
    row = NEUTRAL | known
    if row["wall_s"] and row["tokens"] and not row["tokens_per_s"]:
        row["tokens_per_s"] = row["tokens"] / row["wall_s"]
    where: dict[str, Any] = {"kind": kind, "file": run.source.name, "run": run.name}
    if len(run.all_files) > 1:
        where["files"] = len(run.all_files)
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
    """Hash of the format and the run's key; where it has none, of the file's name and contents and its place in it."""
    if run.key:
        return hashlib.sha256("\0".join((kind, run.key)).encode(errors="surrogateescape")).hexdigest()[:16]
    place = "\0".join((kind, run.source.resolve().name, run.part, ""))
    digest = hashlib.sha256(place.encode(errors="surrogateescape"))  # as names of files may hold any bytes
    for file in run.all_files:
        digest.update(read_bytes(file))
    return digest.hexdigest()[:16]


def _written_at(run: FoundRun) -> datetime:
    return datetime.fromtimestamp(max(_modified(file) for file in run.all_files), UTC)


@cache
def _modified(file: Path) -> int:
    try:
        return int(file.stat().st_mtime)
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from error


def divergence(run: FoundRun) -> str | None:
    """Why the run counts as diverged: its last loss is not finite. None where it did not."""
    last: dict[str, Number] = {}
    for number in run.numbers:
        if number.metric == "loss" and (number.step or 0) >= (last.get(number.split, number).step or 0):
            last[number.split] = number
    for split, number in last.items():
        if not math.isfinite(number.value):
            return f"{split} loss is {number.value}{_at(number)}"
    return None


def size_of(row: Mapping[str, Any]) -> int:
    """The number of parameters by which a run takes its place on the ladder: all of them, where they are known."""
    return next(int(row[name]) for name in PARAMETER_CONVENTIONS if row[name])


def measurement_rows(
    run: FoundRun, row: Mapping[str, Any], pairs: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """The measurements whose values are finite.

    Args:
        run: what the file holds.
        row: its runs row. Numbers that state no step are at the run's last.
        pairs: metric -> the continuous metric of the same answers, as the user states them.
    """
    numbers = [number for number in run.numbers if math.isfinite(number.value)]
    last = max(row["steps"], *(number.step or 0 for number in numbers), 0)
    measured: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for number in numbers:
        measured[number.split, number.subtask][number.metric] = None
    rows = []
    for number in numbers:
        step = last if number.step is None else number.step
        share = step / last if last else 1.0
        means = known_meaning(number.task, number.metric) or meaning(number.metric)
        stated = number.higher_is_better
        together = measured[number.split, number.subtask]
        pair = (pairs or {}).get(number.metric)
        if pair is None and number.task:
            pair = known_pair(number.task, number.metric, together)
        judged = means.discontinuous or number.metric in (pairs or {})
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
                "chance": known_chance(number.task, number.metric) if number.task else None,
                "higher_is_better": means.higher_is_better if stated is None else bool(stated),
                "discontinuous": judged,
                # An empty name says that there is no pair; none at all would leave it to be assumed.
                "paired_metric": (pair if pair in together else "") if judged else None,
            }
        )
    return rows


def _at(number: Number) -> str:
    return "" if number.step is None else f" at step {number.step}"


def problems_of(run: FoundRun) -> list[str]:
    """What of the run was left out, or can be overlooked, a line each."""
    lines = [f"{run.label}: {problem}" for problem in run.problems]
    lost: dict[tuple[str, str, str], list[Number]] = defaultdict(list)
    last: dict[tuple[str, str, str], int] = defaultdict(int)
    for number in run.numbers:
        key = (number.split, number.subtask, number.metric)
        if math.isfinite(number.value):
            last[key] = max(last[key], number.step or 0)
        else:
            lost[key].append(number)
    for (split, subtask, metric), numbers in lost.items():
        first = numbers[0]
        many = f" ({len(numbers)} such values)" if len(numbers) > 1 else ""
        lines.append(f"{run.label}: {split} {metric} of {subtask} is {first.value}{_at(first)}{many}; left out")
    end = max((step for (split, _, _), step in last.items() if split == "eval"), default=0)
    for (split, subtask, metric), step in last.items():
        if split == "eval" and step < end:
            lines.append(
                f"{run.label}: eval {metric} of {subtask} ends at step {step}, other metrics at {end}; "
                "only load(..., steps='all') shows it"
            )
    return lines
