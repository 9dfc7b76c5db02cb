"""What ``--cluster`` describes, and what it refuses."""

from __future__ import annotations

import re

import pytest

from harness.cluster import KINDS, read_cluster
from harness.errors import UserError


def test_a_cluster_is_read_with_the_defaults_of_its_kind() -> None:
    cluster = read_cluster("nodes=64, gpus=8, kind=H100")
    assert (cluster.total, cluster.kind.name, cluster.price, cluster.precision) == (512, "h100", None, None)
    assert (cluster.power, cluster.pue) == (700, 1.1)
    assert cluster.network == 8 * 50e9  # 8 x 400 Gb/s
    assert cluster.kwh(1000) == pytest.approx(770)


def test_what_is_given_replaces_the_defaults() -> None:
    cluster = read_cluster("nodes=2,gpus=4,kind=a100-80gb,price=0,power=500,pue=1,precision=tf32,network=100")
    assert (cluster.price, cluster.power, cluster.pue, cluster.precision) == (0, 500, 1, "tf32")
    assert cluster.kind is KINDS["a100"]
    assert cluster.network == 12.5e9


def test_energy_is_that_of_a_published_table() -> None:
    # LLaMA 7B: 82,432 hours of an A100 are 36 MWh (Touvron et al. 2023a, table 15).
    assert round(read_cluster("nodes=1,gpus=8,kind=a100").kwh(82_432) / 1000) == 36


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("", "--cluster (empty): nodes is missing: write nodes=64,gpus=8,kind=h100"),
        ("nodes=64,gpus=8", "kind is missing"),
        ("nodes=64,gpus=8,kind=h10", "--cluster kind=h10: allowed is v100, a100, "),
        ("nodes=64,gpus=8,kind=h100,prise=2", "--cluster prise=2: prise is not a key; did you mean 'price'? (keys: "),
        ("nodes=64,nodes=8,kind=h100", "nodes is given twice"),
        ("nodes,gpus=8,kind=h100", "a value is wanted, nodes=VALUE: number of nodes"),
        ("nodes=0,gpus=8,kind=h100", "--cluster nodes=0: allowed is a whole number from 1 to 1,000,000"),
        ("nodes=1.5,gpus=8,kind=h100", "--cluster nodes=1.5: allowed is a whole number"),
        ("nodes=1,gpus=65,kind=h100", "--cluster gpus=65: allowed is a whole number from 1 to 64"),
        ("nodes=1,gpus=8,kind=h100,price=-1", "--cluster price=-1: allowed is a number 0 or more"),
        ("nodes=1,gpus=8,kind=h100,power=nan", "--cluster power=nan: allowed is a number above 0"),
        ("nodes=1,gpus=8,kind=h100,pue=0.9", "--cluster pue=0.9: allowed is a number at least 1"),
        ("nodes=1,gpus=8,kind=h100,network=inf", "--cluster network=inf: allowed is a number above 0"),
        ("nodes=1,gpus=8,kind=h100,precision=fp8", "allowed is float32, tf32, float16, bfloat16"),
        ("nodes=1,gpus=8,kind=v100,precision=bfloat16", "allowed is one that v100 has: float32, float16"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_line(asked: str, says: str) -> None:
    with pytest.raises(UserError, match=re.escape(says)) as refused:
        read_cluster(asked)
    assert "\n" not in str(refused.value)


def test_kinds_have_what_the_plan_needs() -> None:
    assert {"v100", "a100", "a100-40gb", "h100", "h200", "b200", "mi250x", "mi300x", "l40s", "rtx4090"} <= set(KINDS)
    for kind in KINDS.values():
        assert 0.5 < kind.product_share < 0.95
        assert kind.peak["float32"] <= kind.peak.get("tf32", kind.peak["float16"]) <= kind.peak["float16"]
        assert kind.network <= kind.link < kind.memory_speed
