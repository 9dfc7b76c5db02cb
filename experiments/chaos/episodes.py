"""Sweeps that are disturbed and, whenever they end, started again by the same command until all runs are recorded."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from disturbances import Disturbance
from sweeps import HANG_S, Patience, Running, Study
from victims import processes_of

#: Seconds for which what is left of a killed sweep may live on: a fork server that is loading torch ends after that.
OUTLIVE_S = 60.0

POLL_S = 0.1


@dataclass
class Episode:
    """How a sweep came through.

    Attributes:
        wall_s: from the first start to the end.
        startups_s: of each command, until its first job was in training.
        restarts: how often the command was started again.
        faults: what should not have happened, a line each.
    """

    results: Path
    wall_s: float = 0.0
    startups_s: list[float] = field(default_factory=list)
    restarts: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def restarting_s(self) -> float:
        """What restarts cost a sweep that ran alone, but for the work that was lost."""
        return sum(self.startups_s[1:])


def carry_through(study: Study, results: Path, disturbance: Disturbance, at_once: int = 1) -> Episode:
    """Sweep until each of `at_once` commands on one results folder has ended with exit code 0."""
    began = time.monotonic()
    logs = [results.with_name(f"{results.name}.{i}.log") for i in range(at_once)]
    sweeps = [Running(study, results, log) for log in logs]
    episode, patience = Episode(results), Patience(results)
    ended: list[tuple[Running, float]] = []
    try:
        while sweeps:
            for sweep in list(sweeps):
                code, jobs = sweep.exit_code, sweep.at_work()
                for tally in disturbance.tallies:
                    tally.watch(jobs)
                if code is None:
                    continue
                sweeps.remove(sweep)
                ended.append((sweep, time.monotonic()))
                episode.faults += _faults(sweep, code, disturbance)
                episode.startups_s.append(sweep.startup_s)
                if code != 0 and disturbance.excuses(code):
                    sweeps.append(Running(study, results, sweep.log))
                    episode.restarts += 1
                    if disturbance.latest is not None:
                        disturbance.latest.restarts += 1
            disturbance.act(sweeps)
            ended = _still_watched(ended, episode.faults)
            if patience.exhausted:
                episode.faults.append(f"{results.name}: hangs, nothing trained or recorded for {HANG_S:g} s")
                break
            time.sleep(POLL_S)
        episode.wall_s = time.monotonic() - began
        while ended := [each for each in _still_watched(ended, episode.faults) if processes_of(each[0].session)]:
            time.sleep(POLL_S)
    finally:
        disturbance.end()
        for sweep in [*sweeps, *(sweep for sweep, _ in ended)]:
            sweep.end()
    return episode


def _faults(sweep: Running, code: int, disturbance: Disturbance) -> list[str]:
    """What was wrong with the way in which a command ended."""
    printed, faults = sweep.printed, []
    last = (printed.strip().splitlines() or ["nothing printed"])[-1]
    if code != 0 and not disturbance.excuses(code):
        faults.append(f"{sweep.log.name}: exit code {code}: {last}")
    if code == 1 and "failed" not in printed:
        faults.append(f"{sweep.log.name}: exit code 1 without a failed run: {last}")
    if "Traceback" in printed:
        faults.append(f"{sweep.log.name}: a traceback: {last}")
    return faults


def _still_watched(ended: list[tuple[Running, float]], faults: list[str]) -> list[tuple[Running, float]]:
    """Those commands that ended less than `OUTLIVE_S` ago; a process of an earlier one that is alive is a fault."""
    watched = []
    for sweep, at in ended:
        if time.monotonic() - at < OUTLIVE_S:
            watched.append((sweep, at))
        elif left := processes_of(sweep.session):
            faults.append(f"{sweep.log.name}: {len(left)} processes outlived their sweep: {left[0].command}")
            sweep.end()
    return watched
