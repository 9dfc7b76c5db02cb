"""Whether all runs that a sweep recorded, or found recorded, are still there when it ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.errors import DataError, LostRunsError
from harness.ladder import Job
from harness.records.pieces import list_pieces, pull_runs
from harness.records.store import read_table
from harness.wording import counted


@contextmanager
def without_losses(jobs: Sequence[Job]) -> Iterator[None]:
    """Train all jobs in this block, and see at its end that no run has gone from their results folders meanwhile.

    Raises:
        LostRunsError: somebody has removed a folder, or runs in it. What was written since then is kept.
    """
    folders = sorted({Path(job.settings.results) for job in jobs})
    before = {folder: _recorded(folder) for folder in folders}
    yield
    for folder in folders:
        trained = {m.run_id for job in jobs if Path(job.settings.results) == folder for m in job.members}
        expected = before[folder] | trained
        if lost := expected - _recorded(folder):
            raise LostRunsError(
                f"{folder}: {len(lost):,} of {counted(len(expected), 'run')} went while the sweep ran, "
                f"{len(lost & trained):,} of them trained by it; was the folder removed? `harness sweep` trains again "
                "what is missing"
            )


def _recorded(folder: Path) -> set[str]:
    """The runs that a folder holds, in its pieces or its tables; no file but the table is read."""
    pull_runs(folder)
    found = set(list_pieces(folder).files)
    with suppress(DataError):
        found |= set(read_table(folder / "runs.parquet", "runs").column("run_id").to_pylist())
    return found
