"""The founding networks on images: accuracy, laws over width and over images, and forecasts before the images are seen.

    python experiments/vision_reference/run.py [--mnist10k FILE.npz] [--mnist FOLDER] [--fashion FOLDER]

2 cores, about 15 minutes; what is trained already is not trained again. FILE.npz holds arrays images
and labels of 10,000 digits of MNIST, FOLDER the four IDX files. What is not there is said and left out. Tables go to
results/vision_*, the figure to results/vision_reference/figure.png.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from figure import Panel, draw
from forecasts import EXAMPLES, Forecast, errors, forecast

import harness
from harness.errors import DataError
from harness.wording import interval

FASHION = Path("/usr/share/datasets/fashion-mnist")
#: Training and evaluation images of MNIST and Fashion-MNIST.
ALL, TEST = 60_000, 10_000
#: Published accuracies. Fashion-MNIST's README, of networks near in size and without augmentation: "MLP 256-128-100",
#: and "2 Conv+pooling" (of TensorFlow's documentation). MNIST: those with which this project was founded.
PUBLISHED = {"fashion": {"mlp": 0.8833, "cnn": 0.916}, "digits": {"mlp": 0.942, "cnn": 0.990}}
#: The images -> the file of conf/data, and their name.
CONFIG = {"fashion": "fashion_mnist", "digits": "mnist"}
TITLE = {"fashion": "Fashion-MNIST", "digits": "digits of MNIST"}
PLAIN = ("mlp", "cnn")
AUGMENTED = ("mlp", "mlp_augmented", "cnn", "cnn_augmented")


def trained(experiment: str, images: str, source: Path, studies: Sequence[str]) -> pd.DataFrame:
    """Train what is missing of some studies of an experiment, on images of `source`; rows of accuracy and loss."""
    listed = ",".join(f"{experiment}/{study}" for study in studies)
    data = (f"data={CONFIG[images]}", f"data.source=path:{source}")
    return harness.sweep(f"experiment={experiment}", f"studies=[{listed}]", f"name={experiment}_{images}", *data)


def forecasts_from_few(images: str, source: Path, studies: Sequence[str], other_images: int | None) -> Panel:
    """Errors on up to 8,000 images, their laws, and forecasts for all, which go to a file."""
    runs = errors(trained("vision_examples", images, source, studies))
    print(f"\n{images}: errors on few images (%), their laws, and the forecasts for {ALL:,}")
    print((100 * runs.pivot_table(index=EXAMPLES, columns="study", values="value")).round(2).to_string())
    print_laws(runs, (EXAMPLES,), ("error",))
    by_study = dict(list(runs.groupby("study")))
    found = {study: forecast(by_study[study], study, ALL, other_images) for study in studies}
    for each in found.values():
        print(each)
    pd.DataFrame(found.values()).to_csv(f"results/vision_examples_{images}/forecasts.csv", index=False)
    return Panel(TITLE[images], by_study, found)


def print_laws(frame: pd.DataFrame, along: tuple[str, ...], metrics: Sequence[str]) -> None:
    """A y = A x^-alpha or E + A x^-alpha for each study, with intervals."""
    for metric in metrics:
        part = frame[(frame["metric"] == metric) & (frame["subtask"] == "all")]
        for row in harness.exponents(part, along, metric).to_dict("records"):
            alpha, floor = (interval(row[p], row[f"{p}_low"], row[f"{p}_high"]) for p in ("alpha", "E"))
            print(
                f"{row['study']}, {metric} over {row['x']}: {row['formula']}, alpha {alpha}, E {floor}; {row['status']}"
            )


def judge(found: dict[str, Forecast], runs: pd.DataFrame) -> None:
    """Say of each forecast whether the runs on all images lie inside."""
    for study, its in errors(runs).groupby("study"):
        if study in found:
            inside = its["value"].map(found[study].holds)
            got = ", ".join(f"{100 * (1 - error):.2f}" for error in its["value"])
            print(f"{study}: trained on all, {got} % right: {inside.sum()} of {len(its)} inside")


def accuracies(runs: pd.DataFrame) -> None:
    """Mean and standard deviation over seeds, beside what is published."""
    found = runs[(runs["metric"] == "accuracy") & (runs["subtask"] == "all")].groupby("study")["value"]
    table = 100 * found.agg(["mean", "std"])
    table["published"] = [100 * PUBLISHED["fashion"][study.split("_")[0]] for study in table.index]
    table["difference"] = table["mean"] - table["published"]
    print(table.assign(seeds=found.count()).round(2).to_string())


def verdicts(frame: pd.DataFrame) -> None:
    jumps = harness.find_jumps(frame, "params_total")
    print(jumps[jumps["subtask"] == "all"][["study", "metric", "verdict"]].to_string(index=False))
    classes = jumps[jumps["subtask"] != "all"]
    print(f"classes: {classes.groupby(['study', 'metric'])['verdict'].value_counts().to_dict()}")


def on_fashion(folder: Path) -> Panel:
    panel = forecasts_from_few("fashion", folder, PLAIN, None)
    runs = trained("vision_reference", "fashion", folder, ("mlp", "mlp_mse", "cnn", "cnn_mse"))
    judge(panel.forecasts, runs)
    print(f"\naccuracy on Fashion-MNIST, trained on all {ALL:,} images (%)")
    accuracies(runs)
    widths = trained("vision_widths", "fashion", folder, PLAIN)
    print("\nlaws over the width, in parameters")
    print_laws(pd.concat([widths, errors(widths)]), ("params_total", "params_non_embedding"), ("loss", "error"))
    verdicts(widths)
    return panel.with_all(errors(runs), PUBLISHED["fashion"])


def on_digits(file: Path, mnist: Path | None) -> Panel:
    panel = forecasts_from_few("digits", file, AUGMENTED, TEST)
    for study, right in PUBLISHED["digits"].items():
        said = "inside" if panel.forecasts[study].holds(1 - right) else "outside"
        print(f"{study}: the published {100 * right:.1f} % is {said} the interval")
    if mnist is None:
        print("MNIST itself is not trained on: --mnist FOLDER says where its four IDX files lie")
        return panel.with_all(None, PUBLISHED["digits"])
    runs = trained("vision_reference", "digits", mnist, PLAIN)
    judge(panel.forecasts, runs)
    return panel.with_all(errors(runs), PUBLISHED["digits"])


def unless_missing(part: Callable[[], Panel]) -> list[Panel]:
    """What a part of the study gives, or nothing and a line that says which data it lacks."""
    try:
        return [part()]
    except DataError as error:
        print(f"left out: {error}")
        return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist10k", type=Path, metavar="FILE", help="10,000 digits of MNIST as NPZ: images, labels")
    parser.add_argument("--mnist", type=Path, metavar="FOLDER", help="the four IDX files of MNIST, .gz or not")
    parser.add_argument("--fashion", type=Path, default=FASHION, metavar="FOLDER", help="those of Fashion-MNIST")
    given = parser.parse_args()
    panels = []
    if given.mnist10k is None:
        print("digits are left out: --mnist10k FILE says where 10,000 of MNIST lie")
    else:
        panels += unless_missing(lambda: on_digits(given.mnist10k, given.mnist))
    panels += unless_missing(lambda: on_fashion(given.fashion))
    if panels:
        draw(panels, Path("results/vision_reference"))


if __name__ == "__main__":
    main()
