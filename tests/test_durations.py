"""Durations: examples and epochs beside tokens, full batches, and what rules make of a study."""

from __future__ import annotations

import pytest
from tiny import NextSymbol, SignOfSum, make_settings, numbers

from harness.errors import UserError
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.ladder import Job, build_ladder, learning_rates, members
from harness.settings import LadderSettings, OptimizerSettings, ScheduleSettings
from harness.tasks.digits import Digits
from harness.training.loop import train_job


def study(task=None, family=None, **ladder):
    ladder = {"widths": [8], "batch_size": 8} | ladder
    return make_settings(family or MLP(), task or SignOfSum(), ladder=LadderSettings(**ladder))


def jobs(settings, rung=0):
    built = build_ladder(settings)[rung]
    return [Job(settings, built, d, members(settings, built, d)) for d in range(len(built.durations))]


def ids(settings):
    return [member.run_id for job in jobs(settings) for member in job.members]


def test_numbers_of_examples_make_a_grid_with_the_durations():
    found = jobs(study(steps=[10, 20], train_examples=[16, 64]))
    assert [(job.steps, job.examples) for job in found] == [(10, 16), (10, 64), (20, 16), (20, 64)]
    assert [job.epochs for job in found] == [5, 1.25, 10, 2.5]
    assert [job.unique_examples for job in found] == [16, 64, 16, 64]
    assert len(set(ids(study(steps=[10, 20], train_examples=[16, 64])))) == 4 * 3
    assert ids(study(steps=10, train_examples=64)) == ids(study(steps=10, train_examples=[16, 64]))[3:]
    assert not set(ids(study(steps=10))) & set(ids(study(steps=10, train_examples=16)))


def test_epochs_are_passes_over_the_examples():
    assert [job.steps for job in jobs(study(epochs=4, train_examples=[16, 64]))] == [8, 32]
    assert jobs(study(epochs=4, train_examples=16))[0].tokens == 64
    (job,) = jobs(study(Digits(), epochs=2))
    assert (job.examples, job.unique_examples, job.steps) == (Digits().n_train, 1347, round(2 * 1347 / 8))
    (drawn,) = jobs(study(Digits(), steps=10))
    assert (drawn.examples, drawn.unique_examples) == (None, 1347)
    (endless,) = jobs(study(steps=10))
    assert (endless.unique_examples, endless.epochs) == (None, None)


def test_all_is_the_whole_training_set():
    (job,) = jobs(study(steps=3, batch_size="all", train_examples=16))
    assert (job.settings.ladder.batch_size, job.epochs) == (16, 3)
    (same,) = jobs(study(steps=3, batch_size=16, train_examples=16))
    assert [member.run_id for member in job.members] == [member.run_id for member in same.members]
    assert jobs(study(Digits(), steps=3, batch_size="all"))[0].examples == 1347


@pytest.mark.parametrize(
    ("ladder", "says"),
    [
        ({"epochs": 3}, "ladder.epochs: task=sign_of_sum generates examples without end; ladder.train_examples=N"),
        ({"steps": 3, "batch_size": "all"}, "ladder.batch_size=all: task=sign_of_sum generates"),
        ({"steps": 3, "train_examples": 2000, "task": Digits()}, "train_examples=2000: allowed is at most 1347, the"),
        ({"steps": 3, "train_examples": 4}, "ladder.batch_size=8: allowed is at most the 4 training examples, or all"),
        ({"steps": 3, "train_examples": [16, 16]}, "numbers that differ"),
        ({"epochs": 0.1, "train_examples": 16}, r"ladder.epochs=0.1: allowed is enough for one step \(here 0.5\)"),
        ({"epochs": 0.25, "train_examples": 16}, r"ladder.epochs=0.25: allowed is enough for one step"),
        ({"steps": 0.5}, "ladder.steps=0.5: allowed is whole numbers"),
        ({"steps": [2, 2.7]}, "ladder.steps=2.7: allowed is whole numbers"),
        ({"tokens": 1e300}, "ladder.tokens=1e[+]300: allowed is .* fewer than"),
        ({"tokens": 64, "batch_size": {"rule": "power", "at": 8, "N": 500}}, "which gives no finite number at"),
        ({"steps": 3, "batch_size": {"rule": "power", "at": 8, "D": 0.5}}, "batch_size=a rule in D: .*ladder.tokens"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(ladder, says):
    with pytest.raises(UserError, match=says):
        build_ladder(study(**ladder))


def test_a_rule_of_exponent_0_is_todays_constant_to_the_bit():
    constant = make_settings(
        MLP(),
        SignOfSum(),
        ladder=LadderSettings(widths=[8], steps=12, batch_size=16),
        optimizer=OptimizerSettings(lr=0.03, beta2=0.97, weight_decay=0.1),
        schedule=ScheduleSettings(warmup=0.25),
        training__evaluations=2,
    )
    by_rule = make_settings(
        MLP(),
        SignOfSum(),
        ladder=LadderSettings(widths=[8], steps=12, batch_size={"rule": "power", "at": 16}),
        optimizer=OptimizerSettings(
            lr={"rule": "power", "at": 0.03, "N": 0, "D": 0.0},
            beta2={"rule": "power", "at": 0.97},
            weight_decay={"rule": "power", "at": 0.1},
        ),
        schedule=ScheduleSettings(warmup={"rule": "power", "at": 0.25}),
        training__evaluations=2,
    )
    assert ids(by_rule) == ids(constant)
    found, wanted = (train_job(jobs(settings)[0]) for settings in (by_rule, constant))
    assert [numbers(outcome) for outcome in found] == [numbers(outcome) for outcome in wanted]


def test_rules_give_each_size_and_duration_its_own_values():
    settings = make_settings(
        Transformer(),
        NextSymbol(),
        ladder=LadderSettings(
            widths=[8, 16], tokens=[2**12, 2**14], batch_size={"rule": "power", "at": 8, "D": 0.5, "D0": 2**12}
        ),
        optimizer=OptimizerSettings(lr={"rule": "power", "at": 0.1, "N": -1, "N0": 1000, "times": [1, 2]}),
        schedule=ScheduleSettings(warmup={"rule": "tokens", "at": 1024}),
    )
    for rung in build_ladder(settings):
        at = 0.1 * (rung.params.non_embedding / 1000) ** -1
        for duration, (batch_size, warmup) in enumerate([(8, 1 / 4), (16, 1 / 16)]):
            job = Job(settings, rung, duration, members(settings, rung, duration))
            assert job.settings.ladder.batch_size == batch_size
            assert job.steps * batch_size * 8 == job.tokens == settings.ladder.tokens[duration]
            assert job.settings.schedule.warmup == warmup
            assert learning_rates(settings, rung, duration) == pytest.approx([at, 2 * at])
            assert sorted({member.lr for member in job.members}) == pytest.approx([at, 2 * at])


def test_a_value_out_of_range_is_named_with_the_size():
    settings = study(steps=3)
    settings.schedule = ScheduleSettings(warmup={"rule": "tokens", "at": 1e6})
    with pytest.raises(UserError, match=r"schedule.warmup=.* \(at width 8, depth 1\): allowed is a number from 0 to 1"):
        build_ladder(settings)
