"""Induction: which axis carries its threshold, how training moves it, what foretells it; and hops, a second ability.

    python experiments/transformer_emergence/run.py      (2 cores, about 25 minutes; trained runs are not trained again)
    python experiments/transformer_emergence/run.py --only figure      tables and figure of what is there: seconds
    python experiments/transformer_emergence/run.py launcher.workers=1 results=elsewhere      settings, as for the verbs

Trains experiment=transformer_emergence, replays the runs near the threshold for early signs, prints the tables that
README quotes and draws figure.png in the results folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from early import early_signs, foretold
from figure import draw
from rich.console import Console

import harness
from harness.config import compose
from harness.records.store import collect
from harness.sweeping.run import sweep
from harness.wording import interval

NAME = "transformer_emergence"
SIZE, TOKENS, FLOPS = "params_non_embedding", "tokens_run", "flops_run"
NEAR = ("near", "near_short", "near_long")
THRESHOLD = ("threshold", "threshold_low", "threshold_high")
#: Token accuracy from which a run has the ability; one layer of such a size and duration ends below .25.
ABLE = 0.5
#: Mean token accuracy that the best size of a ladder must reach for its N* to be the ability's.
REACHED = 0.9


def ladder(frame: pd.DataFrame, study: str, steps: int | None = None, width: int | None = None) -> pd.DataFrame:
    """Rows of a study at one duration, or at one width, named for the tables as a study of its own."""
    part = frame[frame["study"] == study]
    name = study
    if steps is not None:
        part, name = part[part["step"] == steps], f"{name}, {steps:,} steps"
    if width is not None:
        part, name = part[part["width"] == width], f"{name}, width {width}"
    return part.assign(study=name)


def accuracy(frame: pd.DataFrame) -> pd.DataFrame:
    """Token accuracy of the task as a whole."""
    return frame[(frame["metric"] == "token_accuracy") & (frame["subtask"] == "all")]


def accuracy_of_subtasks(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["metric"] == "token_accuracy"]


def show(title: str, table: pd.DataFrame) -> None:
    print(f"\n{title}")
    with pd.option_context("display.width", 250, "display.max_colwidth", 120):
        print(table.to_string(index=False))


def verdicts(frame: pd.DataFrame, x: str) -> pd.DataFrame:
    """What `find_jumps` says of exact match on each ladder, with N* of exact match and of token accuracy."""
    jumps = harness.find_jumps(frame, x=x)
    placed = harness.thresholds(accuracy_of_subtasks(frame), x=x)
    both = jumps.merge(placed, on=["study", "subtask"], suffixes=("", "_tokens"))
    best = accuracy_of_subtasks(frame).groupby(["study", "subtask", x])["value"].mean().groupby(level=[0, 1]).max()
    both["best"] = [best[key] for key in zip(both["study"], both["subtask"], strict=True)]
    return both


def worded(both: pd.DataFrame, unit: str) -> pd.DataFrame:
    """`verdicts` as the tables show them."""
    columns = ("threshold", "threshold_low", "threshold_high")
    return pd.DataFrame(
        {
            "ladder": both["study"] + both["subtask"].where(both["subtask"] != "all", "").radd(" ").str.rstrip(),
            "verdict": both["verdict"],
            "p": both["p_adjusted"].map("{:.3f}".format),
            "best accuracy": both["best"].map("{:.2f}".format),
            f"{unit}, exact match": [interval(*row) for row in both[list(columns)].to_numpy()],
            f"{unit}, token accuracy": [interval(*row) for row in both[[f"{c}_tokens" for c in columns]].to_numpy()],
        }
    )


def axes(frame: pd.DataFrame) -> None:
    """Depth at fixed width, width at fixed depth, and equal parameters at one layer and two."""
    for study in ("layers", "layers_narrow"):
        part = accuracy(ladder(frame, study))
        means = part.groupby("depth")["value"].agg(["mean", "min", "max"]).round(2)
        show(f"token accuracy over depth at width {part['width'].iloc[0]}, 500 steps", means.reset_index())
    show("depth at fixed width", worded(verdicts(ladder(frame, "layers"), "depth"), "layers"))
    by_size = [ladder(frame, study, steps) for study in ("one_layer", "two_layers") for steps in (500, 2000)]
    show("width at fixed depth", worded(verdicts(pd.concat(by_size), SIZE), "N*"))
    rows = []
    for steps in (500, 2000):
        one, two = (
            accuracy(ladder(frame, study, steps)).groupby([SIZE, "width"])["value"].mean().reset_index()
            for study in ("one_layer", "two_layers")
        )
        for _, small in one.iterrows():
            partner = two.iloc[(np.log(two[SIZE] / small[SIZE])).abs().argmin()]
            if abs(np.log(partner[SIZE] / small[SIZE])) < 0.1:
                rows.append(
                    {
                        "steps": steps,
                        "N, one layer": int(small[SIZE]),
                        "width": int(small["width"]),
                        "accuracy": round(small["value"], 2),
                        "N, two layers": int(partner[SIZE]),
                        "width of two": int(partner["width"]),
                        "accuracy of two": round(partner["value"], 2),
                    }
                )
    show("equal parameters at one layer and two, mean token accuracy", pd.DataFrame(rows))


def by_training(frame: pd.DataFrame) -> pd.DataFrame:
    """N* at every learning rate and duration of two layers; NaN where the ladder's best size has not the ability."""
    parts, about = [], {}
    for study in ("slow", "two_layers", "fast"):
        of_study = frame[frame["study"] == study]
        for steps in sorted(of_study["step"].unique()):
            parts.append(ladder(frame, study, steps))
            name = parts[-1]["study"].iloc[0]
            about[name] = (float(of_study["lr"].iloc[0]), int(steps), int(parts[-1][TOKENS].iloc[0]))
    table = verdicts(pd.concat(parts), SIZE)
    table[["lr", "steps", "tokens"]] = [about[name] for name in table["study"]]
    return table.sort_values(["lr", "steps"], ignore_index=True)


def training(frame: pd.DataFrame, table: pd.DataFrame) -> harness.ScalingLaw:
    """Tables of N* against training, and the law of N* over tokens at the middle learning rate."""
    show("N* by learning rate and duration, two layers", worded(table, "N*").assign(lr=table["lr"]))
    changes = {("two_layers", steps): f"{steps:,} steps" for steps in (250, 1000)}
    changes |= {(study, 500): f"learning rate {lr}" for study, lr in (("slow", 0.005), ("fast", 0.02))}
    rows = [times(frame, key, ("two_layers", 500), name) for key, name in changes.items()]
    show("half and twice: N* against that of learning rate .01 and 500 steps", pd.DataFrame(rows))
    rows = [
        times(frame, ("two_layers", steps), (study, other), f"{steps:,} steps at .01, {other:,} at {lr}")
        for study, lr, factor in (("slow", 0.005, 2), ("fast", 0.02, 0.5))
        for steps in (250, 500, 1000)
        if (other := round(steps * factor)) in (250, 500, 1000)
    ]
    show("the same product of steps and learning rate: N* of the first against that of the second", pd.DataFrame(rows))
    reached = table[(table["best"] >= REACHED) & np.isfinite(table["threshold_tokens"]) & (table["lr"] == 0.01)]
    law = harness.PowerLaw(irreducible=True).fit(reached["tokens"], reached["threshold_tokens"])
    print(f"\nN* = E + A tokens^-alpha at learning rate .01: {law.status_} {law.message_}")
    for name, value in law.params_.items():
        low, high = law.intervals_[name]
        print(f"  {name} = {value:.4g} ({low:.4g} to {high:.4g})")
    return law


def times(frame: pd.DataFrame, key: tuple[str, int], base: tuple[str, int], name: str) -> dict[str, object]:
    """How many times the N* of token accuracy at `base` that at `key` is; both (study, steps)."""
    both = pd.concat([ladder(frame, *base), ladder(frame, *key)])
    (pair,) = harness.compare_thresholds(both, x=SIZE, metrics=["token_accuracy"]).pairs.to_dict("records")
    ratio, low, high = pair["ratio"], pair["low"], pair["high"]
    if pair["first"].startswith(ladder(frame, *key)["study"].iloc[0]):  # the first of a pair has the smaller N*
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
    return {"change": name, "N* times": f"{ratio:.2f} ({low:.2f} to {high:.2f})", "p": round(pair["p_value"], 4)}


def durations(frame: pd.DataFrame) -> float:
    """Table of the training that each width needs, D* in tokens and in FLOPs; returns the mean of the FLOPs."""
    widths = sorted(frame.loc[frame["study"] == "two_layers", "width"].unique())
    part = pd.concat([ladder(frame, "two_layers", width=width) for width in widths])
    table = verdicts(part, TOKENS)
    flops = harness.thresholds(accuracy(part), x=FLOPS).set_index("study")
    flops = flops.where(table.set_index("study")["best"] >= REACHED)[list(THRESHOLD)].dropna()
    shown = worded(table, "D*")
    cells = {study: f"{value:.2g} ({low:.2g} to {high:.2g})" for study, value, low, high in flops.itertuples()}
    shown["FLOPs, token accuracy"] = shown["ladder"].map(cells).fillna("–")
    show("training that a width needs, two layers, learning rate .01", shown)
    # Where the shortest runs may be long enough already, the ladder says only how much is enough.
    values = flops.loc[flops["threshold_low"] > 0, "threshold"].dropna()
    mean = float(np.exp(np.log(values).mean()))
    spread = f"from {values.min():.2g} to {values.max():.2g}"
    print(f"{mean:.2g} FLOPs, mean of the {len(values)} widths with a closed interval, {spread}")
    return mean


def with_ends(signs: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Early signs beside how each run ended."""
    ends = accuracy(frame).set_index("run_id")["value"]
    signs = signs.assign(final=signs["run_id"].map(ends))
    return signs.assign(able=signs["final"] >= ABLE)


def signs_of(signs: pd.DataFrame) -> pd.DataFrame:
    """The tables of early signs; returns what each foretells."""
    cells = signs[signs["share"] == signs["share"].min()].groupby(["study", "width"])
    about = cells.agg(runs=("able", "size"), able=("able", "sum")).reset_index()
    show(f"runs near the threshold, able: token accuracy of {ABLE} or more at the end", about)
    moved = signs.groupby(["share", "able"])[["token_accuracy", "loss", "prefix_matching", "previous_token"]]
    show("signs at a share of training, mean over runs", moved.mean().round(3).reset_index())
    table = foretold(signs)
    show("what a sign foretells, within sizes", table.round(2))
    return table


def hops(frame: pd.DataFrame) -> None:
    """Hops over depth, and at two layers over size."""
    for study in ("hops", "hops_two_layers"):
        rows = accuracy_of_subtasks(frame[frame["study"] == study])
        means = rows.pivot_table(index=["depth", "width", SIZE], columns="subtask", values="value").round(2)
        show(f"{study}: mean token accuracy", means.reset_index())
    show("hops over depth", worded(verdicts(ladder(frame, "hops"), "depth"), "layers"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("figure",), help="train nothing; tables and figure of what is there")
    options, overrides = parser.parse_known_args()
    studies = compose(f"experiment={NAME}", *overrides)
    folder = Path(studies[0].results)
    if not options.only:
        sweep(studies, Console())
        collect(folder)
    frame = harness.load(folder, runs="all")
    near = [study for study in studies if study.study in NEAR]
    signs = early_signs(near, harness.load(folder, steps="all", runs="all"), folder / "early_signs.csv")
    axes(frame)
    placed = by_training(frame)
    law = training(frame, placed)
    compute = durations(frame)
    signs = with_ends(signs, frame)
    table = signs_of(signs)
    hops(frame)
    draw(frame, placed, law, compute, signs, table, folder / "figure.png")
    print(f"\nfigure: {folder}/figure.png")


if __name__ == "__main__":
    main()
