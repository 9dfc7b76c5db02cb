"""A process's share in a results folder that others may sweep at the same time: which runs it is to train.

Several sweeps of one folder share its runs by claims (`sweeping.claims`). A run is claimed before it is trained, and
whether somebody has recorded it meanwhile is looked up after that, so that none is trained twice.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from harness.errors import DataError, UserError
from harness.ladder import Job, Member
from harness.records.files import remove_unfinished
from harness.records.fingerprint import stamp_pieces
from harness.records.pieces import Recorded, pull_runs, read_piece, recorded
from harness.records.working_copy import pull_file, store_of
from harness.records.writer import PIECES, piece_path
from harness.sweeping.claims import Claims, in_training, owners
from harness.sweeping.failures import Ended
from harness.sweeping.presence import Presence, Sweeper, remove_ended
from harness.sweeping.progress import STATE, remove_progress


@dataclass(frozen=True)
class Taken:
    """What became of a job that a process asked for.

    Attributes:
        mine: the members that it is to train.
        elsewhere: those that another process has claimed.
        ended: how those ended that another process has recorded meanwhile.
    """

    mine: tuple[Member, ...]
    elsewhere: tuple[Member, ...] = ()
    ended: tuple[Ended, ...] = ()


class Share:
    """This process's share in one results folder; see `joined`."""

    def __init__(self, results: Path, presence: Presence) -> None:
        self.results, self.presence = results, presence
        self.claims = Claims(results, presence.sweeper.id)
        self.stamps: dict[str, list[int]] = {}

    def look(self) -> Recorded:
        """What the folder has now. What is recorded later, by another process, `take` finds."""
        pull_runs(self.results)
        self.stamps = stamp_pieces(self.results)
        return recorded(self.results)

    def take(self, job: Job) -> Taken:
        """Claim the members of a job of this folder.

        Raises:
            UserError: the folder cannot be written.
        """
        mine, elsewhere, ended = [], [], []
        for member in job.members:
            if member.run_id in self.claims.mine:
                mine.append(member)
            elif not self.claims.take(member.run_id):
                elsewhere.append(member)
            elif (recorded_meanwhile := self._recorded_meanwhile(job, member)) is not None:
                self.claims.release(member.run_id)
                ended.append(recorded_meanwhile)
            else:
                mine.append(member)
        return Taken(tuple(mine), tuple(elsewhere), tuple(ended))

    def owners(self, job: Job) -> list[Sweeper]:
        """The processes that have claimed members of a job."""
        return owners(self.results, {member.run_id for member in job.members})

    def _recorded_meanwhile(self, job: Job, member: Member) -> Ended | None:
        """How a member ended that has been recorded since `look`; None where it has not."""
        path = piece_path(self.results, member.run_id)
        pull_file(path)
        with suppress(OSError, DataError):
            stat = path.stat()
            if self.stamps.get(path.name) != [stat.st_size, stat.st_mtime_ns]:
                piece = read_piece(self.results, member.run_id)
                (row,), name = piece["runs"].to_pylist(), f"{job.label} {member.label}"
                done = (pc.max(piece["measurements"].column("step")).as_py() or 0) / job.steps
                return Ended(
                    job.settings.study, job.rung.index, name, row["status"], row["error"], done, elsewhere=True
                )
        return None


class Shares:
    """The shares of this process in all folders that its jobs record in; without one, a folder is not shared."""

    def __init__(self, shares: Iterable[Share] = ()) -> None:
        self.of = {share.results: share for share in shares}

    def take(self, job: Job) -> Taken:
        """As `Share.take`."""
        share = self._share(job)
        return Taken(job.members) if share is None else share.take(job)

    def release(self, job: Job) -> None:
        """Give up the claims of a job's members."""
        if (share := self._share(job)) is not None:
            for member in job.members:
                share.claims.release(member.run_id)

    def release_all(self) -> None:
        """Give up every claim."""
        for share in self.of.values():
            share.claims.release_all()

    def renew(self) -> None:
        """Show that this process still works."""
        for share in self.of.values():
            share.presence.renew()

    def owners(self, job: Job) -> list[Sweeper]:
        """As `Share.owners`."""
        share = self._share(job)
        return [] if share is None else share.owners(job)

    def _share(self, job: Job) -> Share | None:
        return self.of.get(Path(job.settings.results))


@contextmanager
def joined(results: Path) -> Iterator[Share]:
    """Take part in sweeping a results folder; what killed sweeps left half done is cleared away first.

    A folder that was made for it, and that nothing was written into, is removed in the end.

    Raises:
        UserError: the folder cannot be written.
    """
    new = [folder for folder in (results, *results.parents) if not folder.exists()]
    try:
        if (store := store_of(results)) is not None:
            store.check_creates(f"{STATE}/tried-{secrets.token_hex(8)}")
        share = Share(results, Presence(results))
    except OSError as error:
        raise UserError(f"{results} cannot be written: {error.strerror}") from error
    try:
        _clear(share)
        yield share
    finally:
        share.claims.release_all()
        share.presence.end()
        _remove_empty(results, new)


def _clear(share: Share) -> None:
    """Remove what is left of processes that have ended: claims, progress, and files that were not complete.

    Nothing else: the folder may be one with a user's own files in it.
    """
    remove_ended(share.results)
    share.claims.release_ended()
    remove_progress(share.results, {job.run_ids[0] for job in in_training(share.results)})
    pieces = share.results / PIECES
    for folder in (share.results, *([] if pieces.is_symlink() else [pieces])):
        remove_unfinished(folder)


def _remove_empty(results: Path, new: Sequence[Path]) -> None:
    """Remove the folders of sweeps at work and those made for this one, innermost first, where they are empty."""
    state = results / STATE
    inner = ("claims", "sweeps", "checkpoints", "trunks", "submissions")
    for folder in (*(state / name for name in inner), state, *new):
        try:
            os.rmdir(folder)
        except OSError:
            if folder in (state, *new):  # what holds it cannot be empty either
                return
