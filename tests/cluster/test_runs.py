"""How many GPUs a run is given, what all runs take, and when the last of them ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.cluster import Model, Planned, Run, plan_run, read_cluster, sweep_seconds, transformer
from harness.cluster.runs import MOST_OVER_CHEAPEST

CLUSTER = read_cluster("nodes=4,gpus=8,kind=h100,price=2,power=1000,pue=1")


def gpt(layers: int = 12, width: int = 1024) -> Model:
    return transformer(
        layers=layers, width=width, hidden=4 * width, heads=width // 64, vocabulary=50_000, positions=1024
    )


RUN = Run(gpt(), steps=1000, batch=256, precision="bfloat16")


def test_hours_dollars_energy_and_utilisation_agree() -> None:
    planned = plan_run(RUN, CLUSTER)
    spent = planned.spent
    assert spent is not None
    assert spent.gpu_hours == pytest.approx(planned.gpus * planned.seconds / 3600)
    assert spent.dollars == pytest.approx(2 * spent.gpu_hours) and spent.kwh == pytest.approx(spent.gpu_hours)
    assert spent.utilisation == pytest.approx(256_000 * RUN.model.flops / (989e12 * 3600 * spent.gpu_hours))
    assert 0.1 < spent.utilisation < 0.45


def test_a_run_alone_takes_the_gpus_that_pay_and_many_runs_one_each() -> None:
    alone, many = plan_run(RUN, CLUSTER), plan_run(replace(RUN, count=64), CLUSTER)
    assert alone.gpus == 32 and many.gpus == 1 and many.at_once == 32
    assert alone.spent is not None and many.spent is not None
    assert many.spent.seconds == pytest.approx(2 * many.seconds)
    one = plan_run(RUN, CLUSTER, gpus=1).spent
    assert one is not None and alone.spent.gpu_hours <= MOST_OVER_CHEAPEST * one.gpu_hours


def test_tiny_runs_keep_to_one_gpu() -> None:
    tiny = Run(transformer(layers=2, width=64, hidden=256, heads=2, vocabulary=100, positions=64), 1000, 32, "float32")
    assert plan_run(tiny, CLUSTER).gpus == 1


def test_what_does_not_fit_is_told_with_what_it_lacks() -> None:
    planned = plan_run(Run(gpt(96, 12288), 10, 64, "bfloat16"), read_cluster("nodes=1,gpus=8,kind=rtx4090"))
    assert planned.spent is None and planned.gpus == 8
    assert planned.lacks.startswith("needs ") and planned.lacks.endswith(" GB of the 23 GB that a GPU has to give")


def fixed(gpus: int, seconds: float, count: int = 1) -> Planned:
    planned = plan_run(replace(RUN, count=count), CLUSTER, gpus=gpus)
    return replace(planned, seconds=seconds)


def test_a_sweep_is_packed_longest_first() -> None:
    assert sweep_seconds([], CLUSTER) == 0
    assert sweep_seconds([fixed(8, 10, count=5)], CLUSTER) == 20  # four at a time
    assert sweep_seconds([fixed(32, 10), fixed(32, 5)], CLUSTER) == 15
    assert sweep_seconds([fixed(16, 10), fixed(8, 6, count=2), fixed(8, 4, count=2)], CLUSTER) == 10
    assert sweep_seconds([fixed(1, 7, count=33)], CLUSTER) == 14


def test_packing_lies_between_the_bound_and_graham_s() -> None:
    runs = [fixed(2**i, 100 / (1 + i), count=3 + i) for i in range(6)]
    work = sum(each.gpus * each.seconds * each.run.count for each in runs) / CLUSTER.total
    assert max(work, 100) <= sweep_seconds(runs, CLUSTER) <= 2 * work + 100
