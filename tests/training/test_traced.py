"""A trace made shorter: constants worked out once, products of matrices by either library, one trace for like jobs."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from tiny import NextSymbol, SignOfSum, job_of, make_settings, numbers

from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.training import gradients, products
from harness.training.batches import training_batches
from harness.training.gradients import gradient_of, outputs_of
from harness.training.loop import train_job
from harness.training.members import Stack
from harness.training.traced import trace

CPU = torch.device("cpu")
aten = torch.ops.aten
linear = torch.ops.mkldnn._linear_pointwise.default if products.one_dnn() else None


def targets_of(graph):
    return {node.target for node in graph.graph.nodes if node.op == "call_function"}


def test_what_depends_on_no_argument_is_worked_out_once():
    def turned(x):
        angles = torch.outer(torch.arange(4.0), torch.arange(3.0))
        return x * angles.cos() + angles.sin().sum()

    x = torch.randn(4, 3)
    graph = trace(turned, [x])
    assert aten.cos.default not in targets_of(graph) and aten.mul.Tensor in targets_of(graph)
    assert torch.equal(graph(x), turned(x))


def test_a_constant_that_is_changed_in_place_is_made_anew_each_time():
    def counted(x):
        sums = torch.zeros(2, 3)
        sums.view(6)[:3].add_(x)
        return sums * 1

    graph = trace(counted, [torch.ones(3)])
    for value in (1.0, 2.0):
        assert graph(torch.full((3,), value)).sum() == 3 * value


def test_products_and_powers_of_one_are_left_out_unless_either_is_changed_in_place():
    def f(x):
        y = (x + 1) * 1.0
        z = y * 1
        z.add_(1)
        return (y / 1).pow(1.0), z

    graph = trace(f, [x := torch.randn(3)])
    assert not targets_of(graph) & {aten.div.Tensor, aten.pow.Tensor_Scalar}
    assert [torch.equal(*each) for each in zip(graph(x), f(x), strict=True)] == [True, True]


LAYOUTS = [lambda a: a, lambda a: a.t().contiguous().t()]


@pytest.mark.skipif(linear is None, reason="oneDNN has no product for this processor")
@pytest.mark.parametrize(("left", "right"), list(product(LAYOUTS, LAYOUTS)))
@pytest.mark.parametrize("sizes", [(128, 96, 160), (160, 96, 128), (64, 512, 64), (16, 8, 4)])
def test_products_are_those_of_torch(left, right, sizes):
    m, k, n = sizes
    generator = torch.Generator().manual_seed(0)
    a, b = (left(torch.randn(m, k, generator=generator)), right(torch.randn(k, n, generator=generator)))
    bias = torch.randn(n, generator=generator)
    # What follows looks at the memory of a product in the order of its axes.
    functions = [lambda a, b, bias: torch.mm(a, b).view(-1), lambda a, b, bias: torch.addmm(bias, a, b).view(-1)]
    for function in functions:
        graph = trace(function, [a, b, bias])
        assert (linear in targets_of(graph)) == (m * k * max(n, 16) >= products.FROM)
        torch.testing.assert_close(graph(a, b, bias), function(a, b, bias), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("family", "task", "batch"), [(MLP(), SignOfSum(), 512), (Transformer(), NextSymbol(), 128)], ids=["mlp", "tf"]
)
def test_a_wide_member_is_the_same_alone_to_the_bit(family, task, batch):
    """Some of its products are oneDNN's."""
    settings = make_settings(family, task, ladder__widths=[64], ladder__batch_size=batch, ladder__steps=6)
    settings.ladder.depths = [2]
    together = train_job(job_of(settings))
    (alone,) = train_job(job_of(settings, only=1))
    assert numbers(alone) == numbers(together[1])


def test_jobs_of_a_shape_share_a_trace_and_others_do_not(monkeypatch):
    made = []
    monkeypatch.setattr(gradients, "trace", lambda *args: made.append(args) or trace(*args))
    gradients._traces.clear()
    settings = make_settings(MLP(), SignOfSum(), seeds=3)
    for i in range(3):
        train_job(job_of(settings, only=i))
    assert len(made) == 2  # of the gradient, and of the outputs
    of_others = [
        replace(settings, loss=replace(settings.loss, label_smoothing=0.1)),
        replace(settings, family=MLP(dropout=0.1)),
        replace(settings, training=replace(settings.training, precision="bfloat16")),
    ]
    for i, other in enumerate(of_others, start=2):
        train_job(job_of(other, only=0))
        assert len(made) == 2 * i


def test_a_shared_trace_reads_the_parameters_of_each_job():
    settings = make_settings(MLP(), SignOfSum(), seeds=2)
    x = torch.from_numpy(settings.task.eval_batch().inputs)
    of_each = [outputs_of(Stack.of(job_of(settings, only=i), CPU), x) for i in range(2)]
    of_both = outputs_of(Stack.of(job_of(settings), CPU), x)
    torch.testing.assert_close(torch.cat(of_each), of_both[:2])
    assert not torch.equal(of_each[0], of_each[1])


def test_positions_that_are_never_scored_are_given_no_logits():
    class KnowsWhere(NextSymbol):
        first_scored = 4

    whole, part = (
        Stack.of(job_of(make_settings(Transformer(zero_head=False), task)), CPU)
        for task in (NextSymbol(), KnowsWhere())
    )
    assert (whole.unscored, part.unscored) == (0, 4)
    batch = next(training_batches(job_of(make_settings(Transformer(), NextSymbol())), CPU))
    for ours, theirs in zip(
        gradient_of(part, *batch, {})(*batch, {}), gradient_of(whole, *batch, {})(*batch, {}), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
    inputs = torch.from_numpy(NextSymbol().eval_batch().inputs)
    np.testing.assert_array_equal(outputs_of(part, inputs), outputs_of(whole, inputs))  # evaluation sees all of them
