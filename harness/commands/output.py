"""What a verb leaves in files: JSON and pictures.

Verbs write their files before they print, so that they are whole even where whoever reads what is printed has left, as
`head` does.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from harness.errors import SettingError
from harness.records.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def write_json(path: str | None, content: Mapping[str, Any]) -> None:
    """Write, where a path is given.

    JSON has no numbers that are not finite: an open end is "inf" or "-inf", which float() reads in most languages, and
    a number that is not there (NaN) is null.
    """
    if path:
        text = json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)
        write_whole(Path(path), f"{text}\n".encode())


def given(arguments: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """The arguments of these names and those that chose the rows, for the record in the JSON."""
    return {name: getattr(arguments, name) for name in (*names, "about", "split", "where", "exclude", "derive")}


def check_plot(path: str | None, flag: str = "--plot") -> None:
    """Raises SettingError for a picture that is not .png."""
    if path and Path(path).suffix != ".png":
        raise SettingError(flag, path, "a name that ends in .png")


def save_plot(axes: Axes, path: Path) -> list[Path]:
    """Write the figure as PNG and SVG; where they are."""
    from harness.report.axes import save_figure

    return save_figure(axes, path.with_suffix(""))


def report_files(paths: Sequence[Path], console: Console) -> None:
    """Say where pictures are."""
    for path in paths:
        console.print(str(path), markup=False, highlight=False, soft_wrap=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(inner) for inner in value]
    if isinstance(value, (float, np.floating)):
        return None if math.isnan(value) else float(value) if math.isfinite(value) else f"{value:g}"
    return value.item() if isinstance(value, np.generic) else value
