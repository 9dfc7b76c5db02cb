"""Seconds of a step by hand: products, memory, kernels, communication, an idle pipeline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.cluster import Layout, Model, read_cluster, step_of, transformer
from harness.cluster.step import KERNEL_S, MESSAGE_S, MOVED, SHARE_IN_TRAINING, SPEED_SHARE

ONE = read_cluster("nodes=1,gpus=8,kind=a100")
TWO = read_cluster("nodes=2,gpus=8,kind=a100,network=800")
#: Nothing but products: 1e12 parameters' worth of FLOPs on 1000 parameters.
PRODUCTS = Model(1000, 1000, flops=1e15, blocks=4, kept=0.0, between=0.0, answers=0.0)
#: Ten billion parameters and next to no products.
WEIGHTS = Model(10**10, 10**10, flops=1e9, blocks=10, kept=0.0, between=0.0, answers=0.0, splits=8)


def seconds(model: Model, layout: Layout, batch: int = 1, cluster: object = ONE) -> float:
    return step_of(model, layout, batch, "bfloat16", cluster).seconds  # type: ignore[arg-type]


def test_products_take_their_share_of_the_peak() -> None:
    by_hand = 1e15 / (312e12 * 0.869 * SHARE_IN_TRAINING)
    assert seconds(PRODUCTS, Layout()) == pytest.approx(by_hand, rel=1e-6)
    assert seconds(PRODUCTS, Layout(), batch=3) == pytest.approx(3 * by_hand, rel=1e-6)
    assert seconds(PRODUCTS, Layout(recompute=True)) == pytest.approx(4 / 3 * by_hand, rel=1e-6)


def test_activations_are_moved_at_the_memory_s_speed() -> None:
    moving = replace(PRODUCTS, kept=1e9)
    more = seconds(moving, Layout()) - seconds(PRODUCTS, Layout())
    assert more == pytest.approx(MOVED * 2e9 / (SPEED_SHARE * 2039e9), rel=1e-6)


def test_small_models_wait_for_their_kernels() -> None:
    tiny = Model(100, 100, flops=600.0, blocks=3, kept=10.0, between=1.0, answers=1.0, kernels=40)
    assert seconds(tiny, Layout()) == pytest.approx(3 * 40 * KERNEL_S, rel=1e-4)
    assert seconds(tiny.side_by_side(50), Layout()) == pytest.approx(seconds(tiny, Layout()), rel=1e-3)


def test_weights_are_read_for_every_micro_batch() -> None:
    step = step_of(WEIGHTS, Layout(), 1, "bfloat16", ONE)
    assert step.compute_s == pytest.approx(3 * 2e10 / (SPEED_SHARE * 2039e9), rel=1e-6)
    assert step.update_s == pytest.approx(28e10 / (SPEED_SHARE * 2039e9), rel=1e-6)


def test_gradients_are_summed_over_links_and_networks() -> None:
    # Into each GPU of a node 7/8 of the gradients twice, behind two thirds of the pass before.
    step = step_of(WEIGHTS, Layout(data=8), 8, "bfloat16", ONE)
    summing = 2 * 4e10 * 7 / 8 / (SPEED_SHARE * 300e9) + 2 * 3 * MESSAGE_S
    assert step.exposed_s == pytest.approx(summing - 2 / 3 * step.compute_s, rel=1e-6)
    # Into each of two nodes half of them twice, by 100 GB/s: which takes longer than within a node.
    step = step_of(WEIGHTS, Layout(data=16), 16, "bfloat16", TWO)
    summing = 2 * 4e10 / 2 / (SPEED_SHARE * 100e9) + 2 * 4 * MESSAGE_S
    assert step.exposed_s == pytest.approx(summing - 2 / 3 * step.compute_s, rel=1e-6)


def test_zero3_gathers_for_every_micro_batch_what_zero1_does_once() -> None:
    zero1, zero3 = (
        step_of(WEIGHTS, Layout(data=16, sharding=each), 64, "bfloat16", TWO)  # type: ignore[arg-type]
        for each in ("zero1", "zero3")
    )
    gathering = 3 * (2e10 / 2 / (SPEED_SHARE * 100e9) + 10 * 4 * MESSAGE_S)
    assert zero3.exposed_s == pytest.approx(4 * (gathering - zero3.compute_s / 4), rel=1e-6)
    assert zero1.exposed_s < zero3.exposed_s


def test_communication_hides_behind_products() -> None:
    busy = replace(WEIGHTS, flops=1e16)
    for sharding in ("none", "zero1", "zero3"):
        assert step_of(busy, Layout(data=16, sharding=sharding), 16, "bfloat16", TWO).exposed_s == 0  # type: ignore[arg-type]


def test_tensor_parallel_groups_wait_for_four_sums_a_block() -> None:
    wide = replace(PRODUCTS, between=1e8, splits=8)
    step = step_of(wide, Layout(tensor=8), 1, "bfloat16", ONE)
    each = 2 * 7 / 8 * 2e8 / (SPEED_SHARE * 300e9) + 3 * MESSAGE_S
    assert step.exposed_s == pytest.approx(4 * 4 * each, rel=1e-6)
    again = step_of(wide, Layout(tensor=8, recompute=True), 1, "bfloat16", ONE)
    assert again.exposed_s == pytest.approx(6 * 4 * each, rel=1e-6)


def test_a_pipeline_idles_while_it_fills() -> None:
    # Two stages of two blocks in two groups: half a micro-batch's time of one stage, after four of them.
    step = step_of(PRODUCTS, Layout(pipeline=2), 4, "bfloat16", TWO)
    assert step.compute_s == pytest.approx(seconds(PRODUCTS, Layout(), batch=4) / 2, rel=1e-6)
    assert step.idle_s == pytest.approx((step.compute_s + step.exposed_s) / 4 / 2, rel=1e-6)


def test_utilisation_rises_with_width_and_batch() -> None:
    def rate(width: int, micro_batch: int) -> float:
        model = transformer(layers=8, width=width, hidden=4 * width, heads=width // 64, vocabulary=1000, positions=256)
        return micro_batch * model.flops / seconds(model, Layout(micro_batch=micro_batch), micro_batch)

    by_width = [rate(width, 8) for width in (64, 128, 256, 512, 1024, 2048, 4096, 8192)]
    assert by_width == sorted(by_width)
    by_batch = [rate(2048, n) for n in (1, 2, 4, 8, 16)]
    assert by_batch == sorted(by_batch)
    assert by_width[-1] < SHARE_IN_TRAINING * 312e12
