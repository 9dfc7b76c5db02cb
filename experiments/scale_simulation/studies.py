"""What is simulated: a table for each question, a row for each kind, means over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from rates import RATES, rate
from simulator import Cluster, Outcome, Plan, simulate
from workload import LADDERS, RULES, Workload, a_task_a_job, jobs_of, packed, shared, workload

HOUR_S = 3600.0
#: Of the logarithm of predicted over true seconds, where nothing else is said: what `experiments/plan_accuracy` claims.
SIGMA = 0.3
WALLTIMES_H = (1, 4, 24)


@dataclass(frozen=True)
class Scale:
    """How large the simulated world is.

    Attributes:
        members: seeds of the ladder; there are 200 jobs for each.
        nodes: of eight workers.
        seeds: of failures and errors of prediction, over which means are taken.
    """

    members: int
    nodes: int
    seeds: int

    def cluster(self, name: str = "RSC-1", times: float = 1.0, **changes: float) -> Cluster:
        """Nodes of eight workers that fail at a published rate; spot machines have one."""
        slots = 1 if name == "spot" else 8
        nodes = self.nodes * 8 // slots
        return replace(Cluster(nodes, slots, times * rate(name).per_s), **changes)


FULL, QUICK = Scale(50, 125, 3), Scale(2, 5, 1)

Planner = Callable[[Workload, Cluster, int], Plan]


@cache
def loads(ladder: str, members: int, sigma: float, seed: int) -> Workload:
    return workload(_jobs(ladder, members), sigma, seed)


_jobs = cache(jobs_of)


def rules(scale: Scale) -> pd.DataFrame:
    """Makespan over the lower bound when all workers take from one list, by its order and the errors of predictions."""
    rows = []
    for ladder in LADDERS:
        for rule in RULES:
            for sigma in (0.0, SIGMA, 1.0):
                found = _means(scale, ladder, scale.cluster(), _with(rule), sigma)
                rows.append({"ladder": ladder, "rule": rule, "sigma": sigma} | found)
    return pd.DataFrame(rows)


def tasks(scale: Scale) -> pd.DataFrame:
    """Makespan and what is held, by how jobs come into array tasks, walltime, and where tasks queued again stand."""
    rows = []
    for ladder in LADDERS:
        for hours in WALLTIMES_H:
            for front in (False, True):
                for way, (cluster, planner) in _ways(scale, hours * HOUR_S, front).items():
                    place = "first" if front else "last"
                    where = {"ladder": ladder, "walltime_h": hours, "queued again": place, "way": way}
                    rows.append(where | _means(scale, ladder, cluster, planner))
    return pd.DataFrame(rows)


def _ways(scale: Scale, wall: float, front: bool) -> dict[str, tuple[Cluster, Planner]]:
    """How jobs may come into array tasks of a walltime in seconds; `front`: tasks queued again stand first."""
    on, alone = scale.cluster(), scale.cluster(slots=1, nodes=scale.nodes * 8)
    more = {"requeued_first": front, "stays": False}
    return {
        "a task a job": (alone, lambda load, _, __: a_task_a_job(load, wall, **more)),
        "packed": (on, lambda load, at, _: packed(load, at, wall, shares=False, **more)),
        "packed, takes others'": (on, lambda load, at, _: packed(load, at, wall, shares=True, **more)),
        "packed in one round, takes others'": (
            on,
            lambda load, at, _: replace(packed(load, at, math.inf, shares=True, **more), walltime_s=wall),
        ),
        "one list": (on, lambda load, at, _: shared(load, at, walltime_s=wall, **more)),
    }


def staying(scale: Scale) -> pd.DataFrame:
    """What it costs that a task stays until all jobs have ended, and what that saves."""
    rows = []
    for ladder in LADDERS:
        for name, times in (("RSC-1", 1), ("RSC-1", 100), ("spot", 1)):
            for stays in (True, False):
                found = _means(scale, ladder, scale.cluster(name, times), _with(stays=stays))
                rows.append({"ladder": ladder, "rate": name, "times": times, "stays": stays} | found)
    return pd.DataFrame(rows)


def failures(scale: Scale) -> pd.DataFrame:
    """What failures cost at published rates, and at 10 and 100 times these."""
    rows = []
    for ladder in LADDERS:
        for each in RATES:
            for times in (1, 10, 100) if each.name != "spot" else (1, 10):
                found = _means(scale, ladder, scale.cluster(each.name, times), _with(stays=False))
                rows.append({"ladder": ladder, "rate": each.name, "times": times} | found)
    return pd.DataFrame(rows)


def checkpoints(scale: Scale) -> pd.DataFrame:
    """Seconds of workers spent on writing and on training again, over those of training, by interval and cost.

    Beside it the first-order model of Young (1974): write / interval + interval x failures per second / 2, least at
    sqrt(2 write / failures per second); Daly (2006) corrects that by about 1 % at most here.
    """
    rows = []
    for name in ("RSC-1", "spot"):
        for write in (0.1, 1.0, 10.0):
            best = math.sqrt(2 * write / rate(name).per_s)
            for every in (15.0, 60.0, 300.0, 1200.0, 4800.0, best):
                on = scale.cluster(name, checkpoint_s=every, write_s=write)
                found = _means(scale, "isoflop", on, _with(stays=False))
                model = write / every + every * on.failures_per_s / 2
                where = {"rate": name, "write_s": write, "every_s": every, "is Young's": every == best}
                rows.append(where | found | {"overhead": found["lost"] + found["writing"], "model": model})
    return pd.DataFrame(rows)


def takeovers(scale: Scale) -> pd.DataFrame:
    """How long a job waits whose worker died, by how soon that is noticed and where it then stands in the list."""
    rows = []
    for ladder in LADDERS:
        for name, times in (("RSC-1", 100), ("spot", 1)):
            for gone in (10.0, 30.0, 120.0, 600.0):
                for front in (True, False):
                    on = scale.cluster(name, times, gone_s=gone)
                    where = {"ladder": ladder, "rate": name, "times": times, "gone_s": gone, "freed first": front}
                    rows.append(where | _means(scale, ladder, on, _with(stays=False, freed_first=front)))
    return pd.DataFrame(rows)


def _with(rule: str = "longest first", **changes: Any) -> Planner:
    """One list for all workers."""
    return lambda load, on, seed: shared(load, on, rule, seed, **changes)


def _means(scale: Scale, ladder: str, on: Cluster, planner: Planner, sigma: float = SIGMA) -> dict[str, float]:
    found = []
    for seed in range(scale.seeds):
        load = loads(ladder, scale.members, sigma, seed)
        found.append(_shares(simulate(load.work_s, planner(load, on, seed), on, seed), load.bound_s(on.workers)))
    return {
        name: float(np.nanmean(values) if np.isfinite(values).any() else np.nan) for name, values in _columns(found)
    }


def _columns(rows: Sequence[Mapping[str, float]]) -> Iterable[tuple[str, np.ndarray]]:
    return ((name, np.array([row[name] for row in rows])) for name in rows[0])


def _shares(out: Outcome, bound_s: float) -> dict[str, Any]:
    """The makespan over its lower bound, and seconds of workers over those of training that counts."""
    waited = np.array(out.taken_over_s)
    return {
        "makespan": out.makespan_s / bound_s,
        "held": out.held_s / out.trained_s,
        "lost": out.lost_s / out.trained_s,
        "writing": out.writing_s / out.trained_s,
        "failures": out.failures,
        "tasks": out.started,
        "waited_s": waited.mean() if len(waited) else np.nan,
        "waited_most_s": waited.max() if len(waited) else np.nan,
    }


STUDIES: Mapping[str, Callable[[Scale], pd.DataFrame]] = {
    "rules": rules,
    "tasks": tasks,
    "staying": staying,
    "failures": failures,
    "checkpoints": checkpoints,
    "takeovers": takeovers,
}
