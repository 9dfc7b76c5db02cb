"""The paragraphs have the numbers of the runs and of the tables, and invent none."""

from __future__ import annotations

import json
import re

import pytest
from one_style import check_one_style

from harness.report.analyze import Analysis
from harness.report.card.facts import gather_facts
from harness.report.card.methods import describe, number_of_tests
from harness.report.names import NOT_RECORDED


@pytest.fixture(scope="module")
def told(analysis: Analysis) -> str:
    return "\n".join(describe(analysis, gather_facts(analysis).not_known))


def test_counts_are_those_of_the_runs(told: str, analysis: Analysis) -> None:
    runs = analysis.runs
    finished = int((runs["status"] == "finished").sum())
    assert f"We trained {len(runs)} runs ({finished} finished, 1 diverged, 1 failed;" in told
    assert "in 4 studies" in told
    for study, part in runs.groupby("study"):
        (line,) = re.findall(rf"Study {study}: .*", told)
        assert f"{part['rung'].nunique()} sizes, of " in line
        assert f"{part['params_total'].min():,}"[:2] in line and "500 steps of 16 examples, 320,000 tokens" in line
    assert "learning rate 0.01" in told and told.count("learning rate 0.01") == 1, "said once of all"


def test_tests_and_laws_are_those_of_the_tables(told: str, analysis: Analysis) -> None:
    assert f"Each of {len(analysis.jumps)} curves" in told
    assert f"The {number_of_tests(analysis.jumps)} p values" in told and "false discovery rate of 0.05" in told
    for verdict, n in analysis.jumps["verdict"].value_counts().items():
        assert f"{n} {verdict}" in told
    assert f"leaves {len(analysis.fits)} of {len(analysis.laws)} exponents" in told
    assert "95 % intervals by profile likelihood" in told and "Benjamini and Hochberg" in told


def test_software_and_hardware_are_recorded_or_said_not_to_be(told: str, analysis: Analysis) -> None:
    assert "Software: harness 0.1.0, python 3.11.9, torch 2.13.0." in told
    assert "Revision of the code: 0123456789abcdef." in told and "Hardware: cpu; the jobs took" in told
    bare = analysis.runs.assign(config="{}", versions="[]", git_revision=None, device="unknown", lr=0.0, flops=0.0)
    said = " ".join(describe(Analysis(**(vars(analysis) | {"runs": bare.assign(batch_size=0, steps=0)}))))
    for what in (
        f"their training FLOPs are {NOT_RECORDED}",
        f"learning rates that are {NOT_RECORDED}",
        f"optimizer {NOT_RECORDED}",
        f"schedule {NOT_RECORDED}",
        f"a number of steps that is {NOT_RECORDED}",
        f"Software: {NOT_RECORDED}. Revision of the code: {NOT_RECORDED}. Hardware: {NOT_RECORDED}",
    ):
        assert what in said, what


def test_hashes_are_cut(analysis: Analysis) -> None:
    long = "f" * 40
    runs = analysis.runs.assign(git_revision=long, versions=json.dumps({"data": long}))
    said = " ".join(describe(Analysis(**(vars(analysis) | {"runs": runs}))))
    assert f"data {long[:12]}." in said and f"code: {long[:12]}." in said and long not in said


def test_what_was_not_measured_is_not_told(analysis: Analysis) -> None:
    nothing = {"jumps": analysis.jumps[:0], "laws": analysis.laws[:0], "fits": {}}
    said = " ".join(describe(Analysis(**(vars(analysis) | nothing))))
    assert "No curve of a discontinuous metric was tested" in said and "No law was fitted." in said
    assert "Bayes" not in said and "AICc" not in said


def test_without_a_tested_curve_no_p_value_is_told(analysis: Analysis) -> None:
    jumps = analysis.jumps.assign(p_value=float("nan"), continuous_p_value=float("nan"), verdict="too few sizes")
    said = " ".join(describe(Analysis(**(vars(analysis) | {"jumps": jumps}))))
    assert f"could be tested for a jump. Verdicts: {len(jumps)} too few sizes." in said
    assert "p value" not in said and "corrected" not in said


def test_numbers_are_in_one_style(told: str) -> None:
    check_one_style(told)
