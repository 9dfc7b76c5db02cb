"""Runs that start from others: each from its own, in whole or in part, and what is recorded of it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from tiny import NextSymbol, SignOfSum, job_of, make_settings

from harness.errors import UserError
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.kept_models import load_model
from harness.ladder import build_ladder
from harness.records.kept import kept_files, kept_steps
from harness.records.pieces import recorded
from harness.settings import Settings
from harness.sweeping.parents import with_parents
from harness.sweeping.run import sweep
from harness.sweeping.start_check import digest_problem
from harness.sweeping.starting import weights_of
from harness.sweeping.worker import run_job
from harness.training.loop import train_job
from harness.training.members import Stack

CPU = torch.device("cpu")
QUIET = Console(quiet=True)


def pretrained(tmp_path: Path, family: Any = None, task: Any = None, **changes: Any) -> Settings:
    given = {"results": str(tmp_path / "own"), "study": "base", "training__keep": "last", "seeds": 2} | changes
    return make_settings(family or MLP(), task or SignOfSum(), **given)


def child_of(parent: Settings, **changes: Any) -> Settings:
    """A study that starts from another, which the same command names."""
    given = {"results": parent.results, "study": "child", "init_from": parent.study, "seeds": 2, "ladder__steps": 6}
    return make_settings(parent.family, changes.pop("task", parent.task), **given | changes)


def rows_of(study: Settings, name: str = "child") -> list[dict[str, Any]]:
    return [row for row in recorded(study.results).rows.values() if row["study"] == name]


def test_parents_of_a_command_are_trained_first_and_pair_by_size_and_seed(tmp_path: Path) -> None:
    parent = pretrained(tmp_path)
    assert sweep(with_parents([child_of(parent), parent]), QUIET) == 0
    base, rows = rows_of(parent, "base"), rows_of(parent)
    by_place = {(row["width"], row["seed"]): row for row in base}
    assert len(rows) == 4
    for row in rows:
        its = by_place[row["width"], row["seed"]]
        assert row["parent_run"] == its["run_id"]
        assert (row["pretraining_tokens"], row["pretraining_flops"]) == (its["tokens"], its["flops"])
        assert row["total_flops"] == row["flops"] + its["flops"]
        assert row["params_trained"] == row["params_total"]
        assert row["parent_loss"] > 0
    assert all(row["parent_run"] is None and row["total_flops"] == row["flops"] for row in base)


def test_a_study_may_have_the_name_of_the_folder_that_it_starts_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parent = pretrained(tmp_path, results="results/base", ladder__widths=[8])
    assert sweep([parent], QUIET) == 0
    child = child_of(parent, study="base", results="results/own", ladder__widths=[8])
    assert sweep(with_parents([child]), QUIET) == 0
    assert {row["parent_run"] for row in rows_of(child, "base")} == set(recorded("results/base").rows)


def test_the_first_step_starts_from_the_parent_s_parameters(tmp_path: Path) -> None:
    parent = pretrained(tmp_path)
    run_job(job_of(parent), None)
    _, child = with_parents([parent, child_of(parent)])
    job = job_of(child)
    stack = Stack.of(job, CPU, lambda member: weights_of(job, member))
    for index, member in enumerate(job.members):
        (path,) = kept_steps(Path(parent.results) / "checkpoints" / member.parent.run_id).values()
        kept = load_file(path)
        for name, values in stack.by_name().items():
            assert torch.equal(values[index], kept[f"model.{name}"])


@pytest.mark.parametrize("kind", ["head", "lora", "frozen"])
def test_what_is_not_trained_stays_to_the_bit(tmp_path: Path, kind: str) -> None:
    parent = pretrained(tmp_path, Transformer(), NextSymbol(), seeds=1)
    run_job(job_of(parent), None)
    changes = {"head": {"finetune__kind": "head"}, "frozen": {"finetune__frozen": ["blocks.0"]}}
    lora = {"finetune__kind": "lora", "finetune__rank": 2, "finetune__targets": ["qkv"]}
    of_kind = {"training__keep": "last", "seeds": 1} | changes.get(kind, lora)
    _, child = with_parents([parent, child_of(parent, **of_kind)])
    run_job(job_of(child), None)
    (before,), (after,) = (
        [load_file(path) for run_id, _, path in kept_files(Path(parent.results)) if run_id == wanted]
        for wanted in (job_of(parent).members[0].run_id, job_of(child).members[0].run_id)
    )
    moved = {name for name in before if name.startswith("model.") and not torch.equal(before[name], after[name])}
    expected: dict[str, Callable[[str], bool]] = {
        "head": lambda name: name == "model.head.weight",
        "lora": lambda name: name.endswith("qkv.weight"),
        "frozen": lambda name: not name.startswith("model.blocks.0."),
    }
    assert moved == {name for name in before if name.startswith("model.") and expected[kind](name)}


def test_merged_adapters_give_the_outputs_of_unmerged_ones(tmp_path: Path) -> None:
    parent = pretrained(tmp_path, Transformer(), NextSymbol(), seeds=1)
    run_job(job_of(parent), None)
    lora = {"finetune__kind": "lora", "finetune__rank": 3, "training__keep": "last", "seeds": 1}
    _, child = with_parents([parent, child_of(parent, optimizer__lr=0.05, **lora)])
    job = job_of(child)
    run_job(job, None)
    (path,) = kept_steps(Path(child.results) / "checkpoints" / job.members[0].run_id).values()
    found = load_file(path)
    stack = Stack.of(job, CPU, lambda member: weights_of(job, member))
    adapters = {name: found[f"adapter.{name}"][None] for name in stack.trained}
    assert all(name.endswith(("lora_a", "lora_b")) for name in adapters)
    inputs = torch.from_numpy(child.task.eval_batch().inputs)
    unmerged = stack.logits(adapters, inputs[None])[0]
    merged = load_model(path, child.family)(inputs)
    assert (unmerged - stack.logits(stack.by_name(), inputs[None])[0]).abs().max() > 1e-3  # it has learnt something
    # A sum of 3 products in float32 differs by some 1e-6 of outputs of order 1.
    torch.testing.assert_close(merged, unmerged, rtol=1e-4, atol=1e-5)


def test_counts_of_a_part_are_those_by_hand(tmp_path: Path) -> None:
    """MLP of 4 inputs, width 8, depth 2, 2 outputs: products of 4 x 8, 8 x 8 and 8 x 2."""
    sizes = {"ladder__widths": [8], "ladder__depths": [2]}
    counted = {}
    for kind, changes in {
        "head": {"finetune__kind": "head"},
        "frozen": {"finetune__frozen": ["layers.0"]},
        "lora": {"finetune__kind": "lora", "finetune__rank": 2},
    }.items():
        (rung,) = build_ladder(make_settings(MLP(), SignOfSum(), **sizes, **changes))
        counted[kind] = rung.trained, rung.flops_per_example
    forward = 2 * (4 * 8 + 8 * 8 + 8 * 2)
    assert counted["head"] == (8 * 2 + 2, forward + 2 * 8 * 2)
    # The second layer's inputs come from a frozen layer, so they need no gradient.
    assert counted["frozen"] == (8 * 8 + 8 + 8 * 2 + 2, forward + 2 * (8 * 8 + 2 * 8 * 2))
    adapter = 2 * (8 * 2 + 2 * 8)  # A and B of the one hidden matrix
    back = 2 * 8 * 2 + adapter + 2 * 8 * 2  # through the readout; both products' weights; B's inputs
    assert counted["lora"] == (2 * (8 + 8), forward + adapter + back)


def test_another_parent_is_another_run_and_a_default_is_none(tmp_path: Path) -> None:
    plain = make_settings(MLP(), SignOfSum())
    ids = {job_of(plain).members[0].run_id}
    for changes in ({}, {"optimizer__lr": 0.02}, {"finetune__kind": "head"}):
        own = {name: value for name, value in changes.items() if name.startswith("optimizer")}
        parent = pretrained(tmp_path, **own)
        kind = {name: value for name, value in changes.items() if name.startswith("finetune")}
        ids.add(
            job_of(with_parents([parent, child_of(parent, study="main", ladder__steps=12, **kind)])[1])
            .members[0]
            .run_id
        )
    assert len(ids) == 4


def test_a_readout_of_other_outputs_is_drawn_anew_and_trained(tmp_path: Path) -> None:
    parent = pretrained(tmp_path, MLP(), SignOfSum(), loss__kind="binary", loss__dimensions=32)
    other = dataclasses.replace(parent, study="base")
    run_job(job_of(other), None)
    child = child_of(parent, finetune__kind="lora", finetune__rank=2, finetune__targets=["layers"], task=FiveClasses())
    _, child = with_parents([parent, child])
    stack = Stack.of(job := job_of(child), CPU, lambda member: weights_of(job, member))
    assert {"head.weight", "head.bias"} <= set(stack.trained)
    (outcome, _) = train_job(job, start=lambda member: weights_of(job, member))
    assert outcome.status == "finished"


@dataclasses.dataclass
class FiveClasses(SignOfSum):
    """Of the same inputs, with other outputs."""

    name = "five_classes"

    @property
    def signature(self) -> Any:
        return dataclasses.replace(super().signature, n_outputs=5)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"init_from": "nothing"}, "init_from=nothing: allowed is a study of this command, a results folder"),
        ({"seeds": 3}, "init_from=base: allowed is one that has seed 2 too; its seeds at width 16, depth 1 are 0, 1"),
        ({"ladder__widths": [8, 24]}, "init_from=base: allowed is one that has every size of the ladder, width 24"),
        (
            {"finetune__kind": "lora", "finetune__rank": 9, "finetune__targets": ["layers.0"]},
            "finetune.rank=9: allowed is at most 4, the smaller side of layers.0.weight",
        ),
        ({"finetune__frozen": ["layers", "head"]}, "finetune.frozen=['layers', 'head']: allowed is names that leave"),
        ({"finetune__frozen": ["nose"]}, "finetune.frozen=nose: allowed is a part of one of the names layers.0.weight"),
        ({"finetune__where": "lr > 1"}, "finetune.where=lr > 1: allowed is a condition that some runs of base meet"),
        ({"finetune__frozen": ["head"], "finetune__reset": ["head"]}, "finetune.frozen=['head']: allowed is names of"),
    ],
)  # fmt: skip
def test_what_cannot_be_started_from_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    parent = pretrained(tmp_path)
    with pytest.raises(UserError) as refused:
        job_of(with_parents([parent, child_of(parent, **changes)])[1], rung=1)
    assert str(refused.value).startswith(says)


def test_another_family_or_other_settings_of_it_are_refused(tmp_path: Path) -> None:
    parent = pretrained(tmp_path, Transformer(), NextSymbol())
    others = {"family=mlp": (MLP(), SignOfSum()), "family.qk_norm=True": (Transformer(qk_norm=True), NextSymbol())}
    for says, (family, task) in others.items():
        child = dataclasses.replace(child_of(parent), family=family, task=task)
        with pytest.raises(UserError, match=says):
            with_parents([parent, child])


def test_a_parent_without_checkpoints_and_one_that_diverged_are_refused(tmp_path: Path) -> None:
    unkept = pretrained(tmp_path, training__keep="none", ladder__widths=[8])
    own = {"ladder__widths": [8]}
    with pytest.raises(
        UserError, match=r"training\.keep=none: allowed is last or all in study base, which child starts"
    ):
        sweep(with_parents([unkept, child_of(unkept, **own)]), QUIET)
    last = dataclasses.replace(unkept, training=dataclasses.replace(unkept.training, keep="last"))
    with pytest.raises(UserError, match=r"training\.keep=last: allowed is all in study base"):
        sweep(with_parents([last, child_of(last, finetune__step=4, **own)]), QUIET)
    run_job(job_of(unkept), None)
    elsewhere = child_of(unkept, init_from=unkept.results, **own)
    with pytest.raises(
        UserError, match=r"2 of 2 runs to start from have no checkpoint .* training\.keep=last keeps one"
    ):
        sweep(with_parents([elsewhere]), QUIET)
    lost = pretrained(tmp_path / "lost", optimizer__kind="sgd", optimizer__lr=1e30, ladder__widths=[8])
    assert sweep([lost], QUIET) == 0
    assert sweep(with_parents([lost, child_of(lost, **own)]), QUIET) == 1
    assert {row["status"] for row in rows_of(lost)} == {"failed"}
    assert all("its parent, run" in row["error"] for row in rows_of(lost))


def test_a_finished_child_asks_nothing_of_its_parent_s_files(tmp_path: Path) -> None:
    """Nor of the seeds that the parent's file names now: an earlier sweep had more."""
    own = {"ladder__widths": [8]}
    parent = pretrained(tmp_path, **own)
    child = child_of(parent, **own)
    assert sweep(with_parents([parent, child]), QUIET) == 0
    fewer = with_parents([dataclasses.replace(parent, seeds=1), child])
    assert {member.run_id for member in job_of(fewer[1]).members} == {row["run_id"] for row in rows_of(parent)}
    shutil.rmtree(Path(parent.results) / "checkpoints")
    alone = with_parents([dataclasses.replace(child, init_from=f"{parent.results}/base")])
    assert sweep(alone, QUIET) == 0
    with pytest.raises(UserError, match="have no checkpoint in"):
        sweep(with_parents([child_of(parent, init_from=f"{parent.results}/base", ladder__steps=7, **own)]), QUIET)


def test_a_parent_that_has_changed_since_is_refused_and_verified(tmp_path: Path) -> None:
    parent = pretrained(tmp_path, seeds=1, ladder__widths=[8])
    studies = with_parents([parent, child_of(parent, seeds=1, ladder__widths=[8])])
    assert sweep(studies, QUIET) == 0
    row = rows_of(parent)[0]
    config = json.loads(row["config"])
    assert digest_problem(row, config) is None
    (path,) = kept_steps(Path(parent.results) / "checkpoints" / row["parent_run"]).values()
    other = job_of(
        dataclasses.replace(
            parent, results=str(tmp_path / "other"), optimizer=dataclasses.replace(parent.optimizer, lr=0.03)
        )
    )
    run_job(other, None)
    # As a training of the same run by other code would leave it.
    content = (Path(other.settings.results) / "checkpoints" / other.members[0].run_id / path.name).read_bytes()
    path.write_bytes(content)
    assert "has another checkpoint now" in str(digest_problem(row, config))
    with pytest.raises(UserError, match=r"the checkpoint of run .* has changed since 1 run of study child"):
        sweep(studies, QUIET)
