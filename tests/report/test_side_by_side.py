"""Which studies share a picture, and which runs make a sweep over learning rates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from synthetic import make_training

from harness.report import pictures
from harness.report.analyze import Analysis, analyze
from harness.report.side_by_side import groups, rate_sweeps


def with_configs(analysis: Analysis, configs: dict[str, dict[str, Any]], task: str | None = None) -> Analysis:
    """The same with these settings recorded of the runs of each study, as one task where it is named."""
    frame = analysis.frame
    text = frame["study"].map({study: json.dumps(config) for study, config in configs.items()})
    frame = frame.assign(config=text.fillna("{}"))
    frame = frame if task is None else frame.assign(task=task, chance=0.5)
    return Analysis(**(vars(analysis) | {"frame": frame}))


def test_studies_of_one_task_share_a_picture_and_its_settings_tell_tasks_apart(analysis: Analysis) -> None:
    assert not list(groups(analysis)), "four tasks"
    easy, hard = {"name": "parity", "n_bits": 8}, {"name": "parity", "n_bits": 16}
    configs = {
        "parity": {"task": easy, "family": {"name": "mlp"}},
        "digits": {"task": easy, "family": {"name": "cnn"}},
        "lookup": {"task": hard},
    }
    (group,) = groups(with_configs(analysis, configs, "parity"))
    assert group.studies == ["digits", "parity"] and group.metrics == ["loss", "accuracy"]
    assert group.differ_in == ["family", "width"]
    chances = with_configs(analysis, configs, "parity")
    chance = chances.frame["chance"].mask(chances.frame["study"] == "digits", 0.1)
    assert not list(groups(Analysis(**(vars(chances) | {"frame": chances.frame.assign(chance=chance)})))), (
        "accuracies with other levels of chance are not of the same questions"
    )


def test_overlays_are_drawn_with_the_laws_and_verdicts_of_the_page(analysis: Analysis) -> None:
    shared = with_configs(analysis, {name: {"task": {"name": "parity"}} for name in ("parity", "digits")}, "parity")
    drawn = {".".join(each.name): each for each in pictures.of_all(shared) if each.name[:2] == ("overlay", "1")}
    assert list(drawn) == ["overlay.1.1.loss", "overlay.1.1.accuracy"]
    law = analysis.fits["digits", analysis.x]
    legend = drawn["overlay.1.1.loss"].axes.get_legend()
    assert legend is not None
    assert any(f"α {law.params_['alpha']:.3f}" in text.get_text() for text in legend.get_texts())
    assert "digits, parity" in drawn["overlay.1.1.loss"].caption and "They differ in width." in (
        drawn["overlay.1.1.loss"].caption
    )


@pytest.mark.parametrize("several", [False, True])
def test_a_sweep_over_rates_is_one_picture_however_its_studies_are_named(
    tmp_path: Path, several: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "OF_STUDY", pictures.OF_STUDY[2:])  # those before take long, and have tests elsewhere
    analysis = analyze(make_training(tmp_path / "rates", several=several), bootstrap=200)
    (sweep,) = rate_sweeps(analysis)
    assert (sweep.name, sweep.several, sweep.x) == ("text", several, "width")
    assert sweep.frame["lr"].nunique() == 3 and len(sweep.frame) == 30
    of_studies = [".".join(each.name) for study in analysis.studies for each in pictures.of_study(analysis, study)]
    of_all = [".".join(each.name) for each in pictures.of_all(analysis)]
    assert ("text.loss.learning_rates" in of_all, "text.loss.learning_rates" in of_studies) == (several, not several)
    assert sum(name.endswith(".loss.steps") for name in of_studies) == len(analysis.studies)
    assert sum(name.endswith(".accuracy.compute") for name in of_studies) == len(analysis.studies)


def test_two_rates_or_one_step_are_not_drawn(results: Path, analysis: Analysis, tmp_path: Path) -> None:
    assert not list(rate_sweeps(analysis))
    names = [".".join(each.name) for each in pictures.of_study(analysis, "digits")]
    assert not any(name.endswith((".steps", ".compute", "_rates")) for name in names)
    assert not list(rate_sweeps(analyze(make_training(tmp_path / "two", (0.005, 0.01)), bootstrap=200)))
