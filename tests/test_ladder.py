"""The ladder: rungs, rounding, durations, identity."""

from __future__ import annotations

import dataclasses

import pytest
from tiny import NextSymbol, SignOfSum, make_settings

from harness.errors import UserError
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.ladder import Job, build_ladder, member, members
from harness.settings import LadderSettings, Settings
from harness.tasks.parity import Parity


def shapes(family, task, **ladder):
    ladder = {"steps": 10} | ladder
    settings = make_settings(family, task, ladder=LadderSettings(**ladder))
    return [(r.shape.width, r.shape.depth, r.shape.heads) for r in build_ladder(settings)]


def test_geometric_in_width_in_depth_and_in_both():
    assert shapes(MLP(), SignOfSum(), first_width=8, width_step=2, count=3) == [(8, 1, 0), (16, 1, 0), (32, 1, 0)]
    assert shapes(MLP(), SignOfSum(), first_width=8, width_step=1, depth_step=2, count=3) == [
        (8, 1, 0),
        (8, 2, 0),
        (8, 4, 0),
    ]
    assert shapes(MLP(), SignOfSum(), first_width=8, width_step=1.5, depth_step=2, count=3) == [
        (8, 1, 0),
        (12, 2, 0),
        (18, 4, 0),
    ]


def test_geometric_widths_are_rounded_to_legal_ones():
    assert shapes(Transformer(), NextSymbol(), first_width=16, width_step=1.4, count=4, heads=3) == [
        (18, 1, 3),
        (24, 1, 3),
        (30, 1, 3),
        (42, 1, 3),
    ]
    assert shapes(Transformer(), NextSymbol(), first_width=16, width_step=2, count=3, head_width=16) == [
        (16, 1, 1),
        (32, 1, 2),
        (64, 1, 4),
    ]


def test_written_widths_and_depths_pair_up():
    assert shapes(MLP(), SignOfSum(), widths=[8, 16], depths=[2]) == [(8, 2, 0), (16, 2, 0)]
    assert shapes(MLP(), SignOfSum(), widths=[8, 8, 16], depths=[1, 2, 2]) == [(8, 1, 0), (8, 2, 0), (16, 2, 0)]


@pytest.mark.parametrize(
    ("ladder", "says"),
    [
        ({"widths": [0]}, "ladder.widths"),
        ({"widths": [-8, 8]}, "ladder.widths"),
        ({"widths": []}, "ladder.widths"),
        ({"widths": [8, 16, 32], "depths": [1, 2]}, "ladder.depths"),
        ({"widths": [16], "heads": 3}, r"ladder.widths=\[16\]: allowed is multiples of 6, for 3 heads"),
        ({"widths": [16], "heads": 0}, "ladder.heads=0"),
        ({"widths": [16], "heads": 2, "head_width": 8}, "both set"),
        ({"first_width": 0}, "ladder.first_width=0"),
        ({"first_width": 8, "width_step": 0.5}, "ladder.width_step=0.5"),
        ({"first_width": 4, "width_step": 1.1, "count": 3}, "are both of width 4, depth 1 after"),
        ({"widths": [16], "steps": None}, "exactly one of"),
        ({"widths": [16], "tokens": 100}, "exactly one of"),
        ({"widths": [16], "steps": 0}, "ladder.steps=0"),
        ({"widths": [16], "steps": [10, 10]}, "numbers that differ from each other"),
        ({"widths": [16], "steps": None, "tokens": [1600, 1603]}, "different length"),
        ({"widths": [16], "steps": "many"}, "a number or a list of numbers"),
        ({"widths": [16], "steps": None, "flops": 1}, "ladder.flops=1"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(ladder, says):
    with pytest.raises(UserError, match=says):
        shapes(Transformer(), NextSymbol(), **ladder)


def test_durations_in_every_unit_come_to_the_same():
    task, family = NextSymbol(), Transformer()
    base = {"widths": [16], "batch_size": 16}
    settings = make_settings(family, task, ladder=LadderSettings(steps=[50, 100], **base))
    (rung,) = build_ladder(settings)
    jobs = [Job(settings, rung, d, members(settings, rung, d)) for d in range(2)]
    assert [job.tokens for job in jobs] == [50 * 16 * 8, 100 * 16 * 8]
    for unit in ("tokens", "flops", "tokens_per_param"):
        amounts = [getattr(job, unit, job.tokens / rung.params.total) for job in jobs]
        same = make_settings(family, task, ladder=LadderSettings(**{unit: amounts}, **base))
        assert build_ladder(same)[0].steps == (50, 100)


def test_flop_budgets_give_an_isoflop_grid():
    settings = make_settings(MLP(), SignOfSum(), ladder=LadderSettings(widths=[8, 64], flops=[1e6, 4e6]))
    for rung in build_ladder(settings):
        spent = [steps * settings.ladder.batch_size * rung.flops_per_example for steps in rung.steps]
        assert spent == pytest.approx([1e6, 4e6], rel=0.5 / min(rung.steps))


def test_members_are_seeds_times_learning_rates():
    settings = make_settings(MLP(), SignOfSum(), seeds=2, first_seed=5, optimizer__lr=[0.1, 0.2])
    rung = build_ladder(settings)[0]
    found = members(settings, rung, 0)
    assert [(m.seed, m.lr) for m in found] == [(5, 0.1), (6, 0.1), (5, 0.2), (6, 0.2)]
    assert len({m.run_id for m in found}) == 4


def run_ids(task=None, **changes):
    settings = make_settings(MLP(), task or SignOfSum(), **changes)
    return [m.run_id for rung in build_ladder(settings) for m in members(settings, rung, 0)]


def test_identity_is_stable_and_moves_with_what_changes_numbers():
    base = run_ids()
    assert run_ids() == base
    for changes in (
        {"task": SignOfSum(n_eval=32)},
        {"optimizer__lr": 0.02},
        {"ladder__steps": 13},
        {"ladder__batch_size": 8},
        {"schedule__warmup": 0.1},
        {"training__precision": "bfloat16"},
        {"study": "another"},
    ):
        assert not set(run_ids(**changes)) & set(base), changes


def test_identity_is_that_of_the_runs_that_users_have():
    """Should these values change, finished sweeps would train again; raise IDENTITY_VERSION where that is meant."""
    settings = Settings(family=MLP(), task=Parity(), ladder=LadderSettings(widths=[8, 16], steps=12, batch_size=16))
    found = members(settings, build_ladder(settings)[0], 0)
    assert [member.run_id for member in found][:2] == ["ea66f88e3a69401a", "9c775398014e8cef"]


def test_members_of_many_seeds_have_the_identity_that_each_has_alone():
    settings = make_settings(MLP(), SignOfSum(), seeds=3, first_seed=9, optimizer__lr=[0.1, 0.01])
    (rung, *_) = build_ladder(settings)
    found = members(settings, rung, 0)
    assert len(found) == 6
    assert list(found) == [member(settings, rung, 0, each.seed, each.lr) for each in found]


def test_identity_does_not_move_with_what_does_not():
    base = run_ids()
    assert run_ids(name="elsewhere", launcher__workers=7, training__device="auto", analysis__alpha=0.01) == base
    more_seeds, more_rungs = run_ids(seeds=5), run_ids(ladder__widths=[4, 8, 16])
    assert set(base) < set(more_seeds)
    assert set(base) < set(more_rungs)


def test_a_job_is_plain_data():
    settings = make_settings(MLP(), SignOfSum())
    assert dataclasses.asdict(settings)["ladder"]["widths"] == [8, 16]


@pytest.mark.parametrize(
    ("method", "wrong"), [("count", None), ("training_flops", "many"), ("training_flops", float("nan"))]
)
def test_formulas_that_give_no_number_are_named(monkeypatch, method, wrong):
    monkeypatch.setattr(MLP, method, lambda *_: wrong)
    with pytest.raises(UserError, match=rf"family=mlp: {method}\(\) gives {wrong!r}"):
        build_ladder(make_settings(MLP(), SignOfSum()))
