"""What `init_from` means: the runs whose checkpoints the members of a study start from.

Looked for, in this order: a study of the same command, a folder of weights in the layout of Hugging Face, a kept
checkpoint's file, a run by its id, a results folder, a study of one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import pandas as pd

from harness.errors import DataError, SettingError, UserError, nearest
from harness.families.base import Shape
from harness.ladder import identity_settings
from harness.lineage import Parent, Parents
from harness.ranges import defaults_outside_identity, identity_of
from harness.records.expressions import select
from harness.records.folders import RESULTS, find_folder, is_results
from harness.records.kept import KEPT, kept_steps, read_contents, step_file
from harness.records.pieces import recorded
from harness.settings import ParametrizationSettings, Settings
from harness.sweeping.plan import cells
from harness.sweeping.runs_row import data_columns, size_columns

_RUN = re.compile(r"[0-9a-f]{16}")
#: What a run may be told apart by, in `finetune.where` and in what is said where it is not.
_COLUMNS = ("rung", "duration", "width", "depth", "heads", "seed", "lr", "steps", "tokens", "flops", "unique_examples")


def with_parents(studies: Sequence[Settings]) -> list[Settings]:
    """The studies, each with the runs that it starts from in place of what its `init_from` says.

    Raises:
        UserError: there are no such runs, or they are of another family or other settings of it.
    """
    by_name = {study.study: study for study in studies}
    done: dict[str, Settings] = {}

    def found(study: Settings, children: tuple[str, ...]) -> Settings:
        if study.study in children:
            circle = " <- ".join([*children[children.index(study.study) :], study.study])
            raise UserError(f"init_from: studies start from each other: {circle}")
        if study.study not in done:
            asked, parents = study.init_from, None
            if asked is not None:
                if not isinstance(asked, str) or not asked.strip():
                    raise SettingError("init_from", asked, "the name of an experiment or a study, a run_id or a folder")
                if asked in by_name and asked != study.study:
                    parents = _of_study(found(by_name[asked], (*children, study.study)), study)
                else:
                    parents = _of_records(study, asked)
            done[study.study] = replace(study, init_from=parents)
        return done[study.study]

    return [found(study, ()) for study in studies]


def generations(studies: Sequence[Settings]) -> list[list[Settings]]:
    """The studies of a command in the order in which they can be trained: those that start from others come later."""
    asked = {study.study: study.init_from.asked for study in studies if study.init_from is not None}

    def ancestors(name: str) -> int:
        parent = asked.get(name)
        return 1 + ancestors(parent) if parent in {study.study for study in studies} else 0

    depths = {study.study: ancestors(study.study) for study in studies}
    return [[study for study in studies if depths[study.study] == depth] for depth in sorted(set(depths.values()))]


def _of_study(parent: Settings, child: Settings) -> Parents:
    """The runs of another study of the same command, which need not have been trained yet."""
    keep, step = parent.training.keep, child.finetune.step
    if keep == "none" or (step is not None and keep != "all"):
        wanted = "all" if step is not None else "last or all"
        raise SettingError("training.keep", keep, f"{wanted} in study {parent.study}, which {child.study} starts from")
    rows = []
    for cell in cells(parent):
        of_cell = size_columns(cell) | data_columns(cell) | {"rung": cell.rung.index, "duration": cell.duration}
        rows += [
            of_cell | {"run_id": m.run_id, "seed": m.seed, "lr": m.lr, "steps": cell.steps, "status": "finished"}
            for m in cell.members
        ]
    first = cells(parent)[0]
    one = first.members[0]
    identity = identity_settings(first.settings, first.rung, first.duration, one.seed, one.lr)
    _refuse_unlike(child, f"study {parent.study}", identity)
    return _placed(child, parent.study, parent.signature.n_outputs, Path(parent.results), rows, kept_already=False)


def _of_records(child: Settings, asked: str) -> Parents:
    path = Path(asked)
    if (path / "config.json").is_file():
        return _of_weights(child, path)
    if path.suffix == ".safetensors":
        about = read_contents(path).about
        if path.name != step_file(about.get("step", 0)) or path.parent.name != about.get("run_id"):
            raise SettingError("init_from", asked, f"a file under {KEPT}/ of a results folder, where it was kept")
        return _of_run(child, asked, path.parent.parent.parent, str(about["run_id"]), int(about["step"]))
    if _RUN.fullmatch(asked):
        for folder in [Path(child.results), *sorted(filter(Path.is_dir, RESULTS.glob("*")))]:
            if asked in recorded(folder).rows:
                return _of_run(child, asked, folder, asked)
        raise SettingError(
            "init_from", asked, f"a run of {child.results} or of a folder in {RESULTS}/, which have none of this id"
        )
    folder, study = _folder_and_study(child, asked)
    rows = list(recorded(folder).rows.values())
    known = list(dict.fromkeys(row["study"] for row in rows))
    if study is None and len(known) != 1:
        names = ", ".join(f"{asked}/{name}" for name in known)
        raise SettingError(
            "init_from", asked, f"one study of it: {names}" if known else "a results folder with runs in it"
        )
    study = study or known[0]
    if study not in known:
        raise SettingError("init_from", asked, f"a study of {folder}: {', '.join(known)}{nearest(study, known)}")
    return _of_rows(child, asked, folder, [row for row in rows if row["study"] == study])


def _folder_and_study(child: Settings, asked: str) -> tuple[Path, str | None]:
    """NAME or FOLDER, NAME/STUDY or FOLDER/STUDY, or a study of the child's own folder."""
    if is_results(asked):
        return find_folder(asked), None
    parts = asked.split("/")
    for at in range(len(parts) - 1, 0, -1):
        if is_results(folder := "/".join(parts[:at])):
            return find_folder(folder), "/".join(parts[at:])
    own = Path(child.results)
    if own.is_dir() and any(row["study"] == asked for row in recorded(own).rows.values()):
        return own, asked
    names = [folder.name for folder in RESULTS.glob("*") if folder.is_dir()]
    allowed = "a study of this command, a results folder, NAME/STUDY, a run_id or a folder with a config.json"
    raise SettingError("init_from", asked, f"{allowed}; none is there of this name{nearest(asked, names)}")


def _of_run(child: Settings, asked: str, folder: Path, run_id: str, step: int | None = None) -> Parents:
    """One run, which every seed starts from."""
    rows = [row for row in recorded(folder).rows.values() if row["run_id"] == run_id]
    if not rows:
        raise SettingError("init_from", asked, f"a run that is recorded in {folder}, which has none of id {run_id}")
    found = _of_rows(child, asked, folder, rows)
    by_place: dict[tuple[Shape, int | None], Parent] = {
        (shape, None): replace(run, step=step or run.step) for (shape, _), run in found.by_place.items()
    }
    if not by_place:
        raise SettingError("init_from", asked, f"a run with a checkpoint: {next(iter(found.unusable.values()))}")
    return replace(found, by_place=by_place)


def _of_rows(child: Settings, asked: str, folder: Path, rows: Sequence[Mapping[str, Any]]) -> Parents:
    """Recorded runs of one study."""
    config = json.loads(rows[0]["config"])
    for row in rows:
        if steps := kept_steps(folder / KEPT / row["run_id"]):
            about = read_contents(next(iter(steps.values()))).about
            _refuse_unlike(child, asked, about["settings"])
            return _placed(child, asked, int(about["signature"]["n_outputs"]), folder, rows, kept_already=True)
    if "imported" in config:
        raise SettingError("init_from", asked, "runs of the harness; these were imported, without their parameters")
    allowed = "runs with checkpoints: train them with training.keep=last (harness redo redo.which=unkept, if they are)"
    raise SettingError("init_from", asked, f"{allowed}; {folder} has kept none of its {len(rows)} runs")


def _placed(
    child: Settings,
    asked: str,
    n_outputs: int,
    results: Path,
    rows: Sequence[Mapping[str, Any]],
    *,
    kept_already: bool,
) -> Parents:
    """Runs by their shape and seed.

    Args:
        kept_already: whether the runs are trained, and their checkpoints to be there.
    """
    frame = pd.DataFrame(rows)
    if child.finetune.where is not None:
        try:
            frame = select(frame, child.finetune.where).kept
        except DataError as error:
            raise UserError(f"finetune.where: {error}") from error
        if frame.empty:
            raise SettingError("finetune.where", child.finetune.where, f"a condition that some runs of {asked} meet")
    step = child.finetune.step
    by_place: dict[tuple[Shape, int | None], Parent] = {}
    unusable: dict[tuple[Shape, int | None], str] = {}
    for values, its in frame.groupby(["width", "depth", "heads", "seed"], sort=False):
        width, depth, heads, seed = (int(value) for value in cast("tuple[int, ...]", values))
        place = Shape(width, depth, heads), seed
        finished = its[its["status"] == "finished"]
        if len(finished) > 1:
            unusable[place] = f"there are {len(finished)} ({_differing(finished)}); finetune.where chooses one"
        elif finished.empty:
            last = its.iloc[0]
            unusable[place] = f"run {last['run_id']} {last['status']}"
        else:
            run_id = str(finished["run_id"].iloc[0])
            kept = kept_steps(results / KEPT / run_id) if kept_already else {step: Path()}
            if not kept or step not in {None, *kept}:
                what = "no checkpoint" if not kept else f"none at step {step}, but at {', '.join(map(str, kept))}"
                unusable[place] = f"run {run_id} has kept {what} (training.keep)"
            else:
                by_place[place] = Parent(run_id, results, step)
    return Parents(asked, n_outputs, by_place, unusable)


def _differing(runs: pd.DataFrame) -> str:
    names = [name for name in _COLUMNS if name in runs and runs[name].nunique(dropna=False) > 1]
    return "; ".join(f"{name} {', '.join(f'{value:g}' for value in runs[name])}" for name in names[:2]) or "alike"


def _refuse_unlike(child: Settings, asked: str, identity: Mapping[str, Any]) -> None:
    """Raise UserError where weights would mean something else in the child's models than in the parents'."""
    theirs, own = dict(identity["family"]), {"name": child.family.name} | identity_of(child.family)
    if theirs["name"] != own["name"]:
        raise SettingError("family", own["name"], f"{theirs['name']}, that of {asked}, which init_from names")
    unstated = defaults_outside_identity(child.family)
    _refuse_other("family", unstated | own, unstated | theirs, child.family.free_in_children, asked)
    scaled = asdict(child.parametrization), asdict(ParametrizationSettings(**identity["parametrization"]))
    if any((each["kind"], each["depth"]) != ("standard", "none") for each in scaled):
        _refuse_other("parametrization", *scaled, ("decay",), asked)


def _refuse_other(
    group: str, own: Mapping[str, Any], theirs: Mapping[str, Any], free: Collection[str], asked: str
) -> None:
    for name, value in own.items():
        if name not in free and name in theirs and value != theirs[name]:
            raise SettingError(f"{group}.{name}", value, f"{theirs[name]}, that of {asked}, which init_from names")


def _of_weights(child: Settings, folder: Path) -> Parents:
    """Weights in the layout of Hugging Face, of one size, which every seed starts from."""
    from harness.families.hugging_face import describe

    for name in ("where", "step"):
        if (value := getattr(child.finetune, name)) is not None:
            raise SettingError(f"finetune.{name}", value, f"null, for init_from={folder} holds one model")
    found = describe(folder, child.family, child.signature.positions)
    return Parents(
        str(folder), found.n_outputs, {(found.shape, None): Parent(found.digest[:16], folder, trained=False)}
    )
