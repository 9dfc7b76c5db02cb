"""TensorBoard event files (``events.out.tfevents.*``); reading them needs the package tensorboard.

A folder with event files is one run, as TensorBoard itself has it: a resumed run adds files, and of two values at a
step the later one counts. Tags say the split (``eval/loss``, ``Loss/train``); tags that are no metric (learning rate,
time, ...) are passed over.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.errors import DataError, UserError
from harness.records.importers.found import Format, FoundRun, read_bytes
from harness.records.importers.series import runs_of_names

_EXPECTED = "an events.out.tfevents.* file, or a folder of them"


def read(path: Path) -> list[FoundRun]:
    """The run of an event file, or of the event files that lie directly in a folder; and one for each benchmark in it.

    Raises:
        UserError: the package tensorboard is not installed.
        DataError: no event file, or no metric among its scalars.
    """
    files = sorted(path.glob("*tfevents*")) if path.is_dir() else [path]
    series: dict[str, list[tuple[int | None, float]]] = {}
    for file in files:
        for tag, step, value in _scalars(file):
            series.setdefault(tag, []).append((step, value))
    if not series:
        raise DataError(f"{path}: foreign, cut short or empty, holds no scalars; allowed is {_EXPECTED}")
    folder = path if path.is_dir() else path.resolve().parent
    runs = runs_of_names(path, folder.name, series, files=tuple(files))
    if not runs:
        raise DataError(f"{path}: no metric among its tags ({', '.join(list(series)[:6])}); allowed is e.g. eval/loss")
    return runs


def _scalars(file: Path) -> Iterator[tuple[str, int, float]]:
    """(tag, step, value) of every scalar, those of the older summary format too."""
    try:
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
        from tensorboard.util import tensor_util
    except ImportError as error:
        needed = "pip install -e '.[tensorboard]'"
        raise UserError(f"{file}: event files are read with the package tensorboard: {needed}") from error
    if file.name.endswith(".gz"):
        with tempfile.TemporaryDirectory() as folder:
            unpacked = Path(folder) / file.name.removesuffix(".gz")
            unpacked.write_bytes(read_bytes(file))
            yield from _scalars(unpacked)
        return
    scalar_tags = set()
    for event in EventFileLoader(str(file)).Load():
        for value in event.summary.value:
            # Only the first value of a tag says what kind it is.
            if value.metadata.plugin_data.plugin_name == "scalars":
                scalar_tags.add(value.tag)
            if value.tag in scalar_tags:
                yield value.tag, event.step, float(tensor_util.make_ndarray(value.tensor).item())


def folders_of(paths: list[Path]) -> list[Path]:
    """The folders that hold event files: each is a run."""
    return sorted({path.parent for path in paths})


FORMAT = Format("tensorboard", ("*tfevents*",), read, folders_of)
