"""The sizes at which a study has been trained, or could be: what `refine` chooses among.

A site is one size with the seeds that are done there. A seed counts once all its learning rates and durations are done,
so that every site can be compared with every other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.errors import SettingError
from harness.families.base import Shape
from harness.ladder import Job, Rung, build_ladder, learning_rates, member, rung_of_size
from harness.records.pieces import recorded
from harness.settings import Settings
from harness.sweeping.plan import DONE, recorded_cells
from harness.sweeping.runs_row import size_columns

#: Sizes that are considered between two neighbours; many of them round to the same.
_BETWEEN = 15
#: Least distance of a new size to its neighbours, as a share of ln refine.ratio. Chosen in experiments/refinement: with
#: half of the ratio refinement stalls at 1.57 to 1.69 where 1.5 is wanted, with none it costs the same.
_LEAST_DISTANCE = 0.25


@dataclass(frozen=True)
class Site:
    """A size, the seeds that are done there with all their learning rates and durations, and the ids of their runs."""

    rung: Rung
    seeds: tuple[int, ...] = ()
    run_ids: tuple[str, ...] = ()


def recorded_sites(study: Settings) -> list[Site]:
    """The sizes that the results hold runs of, made under just these settings; smallest first."""
    rows = [row for row in recorded(study.results).rows.values() if row["status"] in DONE]
    done, found = {row["run_id"] for row in rows}, dict[Shape, tuple[Rung, set[int]]]()
    for cell in recorded_cells(study, rows):
        found.setdefault(cell.rung.shape, (cell.rung, set()))[1].update(each.seed for each in cell.members)
    sites = []
    for rung, seeds in found.values():
        ids = {seed: _run_ids(study, rung, seed) for seed in sorted(seeds)}
        whole = tuple(seed for seed in ids if done.issuperset(ids[seed]))
        if whole:
            sites.append(Site(rung, whole, tuple(run_id for seed in whole for run_id in ids[seed])))
    return sorted(sites, key=lambda site: size_of(study, site.rung))


def sites_between(study: Settings, sites: Sequence[Site]) -> list[Site]:
    """New legal sizes between neighbours, evenly in their logarithms.

    None is nearer to a neighbour than a quarter of ln refine.ratio: it would tell little that more seeds at the
    neighbour do not, and crowded sizes shorten the ladder's step, by which jumps are judged.
    """
    rungs = [site.rung for site in sites]
    found: dict[Shape, Rung] = {}
    factor = study.refine.ratio**_LEAST_DISTANCE
    for low, high in pairwise(rungs):
        first, last = ((rung.shape.width, rung.shape.depth) for rung in (low, high))
        for width, depth in np.geomspace(first, last, _BETWEEN + 2)[1:-1]:
            rung = rung_of_size(study, width, depth)
            if rung and factor * size_of(study, low) <= size_of(study, rung) <= size_of(study, high) / factor:
                found[rung.shape] = rung
    taken = {rung.shape for rung in rungs}
    return [Site(rung) for shape, rung in found.items() if shape not in taken]


def missing_seeds(study: Settings, site: Site, n: int) -> list[int]:
    """The next `n` seeds that a size lacks."""
    span = range(study.first_seed, study.first_seed + n + len(site.seeds))
    return [seed for seed in span if seed not in site.seeds][:n]


def seed_jobs(study: Settings, rung: Rung, seeds: Sequence[int]) -> list[Job]:
    """All durations of a rung, with every learning rate of each seed."""
    jobs = []
    for duration in range(len(rung.durations)):
        rates = learning_rates(study, rung, duration)
        trained = tuple(member(study, rung, duration, seed, lr) for lr in rates for seed in seeds)
        jobs.append(Job(study, rung, duration, trained))
    return jobs


def size_of(study: Settings, rung: Rung) -> float:
    """What the runs table holds in the column `analysis.x`, for the duration that is analysed: the longest.

    Raises:
        SettingError: the column is not a size.
    """
    durations = range(len(rung.durations))
    longest = max(durations, key=lambda duration: (rung.durations[duration].examples or 0, rung.steps[duration]))
    sizes = size_columns(seed_jobs(study, rung, [study.first_seed])[longest])
    if study.analysis.x not in sizes:
        raise SettingError("analysis.x", study.analysis.x, f"a column of sizes: {', '.join(sizes)}")
    return sizes[study.analysis.x]


# ------------------------------------------------------------------------------------------------------ FLOPs of sites


def seed_flops(study: Settings, rung: Rung) -> float:
    """Training FLOPs of one seed: all its learning rates and durations."""
    return sum(len(job.members) * job.flops for job in seed_jobs(study, rung, [study.first_seed]))


def ladder_flops(study: Settings) -> float:
    """Training FLOPs of the study's own ladder."""
    return study.seeds * sum(seed_flops(study, rung) for rung in build_ladder(study))


def added_flops(study: Settings, sites: Sequence[Site]) -> float:
    """Training FLOPs of all runs beyond the study's own ladder."""
    return sum(len(site.seeds) * seed_flops(study, site.rung) for site in sites) - ladder_flops(study)


def flops_left(study: Settings, sites: Sequence[Site]) -> float:
    """FLOPs of `refine.budget` that are left."""
    return study.refine.budget * ladder_flops(study) - added_flops(study, sites)


def _run_ids(study: Settings, rung: Rung, seed: int) -> list[str]:
    return [each.run_id for job in seed_jobs(study, rung, [seed]) for each in job.members]
