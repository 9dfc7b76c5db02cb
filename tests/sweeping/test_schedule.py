"""When jobs will have ended that workers take one after another."""

from __future__ import annotations

import pytest
from tiny import NextSymbol, SignOfSum, job_of, make_settings

from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.ladder import Job
from harness.sweeping.plan import default_choice
from harness.sweeping.schedule import makespan, spread


@pytest.mark.parametrize(
    ("seconds", "workers", "ends"),
    [
        ([], 2, 0),
        ([5], 9, 5),
        ([3, 3, 2, 2, 2], 2, 7),  # longest first: the shortest schedule would take 6
        ([2, 2, 2, 3, 3], 2, 7),
        ([4, 1, 1, 1, 1], 2, 4),
        ([5, 5, 4, 4, 3, 3, 3], 3, 11),  # Graham's worst case of longest first, 4/3 - 1/9 of 9
        ([1] * 10, 1, 10),
        ([2, 1], 10**12, 2),
    ],
)
def test_jobs_go_to_whoever_is_free_first(seconds: list[float], workers: int, ends: float) -> None:
    assert makespan(seconds, workers) == ends


def test_jobs_under_way_keep_their_workers() -> None:
    assert makespan([2, 2], 2, under_way=[3.0, 1.0]) == 5
    assert makespan([], 2, under_way=[3.0, 1.0]) == 3


def test_a_job_that_would_outlast_the_others_is_split_between_members() -> None:
    job = job_of(make_settings(Transformer(), NextSymbol(), seeds=8, optimizer__lr=0.01))

    def seconds(job: Job) -> float:
        return 1.0 + len(job.members)

    assert [len(part.members) for part in spread([job], seconds, 4)] == [2, 2, 2, 2]
    assert spread([job, job, job, job], seconds, 4) == [job] * 4
    assert [len(part.members) for part in spread([job], seconds, 100)] == [1] * 8
    parts = spread([job], seconds, 3)
    assert tuple(member for part in parts for member in part.members) == job.members
    for family, task, asked in ((Transformer(), NextSymbol(), 8), (MLP(), SignOfSum(), None)):
        changes = {"launcher__members_together": asked, "optimizer__lr": 0.01}
        fixed = job_of(make_settings(family, task, seeds=8, **changes))
        assert spread([fixed], seconds, 4) == [fixed]


def test_small_transformers_train_together_on_a_cpu_and_large_ones_alone() -> None:
    for width, members in ((8, 3), (64, 1)):
        settings = make_settings(Transformer(), NextSymbol(), ladder__widths=[width], ladder__batch_size=512)
        job = job_of(settings)
        assert default_choice(job, "cpu").members == (len(job.members) if members > 1 else 1)
        assert default_choice(job, "cuda").members == len(job.members)
