"""Published curves, tried: OPT as a negative control, Pythia over size and over training, nine benchmarks over compute.

    python experiments/real_curves/run.py [opt | pythia-size | pythia-training | question-groups] [--data FOLDER]
                                          [--figures FOLDER]

1 core, 3 minutes; all four where none is named. Where the published files are absent it says so and does nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import drawing
import over_families
import over_size
import over_training
import pandas as pd
from counting import claims, summary
from reading import DATA

from harness.errors import UserError

#: Columns of the curves that are listed one by one.
_LISTED = ["study", "task", "metric", "p_value", "p_adjusted", "verdict", "threshold", "height"]


def opt(data: Path, pictures: Path | None) -> None:
    """How often a negative control is claimed to jump, and how often it would be if it did."""
    found = over_size.opt(data)
    _print(summary(found))
    _print_smallest(found["OPT, a study a task"])
    _print(over_size.at_chinchilla_7b(found["OPT, a study a task"])[_LISTED])
    planted = over_size.planted_in_opt(data)
    print(f"a jump in one curve of {over_size.EVERY}, between the fourth and the fifth size:")
    _print(planted.set_index("height"))
    if pictures:
        drawing.draw_control(found["OPT, a study a task"], planted, pictures / "control.png")


def pythia_size(data: Path, pictures: Path | None) -> None:
    """Pythia's last checkpoints over size."""
    found = over_size.pythia(data)
    _print(summary(found))
    _print_smallest(found["Pythia, a study a task"])
    _print(over_size.at_chinchilla_7b(found["Pythia, a study a task"])[_LISTED])


def pythia_training(data: Path, pictures: Path | None) -> None:
    """Pythia's checkpoints over training, model by model and together."""
    training = over_training.read_training(data)
    found = over_training.of_each_model(training)
    together = over_training.of_all_models(training)
    by_model = {str(model): rows for model, rows in found.groupby("study", sort=False)}
    _print(summary({"each model": found, **by_model, "seven models as seven runs": together}))
    _print(summary(over_training.by_kind_of_task(found)))
    _print(found.loc[claims(found), _LISTED])
    for reason in found.loc[claims(found), "reason"]:
        print(reason)
    _print_smallest(together)
    _print(over_training.scatter_of_checkpoints(data))
    places = over_training.places(found)
    _print(places)
    _print(over_training.dependence_on_size(training))
    if pictures:
        drawing.draw_training(training, places, pictures / "training.png")


def question_groups(data: Path, pictures: Path | None) -> None:
    """Accuracy and Brier score of nine benchmarks over compute, and of groups of their questions."""
    found = over_families.jumps(data)
    others = {f"{bins:g} bins an octave": over_families.jumps(data, bins) for bins in over_families.OTHER_BINS}
    groups = over_families.jumps_of_groups(data)
    _print(summary({"1 bin an octave": found, **others, "Brier score of 90 groups": groups}))
    beside = over_families.beside_the_literature(found)
    _print(beside)
    for row in found.to_dict("records"):
        print(f"{row['task']}: {row['verdict']}, {row['reason']}")
    _print(over_families.half_rises_of_groups(groups))
    if pictures:
        drawing.draw_families(data, beside, pictures / "question_groups.png")


PARTS: dict[str, Callable[[Path, Path | None], None]] = {
    "opt": opt,
    "pythia-size": pythia_size,
    "pythia-training": pythia_training,
    "question-groups": question_groups,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=("opt", "pythia-size", "pythia-training", "question-groups"))
    parser.add_argument("--data", type=Path, help="folder of the published files (../shared/data/real)")
    parser.add_argument("--figures", type=Path, help="draw the figures there")
    given = parser.parse_args()
    if given.data is None and not DATA.is_dir():
        print(f"nothing to do: the published files are not at {DATA}; --data names another place")
        return
    for name in [given.part] if given.part else PARTS:
        print(f"\n{name}", flush=True)
        PARTS[name](given.data or DATA, given.figures)


def _print(table: pd.DataFrame) -> None:
    print(table.to_string(float_format=lambda value: f"{value:.3g}"), flush=True)


def _print_smallest(found: pd.DataFrame) -> None:
    _print(found.nsmallest(3, "p_value")[_LISTED])


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"{error}")
