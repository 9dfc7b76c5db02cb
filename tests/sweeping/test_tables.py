"""The tables that plan and status print."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console, RenderableType
from tiny import NextSymbol, SignOfSum, make_settings

from harness.families.cnn import CNN
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.settings import Settings
from harness.sweeping.cost import START_S, CostModel
from harness.sweeping.plan import cells
from harness.sweeping.tables import count_by_state, plan_frame, plan_table, plan_totals, prediction, status_table
from harness.sweeping.trials import Trial
from harness.sweeping.tuning import Tuned


def untried(workers: int = 1) -> Tuned:
    return Tuned(CostModel(), "cpu", workers)


def printed(what: RenderableType) -> str:
    text = io.StringIO()
    Console(file=text, width=200).print(what)
    return text.getvalue()


def test_a_plan_says_once_what_is_the_same_for_all_rungs(study: Settings) -> None:
    shown = printed(plan_table(study, untried()))
    title, *rows = [line for line in shown.splitlines() if line.strip()]
    assert title.startswith("main: mlp on parity (depth 1, runs 6")
    assert "width" not in title
    assert len(rows) == 2 + 4, "a header, a rule, and two rungs at two durations"


@pytest.mark.parametrize(
    ("family", "task", "group", "seen"),
    [
        (CNN(), SignOfSum(image=True), "conv", "examples seen 192"),
        (
            CNN(layers=["conv 8 1x1 same", "global_mean", "dense 4"]),
            SignOfSum(image=True),
            "conv + dense",
            "examples seen",
        ),
        (MLP(), SignOfSum(), "mlp", "examples seen 192"),
        (Transformer(), NextSymbol(), "mlp", "tokens 1.54e+03"),
    ],
)
def test_a_plan_calls_parameters_and_lengths_by_what_they_are(family, task, group, seen) -> None:
    shown = printed(plan_table(make_settings(family, task), untried()))
    title, header, *_ = [line for line in shown.splitlines() if line.strip()]
    assert seen in title and f" {group} " in header
    assert ("tokens" in title) == ("tokens" in seen) and ("mlp" in header) == (group == "mlp")


def test_a_plan_of_sizes_that_were_timed_says_what_a_run_takes(study: Settings) -> None:
    trials = [(job, Trial(0.5, 0.5, 0.25, 4e8 + 1e7 * i)) for i, job in enumerate(cells(study))]
    tuned = replace(untried(), cost=CostModel().with_trials(trials))
    table = "\n".join(line for line in printed(plan_table(study, tuned)).splitlines() if line.strip())
    assert "together 6, step replayed, evaluation 83 ms" in table
    assert " a run   time   memory" in table
    assert "0.6 s    4 s   490 MB" in table
    frame = plan_frame([study], {}, tuned)
    assert set(frame["predicted_from"]) == {"trials"}
    assert set(frame["together"]) == {6}
    assert frame["predicted_evaluation_s"].tolist() == [0.5] * 4


def test_totals_count_what_is_left(study: Settings) -> None:
    left = cells(study)[1:]
    totals = plan_totals([study], left, untried(workers=2))
    assert totals.startswith("24 runs, 18 of them to do in 3 jobs: ")
    assert " on 2 workers (cpu), 52" in totals
    assert totals.endswith(" MB of memory. Predicted for mlp from a rough model.")
    assert "0 of them to do in 0 jobs: 0 FLOPs, 0 s of work, 0 s on 1 worker (cpu)" in plan_totals(
        [study], [], untried()
    )


def test_no_schedule_beats_the_longest_job(study: Settings) -> None:
    job = cells(study)[3]
    work, wall = CostModel().seconds(job), CostModel().wall_s([job], workers=9)
    assert wall == pytest.approx(work + START_S)
    assert f"{round(work)} s of work, {round(wall)} s on 9 workers" in prediction([job], CostModel(), "cpu", workers=9)


def test_status_counts_each_rung_and_all(study: Settings) -> None:
    first, second, *_ = cells(study)
    ids = [member.run_id for member in first.members]
    known = dict(zip(ids, ["finished", "finished", "diverged", "failed"], strict=False))
    now = {second.members[0].run_id}
    assert count_by_state(first, known, now) == {"finished": 2, "diverged": 1, "failed": 1, "pending": 2}
    assert count_by_state(second, known, now) == {"running": 1, "pending": 5}
    last = printed(status_table([study], known, now)).strip().splitlines()[-1]
    assert last.split() == ["all", "2", "1", "1", "1", "19"]
