"""FLOPs to place N* of one subtask of parity: by `harness refine`, and by ladders that are finer everywhere.

python experiments/refinement/run.py      (2 cores, about 15 minutes; what is trained already is not trained again)
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

import harness
from harness.cli import main as command
from harness.records.store import collect

X = "params_non_embedding"
SUBTASK, METRIC = "subtask 5", "accuracy"
FIRST, LAST, SEEDS = 8, 256, 10
TARGET = 1.5
#: Sizes to an octave of the ladders that are finer everywhere; the first that reaches the target counts.
FINENESS = (1, 2, 3, 4, 5, 6, 8, 12)


def widths(per_octave: int) -> list[int]:
    """A geometric ladder from FIRST to LAST, in whole numbers."""
    n = round(np.log2(LAST / FIRST) * per_octave)
    return sorted({round(FIRST * 2 ** (i / per_octave)) for i in range(n + 1)})


def call(verb: str, first_seed: int, per_octave: int, results: Path, more: list[str]) -> None:
    """Train; stops the script where the command fails."""
    ladder = [f"ladder.widths={widths(per_octave)}", f"seeds={SEEDS}", f"first_seed={first_seed}"]
    if code := command([verb, "experiment=quickstart/parity", "name=refinement", f"results={results}", *ladder, *more]):
        raise SystemExit(code)


def placed(folder: Path, method: str, sizes: list[int] | None = None, end: float = np.inf) -> dict[str, object]:
    """N* by the runs of a folder, of these widths and of seeds before `end` only where given, and what they cost."""
    collect(folder)
    frame = harness.load(folder)
    if sizes is not None:
        frame = frame[frame["width"].isin(sizes) & (frame["seed"] < end)]
    runs = frame.drop_duplicates("run_id")
    # All subtasks at once, as `harness refine` and `harness analyze` place them: they share what is known of the noise.
    found = harness.thresholds(frame, X)
    (row,) = found[(found["subtask"] == SUBTASK) & (found["metric"] == METRIC)].to_dict("records")
    return {
        "method": method,
        "sizes": runs["width"].nunique(),
        "runs": len(runs),
        "flops": runs["flops_run"].sum(),
        "N*": row["threshold"],
        "low": row["threshold_low"],
        "high": row["threshold_high"],
        "ratio": row["threshold_high"] / row["threshold_low"] if row["threshold_low"] > 0 else np.inf,
    }


def compare(first_seed: int, target: float, more: list[str]) -> pd.DataFrame:
    """A row for each method: the coarse ladder, refined, and finer everywhere until that is as narrow as was wanted."""
    folder = Path("results/refinement")
    refined, finer = folder / f"refined-{first_seed}", folder / f"finer-{first_seed}"
    chosen = [f"refine.subtasks=[{SUBTASK}]", f"refine.ratio={target}", "refine.budget=10", "refine.rounds=50"]
    call("refine", first_seed, 1, refined, [*chosen, *more])
    rows = [placed(refined, "coarse", widths(1), first_seed + SEEDS), placed(refined, "refined")]
    for per_octave in FINENESS[1:]:
        call("sweep", first_seed, per_octave, finer, more)
        rows.append(placed(finer, f"{per_octave} sizes an octave", widths(per_octave), first_seed + SEEDS))
        if rows[-1]["ratio"] <= target:  # type: ignore[operator]
            break
    return pd.DataFrame(rows).assign(first_seed=first_seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first-seeds", type=int, nargs="+", default=[0, 1000, 2000], help="one comparison each")
    parser.add_argument("--target", type=float, default=TARGET, help="ratio of the interval's ends (%(default)s)")
    parser.add_argument("overrides", nargs="*", help="further settings, e.g. launcher.workers=1")
    asked = parser.parse_intermixed_args()
    found = pd.concat([compare(seed, asked.target, asked.overrides) for seed in asked.first_seeds], ignore_index=True)
    table = Table(title=f"N* of {SUBTASK} ({METRIC}), interval wanted within a factor of {asked.target:g}")
    for name in ("first seed", "method", "sizes", "runs", "FLOPs", "N* (interval)", "ratio"):
        table.add_column(name, justify="left" if name == "method" else "right", no_wrap=True)
    for first_seed, part in found.groupby("first_seed"):
        for row in part.to_dict("records"):
            interval = f"{row['N*']:,.0f} ({row['low']:,.0f} to {row['high']:,.0f})"
            cells = str(first_seed), row["method"], str(row["sizes"]), str(row["runs"]), f"{row['flops']:.3g}"
            table.add_row(*cells, interval, f"{row['ratio']:.2f}")
        table.add_section()
    console = Console(width=120)
    console.print(table)
    flops = found.groupby("first_seed")["flops"].agg(refined=lambda f: f.iloc[1], finer="last")
    shares = flops["refined"] / flops["finer"]
    each = ", ".join(f"{share:.2f}" for share in shares)
    console.print(
        f"FLOPs refined over finer everywhere: {flops['refined'].sum() / flops['finer'].sum():.2f} ({each})",
        highlight=False,
    )


if __name__ == "__main__":
    main()
