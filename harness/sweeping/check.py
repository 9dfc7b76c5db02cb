"""Mistakes in data or a family that every run of a study would meet, found before the first one is trained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.errors import SettingError, UserError
from harness.families.adapted import adapt, fresh_parameters
from harness.families.check import check_size
from harness.ladder import Rung, build_ladder
from harness.settings import Settings
from harness.sweeping.failures import reason
from harness.tasks.shifts.sets import check_shifts
from harness.training.rates import hidden_matrices
from harness.training.sharded import refuse_unshardable


def check_models(studies: Iterable[Settings], *, flops: bool, every_rung: bool = False) -> int:
    """Check data, shifts and models: build each study's smallest size, or all, and check roles, counts and logits.

    Where the ladder has several depths, the smallest size of each is built: what is wrong with a second layer does not
    show in a model of one.

    Args:
        flops: whether to compare the formulas for FLOPs with torch's count as well.

    Returns:
        How many sizes were checked.

    Raises:
        UserError: data that cannot be used, or the first mistake in a family, or whatever the family's own code raised,
            with study and size.
    """
    n_checked = 0
    for study in studies:
        refuse_ungroupable(study)
        study.task.check_data()
        check_shifts(study)
        rungs = build_ladder(study)
        for rung in rungs if every_rung else _smallest_of_each_depth(rungs):
            _check(study, rung, flops)
            n_checked += 1
    return n_checked


def _smallest_of_each_depth(rungs: Sequence[Rung]) -> list[Rung]:
    smallest: dict[int, Rung] = {}
    for rung in sorted(rungs, key=lambda rung: rung.params.total):
        smallest.setdefault(rung.shape.depth, rung)
    return list(smallest.values())


def refuse_ungroupable(study: Settings) -> None:
    """Raise SettingError for `launcher.gpus_per_run` where a study's runs cannot be trained so."""
    refuse_unshardable(study)
    launcher = study.launcher
    if (n := launcher.gpus_per_run) == 1:
        return
    if n > (batch := study.ladder.batch_size):
        raise SettingError("launcher.gpus_per_run", n, f"at most {batch}, the examples of a batch")
    if study.loss.kind == "contrastive":
        raise SettingError("launcher.gpus_per_run", n, "1 with loss=contrastive, which compares all views of a batch")
    if (launcher.members_together or 1) > 1:
        allowed = f"1 with launcher.gpus_per_run={n}, which is for models that fill a GPU"
        raise SettingError("launcher.members_together", launcher.members_together, allowed)
    if launcher.step not in ("auto", "replayed"):
        raise SettingError("launcher.step", launcher.step, f"auto or replayed with launcher.gpus_per_run={n}")


def _check(study: Settings, rung: Rung, flops: bool) -> None:
    _refuse_targets_beyond_shares(study)
    try:
        check_size(study.family, rung.shape, study.signature, study.parametrization, flops=flops)
    except UserError as error:
        raise UserError(f"study {study.study}, rung {rung.index}: {error}") from error
    except Exception as error:
        name, shape = study.family.name, rung.shape
        place = f"study {study.study}, rung {rung.index}: family={name} at width {shape.width}, depth {shape.depth}"
        raise UserError(f"{place} cannot be built and run: {reason(error)}") from error
    if study.optimizer.kind == "muon":
        model = study.family.build(rung.shape, study.signature, study.parametrization)
        fresh = fresh_parameters(model, study.finetune, study.parents_outputs, study.signature)
        if not hidden_matrices(model, adapt(model, study.finetune, fresh)):
            has = "trains" if study.finetune.is_partial else "has"
            allowed = f"another, for family={study.family.name} {has} no hidden matrix to orthogonalise at this depth"
            raise SettingError("optimizer.kind", "muon", allowed)


def _refuse_targets_beyond_shares(study: Settings) -> None:
    """Raise SettingError for values that binary cross-entropy would take for probabilities, and that are none."""
    if study.loss.kind != "binary" or study.task.signature.answers != "values":
        return
    targets = study.task.eval_batch().targets
    if targets.min() < 0 or targets.max() > 1:
        found = f"values from {targets.min():.3g} to {targets.max():.3g}"
        raise SettingError("loss.kind", "binary", f"mse, for task={study.task.name} asks for {found}, not from 0 to 1")
