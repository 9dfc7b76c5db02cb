"""What `init_from` means: the runs whose checkpoints the members of a study start from.

Looked for, in this order: a study of the same command, a folder of weights in the layout of Hugging Face, a kept
checkpoint's file, a run by its id, a results folder, a study of one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
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
from harness.records.run_settings import is_imported, parse_config
from harness.records.schema import STATUSES
from harness.settings import ParametrizationSettings, Settings
from harness.sweeping.plan import cells, recorded_cells
from harness.sweeping.runs_row import data_columns, size_columns

FINISHED = STATUSES[0]
_RUN = re.compile(r"[0-9a-f]{16}")
#: What runs of one size and seed may differ in, as it is said.
_COLUMNS = ("steps", "lr", "unique_examples", "tokens", "flops", "duration")


def with_parents(studies: Sequence[Settings]) -> list[Settings]:
    """The studies, each with the runs that it starts from in place of what its `init_from` says.

    Raises:
        UserError: there are no such runs, or they are of another family or other settings of it.
    """
    by_name = {study.study: study for study in studies}
    done: dict[int, Settings] = {}  # a multirun has several of one name

    def found(study: Settings, children: tuple[str, ...]) -> Settings:
        if study.study in children:
            circle = " <- ".join([*children[children.index(study.study) :], study.study])
            raise UserError(f"init_from: studies start from each other: {circle}")
        if id(study) not in done:
            asked, parents = study.init_from, None
            if asked is not None:
                if not isinstance(asked, str) or not asked.strip():
                    raise SettingError("init_from", asked, "the name of an experiment or a study, a run_id or a folder")
                if asked in by_name and asked != study.study:
                    parents = _of_study(found(by_name[asked], (*children, study.study)), study)
                else:
                    parents = _of_records(study, asked)
            done[id(study)] = replace(study, init_from=parents)
        return done[id(study)]

    return [found(study, ()) for study in studies]


def generations(studies: Sequence[Settings]) -> list[list[Settings]]:
    """The studies of a command in the order in which they can be trained: those that start from others come later."""
    # A study that asks for its own name means a folder of that name.
    parents = {s.study: s.init_from.asked for s in studies if s.init_from is not None and s.init_from.asked != s.study}

    def ancestors(name: str) -> int:
        return 1 + ancestors(parents[name]) if parents.get(name) in names else 0

    names = {study.study for study in studies}
    depths = {name: ancestors(name) for name in names}
    return [[study for study in studies if depths[study.study] == depth] for depth in sorted(set(depths.values()))]


def _of_study(parent: Settings, child: Settings) -> Parents:
    """The runs of another study of the same command, which need not have been trained yet.

    Sizes and seeds beyond its own ladder, which an earlier sweep or refining has added, are among them.
    """
    first = cells(parent)[0]
    one = first.members[0]
    identity = identity_settings(first.settings, first.rung, first.duration, one.seed, one.lr)
    _refuse_unlike(child, f"study {parent.study}", identity)
    rows: dict[str, dict[str, Any]] = {}
    for cell in [*cells(parent), *recorded_cells(parent, recorded(parent.results).rows.values())]:
        of_cell: dict[str, Any] = {**size_columns(cell), **data_columns(cell), "rung": cell.rung.index}
        of_cell |= {"duration": cell.duration, "steps": cell.steps, "status": FINISHED}
        rows |= {m.run_id: of_cell | {"run_id": m.run_id, "seed": m.seed, "lr": m.lr} for m in cell.members}
    return _placed(child, parent.study, parent.signature.n_outputs, Path(parent.results), list(rows.values()))


def _of_records(child: Settings, asked: str) -> Parents:
    asked = asked.rstrip("/") or asked
    path = Path(asked)
    if (path / "config.json").is_file():
        return _of_weights(child, path)
    if path.is_dir() and path.parent.name == KEPT and _RUN.fullmatch(path.name):
        return _of_run(child, asked, path.parent.parent, path.name)
    if path.suffix == ".safetensors":
        about = read_contents(path).about
        if path.name != step_file(about.get("step", 0)) or path.parent.name != about.get("run_id"):
            raise SettingError("init_from", asked, f"a file under {KEPT}/ of a results folder, where it was kept")
        return _of_run(child, asked, path.parent.parent.parent, str(about["run_id"]), int(about["step"]))
    if _RUN.fullmatch(asked):
        folders = [Path(child.results), *sorted(filter(Path.is_dir, RESULTS.glob("*")))]
        having = [folder for folder in folders if asked in recorded(folder).rows]
        if not having:
            raise SettingError("init_from", asked, f"a run in {child.results} or {RESULTS}/*; none has this id")
        return _of_run(child, asked, min(having, key=lambda folder: not kept_steps(folder / KEPT / asked)), asked)
    folder, study = _folder_and_study(child, asked)
    rows = list(recorded(folder).rows.values())
    known = list(dict.fromkeys(row["study"] for row in rows))
    if not known:
        raise SettingError("init_from", asked, f"a results folder with runs in it, and {folder} has none")
    if study is None and len(known) != 1:
        names = ", ".join(f"{asked}/{name}" for name in known)
        raise SettingError("init_from", asked, f"one study of it: {names}")
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
    config = parse_config(rows[0]["config"])
    if is_imported(config):
        raise SettingError("init_from", asked, "runs of the harness; these were imported, without their parameters")
    _refuse_unlike(child, asked, config)
    return _placed(child, asked, _n_outputs(child, folder, rows), folder, rows)


def _n_outputs(child: Settings, folder: Path, rows: Sequence[Mapping[str, Any]]) -> int:
    """Outputs of the models of recorded runs, from a checkpoint; as many as the child's where none can be read."""
    for row in rows:
        for path in kept_steps(folder / KEPT / row["run_id"]).values():
            with suppress(DataError, KeyError, TypeError, ValueError):
                return int(read_contents(path).about["signature"]["n_outputs"])
    return child.signature.n_outputs


def _placed(child: Settings, asked: str, n_outputs: int, results: Path, rows: Sequence[Mapping[str, Any]]) -> Parents:
    """Runs by their shape and seed; whether their checkpoints are there is asked when one is to start from them."""
    frame = pd.DataFrame(rows)
    if child.finetune.where is not None:
        try:
            frame = select(frame, child.finetune.where).kept
        except DataError as error:
            raise UserError(f"finetune.where: {error}") from error
        if frame.empty:
            raise SettingError("finetune.where", child.finetune.where, f"a condition that some runs of {asked} meet")
    by_place: dict[tuple[Shape, int | None], Parent] = {}
    unusable: dict[tuple[Shape, int | None], str] = {}
    for values, its in frame.groupby(["width", "depth", "heads", "seed"], sort=False):
        width, depth, heads, seed = (int(value) for value in cast("tuple[int, ...]", values))
        place = Shape(width, depth, heads), seed
        finished = its[its["status"] == FINISHED]
        if len(finished) > 1:
            unusable[place] = f"there are {len(finished)} ({_differing(finished)}); finetune.where chooses one"
        elif finished.empty:
            unusable[place] = f"run {its['run_id'].iloc[0]} {its['status'].iloc[0]}"
        else:
            by_place[place] = Parent(str(finished["run_id"].iloc[0]), results, child.finetune.step)
    return Parents(asked, n_outputs, by_place, unusable)


def _differing(runs: pd.DataFrame) -> str:
    """In what runs differ, two settings at most."""
    names = [name for name in _COLUMNS if name in runs and runs[name].nunique(dropna=False) > 1]
    values = {name: ", ".join(f"{value:g}" for value in sorted(runs[name].dropna().unique())) for name in names[:2]}
    return "; ".join(f"{name} {its}" for name, its in values.items()) or "alike"


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
