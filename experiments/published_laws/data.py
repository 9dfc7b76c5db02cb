"""The published tables that these measurements are of, and where they lie."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from harness.datasets import LossSurface
from harness.errors import DataError

DATA = Path(__file__).parents[3] / "shared" / "data"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the two published tables")


def chinchilla(folder: Path) -> pd.DataFrame:
    """Hoffmann et al. 2022, figure 4, as read off by Besiroglu et al. 2024: N, D, C, loss of 240 runs.

    The five runs of highest loss are left out, as the replication does.
    """
    table = _read(folder, "chinchilla_fig4_extracted.csv")
    frame = pd.DataFrame({"N": table["Model Size"], "C": table["Training FLOP"], "loss": table["loss"]})
    frame["D"] = frame["C"] / (6 * frame["N"])
    return frame.sort_values("loss", kind="stable").iloc[:-5].sort_index().reset_index(drop=True)


def marin(folder: Path) -> dict[str, pd.DataFrame]:
    """IsoFLOP runs on three corpora: corpus -> N, D, C, loss."""
    table = _read(folder, "marin_isoflop.csv")
    names = {"params": "N", "tokens": "D", "budget": "C", "loss": "loss"}
    parts = table.rename(columns=names).groupby("dataset")
    return {str(corpus): part[list(names.values())].astype(float).reset_index(drop=True) for corpus, part in parts}


def planted_surface(rng: np.random.Generator, n: np.ndarray, d: np.ndarray) -> LossSurface:
    """A random Hoffmann surface whose terms are of like size in the middle of the runs."""
    floor, alpha, beta = rng.uniform(1.2, 2.4), rng.uniform(0.25, 0.55), rng.uniform(0.25, 0.55)
    middle_n, middle_d = np.exp(np.log(n).mean()), np.exp(np.log(d).mean())
    a, b = rng.uniform(0.3, 1.2) * middle_n**alpha, rng.uniform(0.3, 1.2) * middle_d**beta
    return LossSurface(floor, a, b, alpha, beta)


def _read(folder: Path, name: str) -> pd.DataFrame:
    try:
        return pd.read_csv(folder / name)
    except FileNotFoundError:
        raise DataError(f"{folder / name}: no such file; --data names the folder it lies in") from None
