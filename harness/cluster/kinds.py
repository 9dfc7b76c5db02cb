"""Kinds of GPU: peak FLOPs, memory and speeds as their makers' data sheets have them.

Peaks are those of dense products. `link` is the speed from one GPU to the others of its node, `network` what a common
server of that kind has to other nodes, each in one direction and for each GPU.

Sources: NVIDIA's data sheets of V100, A100, H100, H200, H800, L40S, its architecture papers of Ada (GeForce RTX 4090)
and Blackwell (HGX B200); AMD's data sheets of Instinct MI250X and MI300X. Networks: DGX-1 (4 x 100 Gb/s), DGX A100
(8 x 200 Gb/s), DGX H100, H200, B200 and the MI300X platform (8 x 400 Gb/s), a node of Frontier (4 x 200 Gb/s); PCIe
cards are taken to share one card of 400 Gb/s (L40S) or 100 Gb/s (RTX 4090) in a node of eight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.errors import SettingError

GIB = 2**30
#: Share of the peak that the best products reach where nobody has published it: that of H100.
UNMEASURED = 0.8


@dataclass(frozen=True)
class Kind:
    """A kind of GPU.

    Attributes:
        name: as `kind=` has it.
        peak: precision -> FLOPs a second; precisions that it does not have are left out.
        product_share: share of the peak that the best of large products reach.
        memory: bytes.
        memory_speed: bytes a second.
        link: bytes a second to the other GPUs of a node, in one direction.
        network: likewise to other nodes.
        watts: the board's limit.
    """

    name: str
    peak: Mapping[str, float]
    product_share: float
    memory: int
    memory_speed: float
    link: float
    network: float
    watts: float


def _kind(
    name: str,
    teraflops: tuple[float, ...],
    share: float,
    gib: int,
    memory: float,
    link: float,
    network: float,
    watts: int,
) -> Kind:
    """`teraflops`: float32, tf32, float16, bfloat16, 0 for none; speeds in GB/s."""
    names = ("float32", "tf32", "float16", "bfloat16")
    peak = {precision: 1e12 * value for precision, value in zip(names, teraflops, strict=True) if value}
    return Kind(name, peak, share, gib * GIB, 1e9 * memory, 1e9 * link, 1e9 * network, float(watts))


#: Shares of the peak that products reach: "maximum achievable matmul FLOPS" in bfloat16, S. Bekman, Machine Learning
#: Engineering, compute/accelerator (2025): A100 0.869, H100 and H200 0.803, B200 0.776, MI300X 0.514; else UNMEASURED.
KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        _kind("v100", (15.7, 0, 125, 0), UNMEASURED, 32, 900, 150, 6.25, 300),
        _kind("a100", (19.5, 156, 312, 312), 0.869, 80, 2039, 300, 25, 400),
        _kind("a100-40gb", (19.5, 156, 312, 312), 0.869, 40, 1555, 300, 25, 400),
        _kind("h100", (67, 494.5, 989, 989), 0.803, 80, 3350, 450, 50, 700),
        _kind("h800", (67, 494.5, 989, 989), 0.803, 80, 3350, 200, 50, 700),
        _kind("h200", (67, 494.5, 989, 989), 0.803, 141, 4800, 450, 50, 700),
        _kind("b200", (80, 1125, 2250, 2250), 0.776, 180, 8000, 900, 50, 1000),
        # Half of a card, which torch sees as a GPU of its own.
        _kind("mi250x", (47.9, 0, 191.5, 191.5), UNMEASURED, 64, 1638, 100, 12.5, 280),
        _kind("mi300x", (163.4, 653.7, 1307, 1307), 0.514, 192, 5300, 448, 50, 750),
        _kind("l40s", (91.6, 183, 362, 362), UNMEASURED, 48, 864, 32, 6.25, 350),
        _kind("rtx4090", (82.6, 82.6, 165.2, 165.2), UNMEASURED, 24, 1008, 32, 1.5625, 450),
    )
}
#: Other names of the same.
ALIASES = {"a100-80gb": "a100", "4090": "rtx4090"}
PRECISIONS = ("float32", "tf32", "float16", "bfloat16")


def kind_named(name: str) -> Kind:
    """The kind of GPU of that name.

    Raises:
        SettingError: there is none.
    """
    known = name.lower()
    if (found := KINDS.get(ALIASES.get(known, known))) is None:
        raise SettingError("--cluster kind", name, ", ".join(KINDS))
    return found
