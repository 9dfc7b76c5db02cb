"""Where a run trains: devices that are there, and every tensor of a step on the one that was asked for.

A GPU is rarely beside those who change this code, so torch's fake tensors stand in for one: they have a device, a shape
and a type but no values, and an operation on tensors of two devices raises as it would on real ones. On a fake "cuda"
all runs but the backward pass, for autograd asks the CUDA driver for its streams; on a fake "meta" all runs.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
import torch
from recurrent import Recurrent
from tiny import NextSymbol, SignOfSum, job_of, make_settings, numbers
from torch._subclasses import FakeTensorMode

from harness.errors import SettingError
from harness.families.cnn import CNN
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.training import gradients, members, traced, ways
from harness.training.device import describe, device_of, resolve, synchronise
from harness.training.evaluation import Evaluator
from harness.training.loop import train_job, training_steps
from harness.training.members import Stack

FAMILIES = {
    "mlp": (MLP(), SignOfSum()),
    "cnn": (CNN(), SignOfSum(image=True)),
    "transformer": (Transformer(), NextSymbol()),
    "tied, learned positions": (Transformer(tied=True, positions="learned"), NextSymbol()),
    "recurrent": (Recurrent(), NextSymbol()),
}


@pytest.fixture
def fake(monkeypatch):
    """Tensors are fake; a module stays where it was built, for moving one is what fake tensors cannot do."""
    monkeypatch.setattr(torch.nn.Module, "to", lambda module, *_: module)
    monkeypatch.setattr(gradients, "_traces", OrderedDict())  # whose constants are fake, too
    with FakeTensorMode(), torch.no_grad():
        yield


def train_and_evaluate(device, name, way="replayed", **changes):
    """Every step of a tiny job and an evaluation; whatever of it is not on the device raises or is found."""
    family, task = FAMILIES[name]
    changes |= {"optimizer__weight_decay": 0.1, "optimizer__grad_clip": 1.0, "parametrization__kind": "mup"}
    if family.has_residual_branches:
        changes["parametrization__depth"] = "complete"
    job = job_of(make_settings(family, task, **changes))
    stack, evaluator = Stack.of(job, device), Evaluator(job.settings, device)
    losses = list(training_steps(job, stack, device, way=way))
    assert [(losses_M.device, losses_M.shape) for losses_M in losses] == [(device, (3,))] * job.steps
    assert stack.params_MP.device == device
    for answers_MBS in evaluator.answers(stack, evaluator.inputs, evaluator.targets).values():
        assert (answers_MBS.device, answers_MBS.shape) == (device, (3, *evaluator.targets.shape))


@pytest.fixture
def uncaptured(monkeypatch):
    """A CUDA graph is what it was captured from, and there is no second stream to capture it on."""
    monkeypatch.setattr(ways, "cuda_graph", lambda function: function)
    monkeypatch.setattr(ways, "_beside", lambda device, step: step())


@pytest.mark.parametrize("way", ["replayed", "captured"])
@pytest.mark.parametrize(
    ("name", "optimizer"), [*((name, "adamw") for name in FAMILIES), ("mlp", "sgd"), ("mlp", "muon"), ("cnn", "muon")]
)
def test_training_keeps_every_tensor_on_its_device(fake, uncaptured, name, optimizer, way):
    train_and_evaluate(torch.device("meta"), name, way, optimizer__kind=optimizer)


# Where torch has no CUDA, a fake tensor of that device cannot be indexed or written to, as a captured step and memory
# that is used again would be, and a GRU has no fake.
@pytest.mark.parametrize("name", ["mlp", "cnn", "transformer"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_all_but_the_backward_pass_keeps_every_tensor_on_cuda(fake, monkeypatch, name, precision):
    def without_backward(f, params):
        return f(params), lambda ones: ({name: torch.zeros_like(value) for name, value in params.items()},)

    monkeypatch.setattr(members, "vjp", without_backward)
    monkeypatch.setattr(traced, "reuse_memory", lambda graph: None)
    # With a number, for torch without CUDA cannot look up which device "cuda" alone would be.
    train_and_evaluate(torch.device("cuda:0"), name, training__precision=precision)


@pytest.mark.parametrize("device", ["meta", "cuda:0"])
def test_fake_tensors_of_two_devices_do_not_mix(fake, device):
    with pytest.raises(RuntimeError, match="device"):
        torch.zeros(3, 3) @ torch.zeros(3, 3, device=device)


# ------------------------------------------------------------------------------------------------------ what is there


def test_auto_takes_the_best_that_is_there(monkeypatch):
    for cuda, mps, best in [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]:
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert resolve("auto") == torch.device(best)
        assert resolve("cpu") == torch.device("cpu")


def test_a_device_that_is_not_there_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingError, match=r"training\.device=cuda: allowed is what this machine has: .*cpu, or auto"):
        train_job(job_of(make_settings(MLP(), SignOfSum(), training__device="cuda")))


def test_a_precision_that_a_card_lacks_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Old Card")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    settings = make_settings(MLP(), SignOfSum(), training__device="cuda", training__precision="bfloat16")
    with pytest.raises(
        SettingError, match=r"^training\.precision=bfloat16: allowed is float32 on cuda:Old Card, which"
    ):
        device_of([make_settings(MLP(), SignOfSum(), training__device="cuda"), settings])
    settings.training.device = "cpu"
    assert device_of([settings]).type == "cpu"


def test_the_cpu_has_its_name_and_needs_no_waiting_for():
    cpu = torch.device("cpu")
    synchronise(cpu)
    assert describe(cpu) == "cpu"


# -------------------------------------------------------------------------------------------------------- a real device


@pytest.mark.gpu
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_cuda_gives_the_losses_of_cpu(name, precision):
    # The random streams are the CPU's on both, so only rounding differs: 1e-3 relative in float32 (TF32 is off by
    # default), 10 % in bfloat16, over 12 steps.
    family, task = FAMILIES[name]
    losses = {}
    for device in ("cpu", "cuda"):
        settings = make_settings(family, task, training__device=device, training__precision=precision)
        outcomes = train_job(job_of(settings, rung=1))
        losses[device] = [[row[4] for row in numbers(o) if row[:2] == ("eval", "loss")] for o in outcomes]
    tolerance = {"float32": 2e-3, "bfloat16": 0.1}[precision]
    np.testing.assert_allclose(losses["cuda"], losses["cpu"], rtol=tolerance, atol=tolerance / 4)


@pytest.mark.gpu
def test_cuda_has_the_name_of_its_card():
    assert describe(torch.device("cuda")).startswith("cuda:")
