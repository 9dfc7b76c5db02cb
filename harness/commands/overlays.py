"""``harness compare --overlay OUT.png``: the compared curves on one pair of axes, a picture a metric and size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import pandas as pd

from harness.commands.output import save_plot
from harness.errors import DataError
from harness.records.files import file_name

_KEY = ["study", "task", "subtask"]


def draw_overlays(
    frame: pd.DataFrame,
    sizes: Sequence[str],
    metrics: Sequence[str] | None,
    path: Path,
    level: float,
    jumps: Mapping[str, pd.DataFrame],
) -> list[Path]:
    """Draw, and say where the pictures are: at `path` where there is one, else at path_METRIC and path_METRIC_SIZE.

    Whole tasks are drawn; subtasks where a table has nothing else.

    Args:
        frame: rows of all tables, as `compare` takes them together.
        metrics: those to draw; all that two curves or more have where None.
        jumps: column of sizes -> as `find_jumps` returns it for `frame`, so that stars agree with the printed verdicts.

    Raises:
        DataError: no metric that two curves have, or as `plot_overlay`.
    """
    from harness.report.overlay_plots import plot_overlay

    keys = _of_whole_tasks(frame)[_KEY].astype(str)
    telling = [name for name in _KEY if keys[name].nunique() > 1] or ["study"]
    named = _named(frame, telling)
    if metrics is None:
        several = named.groupby("metric", sort=False)["study"].nunique() > 1
        metrics = [str(name) for name in several.index[several]]
    if not metrics:
        raise DataError("--overlay: no two curves have a metric in common; --metrics names one to draw all the same")
    chosen = [(metric, x) for metric, x in product(metrics, sizes) if metric != x]
    paths = []
    for metric, x in chosen:
        telling_it = [*([metric] if len(metrics) > 1 else []), *([x] if len(sizes) > 1 else [])]
        stem = f"{path.stem}.{file_name(*telling_it)}" if telling_it else path.stem
        axes = plot_overlay(named, metric, x, level=level, jumps=_named(jumps[x], telling))
        paths += save_plot(axes, path.with_name(f"{stem}.png"))
    return paths


def _of_whole_tasks(rows: pd.DataFrame) -> pd.DataFrame:
    whole = rows["subtask"].astype(str) == "all"
    return rows[whole] if whole.any() else rows


def _named(rows: pd.DataFrame, telling: Sequence[str]) -> pd.DataFrame:
    """The rows of whole tasks, each curve a study whose name, of the columns `telling`, tells it from the others."""
    rows = _of_whole_tasks(rows)
    keys = rows[list(telling)].astype(str)
    names = keys.apply(lambda row: ": ".join(dict.fromkeys(part for part in row if part)), axis=1)
    return rows.assign(study=names, task="", subtask="all")
