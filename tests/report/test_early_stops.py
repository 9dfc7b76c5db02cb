"""Runs that stopped early are counted, with the steps that they trained."""

from __future__ import annotations

import json

import pytest

from harness.report.analyze import Analysis
from harness.report.card import cards
from harness.report.early_stops import early_stops, trained_steps
from harness.report.html import write_report

SAID = "9 of them stopped early, after 50 % to 80 % of the steps asked for"


@pytest.fixture
def stopped(analysis: Analysis) -> Analysis:
    """Nine runs of 500 steps ended at step 400 or 250."""
    runs, last = analysis.runs.copy(), analysis.every_duration.copy()
    chosen = runs.index[(runs["study"] == "digits") & (runs["status"] == "finished")][:9]
    runs.loc[chosen, "config"] = json.dumps({"patience": 2})
    of_chosen = last["run_id"].isin(runs.loc[chosen, "run_id"])
    last.loc[of_chosen, "step"] = 400
    last.loc[last["run_id"] == runs.loc[chosen[0], "run_id"], "step"] = 250
    return Analysis(**(vars(analysis) | {"runs": runs, "every_duration": last}))


def test_steps_are_those_that_were_trained(stopped: Analysis) -> None:
    assert trained_steps(stopped).value_counts().to_dict() == {500: len(stopped.runs) - 9, 400: 8, 250: 1}
    assert early_stops(stopped) == SAID


def test_a_run_of_fewer_steps_without_patience_did_not_stop(stopped: Analysis) -> None:
    impatient = Analysis(**(vars(stopped) | {"runs": stopped.runs.assign(config="{}")}))
    assert early_stops(impatient) == "" and set(trained_steps(impatient)) == {500}


@pytest.mark.usefixtures("undrawn")
def test_card_and_page_tell(stopped: Analysis, analysis: Analysis) -> None:
    for text in cards(stopped):
        assert SAID.replace("%", "\\%" if text.startswith("%") else "%") in text
    (line,) = [line for line in cards(stopped)[0].splitlines() if line.startswith("Study digits")]
    assert "250 to 500 steps of 16 examples" in line
    page = write_report(stopped)[0]
    assert f"; {SAID}) in " in page.read_text()
    write_report(analysis)
    assert "stopped early" not in page.read_text()
