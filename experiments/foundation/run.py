"""What is pretraining worth? A text and an image family, pretrained, then fine-tuned on less, against from scratch.

    python experiments/foundation/run.py [--results FOLDER] [--table]

2 cores, about 35 minutes; what is trained already is not trained again. Images need Fashion-MNIST where Debian's
package dataset-fashion-mnist puts it, and are left out otherwise. --table: from the tables beside this file, without
training.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import made_data
import pandas as pd
import pyarrow.parquet as pq
import tables
from rich.console import Console

from harness.cli import main as harness_command

HERE = Path(__file__).parent
DATA = Path("build/foundation")
#: Examples to fine-tune on, and those where ways to fine-tune stand side by side.
AMOUNTS, FEWER = "[100,300,1000,3000,10000]", "[100,1000,10000]"
#: Fine-tuning is evaluated often, and the best evaluation counts.
OFTEN = ("training.evaluate=even", "training.evaluations=30", "training.keep=none")

#: Every way has as many steps, until its loss no longer falls.
BUDGET = ("ladder.steps=1500", "training.patience=5")


@dataclass(frozen=True)
class Half:
    """A study: what is trained, on what, from where."""

    kind: str
    experiment: str
    study: str
    overrides: tuple[str, ...]
    start: str | None = None


def halves() -> list[Half]:
    """All studies, those that others start from first."""
    prose = ("data.source=path:build/foundation/prose", "data.eval_fraction=0.2", *OFTEN)
    packages = (
        *("task=text_classification", "task.context=48", "task.subtasks_by=none"),
        *("data.source=path:build/foundation/packages.csv", *OFTEN),
    )
    target = ("data.source=path:build/foundation/target.npz", *OFTEN)
    unlabelled = (
        *("data.source=path:build/foundation/others.npz", "loss=contrastive", "ladder.steps=1000"),
        "data.augment=[{crop:{padding:2}},{flip:{}}]",
    )
    found = [
        Half("text", "text", "code", ()),
        Half("images", "images", "others", ()),
        Half("images", "images", "unlabelled", unlabelled),
    ]
    # Rates were chosen on seed 100 of one width, among .002, .006, .02 and .06 (LOG.md).
    rates = {"scratch": 0.02, "full": 0.01, "head": 0.02, "lora": 0.02}
    for way, rate in rates.items():
        few = way in ("head", "lora")
        start = () if way == "scratch" else (f"finetune={way}",)
        for task, overrides in (("prose", prose), ("packages", packages)):
            amounts = f"ladder.train_examples={FEWER if few or task == 'packages' else AMOUNTS}"
            sizes = ("ladder.widths=[16,64]",) if few or task == "packages" else ()
            given = (*overrides, *BUDGET, amounts, *sizes, f"optimizer.lr={rate}", *start)
            found.append(Half("text", "text", f"{task} {way}", given, "code" if start else None))
    image_rates = {"scratch": 0.003, "full": 0.003, "head": 0.01, "lora": 0.003}
    for way, rate in image_rates.items():
        amounts = f"ladder.train_examples={FEWER if way in ('head', 'lora') else AMOUNTS}"
        for parent in ("",) if way == "scratch" else ("others", "unlabelled"):
            start = (f"finetune={way}",) if parent else ()
            given = (*target, *BUDGET, amounts, f"optimizer.lr={rate}", *start)
            name = f"target {way}" + (f" from {parent}" if parent else "")
            found.append(Half("images", "images", name, given, parent or None))
    return found


def train(results: Path) -> None:
    """Train what is not trained yet, of the kinds of data that there are."""
    kinds = made_data.make(DATA)
    for half in halves():
        if half.kind not in kinds:
            continue
        start = [f"init_from={results}/{half.start}"] if half.start else []
        words = [f"experiment=foundation/{half.experiment}", f"study={half.study}", f"results={results}"]
        if code := harness_command(["sweep", *words, *half.overrides, *start]):
            raise SystemExit(code)
    harness_command(["collect", str(results)])


def keep(results: Path, to: Path) -> None:
    """Keep both tables, of the measurements those of evaluation."""
    to.mkdir(parents=True, exist_ok=True)
    numbers = pq.read_table(results / "measurements.parquet", filters=[("split", "=", "eval"), ("subtask", "=", "all")])
    pq.write_table(numbers, to / "measurements.parquet", compression="zstd")
    pq.write_table(pq.read_table(results / "runs.parquet"), to / "runs.parquet", compression="zstd")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results/foundation"), help="where all is trained")
    parser.add_argument("--table", action="store_true", help="from the tables beside this file alone")
    given = parser.parse_args()
    if not given.table:
        train(given.results)
        keep(given.results, HERE / "results")
    with pd.option_context("display.width", 200):
        tables.show(HERE / "results", Console(width=160))


if __name__ == "__main__":
    main()
