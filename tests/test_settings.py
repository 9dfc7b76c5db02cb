"""Every setting refuses values out of its range, by its full name."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from harness.errors import SettingError, UserError
from harness.settings import LadderSettings, OptimizerSettings, ScheduleSettings, Settings

NAN, INF = math.nan, math.inf

#: Setting -> values that it refuses.
REFUSED: dict[str, list[Any]] = {
    "ladder.widths": [[], [0], [8, -1], 0, 1.5, "8", [8.5], [True]],
    "ladder.depths": [[], [0], 0],
    "ladder.first_width": [0, -1],
    "ladder.width_step": [0.5, 0.0, -2.0, NAN, INF],
    "ladder.first_depth": [0],
    "ladder.depth_step": [0.5, NAN, INF],
    "ladder.count": [0],
    "ladder.heads": [0],
    "ladder.head_width": [0],
    "ladder.batch_size": [0, 64.0, "some", {}, {"rule": "tokens"}],
    **{
        f"ladder.{unit}": [0, -1, [], [5, 5], [5, -1], "long", NAN]
        for unit in ("steps", "tokens", "tokens_per_param", "flops", "epochs", "train_examples")
    },
    "ladder.mixtures": [[], 1, [1], {}, {"a": -1}, {"a": NAN}, [{"a": 0}], [{"a": 1}, {"a": 2}]],
    "ladder.branched": [1, "yes"],
    "loss.kind": ["mae", ""],
    "loss.label_smoothing": [1.0, -0.1, NAN],
    "loss.l1": [-0.1, NAN, INF],
    "loss.l2": [-0.1, NAN, INF],
    "loss.temperature": [0.0, NAN, INF, 0.2],  # the last without loss.kind=contrastive
    "loss.dimensions": [1, 2.5, 64],
    "optimizer.kind": ["lion", ""],
    "optimizer.adamw_lr": [0.0, -1.0, NAN],
    "optimizer.nesterov": [1, "yes"],
    "optimizer.lr": [[0.1, 0.1], -1.0, 0.0, NAN, INF, [0.1, INF], [], "fast", True, {"rule": "half_life"}],
    "optimizer.beta1": [1.5, 1.0, -0.1, NAN],
    "optimizer.beta2": [1.0, -0.1, NAN, {"rule": "steplaw"}],
    "optimizer.momentum": [1.0, -0.1, NAN],
    "optimizer.eps": [-1e-8, NAN, INF],
    "optimizer.weight_decay": [-0.1, NAN, INF],
    "optimizer.grad_clip": [0.0, -1.0, NAN, INF],
    "schedule.kind": ["linear"],
    "schedule.warmup": [-0.1, 1.5, NAN],
    "schedule.warmup_steps": [-1, 2.5, NAN],
    "schedule.decay": [-0.1, 1.5, NAN],
    "schedule.final": [-0.1, 1.5, NAN],
    "parametrization.kind": ["sp"],
    "parametrization.base_width": [0],
    "parametrization.base_heads": [0],
    "data.source": ["", "digits", ":digits", "path:", 3],
    "data.name": [""],
    "data.licence": [""],
    "data.answers": ["soft"],
    "data.classes": [[], [""], [True]],
    "data.label_columns": [[], 1],
    "data.input_columns": [[], 1],
    "data.group_column": [""],
    "data.split_column": [""],
    "data.split": ["random"],
    "data.eval_fraction": [0.0, 1.0, NAN],
    "data.split_seed": [-1],
    "data.reserve": [{}, [], {"names": ["a"]}, {"groups": []}, {"files": [3]}],
    "data.evaluate_on": [{}, "a", {"groups": [""]}],
    "data.image_size": [[], 0, [8, 8, 3], 1.5],
    "data.channels": [0, 2, 4],
    "data.sample_rate": [0, 0.5],
    "data.prepare": ["shuffle", ["standardise", "standardise"], [{"standardise": {"by": "row"}}], [3]],
    "data.augment": ["standardise", [{"a": None, "b": None}]],
    "training.device": ["tpu"],
    "training.precision": ["float16"],
    "training.evaluations": [0],
    "training.evaluate": ["log"],
    "training.eval_share": [0, -0.1, NAN, "half"],
    "training.patience": [0, 1.5],
    "training.checkpoint_s": [-1.0, NAN, "often"],
    "training.keep": ["first", None, True],
    "training.min_delta": [-0.1, NAN, 0.1],  # the last without training.patience
    "finetune.kind": ["half"],
    "finetune.frozen": [[""], 3],
    "finetune.reset": [[""], 3],
    "finetune.rank": [0, 1.5, 4],  # the last without finetune.kind=lora
    "finetune.alpha": [0.0, NAN, 8.0],
    "finetune.targets": [[], ["qkv"]],
    "finetune.where": [""],
    "finetune.step": [0, 1.5],
    "launcher.workers": [0, -1],
    "launcher.members_together": [0],
    "launcher.threads": [0, 1.5],
    "launcher.step": ["eager", None],
    "launcher.gpus_per_run": [0, 1.5, None],
    "launcher.shard": ["sometimes", None],
    "launcher.engine": ["cloud", None],
    "launcher.minutes": [0, None],
    "launcher.partition": [3],
    "launcher.account": [3],
    "launcher.at_once": [0],
    "launcher.cpus_per_task": [0, None],
    "launcher.gpus_per_node": [0],
    "launcher.memory_gb": [0],
    "launcher.address": ["", 6379],
    "launcher.gpus_per_job": [0, 1.5, NAN],
    "analysis.alpha": [0.7, -0.1, NAN],
    "analysis.level": [0.3, 1.1, NAN],
    "analysis.interval": ["jackknife"],
    "analysis.bootstrap": [99],
    "analysis.seed": [-1],
    "refine.ratio": [1.0, 0.5, NAN, INF],
    "refine.budget": [-1.0, NAN, INF],
    "refine.seeds": [0],
    "refine.rounds": [0],
    "name": ["", "a/b", ".", ".."],
    "shifts": [3, [], {"eval": {"noise": 1}}, {"a b": {"noise": 1}}, {"a": {}}, {"a": 3}, {"a": {"fog": 1}}],
    "seeds": [0, -3],
    "first_seed": [-1],
    "parametrization.decay": ["none"],
    "parametrization.depth": ["muP"],
    "parametrization.base_depth": [0],
    "redo.which": ["some"],
    "redo.before": ["yesterday"],
    "redo.rungs": [[], [-1], "first"],
    "redo.seeds": [[], [-1], 1.5],
    "redo.runs": [[], [1]],
    "refine.metrics": [[""], 3],
    "refine.subtasks": [[""]],
    "analysis.x": [""],
    "studies": [[""], 3],
    "rung": [-1],
    "seed": [-1],
    "by": [[""], [1], ""],
    "results": [""],
}
#: Settings of which any value of their type will do here: their own users check them.
FREE = {
    *("study", "notes", "family", "task", "init_from", "launcher.additional"),
}


def names(settings: Any, prefix: str = "") -> set[str]:
    found = set()
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        inner = dataclasses.is_dataclass(value)
        found |= names(value, f"{prefix}{field.name}.") if inner else {prefix + field.name}
    return found


def test_every_setting_is_checked_or_known_to_be_free() -> None:
    assert names(Settings()) == set(REFUSED) | FREE


@pytest.mark.parametrize(("setting", "value"), [(name, value) for name, values in REFUSED.items() for value in values])
def test_values_out_of_range_are_refused_by_name(setting: str, value: object) -> None:
    owner, _, name = setting.rpartition(".")
    kind = type(getattr(Settings(), owner)) if owner else Settings
    with pytest.raises(UserError, match=f"^{setting}"):
        kind(**{name: value})


def test_values_at_the_ends_of_their_range_are_taken() -> None:
    OptimizerSettings(beta1=0.0, momentum=0.0, eps=0.0, weight_decay=0.0, grad_clip=1e-9)
    ScheduleSettings(kind="wsd", warmup=0.2, decay=0.8, final=1.0)
    LadderSettings(width_step=1.0, heads=1, widths=[1])
    Settings(first_seed=0, rung=0, seed=0, name="..a", results=".")


def test_warmup_and_decay_share_the_steps() -> None:
    with pytest.raises(SettingError, match=r"^schedule\.decay=0\.8: allowed is at most 0\.7"):
        ScheduleSettings(kind="wsd", warmup=0.3, decay=0.8)
    ScheduleSettings(kind="cosine", warmup=0.3, decay=0.8)


def test_one_value_counts_as_a_list_of_one() -> None:
    assert Settings().curves_by == []
    assert LadderSettings(widths=8, depths=1) == LadderSettings(widths=[8], depths=[1])
    assert Settings(by="optimizer.lr").curves_by == ["optimizer.lr"]
    assert Settings(by=["optimizer.lr", "task.k"]).curves_by == ["optimizer.lr", "task.k"]
