"""Sweeps under SIGKILLs, full disks and truncated files: are their tables those of a sweep that was left alone?

    python experiments/chaos/run.py [--runs 60] [--kills 100] [--seed 0] [--minutes M]      (or: make chaos)

2 cores, about 15 minutes, Linux. Expect: no run lost, doubled or differing; exit code 1 otherwise.
"""

from __future__ import annotations

import argparse
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from compare import Difference, difference
from disturbances import Calm, FullDisk, Kills, Tally, draw_victims
from episodes import Episode, carry_through
from small_disk import enter_namespace, small_disk
from sweeps import Study, collect
from truncation import copy_pieces, truncate_pieces

#: Sizes of the three studies in conf/: a seed is so many runs.
SIZES = {"mlp": 4, "transformer": 3, "cnn": 3}

CADENCE_S = 1.0

#: A checkpoint is begun at the first step after the cadence and counts when it is on the disk.
WRITING_S = 0.5

#: How much longer a sweep may take under kills, restarts not counted.
MOST_TIMES = 1.5

DISK_MB = 4

EPISODES = ("kills", "two", "disk", "truncated")


@dataclass
class Report:
    """What all disturbances have come to.

    Attributes:
        undisturbed: the sweep that was left alone.
        timed: whether times are judged too.
        tallies: of each kind of disturbance, with how the tables of its sweep differ.
        faults: what should not have happened, a line each.
    """

    undisturbed: Episode
    timed: bool
    tallies: list[tuple[Tally, Difference]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, episode: Episode, tallies: Sequence[Tally], only: str | None = None) -> None:
        """Collect the tables of an episode and compare them."""
        self.faults += episode.faults
        try:
            collect(episode.results)
        except subprocess.CalledProcessError as error:
            self.faults.append(f"{episode.results.name}: cannot be collected, exit code {error.returncode}")
            return
        differs = difference(self.undisturbed.results, episode.results, only)
        self.tallies += [(tally, differs) for tally in tallies if tally.times]
        for what in ("lost", "doubled", "differing"):
            if runs := sorted(getattr(differs, what)):
                self.faults.append(f"{episode.results.name}: {len(runs)} {what}: {', '.join(runs[:3])}")
        for tally in tallies:
            if tally.anew:
                worst = max(tally.anew, key=lambda loss: loss.kept_step)
                self.faults.append(
                    f"{tally.kind}: {len(tally.anew)} of {len(tally.losses)} jobs left their checkpoint unused; "
                    f"one of {len(worst.job.run_ids)} runs was at step {worst.kept_step}"
                )
            self.judge_time(
                tally.most_lost_s <= CADENCE_S + WRITING_S,
                f"{tally.kind}: {tally.most_lost_s:.2f} s of work lost, cadence {CADENCE_S:g} s",
            )

    def judge_time(self, good: bool, told: str) -> None:
        """Add a fault where times are judged and this one is not good."""
        if self.timed and not good:
            self.faults.append(told)

    def table(self) -> str:
        """A row for each kind of disturbance; `work lost` is of the job that lost most."""
        rows = []
        for tally, differs in self.tallies:
            rows.append(
                {
                    "disturbance": tally.kind,
                    "times": tally.times,
                    "restarts": tally.restarts,
                    "jobs hit": len(tally.losses),
                    "work lost": f"{tally.most_lost_s:.2f} s" if tally.losses else "",
                    "runs lost": len(differs.lost),
                    "doubled": len(differs.doubled),
                    "differing": len(differs.differing),
                }
            )
        return pd.DataFrame(rows).to_string(index=False)


@dataclass
class Trial:
    """What every episode needs.

    Attributes:
        whole, part: what is swept, and the studies of one family of it, for the shorter episodes.
        family: of the part.
        others: how many disturbances there are of each kind but kills.
        report: what has come out so far.
    """

    folder: Path
    whole: Study
    part: Study
    family: str
    others: int
    rng: random.Random
    report: Report

    def under_kills(self, n: int, until: float) -> None:
        """Kills at random instants, on another results folder whenever a sweep has ended before the last one."""
        calm, victims, rounds = self.report.undisturbed, draw_victims(self.rng, n), list[Episode]()
        restarts = sum(victim in ("parent", "whole tree") for victim in victims)
        # Half, for a kill also waits until its victim is there, and all are to come before the sweep's end.
        mean_s = 0.5 * (calm.wall_s + restarts * calm.startups_s[0]) / max(n, 1)
        while victims and time.monotonic() < until:
            kills = Kills(self.rng, victims, mean_s, until)
            rounds.append(carry_through(self.whole, self.folder / f"killed{len(rounds)}", kills))
            self.report.add(rounds[-1], kills.tallies)
        if not rounds:
            return
        if victims:
            self.report.faults.append(f"no time was left for {len(victims)} of {n} kills")
        wall_s, restarting_s = (sum(getattr(each, what) for each in rounds) for what in ("wall_s", "restarting_s"))
        expected_s = len(rounds) * calm.wall_s
        times = (wall_s - restarting_s) / expected_s
        restarts = sum(each.restarts for each in rounds)
        print(
            f"under {n - len(victims)} kills: {wall_s:.0f} s, {restarting_s:.0f} s of it in {restarts} restarts; "
            f"without these {times:.2f} times the {expected_s:.0f} s of {len(rounds)} undisturbed",
            flush=True,
        )
        self.report.judge_time(times <= MOST_TIMES, f"wall time under kills: {times:.2f} times the undisturbed one")

    def two_at_once(self) -> None:
        """The same command twice on one results folder; now and then one of the two is killed, and started again."""
        victims = self.rng.choices(("worker", "parent", "whole tree"), k=self.others)
        kills = Kills(self.rng, victims, mean_s=6.0)
        episode = carry_through(self.part, self.folder / "two_at_once", kills, at_once=2)
        for tally in kills.tallies:
            tally.kind += ", one of two sweeps"
        self.report.add(episode, kills.tallies, self.family)

    def full_disks(self) -> None:
        """A disk of a few MB that a ballast fills now and then."""
        disk = self.folder / "disk"
        with small_disk(disk, DISK_MB) as mounted:
            if not mounted:
                print("disk full: skipped, for no tmpfs can be mounted here (as root, or by unshare -rm)")
                return
            full = FullDisk(self.rng, disk, self.others, mean_s=4.0)
            self.report.add(carry_through(self.part, disk / "results", full), full.tallies, self.family)

    def truncated(self) -> None:
        """Pieces of a finished sweep that are cut at a random byte."""
        results, tally = self.folder / "truncated", Tally("truncated piece", times=self.others, restarts=1)
        copy_pieces(self.report.undisturbed.results, results)
        truncate_pieces(results, self.others, self.rng)
        self.report.add(carry_through(self.whole, results, Calm()), [tally])


def undisturbed(study: Study, results: Path) -> Episode:
    """A sweep that is left alone, and its tables."""
    episode = carry_through(study, results, Calm())
    collect(results)
    return episode


def main() -> int:
    given = arguments()
    enter_namespace()
    until = math.inf if given.minutes is None else time.monotonic() + 60 * given.minutes
    sizes = {given.only: SIZES[given.only]} if given.only else SIZES
    seeds = math.ceil(given.runs / sum(sizes.values()))
    settings = ("experiment=chaos", f"seeds={seeds}", f"training.checkpoint_s={CADENCE_S}", *given.settings)
    family = given.only or "mlp"
    part = Study((*settings, f"family={family}"))
    whole = part if given.only else Study(settings)
    with scratch_folder(given.keep) as folder:
        calm = undisturbed(whole, folder / "undisturbed")
        print(f"undisturbed: {seeds * sum(sizes.values())} runs in {calm.wall_s:.0f} s", flush=True)
        report = Report(calm, not given.untimed)
        trial = Trial(folder, whole, part, family, given.others, random.Random(given.seed), report)
        episodes = {
            "kills": lambda: trial.under_kills(given.kills, until),
            "two": trial.two_at_once,
            "disk": trial.full_disks,
            "truncated": trial.truncated,
        }
        for name in given.episodes.split(","):
            episodes[name]()
    print(report.table())
    for fault in report.faults:
        print(f"FAULT {fault}")
    if not report.faults:
        print("Every table equals that of the undisturbed sweep, value for value.")
    return 1 if report.faults else 0


@contextmanager
def scratch_folder(keep: Path | None) -> Iterator[Path]:
    """A new folder that is removed in the end, or the one to be kept."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
            yield Path(folder)
    else:
        keep.mkdir(parents=True)
        yield keep.resolve()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=60, help="of the sweep, rounded up to whole seeds")
    parser.add_argument("--kills", type=int, default=100, help="SIGKILLs")
    parser.add_argument("--others", type=int, default=5, help="disturbances of each kind but these")
    parser.add_argument("--episodes", default=",".join(EPISODES), help="besides the undisturbed sweep")
    parser.add_argument("--seed", type=int, default=0, help="of victims and instants")
    parser.add_argument("--minutes", type=float, help="after so many there are no more kills")
    parser.add_argument("--only", choices=["mlp", "transformer", "cnn"], help="sweep one study")
    parser.add_argument("--untimed", action="store_true", help="judge what is in the tables, not how long it took")
    parser.add_argument("--keep", type=Path, help="a new folder for results and logs, which stay there")
    parser.add_argument("settings", nargs="*", help="for harness sweep, such as ladder.steps=500")
    given = parser.parse_args()
    if not set(given.episodes.split(",")) <= set(EPISODES):
        parser.error(f"--episodes are of {', '.join(EPISODES)}, separated by commas; found {given.episodes}")
    if sys.platform != "linux":
        parser.error("the processes of a sweep are found in /proc, on Linux alone")
    return given


if __name__ == "__main__":
    sys.exit(main())
