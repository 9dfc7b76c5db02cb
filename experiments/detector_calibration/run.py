"""Error rates, power, ranking, thresholds, verdicts and speed of `find_jumps` on planted curves.

    python experiments/detector_calibration/run.py [WHAT] [--curves 150] [--seed 0] [--workers 1]

WHAT is grid, slopes, hold-out, examples, pairs, speed or figure (of grid and slopes); without it, all but grid and
figure are measured on 20 curves a cell, in about three minutes. README.md says what to expect, and how long each takes.

Rows of cells that are done are kept in results/detector_calibration, under a name that changes with the code that made
them; the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import frontier
import pandas as pd
from cells import SEEDS, SIZES, SLOPE_SIZES, examples, grid, hold_out, slopes
from figures import draw_all
from pairs import pairs, verdict_shares
from planted_examples import EXAMPLES
from planted_holdout import SIMULATORS
from tables import (
    STRATUM,
    as_text,
    by_height,
    false_positives,
    grid_power,
    grid_ranking,
    highest_power,
    ranking,
    smooth_curves,
    steps_found,
)

import harness
from harness import find_jumps
from harness.datasets import make_jumps

RESULTS = Path("results/detector_calibration")
HERE = Path(__file__).parent
#: Where to look for what rows depend on, and what there they do not depend on.
CODE = (*(Path(harness.__file__).parent / room for room in ("analysis", "datasets")), HERE)
PRESENTATION = ("run.py", "tables.py", "figures.py")
#: Curves a cell, asked for by name and where all is measured; at least, of the slopes of the figure; that are timed.
CURVES, FEW, DRAWN, TIMED = 150, 20, 200, 10_000


@dataclass(frozen=True)
class Part:
    """A part of a measurement, its rows kept under its name."""

    name: str
    rows: Callable[..., pd.DataFrame]
    arguments: tuple[object, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", nargs="?", choices=("slopes", "hold-out", "examples", "pairs", "speed", "grid", "figure")
    )
    parser.add_argument("--curves", type=_whole(1), help=f"a cell; {CURVES}, or {FEW} where no WHAT is named")
    parser.add_argument("--seed", type=_whole(0), default=0, help="other curves")
    parser.add_argument("--workers", type=_whole(1), default=1, help="processes")
    given = parser.parse_args()
    rows = Rows(given.curves or (CURVES if given.what else FEW), given.seed, given.workers)
    for name in (given.what,) if given.what else SHORT:
        MEASUREMENTS[name](rows)


def _whole(least: int) -> Callable[[str], int]:
    """Reads a whole number of at least `least`."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text}: a whole number of at least {least} is wanted")
        return int(text)

    return read


@dataclass(frozen=True)
class Rows:
    """Rows of measurements with so many curves a cell."""

    n: int
    seed: int
    workers: int

    def of(self, parts: Sequence[Part]) -> pd.DataFrame:
        """Rows of all parts; those that are not kept are measured."""
        folder = RESULTS / f"{_fingerprint()}-curves{self.n}-seed{self.seed}"
        folder.mkdir(parents=True, exist_ok=True)
        missing = [part for part in parts if not (folder / f"{part.name}.parquet").exists()]
        jobs = [(part, folder, self.n, self.seed) for part in missing]
        if self.workers == 1:
            list(map(_keep, jobs))
        else:
            with ProcessPoolExecutor(self.workers) as pool:
                list(pool.map(_keep, jobs))
        return pd.concat([pd.read_parquet(folder / f"{part.name}.parquet") for part in parts], ignore_index=True)

    def slopes(self) -> pd.DataFrame:
        return self.of([Part(f"slopes{n_sizes}", slopes, (n_sizes,)) for n_sizes in SLOPE_SIZES])

    def grid(self) -> pd.DataFrame:
        return self.of([Part(f"grid{k}x{s}", grid, (k, s)) for k, s in product(SIZES, SEEDS)])


def _keep(job: tuple[Part, Path, int, int]) -> None:
    part, folder, n, seed = job
    path = folder / f"{part.name}.parquet"
    unfinished = path.with_suffix(".part")
    part.rows(*part.arguments, n, seed).to_parquet(unfinished)
    unfinished.rename(path)


def _fingerprint() -> str:
    """Of the code that rows depend on."""
    paths = sorted(path for folder in CODE for path in folder.rglob("*.py") if path.name not in PRESENTATION)
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:10]


def _show(title: str, table: pd.DataFrame) -> None:
    print(f"\n{title}\n\n{as_text(table)}", flush=True)


def _show_steps(where: str, table: pd.DataFrame, by: Sequence[str]) -> None:
    _show(f"{where}: steps up", steps_found(table, by))
    if (table["step"] < 0).any():
        _show(f"{where}: steps down", steps_found(table, by, up=False))


def on_slopes(rows: Rows) -> None:
    table = rows.slopes()
    quiet = table[table["spread"] == 0.02]
    _show("Slopes, all spreads: false positives, mean and worst cell", false_positives(table))
    _show("Slopes, spread .02: no step", smooth_curves(quiet, ["n_sizes", "family"]))
    _show_steps("Slopes, spread .02", quiet, ["n_sizes", "family"])
    _show("Slopes, by spread: no step", smooth_curves(table, ["n_sizes", "spread"]))
    _show_steps("Slopes, by spread", table, ["n_sizes", "spread"])
    by = ["n_sizes", "spread"]
    _show("Slopes: power by height of the step, and by its share of the whole rise", by_height(table, by))
    bounds = rows.of([Part(f"frontier{n_sizes}", frontier.on_slopes, (n_sizes,)) for n_sizes in SLOPE_SIZES])
    _show("Slopes, steps up: highest power of any test, noise known", highest_power(bounds))
    for tall, against in ((True, "trends as high as trend and step"), (False, "the trend alone")):
        title = f"area under the curve, steps up against {against}"
        _show(f"Slopes, spread .02: {title}", ranking(quiet, ["n_sizes", "family"], tall))
        _show(f"Slopes: {title}", ranking(table, by, tall))


def on_hold_out(rows: Rows) -> None:
    parts = [Part(f"hold-out{k} {name}", hold_out, (name, k)) for name, k in product(SIMULATORS, SLOPE_SIZES)]
    table, by = rows.of(parts), ["family", "spread"]
    _show("Held out: false positives, mean and worst cell", false_positives(table))
    _show_steps("Held out, 8 and 12 sizes together", table, by)
    by = ["family", "n_sizes", "spread"]
    _show("Held out: area under the curve, steps up against trends as high", ranking(table, by, tall=True))


def on_examples(rows: Rows) -> None:
    table = rows.of([Part(f"example{i}", examples, (name,)) for i, name in enumerate(EXAMPLES)])
    by = ["family", "n_sizes", "n_seeds"]
    _show("Examples without their step", smooth_curves(table, by))
    _show_steps("Examples", table, by)


def on_pairs(rows: Rows) -> None:
    table = rows.of([Part("pairs", pairs, ())])
    _show("Pairs: verdicts, and jumps of either metric", verdict_shares(table))


def on_grid(rows: Rows) -> None:
    table = rows.grid()
    one, several = (table[at] for at in (table["n_seeds"] == 1, table["n_seeds"] > 1))
    _show("Grid, three seeds or more: false positives, mean and worst cell", false_positives(several))
    _show("Grid, one seed: false positives, mean and worst cell", false_positives(one))
    _show("Grid: power at p < .05, and the bound for tests of the whole cone", grid_power(table, _bounds()))
    _show("Grid: jumps", steps_found(table[table["family"] == "jump"], STRATUM))
    _show("Grid: jumps by height", by_height(table[table["family"] == "jump"], STRATUM).filter(regex="^(n_|height)"))
    _show("Grid: area under the curve, five parametric smooth families against jumps", grid_ranking(table))


def _bounds() -> dict[tuple[int, int], float]:
    return {(k, s): frontier.on_the_grid(k, s, 100, 1) for k, s in product(SIZES, SEEDS)}


def figure(rows: Rows) -> None:
    """Of the grid with the curves asked for, and of slopes, which take less, with more."""
    draw_all(rows.grid(), replace(rows, n=max(rows.n, DRAWN)).slopes(), HERE / "figure.png")


def speed(_: Rows) -> None:
    """Ten thousand curves in one call, by one process."""
    frame = make_jumps(TIMED, n_sizes=8, n_seeds=3, noise=0.02, random_state=2).frame
    started = _clocks()
    find_jumps(frame, x="params")
    wall, own = (1000 * (now - then) / TIMED for now, then in zip(_clocks(), started, strict=True))
    what = f"{TIMED:,} jumps of 8 sizes and 3 seeds in one call of find_jumps"
    print(f"\nSpeed: {wall:.2f} ms a curve, of which this process had a core for {own:.2f} ({what})")


def _clocks() -> tuple[float, float]:
    """Seconds that passed, and seconds that this process had."""
    return time.perf_counter(), time.process_time()


MEASUREMENTS = {
    "slopes": on_slopes,
    "hold-out": on_hold_out,
    "examples": on_examples,
    "pairs": on_pairs,
    "speed": speed,
    "grid": on_grid,
    "figure": figure,
}
#: Those that take minutes, and are made where none is named.
SHORT = ("slopes", "hold-out", "examples", "pairs", "speed")


if __name__ == "__main__":
    main()
