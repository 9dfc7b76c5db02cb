"""Images, text, speech, spelling and values side by side: a ladder, a law and the jumps of each, and what they took.

    python experiments/modalities/run.py [--results FOLDER] [--table]

2 cores, about 15 minutes; what is trained already is not trained again. Experiments whose data or extras this machine
lacks are said and left out. --table: from the tables beside this file, without training. The last step of every run is
kept beside this file, for notebooks/modalities.ipynb.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

import harness
from harness.cli import main as harness_command
from harness.wording import duration

HERE = Path(__file__).parent
#: Experiment -> the kind of its data.
EXPERIMENTS = {
    "vision_widths": "images",
    "vocabulary": "text",
    "speech": "speech",
    "spelling": "spelling",
    "teacher_student": "values",
}


def trained(results: Path) -> list[str]:
    """The experiments that could be trained."""
    able = []
    for name in EXPERIMENTS:
        if harness_command(["sweep", f"experiment={name}", f"results={results / name}"]) == 0:
            able.append(name)
    return able


def keep_last_steps(folder: Path, to: Path) -> None:
    """The tables of a results folder, of the measurements those of each run's last step."""
    to.mkdir(parents=True, exist_ok=True)
    measurements = pq.read_table(folder / "measurements.parquet")
    steps = measurements.select(["run_id", "step"]).to_pandas()
    last = steps["step"] == steps.groupby("run_id")["step"].transform("max")
    pq.write_table(measurements.filter(pa.array(last)), to / "measurements.parquet", compression="zstd")
    pq.write_table(pq.read_table(folder / "runs.parquet"), to / "runs.parquet", compression="zstd")


def summary(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each study: sizes, runs, exponent of the loss over parameters, verdicts, and the jobs' time."""
    jumps = harness.find_jumps(frame)
    laws = harness.exponents(frame, ("params_total",)).set_index("study")
    rows = []
    for study, part in frame.groupby("study"):
        runs = part.drop_duplicates("run_id")
        whole = jumps[(jumps["study"] == study) & (jumps["subtask"] == "all")]
        jobs = runs.drop_duplicates(["rung", "duration", "wall_s"])
        rows.append(
            {
                "data": EXPERIMENTS[name],
                "study": study,
                "family": runs["family"].iloc[0],
                "rungs": runs["rung"].nunique(),
                "runs": len(runs),
                "parameters": f"{runs['params_total'].min():,} to {runs['params_total'].max():,}",
                "exponent of the loss": _law(laws.loc[study]) if study in laws.index else "-",
                "jumps": "; ".join(f"{row['metric']}: {row['verdict']}" for row in whole.to_dict("records")) or "-",
                "time": duration(float(jobs["wall_s"].sum())),
            }
        )
    return pd.DataFrame(rows)


def _law(row: pd.Series) -> str:
    return f"{row['alpha']:.2f} ({row['alpha_low']:.2f} to {row['alpha_high']:.2f}), {row['status']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"), help="where the experiments are trained")
    parser.add_argument("--table", action="store_true", help="from the tables beside this file alone")
    given = parser.parse_args()
    if not given.table:
        for name in trained(given.results):
            harness_command(["collect", str(given.results / name)])
            keep_last_steps(given.results / name, HERE / "results" / name)
    kept = [name for name in EXPERIMENTS if (HERE / "results" / name / "runs.parquet").exists()]
    rows = pd.concat([summary(name, harness.load(HERE / "results" / name)) for name in kept])
    table = Table(*rows.columns)
    for row in rows.astype(str).to_numpy():
        table.add_row(*row)
    Console(width=200).print(table)


if __name__ == "__main__":
    main()
