"""``harness compare --overlay OUT.png``: the compared curves on one pair of axes, a picture a metric and size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pandas as pd

from harness.analysis.emergence.find_jumps import find_jumps
from harness.commands.output import save_plot
from harness.errors import DataError


def draw_overlays(
    frame: pd.DataFrame, sizes: Sequence[str], metrics: Sequence[str] | None, path: Path, level: float
) -> list[Path]:
    """Draw, and say where the pictures are: at `path` where there is one, else at path_METRIC and path_METRIC_SIZE.

    Whole tasks are drawn; subtasks where a table has nothing else.

    Args:
        frame: rows of all tables, as `compare` takes them together.
        metrics: those to draw; all that two curves or more have where None.

    Raises:
        DataError: no metric that two curves have, or as `plot_overlay`.
    """
    from harness.records.exporters.recorded import file_name
    from harness.report.overlay_plots import plot_overlay

    named = _named(frame)
    if metrics is None:
        several = named.groupby("metric", sort=False)["study"].nunique() > 1
        metrics = [str(name) for name in several.index[several]]
    if not metrics:
        raise DataError("--overlay: no two curves have a metric in common; --metrics names one to draw all the same")
    chosen = [(metric, x) for metric, x in product(metrics, sizes) if metric != x]
    jumps = {x: find_jumps(named, x, level=level) for x in sizes}
    paths = []
    for metric, x in chosen:
        parts = [
            path.stem,
            *([file_name(metric)] if len(metrics) > 1 else []),
            *([file_name(x)] if len(sizes) > 1 else []),
        ]
        axes = plot_overlay(named, metric, x, level=level, jumps=jumps[x])
        paths += save_plot(axes, path.with_name("_".join(parts) + ".png"))
    return paths


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of whole tasks, each curve a study whose name tells it from the others."""
    keys = frame[["study", "task", "subtask"]].astype(str)
    if (whole := keys["subtask"] == "all").any():
        frame, keys = frame[whole], keys[whole]
    telling = [name for name in keys if keys[name].nunique() > 1] or ["study"]
    names = keys[telling].apply(lambda row: ": ".join(dict.fromkeys(part for part in row if part)), axis=1)
    return frame.assign(study=names, task="", subtask="all")
