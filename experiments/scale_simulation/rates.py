"""How often nodes fail and machines are taken away, as published."""

from __future__ import annotations

from dataclasses import dataclass

DAY_S = 24 * 3600.0


@dataclass(frozen=True)
class Rate:
    """Failures of one node in a thousand days, and where that stands."""

    name: str
    per_thousand_node_days: float
    source: str

    @property
    def per_s(self) -> float:
        return self.per_thousand_node_days / 1000 / DAY_S


RATES = (
    Rate("RSC-2", 2.34, "Kokolis et al. 2024, arXiv:2410.21680: 2.34 failures per 1,000 node-days"),
    Rate(
        "Llama 3",
        1000 * 419 / (54 * 16_384 / 8),
        "Dubey et al. 2024, arXiv:2407.21783, section 3.3.4: 419 unexpected interruptions in 54 days on 16,384 GPUs, "
        "8 a node",
    ),
    Rate("RSC-1", 6.50, "Kokolis et al. 2024, arXiv:2410.21680: 6.50 failures per 1,000 node-days"),
    Rate(
        "OPT-175B",
        1000 * (35 + 70) / (61 * 992 / 8),
        "Zhang et al. 2022, arXiv:2205.01068, section 2.5: 35 manual and about 70 automatic restarts in 2 months on "
        "992 GPUs, 8 a node",
    ),
    Rate(
        "spot",
        1000 * 600 / 127.75,
        "traces of Wu et al. 2024 (NSDI), github.com/skypilot-org/spot-traces, preemption/4-node/aws-08-03-2023: 600 "
        "of up to 4 p3.2xlarge (one V100 each) taken away in 127.75 machine-days, in three zones",
    ),
)


def rate(name: str) -> Rate:
    return next(rate for rate in RATES if rate.name == name)
