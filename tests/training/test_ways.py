"""The ways to run a step: the same numbers, to the bit but for a compiled one."""

from __future__ import annotations

import shutil

import pytest
import torch
from tiny import NextSymbol, SignOfSum, job_of, make_settings

from harness.families.cnn import CNN
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.training import ways
from harness.training.loop import optimizer_of, training_steps
from harness.training.members import Stack
from harness.training.micro_batches import gradient_in_parts
from harness.training.ways import Captured, running, step_inputs

CPU = torch.device("cpu")
CASES = [
    (MLP(), SignOfSum(), {}),
    (MLP(), SignOfSum(), {"optimizer__kind": "muon", "ladder__depths": [2]}),
    (CNN(dropout=0.1), SignOfSum(image=True), {"optimizer__kind": "sgd", "optimizer__weight_decay": 0.1}),
    (Transformer(dropout=0.1), NextSymbol(), {"optimizer__weight_decay": 0.1, "schedule__kind": "cosine"}),
]
IDS = ["mlp", "muon", "cnn", "transformer"]


def remembered(function):
    """In place of a CUDA graph: what was captured is done once more, on the memory that it was captured on."""
    return function


def trained(job, step_of):
    """Each step's losses, and the parameters after the last of them."""
    with torch.no_grad():
        stack = Stack.of(job, CPU)
        optimizer = optimizer_of(job, stack)
        step, losses = None, []
        for given in step_inputs(job, stack, optimizer, CPU):
            step = step or step_of(stack, optimizer, given)
            losses.append(step(given))
    return torch.stack(losses), stack.params_MP


@pytest.mark.parametrize(("family", "task", "changes"), CASES, ids=IDS)
@pytest.mark.parametrize("micro_batches", [1, 3])
def test_a_captured_step_is_a_replayed_one_to_the_bit(family, task, changes, micro_batches):
    settings = make_settings(family, task, optimizer__grad_clip=0.5, **changes)
    job = job_of(settings)
    object.__setattr__(job, "micro_batches", micro_batches)

    def captured(stack, optimizer, given):
        return Captured(running("replayed", job, stack, optimizer, given), capture=remembered)

    losses, params = trained(job, captured)
    expected_losses, expected = trained(job, lambda *of_job: running("replayed", job, *of_job))
    assert torch.equal(losses, expected_losses) and torch.equal(params, expected)


def test_losses_of_a_captured_step_stay_when_the_next_is_taken():
    job = job_of(make_settings(MLP(), SignOfSum()))
    seen = []

    def captured(stack, optimizer, given):
        step = Captured(running("replayed", job, stack, optimizer, given), capture=remembered)
        return lambda now: seen.append(step(now)) or seen[-1]

    losses, _ = trained(job, captured)
    assert torch.equal(torch.stack(seen), losses)


def test_inputs_of_steps_are_those_of_each_step_wherever_it_begins():
    job = job_of(make_settings(Transformer(dropout=0.1), NextSymbol(), ladder__steps=70, schedule__kind="cosine"))
    stack = Stack.of(job, CPU)
    optimizer = optimizer_of(job, stack)
    whole = list(step_inputs(job, stack, optimizer, CPU))
    assert len(whole) == 70
    for first in (1, 66):
        rest = list(step_inputs(job, stack, optimizer, CPU, first))
        assert len(rest) == 70 - first
        for ours, theirs in zip(rest, whole[first:], strict=True):
            assert all(torch.equal(a, b) for a, b in zip(ours.tensors, theirs.tensors, strict=True))


def test_a_step_does_not_wait_for_the_host(monkeypatch):
    """Between the inputs and the losses nothing becomes a number, which a GPU would be waited for."""
    job = job_of(make_settings(MLP(), SignOfSum(), optimizer__grad_clip=0.5))
    with torch.no_grad():
        stack = Stack.of(job, CPU)
        optimizer = optimizer_of(job, stack)
        given = next(step_inputs(job, stack, optimizer, CPU))
        step = running("replayed", job, stack, optimizer, given)

        def refuse(*_):
            raise AssertionError("a number is read on the host")

        for name in ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__"):
            monkeypatch.setattr(torch.Tensor, name, refuse)
        step(given)


@pytest.mark.parametrize(("way", "compiled"), [("replayed", False), ("compiled", True)])
def test_steps_run_in_the_way_asked_for(monkeypatch, way, compiled):
    asked = []

    def gradient(*args, compile):
        asked.append(compile)
        return gradient_in_parts(*args)

    monkeypatch.setattr(ways, "gradient_in_parts", gradient)
    job = job_of(make_settings(MLP(), SignOfSum()))
    with torch.no_grad():
        assert len(list(training_steps(job, Stack.of(job, CPU), CPU, way=way))) == job.steps
    assert asked == [compiled]


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
def test_a_compiled_step_is_a_replayed_one_within_rounding():
    job = job_of(make_settings(MLP(), SignOfSum()))
    losses, params = trained(job, lambda *of_job: running("compiled", job, *of_job))
    expected_losses, expected = trained(job, lambda *of_job: running("replayed", job, *of_job))
    torch.testing.assert_close(losses, expected_losses, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(params, expected, rtol=1e-3, atol=1e-4)
