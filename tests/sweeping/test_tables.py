"""The tables that plan and status print."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, RenderableType
from tiny import NextSymbol, SignOfSum, make_settings

from harness.families.cnn import CNN
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.settings import Settings
from harness.sweeping.cost import CostModel
from harness.sweeping.plan import cells
from harness.sweeping.tables import count_by_state, plan_table, plan_totals, prediction, status_table


def printed(what: RenderableType) -> str:
    text = io.StringIO()
    Console(file=text, width=200).print(what)
    return text.getvalue()


def test_a_plan_says_once_what_is_the_same_for_all_rungs(study: Settings) -> None:
    shown = printed(plan_table(study, CostModel(), "cpu"))
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
    shown = printed(plan_table(make_settings(family, task), CostModel(), "cpu"))
    title, header, *_ = [line for line in shown.splitlines() if line.strip()]
    assert seen in title and f" {group} " in header
    assert ("tokens" in title) == ("tokens" in seen) and ("mlp" in header) == (group == "mlp")


def test_totals_count_what_is_left(study: Settings) -> None:
    known = {member.run_id: "finished" for member in cells(study)[0].members}
    totals = plan_totals([study], known, CostModel(), "cpu", workers=2)
    assert totals.startswith("24 runs, 18 of them to do in 3 jobs: ")
    assert totals.endswith("on 2 workers (cpu). Predicted for mlp from a rough model.")
    nothing = {member.run_id: "diverged" for cell in cells(study) for member in cell.members}
    assert "0 of them to do in 0 jobs: 0 FLOPs" in plan_totals([study], nothing, CostModel(), "cpu", workers=1)


def test_no_schedule_beats_the_longest_job(study: Settings) -> None:
    job = cells(study)[3]
    seconds = round(CostModel().seconds(job))
    words = prediction([study], [job], CostModel(), "cpu", workers=9)
    assert f"{seconds} s of work, {seconds} s on 9 workers" in words


def test_status_counts_each_rung_and_all(study: Settings) -> None:
    first, second, *_ = cells(study)
    ids = [member.run_id for member in first.members]
    known = dict(zip(ids, ["finished", "finished", "diverged", "failed"], strict=False))
    now = {second.members[0].run_id}
    assert count_by_state(first, known, now) == {"finished": 2, "diverged": 1, "failed": 1, "pending": 2}
    assert count_by_state(second, known, now) == {"running": 1, "pending": 5}
    last = printed(status_table([study], known, now)).strip().splitlines()[-1]
    assert last.split() == ["all", "2", "1", "1", "1", "19"]
