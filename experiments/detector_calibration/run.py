"""Error rates, power, ranking, thresholds and verdicts of `find_jumps` on planted curves.

    python experiments/detector_calibration/run.py [--curves 1000] [--only rates|pairs|speed] [--workers 2]

2 cores, about 35 minutes; cells that are done are kept in results/detector_calibration, and the same command goes on.
Expect: false positives at most 6 % at p < .05 in every cell of the families of the README.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from cells import SPREADS, Cell, bound, rows
from figures import draw_all
from rich.console import Console
from rich.progress import track
from tables import print_tables

from harness import find_jumps
from harness.datasets import JUMP_KINDS, SMOOTH_KINDS, make_jumps, make_metric_pairs

SIZES, SEEDS = (5, 6, 8, 10, 12), (1, 3, 5, 10)
RESULTS = Path("results/detector_calibration")
HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=int, default=1000, help="a cell")
    parser.add_argument("--only", choices=("rates", "pairs", "speed"))
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    given = parser.parse_args()
    console = Console(width=140)
    if given.only in (None, "speed"):
        speed(console)
    if given.only in (None, "pairs"):
        pairs(console, given.curves)
    if given.only in (None, "rates"):
        table = rates(given.curves, given.workers)
        bounds = {
            (k, s): float(np.mean([bound(Cell(k, s, "jump", spread), 300, 1) for spread in SPREADS]))
            for k, s in product(SIZES, SEEDS)
        }
        print_tables(table, bounds, console)
        draw_all(table, HERE / "figure.png")


def rates(n: int, workers: int) -> pd.DataFrame:
    """A row a curve over the whole grid."""
    folder = RESULTS / f"{n}"
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(k, s, n, folder) for k, s in product(SIZES, SEEDS)]
    with ProcessPoolExecutor(workers) as pool:
        paths = list(track(pool.map(_stratum, jobs), "strata", total=len(jobs)))
    return pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)


def _stratum(job: tuple[int, int, int, Path]) -> Path:
    n_sizes, n_seeds, n, folder = job
    path = folder / f"sizes{n_sizes}_seeds{n_seeds}.parquet"
    if not path.exists():
        parts = [
            rows(Cell(n_sizes, n_seeds, family, spread), n, 0)
            for family, spread in product([*SMOOTH_KINDS, *JUMP_KINDS], SPREADS)
        ]
        unfinished = path.with_suffix(".part")
        pd.concat(parts, ignore_index=True).to_parquet(unfinished)
        unfinished.rename(path)
    return path


def pairs(console: Console, n: int) -> None:
    """Verdicts on an all-or-nothing metric and its tokens, each pair analysed alone, K = 8 and S = 3."""
    console.print(f"\nVerdicts on pairs of metrics (8 sizes, 3 seeds, {n} pairs a row)")
    for emergent, spread in product((True, False), SPREADS):
        frame = make_metric_pairs(n, jump=emergent, n_sizes=8, n_seeds=3, noise=spread, random_state=1).frame
        verdicts = pd.concat([find_jumps(pair, x="params") for _, pair in frame.groupby("study")])["verdict"]
        shares = ", ".join(f"{name} {share:.3f}" for name, share in verdicts.value_counts(normalize=True).items())
        console.print(f"tokens {'jump  ' if emergent else 'smooth'} spread {spread:.2f}: {shares}", highlight=False)


def speed(console: Console) -> None:
    """Ten thousand curves in one call, by one process."""
    frame = make_jumps(10_000, n_sizes=8, n_seeds=3, noise=0.02, random_state=2).frame
    started = time.perf_counter()
    find_jumps(frame, x="params")
    console.print(f"find_jumps: {(time.perf_counter() - started) / 10:.2f} s a thousand curves (8 sizes, 3 seeds)")


if __name__ == "__main__":
    main()
