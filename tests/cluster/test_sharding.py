"""Which layout is taken: the simplest where all fits, more of it as models grow, none where nothing fits."""

from __future__ import annotations

import pytest

from harness.cluster import Cluster, Layout, Model, Sharded, best_layout, read_cluster, step_of, transformer

H100 = read_cluster("nodes=16,gpus=8,kind=h100")


def gpt(layers: int, width: int, positions: int = 2048) -> Model:
    return transformer(
        layers=layers, width=width, hidden=4 * width, heads=width // 128, vocabulary=50_000, positions=positions
    )


def layout(model: Model, gpus: int, batch: int = 1024, cluster: Cluster = H100) -> Sharded:
    found = best_layout(model, gpus, batch, "bfloat16", 8.0, cluster)
    assert found is not None
    return found


def test_small_models_are_copied_to_each_gpu() -> None:
    found = layout(gpt(12, 768), 64)
    assert found.fits and found.layout.words == "DP 64" and not found.layout.recompute


def test_one_gpu_shares_nothing() -> None:
    assert layout(gpt(12, 768), 1).layout.words == "-"


@pytest.mark.parametrize(("layers", "width", "sharding"), [(32, 4096, "zero1"), (48, 8192, "zero3")])
def test_larger_models_are_sharded(layers: int, width: int, sharding: str) -> None:
    found = layout(gpt(layers, width), 64)
    assert found.fits and (found.layout.sharding, found.layout.pipeline) == (sharding, 1)


def test_more_gpus_than_examples_share_products() -> None:
    found = layout(gpt(32, 4096, positions=8192), 64, batch=16)
    assert (found.layout.tensor, found.layout.data, found.layout.pipeline) == (4, 16, 1)
    assert best_layout(gpt(12, 768), 128, 1, "bfloat16", 8.0, H100) is None  # 6 heads, one example


def test_activations_are_recomputed_where_they_do_not_fit() -> None:
    long = transformer(layers=24, width=2048, hidden=8192, heads=16, vocabulary=50_000, positions=65_536)
    found = layout(long, 1)
    assert found.fits and found.layout.recompute


def test_slow_networks_ask_for_less_to_go_over_them() -> None:
    slow = read_cluster("nodes=16,gpus=8,kind=h100,network=25")
    fast, found = layout(gpt(48, 8192), 128, batch=128), layout(gpt(48, 8192), 128, batch=128, cluster=slow)
    assert fast.layout.pipeline == 1 < found.layout.pipeline
    assert found.step.seconds > fast.step.seconds


def test_what_fits_nowhere_is_the_layout_that_wants_least() -> None:
    found = layout(gpt(96, 12288), 8, batch=8)
    assert not found.fits and found.layout.sharding == "zero3" and found.layout.recompute
    assert found.memory.total > H100.kind.memory


def test_a_layout_is_the_fastest_within_five_percent() -> None:
    model = gpt(32, 4096)
    found = layout(model, 64)
    for each in (
        Layout(64, sharding="zero3"),
        Layout(32, 2, sharding="zero1"),
        Layout(64, sharding="zero1", recompute=True),
    ):
        assert found.step.seconds <= 1.05 * step_of(model, each, 1024, "bfloat16", H100).seconds
