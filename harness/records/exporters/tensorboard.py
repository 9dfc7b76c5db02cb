"""TensorBoard event files, for ``tensorboard --logdir``; writing them needs the package tensorboard.

``STUDY/NAME/events.out.tfevents.0.RUN_ID`` for each run: its metrics by step (``eval/loss``, of a subtask
``eval/accuracy/NAME``), the tokens and FLOPs spent by then, and its settings for the HParams tab. Values are in
single precision, as TensorBoard has them. The times of steps are in proportion to their number. ``about.csv`` holds
what event files have no place for, a row a run: ``harness import tensorboard FOLDER --about FOLDER/about.csv`` makes
the runs again.

A run has one file, whose name and bytes follow from what is recorded: exporting again changes nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from harness.errors import UserError
from harness.records.exporters.earlier import read_earlier, with_earlier
from harness.records.exporters.recorded import Exported, Recorded, RecordedRun, without_numbers_in_words
from harness.records.files import file_name, write_whole
from harness.records.importers.about import SETTABLE


def write(recorded: Recorded, into: Path) -> Exported:
    """Write an event file for each run that measured anything, and about.csv.

    Raises:
        UserError: the package tensorboard is not installed; a file cannot be written, or an about.csv is there that no
            export has written.
    """
    _needs_tensorboard()
    before = read_earlier(into / "about.csv", "run")
    counts = {"new": 0, "there": 0, "replaced": 0}
    runs = list(recorded.each())
    for run in runs:
        path = into / file_name(str(run.row["study"]), dots=True) / run.name / f"events.out.tfevents.0.{run.run_id}"
        content = _event_file(run)
        state = "new" if not path.exists() else "there" if path.read_bytes() == content else "replaced"
        counts[state] += 1
        if state != "there":
            write_whole(path, content)
    write_whole(into / "about.csv", with_earlier(_about(runs), before, "run"))
    back = f"harness import tensorboard {into} --about {into / 'about.csv'}{_pairs(recorded)} --into results/NAME"
    notes = (
        f"look at them: tensorboard --logdir {into}",
        f"back again: {back}",
        *without_numbers_in_words(recorded),
    )
    return Exported(into, counts["new"], counts["there"], counts["replaced"], notes)


def _needs_tensorboard() -> None:
    try:
        import tensorboard.compat.proto.event_pb2  # noqa: F401
    except ImportError as error:
        needed = "pip install -e '.[tensorboard]'"
        raise UserError(f"tensorboard: event files are written with the package tensorboard: {needed}") from error


def _event_file(run: RecordedRun) -> bytes:
    from tensorboard.summary.writer.record_writer import RecordWriter

    content = io.BytesIO()
    writer = RecordWriter(content)
    for event in _events(run):
        writer.write(event.SerializeToString(deterministic=True))
    return content.getvalue()


def _events(run: RecordedRun) -> Iterator[Any]:
    from tensorboard.compat.proto.event_pb2 import Event

    start_s = run.time_s(0)
    yield Event(wall_time=start_s, file_version="brain.Event:2")
    yield Event(wall_time=start_s, step=0, summary=_hparams(run, start_s))
    for step, values in run.series.items():
        yield Event(wall_time=run.time_s(step), step=step, summary=_scalars(values))


def _hparams(run: RecordedRun, start_s: float) -> Any:
    """The settings for the HParams tab, in the same order whenever they are written."""
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    summary = hparams_pb(run.settings, trial_id=run.run_id, start_time_secs=start_s)
    plugin_data = summary.value[0].metadata.plugin_data
    plugin_data.content = HParamsPluginData.FromString(plugin_data.content).SerializeToString(deterministic=True)
    return summary


def _scalars(values: dict[str, float]) -> Any:
    """One summary of all scalars of a step. TensorBoard's fast reader passes over other types than single precision."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.types_pb2 import DT_FLOAT
    from tensorboard.plugins.scalar.metadata import create_summary_metadata

    metadata = create_summary_metadata(display_name=None, description=None)
    return Summary(
        value=[
            Summary.Value(tag=tag, metadata=metadata, tensor=TensorProto(dtype=DT_FLOAT, float_val=[value]))
            for tag, value in values.items()
        ]
    )


def _pairs(recorded: Recorded) -> str:
    """The flags that state which metrics are of the same answers, which event files do not."""
    paired = recorded.numbers[recorded.numbers["paired_metric"].fillna("") != ""]
    pairs = paired[["metric", "paired_metric"]].drop_duplicates("metric").itertuples(index=False)
    return "".join(f" --pair {metric}={judge}" for metric, judge in pairs)


def _about(runs: list[RecordedRun]) -> pd.DataFrame:
    """A row a run: column `run`, its folder's name, and the columns that an import takes."""
    rows = [{"run": run.name, **{name: run.row[name] for name in SETTABLE}} for run in runs]
    return pd.DataFrame(rows, columns=["run", *SETTABLE])
