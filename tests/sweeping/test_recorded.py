"""Recorded runs against the code of now."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from harness import config
from harness.errors import UserError
from harness.families.base import ParameterCount
from harness.ladder import Job
from harness.settings import Settings
from harness.sweeping.plan import cells
from harness.sweeping.recorded import Counts, count_differences, explained, identity_problems
from harness.sweeping.runs_row import run_row


@pytest.fixture
def job(study: Settings) -> Job:
    return cells(study)[3]


def row_of(job: Job, **changes: Any) -> dict[str, Any]:
    return run_row(job, job.members[0], "finished", wall_s=1.0) | changes


def differences(job: Job, row: dict[str, Any]) -> list[str]:
    return count_differences(row, job.rung.params, job.rung.flops_per_example, job.settings.task.signature.context)


def test_what_the_code_counts_now_agrees(job: Job) -> None:
    assert differences(job, row_of(job)) == []


@pytest.mark.parametrize("done", [0.0, 0.1, 1 / 3, 0.7])
def test_a_run_that_ended_early_has_part_of_the_flops(job: Job, done: float) -> None:
    row = run_row(job, job.members[0], "diverged", error="why", done=done)
    assert differences(job, row) == []
    if done:
        assert differences(job, row | {"flops": 1.5 * row["flops"]}) != []


def test_differences_name_group_and_both_numbers(job: Job) -> None:
    params, row = job.rung.params, row_of(job)
    changed = ParameterCount(mlp=params.mlp + 1000, head=params.head)
    (said,) = count_differences(row, changed, job.rung.flops_per_example, 1)
    assert said == f"params_mlp is {params.mlp:,} in the records and {params.mlp + 1000:,} by count() now"
    assert explained([said]).endswith("the formula or the model has changed")
    (said,) = count_differences(row, params, 2 * job.rung.flops_per_example, 1)
    assert said == f"flops is {row['flops']:.6g} in the records and {2 * row['flops']:.6g} by training_flops() now"
    assert explained([said]).endswith("this formula has changed, and what was trained may be the same")


def test_a_wrong_sum_is_found_where_groups_agree(job: Job) -> None:
    (said,) = differences(job, row_of(job, params_total=1))
    assert said.startswith("params_total is 1 in the records")


def test_flops_off_by_a_thousandth_are_found(job: Job) -> None:
    assert len(differences(job, row_of(job, flops=job.flops * 1.001))) == 1
    assert differences(job, row_of(job, flops=job.flops * (1 + 1e-12))) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"run_id": "0" * 16}, ["run_id is not the hash of the settings in config"]),
        ({"lr": 0.5}, ["lr is 0.5 in its column and 0.1 in config"]),
        (
            {"width": 5, "seed": 7},
            ["seed is 7 in its column and 0 in config", "width is 5 in its column and 8 in config"],
        ),
        ({"config": "not JSON"}, ["config is not a JSON object"]),
        ({"config": "[]"}, ["config is not a JSON object"]),
    ],
)
def test_identity(job: Job, changes: dict[str, Any], said: list[str]) -> None:
    assert identity_problems(row_of(job, **changes)) == said


def test_a_forged_setting_breaks_the_hash(job: Job) -> None:
    row = row_of(job)
    forged = json.loads(row["config"])
    forged["schedule"]["warmup"] = 0.5
    assert identity_problems(row | {"config": json.dumps(forged)}) == [
        "run_id is not the hash of the settings in config"
    ]
    # Notes, and where a run was trained, are not of its identity.
    remarked = json.loads(row["config"]) | {"notes": "later"}
    assert identity_problems(row | {"config": json.dumps(remarked)}) == []


def test_counts_are_those_of_the_recorded_settings_and_not_of_a_study(job: Job, study: Settings) -> None:
    wider = replace(study, task=replace(study.task, n_bits=30))
    other = cells(wider)[3]
    counts = Counts(partial(config.rebuild, [study]))
    assert counts.problem(row_of(job)) is None
    assert counts.problem(row_of(other)) is None
    assert len(counts.sizes) == 2
    assert "params_mlp is" in str(counts.problem(row_of(other, params_mlp=1)))


def test_a_size_that_cannot_be_counted_says_why(job: Job) -> None:
    def unknown(kind: str, recorded: Any) -> Any:
        raise UserError(f"{kind} {recorded['name']}: unknown")

    assert Counts(unknown).problem(row_of(job)) == "family mlp: unknown"
    row = row_of(job)
    shapeless = json.loads(row["config"]) | {"shape": {"breadth": 3}}
    problem = Counts(partial(config.rebuild, [])).problem(row | {"config": json.dumps(shapeless)})
    assert str(problem).startswith("its size cannot be built and run: TypeError")
