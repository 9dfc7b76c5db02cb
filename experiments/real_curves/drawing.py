"""The three figures of the study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from over_training import MODELS, RISING
from published import BENCHMARKS, INDUCTION_TOKENS
from reading import read_benchmarks

from harness.report.axes import BLACK, BLUE, GREEN, GREY, ORANGE, PAGE_WIDTH_IN, PURPLE, STYLE, VERMILLION, legend_above

_DOTS_PER_INCH = 130
_TITLES = {
    "mmlu": "MMLU",
    "parsinlu_qa_mc": "ParsiNLU QA",
    "arithmetic": "arithmetic",
    "hindu_knowledge": "Hindu knowledge",
    "analogical_similarity": "analogical similarity",
    "conceptual_combinations": "conceptual combinations",
    "hellaswag": "HellaSwag",
    "arc": "ARC",
    "abstract_narrative_understanding": "abstract narratives",
    "lambada_openai": "LAMBADA",
    "sciq": "SciQ",
    "arc_easy": "ARC easy",
    "piqa": "PIQA",
    "arc_challenge": "ARC challenge",
    "winogrande": "WinoGrande",
}


@rc_context(STYLE)
def draw_control(found: pd.DataFrame, planted: pd.DataFrame, path: Path) -> None:
    """OPT's p values in order, and how often a planted jump is found, by its height."""
    figure = Figure(figsize=(PAGE_WIDTH_IN, 2.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    p_values = np.sort(found["p_value"].to_numpy(float))
    share = np.arange(1, len(p_values) + 1) / len(p_values)
    left.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="p of curves without a jump, if exact")
    left.step(p_values, share, where="post", color=BLUE, label=f"{len(p_values)} curves of OPT")
    left.axvline(0.05, color=VERMILLION, linewidth=0.8, label="p = 0.05")
    left.set(xlabel="p", ylabel="share of curves with a smaller p", xlim=(0, 1), ylim=(0, 1))
    legend_above(left, columns=1)
    for name, colour, marker in (("p < .05", GREY, "s"), ("claimed", BLUE, "o"), ("others claimed", VERMILLION, "^")):
        label = {
            "p < .05": "p < 0.05",
            "claimed": "claimed, all curves corrected for",
            "others claimed": "curves without a planted jump, claimed",
        }
        right.plot(planted["height"], planted[name], marker=marker, color=colour, label=label.get(name, name))
    right.set(xlabel="height of a planted jump in accuracy", ylabel="share of curves", ylim=(-0.03, 1.03))
    legend_above(right, columns=1)
    figure.savefig(path, dpi=_DOTS_PER_INCH)


@rc_context(STYLE)
def draw_training(training: pd.DataFrame, places: pd.DataFrame, path: Path) -> None:
    """Accuracy of six tasks over tokens, a line a model, and above each its onset and half rise by model."""
    figure = Figure(figsize=(PAGE_WIDTH_IN, 5.6), layout="constrained")
    colours = _shades(len(MODELS))
    axes = figure.subplots(4, 3, sharex=True, height_ratios=(1, 0.62, 1, 0.62))
    for i, task in enumerate(RISING):
        upper, lower = axes[2 * (i // 3), i % 3], axes[2 * (i // 3) + 1, i % 3]
        of_task = training[(training["task"] == task) & (training["metric"] == "acc")]
        for model, colour in zip(MODELS, colours, strict=True):
            means = of_task[of_task["study"] == model].groupby("tokens")["value"].mean()
            upper.plot(means.index, means, color=colour, label=model)
        upper.axhline(of_task["chance"].iloc[0], color=GREY, linestyle="--", linewidth=0.8)
        upper.set_title(_TITLES[task])
        _draw_places(lower, places[places["task"] == task], colours)
        for ax in (upper, lower):
            ax.axvspan(*INDUCTION_TOKENS, color=ORANGE, alpha=0.25, linewidth=0)
            ax.set_xscale("log")
        lower.set_xlim(1e8, 4e11)
    for row in (0, 2):
        axes[row, 0].set_ylabel("accuracy")
        axes[row + 1, 0].set_ylabel("model")
    figure.supxlabel("training tokens (○ onset, ● half rise, 95 %; shaded: induction heads form)", fontsize=8)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(MODELS))
    figure.savefig(path, dpi=_DOTS_PER_INCH)


def _draw_places(ax: Axes, rows: pd.DataFrame, colours: list[tuple[float, float, float]]) -> None:
    """Onset (open) and half rise (full) of each model, with intervals."""
    for row in rows.to_dict("records"):
        at = MODELS.index(row["study"])
        for place, face, shift in (("onset", "white", 0.16), ("half_rise", colours[at], -0.16)):
            if not np.isfinite(row[place]):
                continue
            ax.hlines(at + shift, max(row[f"{place}_low"], 1e6), min(row[f"{place}_high"], 1e12), color=colours[at])
            ax.plot(row[place], at + shift, "o", markersize=4, color=colours[at], markerfacecolor=face)
    ax.set_yticks(range(len(MODELS)), MODELS, fontsize=5.5)
    ax.set_ylim(-0.6, len(MODELS) - 0.4)


def _shades(n: int) -> list[tuple[float, float, float]]:
    """From light to dark blue."""
    light, dark = np.array((0.62, 0.79, 0.95)), np.array((0.02, 0.12, 0.35))
    return [tuple(light + (dark - light) * share) for share in np.linspace(0, 1, n)]


@rc_context(STYLE)
def draw_families(data: Path, beside: pd.DataFrame, path: Path) -> None:
    """Accuracy and Brier score of nine benchmarks over FLOPs, with onset, half rise and the literature's places."""
    frame = read_benchmarks(data)
    figure = Figure(figsize=(PAGE_WIDTH_IN, 5.6), layout="constrained")
    axes = figure.subplots(3, 3, sharex=True, sharey=True)
    for ax, row in zip(axes.flat, beside.to_dict("records"), strict=True):
        of_task = frame[frame["task"] == row["task"]]
        for metric, colour, name in (("accuracy", BLUE, "accuracy"), ("brier", GREEN, "Brier score")):
            of_metric = of_task[of_task["metric"] == metric]
            ax.plot(of_metric["flops"], of_metric["value"], "o", color=colour, markersize=2.2, alpha=0.7, label=name)
        ax.axhline(BENCHMARKS[row["task"]].chance, color=GREY, linestyle="--", linewidth=0.8)
        for place, height, face in (("onset", 1.0, "white"), ("half_rise", 0.93, BLACK)):
            if np.isfinite(row[place]):
                ax.hlines(height, max(row[f"{place}_low"], 1e20), min(row[f"{place}_high"], 4e24), color=BLACK)
                label = {"onset": "onset", "half_rise": "half rise"}[place]
                ax.plot(row[place], height, "o", color=BLACK, markersize=4, markerfacecolor=face, label=label)
        ax.axvline(row["wu_lo"], color=VERMILLION, linewidth=1.2, label="Wu and Lo")
        ax.axvline(row["wei"], color=PURPLE, linewidth=1.2, linestyle=":", label="Wei et al.")
        ax.set_title(f"{_TITLES[row['task']]}: {row['verdict']}")
        ax.set(xscale="log", xlim=(1e20, 4e24), ylim=(0, 1.06))
    figure.supxlabel("training compute (FLOPs)", fontsize=8)
    by_label = {}
    for ax in axes.flat:
        by_label |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    figure.legend(by_label.values(), by_label, loc="outside upper center", ncols=6)
    figure.savefig(path, dpi=_DOTS_PER_INCH)
