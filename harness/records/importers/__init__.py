"""Results of other tools, imported into the project's two tables.

Formats: `lm_eval`, `trainer`, `wandb`, `tensorboard`, `nanogpt`, a module each, whose docstring says what it reads.
Sizes and whatever else an analysis needs beside the numbers are mostly not in such files: `about` and `settings` give
them.

No number is invented. A column that neither file nor user states holds a neutral value: 0 for counts, sizes, learning
rate, tokens, FLOPs and times, seed 0, duration 0, "unknown" for family, task and device, null where the schema allows
it. An x axis of zeros is refused by the analysis: of params_total and params_non_embedding one must be stated; take
that as x. Further:

- `study` is the one stated, else the family, else "main". A file that holds several benchmarks (lm_eval, scores that a
  tracker logged) makes a run of each and adds the task: "pythia/lambada_openai", so that one study is one curve family.
- `rung` is the rank of the run's params_total (else params_non_embedding) in its study, over all imports into the
  folder.
- `steps` is the last step in the file; `finished_at` is the file's own date, else when it was last written.
- `tokens` and `flops` of a measurement are the file's where it counts them, else the run's in proportion to its
  step, which is exact where all steps have as many tokens.
- `n_eval` is the file's; where it states none, what follows from a share and its standard error (`items`); else null.
- `chance` is that of the list of public benchmarks (`harness.benchmarks`), null for tasks that it does not know.
- `higher_is_better` is the file's; where it states none, and for whether a metric is discontinuous, the list decides,
  else the metric's name (`metric_names`).
- `paired_metric` names the continuous metric of the same answers only where that is known: by the list, or because the
  user states it (`pairs`). Else it is "", which says that there is none: a loss logged beside an accuracy may be of
  other texts.
- A run whose last train or eval loss is not finite has `diverged`; all else `finished`, however far it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from harness.errors import UserError, nearest
from harness.records.adding import add_runs
from harness.records.importers import lm_eval, nanogpt, tensorboard, trainer, wandb
from harness.records.importers.about import PARAMETERS, About, checked
from harness.records.importers.found import Format, FoundRun
from harness.records.importers.items import with_items
from harness.records.importers.joining import joined_with_earlier
from harness.records.importers.said import notes_on, what_was_read
from harness.records.importers.table_rows import identity, measurement_rows, problems_of, run_row
from harness.records.object_store import is_url
from harness.records.rows import to_table
from harness.records.store import CollectReport

__all__ = ["FORMATS", "ImportReport", "import_results"]

#: What can be imported, by name.
FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT for module in (lm_eval, trainer, wandb, tensorboard, nanogpt)
}


@dataclass(frozen=True)
class ImportReport(CollectReport):
    """What `import_results` read and made of it.

    Attributes:
        read: what the files hold, in words: "7 models, 27 checkpoints each, 87 tasks, 189 files".
        notes: what was derived, assumed or taken from the list of benchmarks, a line each. What was left out is among
            the `problems`.
    """

    read: str
    notes: tuple[str, ...]


def import_results(
    kind: str,
    paths: Iterable[Path | str],
    folder: Path | str,
    about: pd.DataFrame | Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    pairs: Mapping[str, str] | None = None,
) -> ImportReport:
    """Read files of another tool and add their runs to the tables of a results folder.

    All files are read before anything is written. Importing a file again replaces its runs, which changes nothing
    unless `about` or `settings` did: a run's identity is the hash of format, file name and contents; of lm_eval, of the
    model and the task, so that checkpoints that are imported later join their run.

    Args:
        kind: a name of `FORMATS`.
        paths: files, or folders under which the files of this kind are looked for.
        folder: the results folder; made where it does not exist.
        about: what the files do not say: columns of the runs table, e.g. params_total, params_non_embedding, family,
            seed, tokens, flops. A mapping holds for all runs. A frame has a row a file (column `file`: its name, or as
            much of its path as distinguishes it from the others) or a run (column `run`: the name that the tool gave
            it); `table.read_rows` with as_text reads one. Numbers of parameters go by any name of `about.PARAMETERS`.
        settings: as a mapping for `about`, beside a frame; a cell of the frame overrides them.
        pairs: metric -> continuous metric that is of the same answers, e.g. {"accuracy": "loss"}.

    Returns:
        What `collect` reports; `problems` also names what was left out of the files, and rows of the frame that no run
        belongs to.

    Raises:
        UserError: no such format; the number of parameters, or a package that the format needs, is missing; a setting
            cannot be used; a pair names a metric that no file holds.
        DataError: a file or the frame cannot be used as it is; nothing is written.
    """
    if kind not in FORMATS:
        raise UserError(f"{kind} cannot be imported{nearest(kind, FORMATS)} (formats: {', '.join(FORMATS)})")
    if is_url(folder):
        raise UserError(f"{folder}: runs are imported into a folder, and this is on an object store")
    folder, stated = Path(folder), _about(about, settings)
    found, passed_over = _read(FORMATS[kind], paths)
    found, repeated = _once(kind, found)
    derived = with_items(found)
    runs = derived.runs
    _check_pairs(pairs or {}, runs)
    rows = [run_row(kind, run, stated.of(run), folder.name) for run in runs]
    numbers = [number for run, row in zip(runs, rows, strict=True) for number in measurement_rows(run, row, pairs)]
    tables, replaced = joined_with_earlier(folder, rows, to_table("measurements", numbers, kind))
    report = add_runs(folder, *tables)
    unmatched = [f"sidecar: {key} is none of the runs imported" for key in stated.unmatched(runs)]
    problems = [problem for run in runs for problem in problems_of(run)]
    of_files = dict.fromkeys(note for run in runs for note in run.notes)
    return ImportReport(
        **{field.name: getattr(report, field.name) for field in fields(report) if field.name != "problems"},
        problems=(*report.problems, *passed_over, *repeated, *of_files, *problems, *unmatched),
        read=what_was_read(runs),
        notes=(*_taken_as_total(about, settings), *notes_on(derived, numbers, rows), *replaced),
    )


def _read(form: Format, paths: Iterable[Path | str]) -> tuple[list[FoundRun], list[str]]:
    """The runs of all paths, each file read once; and what was passed over, a line each."""
    runs: dict[tuple[Path, str], FoundRun] = {}
    passed_over: list[str] = []
    some = False
    for path in dict.fromkeys(map(Path, paths)):
        some = True
        found, foreign = form.read_under(path)
        passed_over += foreign
        files = {source: source.resolve() for source in {run.source for run in found}}
        for run in found:
            runs.setdefault((files[run.source], run.part), run)
    if not some:
        raise UserError(f"no file of format {form.name} given")
    return [run.without_repeats() for run in form.join(list(runs.values()))], passed_over


def _once(kind: str, runs: Iterable[FoundRun]) -> tuple[list[FoundRun], list[str]]:
    """The runs without copies of earlier ones, and what is said of these, a line each."""
    first: dict[str, FoundRun] = {}
    repeated = []
    for run in runs:
        if (earlier := first.setdefault(identity(kind, run), run)) is not run:
            repeated.append(f"{run.label} is a copy of {earlier.label}, which counts once")
    return list(first.values()), repeated


def _about(about: pd.DataFrame | Mapping[str, Any] | None, settings: Mapping[str, Any] | None) -> About:
    sidecar = about if isinstance(about, pd.DataFrame) else None
    for_all = dict(settings or {}) if sidecar is not None else {**(about or {}), **(settings or {})}
    return About(checked(for_all), sidecar)


def _taken_as_total(about: pd.DataFrame | Mapping[str, Any] | None, settings: Mapping[str, Any] | None) -> list[str]:
    """Of numbers of parameters under names that do not say whether embeddings count."""
    given = [str(name) for name in (*(() if about is None else about), *(settings or ()))]
    return [
        f"{name} is taken for params_total; call it params_non_embedding where embeddings do not count"
        for name in dict.fromkeys(given)
        if PARAMETERS.get(name.lower()) == "params_total"
    ]


def _check_pairs(pairs: Mapping[str, str], runs: Iterable[FoundRun]) -> None:
    metrics = {number.metric for run in runs for number in run.numbers}
    for metric in (*pairs, *pairs.values()):
        if metric not in metrics:
            shown = nearest(metric, metrics) or f" (metrics: {', '.join(sorted(metrics)[:8])})"
            raise UserError(f"pair of {metric}: no file holds such a metric{shown}")
