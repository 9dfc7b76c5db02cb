"""``harness screen TABLE --x params --recipe corpus --value accuracy``: which benchmarks can be read at small size."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from rich.console import Console

from harness.analysis.axis import Axis
from harness.analysis.planning.decisions import MIN_RECIPES
from harness.analysis.planning.screening import Screening, screen
from harness.analysis.size_bins import take_together
from harness.commands import unsaid
from harness.commands.arguments import SIZES
from harness.commands.columns import SETTINGS, CurveTable, choose_curves, default_column, rename_in
from harness.commands.meanings import higher_is_better
from harness.commands.output import check_plot, given, report_files, save_plot, write_json
from harness.commands.tables import choose_curve_rows
from harness.errors import DataError, UserError
from harness.report.names import metric_name
from harness.report.terminal import as_rich
from harness.wording import ABSENT, between, confidence, count, counted, interval, p_value

_SETTINGS = ("table", *SETTINGS, "step", "noise", "last", "target", "target_metric", "small", "accuracy", "alpha")
#: Where noise is known from -> what is said of it.
_SOURCES = {
    "checkpoints": "noise: standard deviation over the last {last} checkpoints of a run, all of its second half",
    "seeds": "noise: standard deviation over the seeds of one recipe and size",
    "items": "noise: that of the test items",
    "": "not known: the noise of a score (--step names checkpoints, --seed seeds, --n-eval or --stderr items)",
}
_ITEMS_OF_RECIPES = (
    "; recipes answer the same items, so it overstates what blurs their order, and says nothing of seeds"
)
_ITEMS_OF_ONE = ", where they give more than that: models of two sizes that guess differ by it"


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Screen, write and report; 0.

    Raises:
        UserError: as `choose_curve_rows`, `choose_curves` and `screen`.
    """
    check_plot(arguments.plot)
    rows = choose_curve_rows(arguments, arguments.table, steps="all")
    x = arguments.x or default_column(rows.frame, SIZES, "--x", "the column of sizes")
    if Axis.of(x).falls:
        raise UserError(f"--x {x}: models that are better have less of it; a column of sizes is wanted, which grow")
    step = arguments.step or ("step" if "step" in rows.frame else None)
    # Sizes are taken together over all recipes, which would otherwise not share them.
    chosen = argparse.Namespace(**vars(arguments) | {"step": step, "bins_per_octave": None})
    try:
        curves = _binned(choose_curves(rows, [x], chosen, _lacks), x, arguments.bins_per_octave)
        found = screen(
            curves.frame,
            x,
            step=step,
            last=arguments.last,
            noise=arguments.noise,
            target=arguments.target,
            target_metric=arguments.target_metric,
            small=arguments.small,
            accuracy=arguments.accuracy,
            alpha=arguments.alpha,
            level=arguments.level,
        )
    except DataError as error:
        rename_in(error, arguments)
        raise
    curves = replace(curves, cautions=tuple(_cautions(found)), offered=())
    content = {
        "tasks": found.tasks.to_dict("records"),
        "sizes": found.sizes.to_dict("records"),
        "target": found.target,
        "small": found.small,
        **curves.as_json(),
        "settings": given(arguments, (*_SETTINGS, "level")) | {"x": x, "step": step},
    }
    write_json(arguments.json, content)
    drawn = _draw(found, arguments) if arguments.plot else []
    shown = found.tasks if arguments.top is None else found.tasks.head(arguments.top)
    _report(found, shown, arguments, console)
    curves.report(console)
    curves.rows.report(f"{counted(len(found.tasks), 'benchmark')}, {curves.counted}", console)
    report_files(drawn, console)
    return 0


def _lacks(frame: pd.DataFrame, apart: Sequence[str]) -> Iterator[str]:
    """What a screening has to do without, and which columns may tell rows apart."""
    scores = higher_is_better(frame)
    if scores.any() and ("chance" not in frame or frame.loc[scores, "chance"].isna().all()):
        yield "chance (--chance says which scores are those of a guesser)"
    yield from unsaid.apart_in_words(apart, "--recipe, --step, --task or --subtask")


def _binned(curves: CurveTable, x: str, bins: float | None) -> CurveTable:
    if not bins:
        return curves
    frame, n_sizes = curves.frame, curves.frame[x].nunique()
    together = take_together(frame.drop(columns="study", errors="ignore"), x, bins)
    if "study" in frame:
        together["study"] = frame["study"]
    told = f"used: {n_sizes} sizes of {x} taken together to {together[x].nunique()}"
    return replace(curves, frame=together, used=(*curves.used, told))


def _cautions(found: Screening) -> Iterator[str]:
    """What stands in the way of reading more."""
    if not found.of_recipes:
        yield (
            f"one recipe: whether a benchmark orders recipes as large models do takes {MIN_RECIPES} or more, at small "
            "sizes and at a large one (--recipe names their column)"
        )
        return
    alone = found.sizes.drop_duplicates(found.x)
    n_alone = int((found.sizes.groupby(found.x)["n_recipes"].max() == 1).sum())
    if 2 * n_alone > len(alone):
        yield f"{n_alone} of {len(alone)} sizes are of one recipe each: --bins-per-octave N takes close ones together"


# -------------------------------------------------------------------------------------------------------- what is said


#: What the columns of the first table are.
_COLUMNS = (
    "SNR: standard deviation of true scores between recipes over the noise of a run; range / noise: the published "
    "ratio, which grows with the number of recipes; pairs right: of recipes, ordered as at the target; p: that this is "
    "chance"
)


def _report(found: Screening, shown: pd.DataFrame, arguments: argparse.Namespace, console: Console) -> None:
    words, level = _names(shown, found.tasks), confidence(arguments.level)
    if found.of_recipes:
        at, target = count(found.small), count(found.target)
        title = f"Benchmarks at {found.x} {at}, read for the order at {target}; {level} intervals"
        console.print(as_rich(_of_recipes(shown, words), title))
        console.print(_COLUMNS, markup=False, soft_wrap=True)
        smaller = found.sizes[found.sizes[found.x] < found.target].dropna(subset="decision_accuracy")
        if smaller[found.x].nunique() > 1:
            title = f"Share of pairs of recipes ordered as at {target}, by {found.x}"
            console.print(as_rich(_by_size(shown, words, smaller, found.x), title))
    else:
        title = f"Benchmarks along {found.x} of one recipe; {level} intervals"
        console.print(as_rich(_of_ladder(shown, words), title))
    for name, row in zip(words.agg(", ".join, axis=1), shown.to_dict("records"), strict=True):
        console.print(f"{name}: {row['verdict']} – {row['reason']}", markup=False, soft_wrap=True)
    counts = ", ".join(f"{reading}: {n}" for reading, n in found.tasks["reading"].value_counts().items())
    hidden = f"; {len(shown)} shown (--json has all)" if len(shown) < len(found.tasks) else ""
    console.print(f"{counted(len(found.tasks), 'benchmark')} – {counts}{hidden}", markup=False, soft_wrap=True)
    for source, of_source in found.tasks.groupby("noise_source"):
        more = {True: _ITEMS_OF_RECIPES, False: _ITEMS_OF_ONE}[found.of_recipes] if source == "items" else ""
        of = f" ({counted(len(of_source), 'benchmark')})" if len(of_source) < len(found.tasks) else ""
        console.print(_SOURCES[str(source)].format(last=arguments.last) + more + of, markup=False, soft_wrap=True)


def _names(shown: pd.DataFrame, tasks: pd.DataFrame) -> pd.DataFrame:
    """(rows, 1 to 3) the columns of names that tell the benchmarks of a table apart."""
    names = [name for name in ("task", "subtask") if tasks[name].nunique() > 1]
    names += ["metric"] if tasks["metric"].nunique() > 1 or not names else []
    return shown[names].assign(**({"metric": shown["metric"].map(metric_name)} if "metric" in names else {}))


def _of_recipes(shown: pd.DataFrame, words: pd.DataFrame) -> pd.DataFrame:
    words = words.copy()
    words["recipes"] = shown["n_shared"].astype(str)
    words["SNR"] = _intervals(shown, "snr")
    words["range / noise"] = [f"{value:.2g}" if math.isfinite(value) else ABSENT for value in shown["range_to_noise"]]
    ends = zip(*(shown[f"decision_accuracy{end}"] for end in ("", "_low", "_high")), strict=True)
    words["pairs right"] = [_share(*each) for each in ends]
    words["p adj."] = [p_value(value) for value in shown["p_adjusted"]]
    words["verdict"] = shown["verdict"]
    return words


def _of_ladder(shown: pd.DataFrame, words: pd.DataFrame) -> pd.DataFrame:
    words = words.copy()
    words["gain a size / noise"] = _intervals(shown, "snr")
    words["rank corr."] = [f"{value:.2f}" if value == value else ABSENT for value in shown["rank_correlation"]]
    words["p adj."] = [p_value(value) for value in shown["p_adjusted"]]
    words["above chance from"] = [count(value) for value in shown["above_chance_from"]]
    words["verdict"] = shown["verdict"]
    return words


def _by_size(shown: pd.DataFrame, words: pd.DataFrame, smaller: pd.DataFrame, x: str) -> pd.DataFrame:
    """A row a benchmark, a column a size below the target."""
    key = ["task", "subtask", "metric"]
    wide = smaller.pivot(index=key, columns=x, values="decision_accuracy").reindex(pd.MultiIndex.from_frame(shown[key]))
    words = words.copy()
    for size in wide.columns:
        words[count(float(size))] = [f"{value:.2f}" if value == value else ABSENT for value in wide[size]]
    return words


def _intervals(shown: pd.DataFrame, name: str) -> list[str]:
    rows = zip(shown[name], shown[f"{name}_low"], shown[f"{name}_high"], strict=True)
    return [_number(value, low, high) for value, low, high in rows]


def _number(value: float, low: float, high: float) -> str:
    if math.isnan(value):
        return ABSENT
    if math.isinf(value):
        return "no noise"
    return interval(value, low, high, 2) if low >= 0 else f"{value:.2g} ({between(low, high, '{:.2g}'.format)})"


def _share(value: float, low: float, high: float) -> str:
    if value != value:
        return ABSENT
    return f"{value:.2f}" + (f" ({between(low, high, '{:.2f}'.format)})" if low == low else "")


def _draw(found: Screening, arguments: argparse.Namespace) -> list[Path]:
    from harness.report.screening_plots import plot_screening

    return save_plot(plot_screening(found, arguments.accuracy), Path(arguments.plot))
