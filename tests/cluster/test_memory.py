"""Memory by hand: states by precision and sharding, activations as Korthikanti et al. 2022 count them."""

from __future__ import annotations

import pytest

from harness.cluster import Layout, Model, memory_of, transformer

#: A thousand parameters in four blocks, of which one example keeps 400 numbers.
SMALL = Model(parameters=1000, trained=1000, flops=6000.0, blocks=4, kept=400.0, between=10.0, answers=20.0)


def gpt(**other: int) -> Model:
    return transformer(
        **{"layers": 2, "width": 64, "hidden": 256, "heads": 4, "vocabulary": 100, "positions": 32} | other
    )


def test_a_block_keeps_what_the_equation_says() -> None:
    # sbh (34 + 5 a s / h) bytes, less the scores and the two masks of dropout of a byte each: 32 sbh, 16 numbers.
    assert gpt().kept == 2 * 32 * 64 * 16


def test_grouped_queries_and_gates_change_what_is_kept() -> None:
    assert gpt().kept - gpt(kv_heads=1).kept == 2 * 32 * 2 * (64 - 16)  # keys and values
    assert gpt(hidden=0).kept == 2 * 32 * 64 * 6


def test_parameters_and_flops_are_the_usual_ones() -> None:
    model = gpt()
    assert model.parameters == 2 * 12 * 64**2 + 2 * 100 * 64
    assert gpt(tied=True).parameters == 2 * 12 * 64**2 + 100 * 64
    assert model.flops == 6 * 32 * (2 * (12 * 64**2 + 2 * 32 * 64) + 100 * 64)


@pytest.mark.parametrize(
    ("precision", "sharding", "bytes_a_parameter"),
    [
        ("float32", "none", 16),
        ("bfloat16", "none", 18),  # and a copy to multiply with
        ("float32", "zero1", 4 + 4 + 8 / 8),
        ("bfloat16", "zero1", 2 + 4 + (4 + 8) / 8),
        ("float32", "zero3", 16 / 8),
        ("float16", "zero3", 16 / 8),
    ],
)
def test_states_by_precision_and_sharding(precision: str, sharding: str, bytes_a_parameter: float) -> None:
    layout = Layout(data=8, sharding=sharding)  # type: ignore[arg-type]
    assert memory_of(SMALL, layout, 8, precision, 8.0).states == pytest.approx(1000 * bytes_a_parameter)


def test_what_is_gathered_is_two_blocks_of_four() -> None:
    assert memory_of(SMALL, Layout(data=8, sharding="zero3"), 8, "bfloat16", 8.0).gathered == 2 * 1000 / 2
    assert memory_of(SMALL, Layout(data=8), 8, "bfloat16", 8.0).gathered == 0


def test_optimizers_and_frozen_parameters_take_less() -> None:
    assert memory_of(SMALL, Layout(), 1, "float32", 0.0).states == 8000
    lora = Model(**vars(SMALL) | {"trained": 10})
    assert memory_of(lora, Layout(), 1, "float32", 8.0).states == 4000 + 12 * 10


def test_activations_by_micro_batch_recomputation_and_tensor_parallelism() -> None:
    def activations(**layout: int) -> float:
        return memory_of(SMALL, Layout(**layout), 16, "float32", 8.0).activations

    assert activations(micro_batch=2) == 4 * 2 * 400
    assert activations(recompute=True) == 4 * (4 * 10 + 100)  # what goes from block to block, and one block
    assert activations(tensor=4) == 4 * 400 / 4
    # Two stages, each with 2 of the 4 blocks in 2 groups, hold 2 + 1/2 micro-batches of half a model.
    assert activations(pipeline=2) == 4 * 400 * 1.25
    # Of a single micro-batch no more than it is held.
    assert memory_of(SMALL, Layout(pipeline=2), 1, "float32", 8.0).activations == 4 * 400 / 2


def test_logits_are_kept_with_their_gradient() -> None:
    assert memory_of(SMALL, Layout(micro_batch=3), 3, "bfloat16", 8.0).logits == 3 * 20 * (2 + 4 + 4)


def test_a_tenth_of_the_memory_is_not_given() -> None:
    held = memory_of(SMALL, Layout(), 1, "float32", 8.0)
    assert held.fits(round(held.total / 0.89)) and not held.fits(round(held.total / 0.91))


def test_published_sizes_have_their_parameters() -> None:
    llama = transformer(
        layers=126, width=16384, hidden=53248, heads=128, kv_heads=8, vocabulary=128256, positions=8192, gated=True
    )
    assert llama.parameters == pytest.approx(405e9, rel=0.01)
    assert llama.flops / llama.parameters / 8192 == pytest.approx(6, rel=0.1)
