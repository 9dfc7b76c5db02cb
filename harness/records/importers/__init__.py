"""Results of other tools, imported into the project's two tables.

Formats: `lm_eval`, `trainer`, `wandb`, `tensorboard`, `nanogpt`, a module each, whose docstring says what it reads.
Sizes and whatever else an analysis needs beside the numbers are mostly not in such files: `about` and `settings` give
them.

No number is invented. A column that neither file nor user states holds a neutral value: 0 for counts, sizes, learning
rate, tokens, FLOPs and times, seed 0, duration 0, "unknown" for family, task and device, null where the schema allows
it. `n_eval` is 0 where the size of the evaluation set is not known. An x axis of zeros is refused by the analysis:
where params_non_embedding is not stated, take x="params_total". Further:

- `study` is the one stated, else the family, else "main". A format whose files hold several tasks (lm_eval) makes a
  run of each task and adds the task: "pythia/lambada_openai", so that one study is one curve family.
- `rung` is the rank of the run's params_total in its study, over all imports into the folder.
- `steps` is the last step in the file; `finished_at` is the file's own date, else when it was last written.
- `tokens` and `flops` of a measurement are the file's where it counts them, else the run's in proportion to its
  step, which is exact where all steps have as many tokens.
- `higher_is_better` is the file's; where it states none, and for whether a metric is discontinuous, its name decides
  (`metric_names`). A discontinuous metric is paired with the loss, else with the first continuous metric, of the same
  study, split and subtask. Where each metric has a file, import the files together.
- A run whose last train or eval loss is not finite has `diverged`; all else `finished`, however far it came.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from harness.errors import DataError, UserError, nearest
from harness.records.importers import lm_eval, nanogpt, tensorboard, trainer, wandb
from harness.records.importers.about import About, checked
from harness.records.importers.found import Format, FoundRun
from harness.records.importers.table_rows import ORIGIN, continuous_metrics, measurement_rows, problems_of, run_row
from harness.records.store import CollectReport, collect, read_table
from harness.records.writer import to_table, write_run

__all__ = ["FORMATS", "import_results"]

#: What can be imported, by name.
FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT for module in (lm_eval, trainer, wandb, tensorboard, nanogpt)
}


def import_results(
    kind: str,
    paths: Iterable[Path | str],
    folder: Path | str,
    about: pd.DataFrame | Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> CollectReport:
    """Read files of another tool, add their runs to a results folder and collect it.

    All files are read before anything is written. Importing a file again replaces its runs, which changes nothing
    unless `about` or `settings` did: a run's identity is the hash of format, file name and contents.

    Args:
        kind: a name of `FORMATS`.
        paths: files, or folders under which the files of this kind are looked for.
        folder: the results folder; made where it does not exist.
        about: what the files do not say: columns of the runs table, e.g. params_total, params_non_embedding, family,
            seed, tokens, flops. A mapping holds for all runs. A frame has a row a file (column `file`: its name, or as
            much of its path as distinguishes it from the others) or a run (column `run`: the name that the tool gave
            it); `table.read_rows` with as_text reads one.
        settings: as a mapping for `about`, beside a frame; a cell of the frame overrides them.

    Returns:
        What `collect` reports; `problems` also names what was left out of the files, and rows of the frame that no run
        belongs to.

    Raises:
        UserError: no such format; params_total, or a package that the format needs, is missing; a setting cannot be
            used.
        DataError: a file or the frame cannot be used as it is; nothing is written.
    """
    if kind not in FORMATS:
        raise UserError(f"{kind} cannot be imported{nearest(kind, FORMATS)} (formats: {', '.join(FORMATS)})")
    folder, stated = Path(folder), _about(about, settings)
    files = [file for path in paths for file in FORMATS[kind].find(Path(path))]
    if not files:
        raise UserError(f"no file of format {kind} given")
    runs = [run for file in dict.fromkeys(files) for run in FORMATS[kind].read(file)]
    rows = [run_row(kind, run, stated.of(run), folder.name) for run in runs]
    unmatched = [f"sidecar: {key} is none of the runs imported" for key in stated.unmatched(runs)]
    _write(folder, runs, rows)
    report = collect(folder)
    problems = [problem for run in runs for problem in problems_of(run)]
    return dataclasses.replace(report, problems=(*report.problems, *problems, *unmatched))


def _about(about: pd.DataFrame | Mapping[str, Any] | None, settings: Mapping[str, Any] | None) -> About:
    sidecar = about if isinstance(about, pd.DataFrame) else None
    for_all = dict(settings or {}) if sidecar is not None else {**(about or {}), **(settings or {})}
    return About(checked(for_all), sidecar)


def _write(folder: Path, runs: list[FoundRun], rows: list[dict[str, Any]]) -> None:
    """Write the runs, and those imported earlier whose rung changes now that the ladder has more sizes."""
    earlier, measurements = _imported(folder, leave_out={row["run_id"] for row in rows})
    sizes: dict[str, set[int]] = {}
    for row in (*earlier, *rows):
        sizes.setdefault(row["study"], set()).add(row["params_total"])
    rungs = {(study, size): rung for study, all_sizes in sizes.items() for rung, size in enumerate(sorted(all_sizes))}
    continuous = continuous_metrics(runs, rows)
    numbers = [
        to_table("measurements", measurement_rows(run, row, continuous), run.label)
        for run, row in zip(runs, rows, strict=True)
    ]
    for row, table in zip(rows, numbers, strict=True):
        write_run(folder, row | {"rung": rungs[row["study"], row["params_total"]]}, table)
    for row in earlier:
        rung = rungs[row["study"], row["params_total"]]
        if rung != row["rung"]:
            of_run = pc.equal(measurements.column("run_id"), row["run_id"])
            write_run(folder, row | {"rung": rung}, measurements.filter(of_run))


def _imported(folder: Path, leave_out: set[str]) -> tuple[list[dict[str, Any]], pa.Table]:
    """Rows of the runs that earlier imports left in the folder's tables, and the table of all measurements."""
    if not (folder / "runs.parquet").exists():
        return [], pa.table({"run_id": pa.array([], pa.string())})
    runs = read_table(folder / "runs.parquet", "runs").to_pylist()
    earlier = [row for row in runs if row["run_id"] not in leave_out and ORIGIN in _versions(row)]
    return earlier, read_table(folder / "measurements.parquet", "measurements")


def _versions(row: Mapping[str, Any]) -> dict[str, Any]:
    try:
        versions = json.loads(row["versions"])
    except json.JSONDecodeError as error:
        raise DataError(f"run {row['run_id']}: its versions are not JSON") from error
    return versions if isinstance(versions, dict) else {}
