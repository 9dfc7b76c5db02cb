"""A run on two processes: the numbers of one process with two micro-batches, whole or in shards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny import NextSymbol, SignOfSum, job_of, make_settings, numbers
from two_processes import answer, pair

from harness.errors import SettingError
from harness.families.cnn import CNN
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.ladder import Job
from harness.sweeping.several_gpus import Together
from harness.training.group import ALONE, Group
from harness.training.loop import train_job
from harness.training.sharded import refuse_unshardable

CASES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "mlp": (MLP(dropout=0.2), SignOfSum(), {"optimizer__grad_clip": 0.1, "loss__l2": 0.01}),
    "cnn": (
        CNN(layers=["conv 4 2x2 same", "dense 6", "dense 5"], dropout=0.2),
        SignOfSum(image=True),
        {"ladder__depths": [3]},
    ),
    "transformer": (Transformer(dropout=0.2), NextSymbol(), {"loss__label_smoothing": 0.1}),
}


def train(job: Job, _: str | None) -> list[list[tuple[Any, ...]]]:
    return [numbers(outcome) for outcome in train_job(job)]


@pytest.fixture(scope="module")
def two() -> Iterator[Together]:
    with pair([train, train]) as together:
        yield together


def job(case: str, shard: str = "never", **changes: Any) -> Job:
    family, task, more = CASES[case]
    asked = {"launcher__gpus_per_run": 2, "launcher__shard": shard, "seeds": 1}
    return job_of(make_settings(family, task, **(asked | more | changes)))


def alike(a: Any, b: Any, rtol: float = 1e-5) -> None:
    """Losses, and the metrics that hang on them, are the same within rounding."""
    assert [row[:4] for row in a[0]] == [row[:4] for row in b[0]]
    losses = ([row[4] for row in each[0] if row[1] == "loss"] for each in (a, b))
    np.testing.assert_allclose(*losses, rtol=rtol)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_are_two_micro_batches_to_the_bit_and_the_whole_within_rounding(two: Together, case: str) -> None:
    of_two = answer(two, job(case))
    assert of_two == train(replace(job(case), micro_batches=2), None)
    alike(of_two, train(job(case), None))


@pytest.mark.parametrize("case", CASES)
def test_shards_train_as_the_whole_within_rounding(two: Together, case: str) -> None:
    alike(answer(two, job(case, "always")), train(job(case), None))


def test_shares_may_be_uneven(two: Together) -> None:
    odd = job("mlp", ladder__batch_size=15)
    of_two = answer(two, odd)
    assert of_two == train(replace(odd, micro_batches=2), None)
    alike(of_two, train(odd, None))


def test_a_process_of_several_micro_batches_takes_its_share_of_them(two: Together) -> None:
    alike(answer(two, replace(job("mlp", "always"), micro_batches=2)), train(job("mlp"), None))


def test_one_that_ends_early_ends_for_all(two: Together) -> None:
    impatient = job("mlp", training__evaluate="even", training__patience=1, training__min_delta=10.0)
    of_two = answer(two, impatient)
    assert of_two == train(replace(impatient, micro_batches=2), None)
    assert max(row[3] for row in of_two[0]) < 12


def test_a_process_alone_is_a_group_of_one() -> None:
    assert Group.here() is ALONE
    values = torch.ones(2)
    ALONE.add(values)
    assert values.tolist() == [1, 1] and ALONE.agree(3, True) == [3, 1] and ALONE.gather(values) is values


@pytest.mark.parametrize(
    "changes", [{"launcher__gpus_per_run": 1}, {"optimizer__kind": "muon"}, {"finetune__kind": "head"}]
)
def test_what_cannot_be_sharded_is_refused(changes: dict[str, Any]) -> None:
    settings = job("mlp", **changes).settings
    refuse_unshardable(settings)
    settings.launcher.shard = "always"
    with pytest.raises(SettingError, match=r"launcher\.shard"):
        refuse_unshardable(settings)
