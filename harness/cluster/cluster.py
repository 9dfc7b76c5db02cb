"""A cluster, as ``--cluster nodes=64,gpus=8,kind=h100`` describes it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.cluster.kinds import PRECISIONS, Kind, kind_named
from harness.errors import SettingError, UserError, nearest

#: What a data centre takes over what its computers take; that of Touvron et al. 2023 (LLaMA), section 6.
PUE = 1.1
#: Key -> what it is.
KEYS = {
    "nodes": "number of nodes",
    "gpus": "GPUs of a node",
    "kind": "kind of GPU",
    "price": "dollars for a GPU and hour",
    "power": "watts of a GPU; the kind's limit where it is not given",
    "pue": f"energy of the data centre over that of its GPUs; {PUE}",
    "precision": "that of products; the study's own",
    "network": "Gbit/s of a node to the others, in one direction; that of a common server of the kind",
}
#: The largest cluster that is planned for: beyond it a number is more likely a slip.
MOST = 1_000_000


@dataclass(frozen=True)
class Cluster:
    """Equal nodes of equal GPUs.

    Attributes:
        nodes, gpus: how many nodes, and GPUs of each.
        kind: of the GPUs.
        network: bytes a second from one node to the others, in one direction.
        price: dollars for a GPU and hour; None where it was not told.
        power: watts of a GPU.
        pue: energy of the data centre over that of its GPUs.
        precision: of products; None for each study's own.
    """

    nodes: int
    gpus: int
    kind: Kind
    network: float
    price: float | None
    power: float
    pue: float = PUE
    precision: str | None = None

    @property
    def total(self) -> int:
        """GPUs in all."""
        return self.nodes * self.gpus

    def kwh(self, gpu_hours: float) -> float:
        """Energy of so many hours of a GPU, in kWh: hours x power x PUE (Touvron et al. 2023, section 6)."""
        return gpu_hours * self.power * self.pue / 1000

    def check_precision(self, precision: str) -> None:
        """Raise SettingError for a precision that the kind does not have."""
        if precision not in self.kind.peak:
            allowed = f"one that {self.kind.name} has: {', '.join(self.kind.peak)}"
            raise SettingError("--cluster precision", precision, allowed)


def read_cluster(asked: str) -> Cluster:
    """The cluster that ``nodes=64,gpus=8,kind=h100`` describes; further keys are in `KEYS`.

    Raises:
        UserError: a key that is unknown, given twice or missing, or a value that is none.
    """
    given: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in asked.split(","))):
        key, equals, value = (word.strip() for word in part.partition("="))
        if ";" in value or "=" in value:
            raise UserError(f"--cluster {part}: {value} is no value of {key}; keys are divided by commas")
        if key not in KEYS:
            raise UserError(f"--cluster {part}: {key} is not a key{nearest(key, KEYS)} (keys: {', '.join(KEYS)})")
        if not equals or not value:
            raise UserError(f"--cluster {part}: a value is wanted, {key}=VALUE: {KEYS[key]}")
        if key in given:
            raise UserError(f"--cluster {part}: {key} is given twice")
        given[key] = value
    if missing := [key for key in ("nodes", "gpus", "kind") if key not in given]:
        raise UserError(f"--cluster {asked or '(empty)'}: {missing[0]} is missing: write nodes=64,gpus=8,kind=h100")
    kind, gpus = kind_named(given["kind"]), _whole("gpus", given["gpus"], 64)
    network = _above("network", given["network"]) * 1e9 / 8 if "network" in given else gpus * kind.network
    cluster = Cluster(
        nodes=_whole("nodes", given["nodes"], MOST),
        gpus=gpus,
        kind=kind,
        network=network,
        price=_above("price", given["price"], zero=True) if "price" in given else None,
        power=_above("power", given["power"]) if "power" in given else kind.watts,
        pue=_above("pue", given["pue"], least=1) if "pue" in given else PUE,
        precision=given.get("precision"),
    )
    if cluster.precision is not None:
        if cluster.precision not in PRECISIONS:
            raise SettingError("--cluster precision", cluster.precision, ", ".join(PRECISIONS))
        cluster.check_precision(cluster.precision)
    return cluster


def _whole(key: str, value: str, most: int) -> int:
    try:
        number = int(value)
    except ValueError:
        number = 0
    if not 1 <= number <= most:
        raise SettingError(f"--cluster {key}", value, f"a whole number from 1 to {most:,}, the {KEYS[key]}")
    return number


def _above(key: str, value: str, zero: bool = False, least: float = 0.0) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= least and (zero or number > 0)):
        range_ = f"at least {least:g}" if least else "0 or more" if zero else "above 0"
        raise SettingError(f"--cluster {key}", value, f"a number {range_}: {KEYS[key]}")
    return number
