"""Accuracy on the line as a picture, and a report's section on shifts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from legible import check_legible, legend_of
from planted_shifts import on_a_line
from synthetic import make_results

from harness import AccuracyLine, plots
from harness.errors import UserError
from harness.report.analyze import analyze
from harness.report.html import write_report


@pytest.mark.parametrize("link", ["probit", "logit"])
def test_runs_lie_at_their_shares_on_the_axes(link: str) -> None:
    line = AccuracyLine(link=link).fit(on_a_line(np.random.default_rng(0), high=2.2), "noisy")
    axes = plots.on_the_line(line, size="size")
    check_legible(axes)
    assert f"slope {line.slope_:.2f}" in " ".join(legend_of(axes)) and "1 size" in legend_of(axes)
    assert axes.get_xlabel() == f"accuracy on eval, {link} scale"
    assert len([text for text in axes.get_xticklabels() if text.get_text()]) >= 4
    with pytest.raises(UserError, match="not fitted"):
        plots.on_the_line(AccuracyLine())


def test_studies_are_told_apart_and_runs_set_apart_are_open() -> None:
    rng = np.random.default_rng(1)
    other = on_a_line(rng, intercept=0.1).assign(study="robust")
    frame = pd.concat([on_a_line(rng), other.assign(run_id="r" + other["run_id"])])
    frame.loc[(frame["run_id"] == "7-1") & (frame["split"] == "eval"), "value"] = 1.0
    axes = plots.on_the_line(AccuracyLine(baseline="main").fit(frame, "noisy"))
    check_legible(axes)
    assert {"main", "robust", "at the ceiling or floor"} <= set(legend_of(axes))


def test_the_report_has_a_section_where_there_are_shifts(tmp_path: Path, few_draws: None) -> None:
    folder = make_results(tmp_path / "shifted", ("digits",), max_seeds=3, failures=False, shifts={"noisy": 0.3})
    page = write_report(analyze(folder))[0].read_text()
    section = page[page.index('<section id="shifts">') :].partition("</section>")[0]
    assert "Values by size and evaluation set" in section and "Lines of accuracy" in section
    assert section.count("<figure") == 1 and (folder / "plots" / "shift.digits.accuracy.noisy.png").exists()
    plain = make_results(tmp_path / "plain", ("digits",), max_seeds=3, failures=False)
    whole = write_report(analyze(plain))[0].read_text()
    assert 'id="shifts"' not in whole
    verdicts = [(each / "verdicts.csv").read_text() for each in (folder, plain)]
    assert verdicts[0] == verdicts[1]
