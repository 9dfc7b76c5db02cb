"""Recorded runs to where a user's other runs are: CSV, TensorBoard, W&B.

Each is a module, whose docstring says what it writes. An export can be repeated, and results folders be exported to one
place: runs that are there already are left as they are, and those that have changed are replaced. Nothing is sent
anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.errors import DataError, UserError, nearest
from harness.records.exporters import csv, tensorboard, wandb
from harness.records.exporters.recorded import Exported, Recorded, read_recorded
from harness.records.folders import find_folder

__all__ = ["FORMATS", "Exported", "export_results"]

#: What can be exported to, by name.
FORMATS: dict[str, Callable[[Recorded, Path], Exported]] = {
    "csv": csv.write,
    "tensorboard": tensorboard.write,
    "wandb": wandb.write,
}
#: Where exports go, in the results folder, when no other place is named.
EXPORTS = "exports"


def export_results(kind: str, results: Path | str, into: Path | str | None = None) -> Exported:
    """Write the runs of a results folder for another tool.

    Args:
        kind: a name of `FORMATS`.
        results: as `harness.load` takes it.
        into: the folder to write to, made where it does not exist; ``exports/KIND`` in the results folder where None.

    Raises:
        UserError: no such format; a package that it needs is missing; a file cannot be written, or is another's.
        DataError: no such results folder, or one that cannot be used, or none of whose runs has measured anything.
    """
    if kind not in FORMATS:
        raise UserError(f"{kind} cannot be exported to{nearest(kind, FORMATS)} (formats: {', '.join(FORMATS)})")
    folder = find_folder(results)
    recorded = read_recorded(folder)
    if recorded.numbers.empty:
        counts = ", ".join(f"{n} {status}" for status, n in recorded.runs["status"].value_counts().items())
        raise DataError(f"nothing to export: no run has measured anything ({counts})", source=folder)
    return FORMATS[kind](recorded, Path(into) if into is not None else folder / EXPORTS / kind)
