from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console
from synthetic import make_grid, make_results

from harness import report
from harness.records.importers import import_results
from harness.report.analyze import Analysis, analyze
from harness.report.card import cards
from harness.report.html import FILES, write_report

IMPORTED = Path(__file__).parents[2] / "records" / "imported"


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    folder = make_results(tmp_path_factory.mktemp("results") / "tiny", ("lookup", "text", "digits"), 3, 3)
    return analyze(folder, bootstrap=200)


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return analyze(make_grid(tmp_path_factory.mktemp("results") / "grid"), bootstrap=200)


def items(text: str) -> dict[str, str]:
    return dict(re.findall(r"^- \*\*(.+?)\*\*: (.+)$", text, re.MULTILINE))


def test_every_section_is_there_and_every_item_is_short(analysis: Analysis) -> None:
    text = cards(analysis)[0]
    sections = ["Hypothesis", "Data", "Training setup", "Data extraction", "Fitting", "Results"]
    sections += ["Methods, in prose", "Not known"]
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == sections
    assert "Li et al. 2025" in text and text.endswith("\n")
    assert max(map(len, items(text).values())) < 600


def test_studies_are_told_apart_only_where_they_differ(analysis: Analysis) -> None:
    told = items(cards(analysis)[0])
    assert told["Device"] == "cpu"
    assert told["Sizes"] == "digits: 6; lookup: 13; text: 7"
    assert told["Learning rates"].startswith("0.01, the same at every size")
    assert told["C / (6 N D), N total"] == "1.00"
    assert told["Task"] == "digits: digits; lookup: lookup; text: text"


def test_bits_per_byte_stand_where_they_were_measured(analysis: Analysis) -> None:
    frame = analysis.frame
    text = frame[(frame["study"] == "text") & (frame["metric"] == "loss") & (frame["subtask"] == "all")]
    assert not [name for name in items(cards(analysis)[0]) if name.startswith("Bits per byte")]
    measured = pd.concat([frame, text.assign(metric="bits_per_byte", value=text["value"] / 2)])
    told = items(cards(replace(analysis, frame=measured))[0])
    means = text.groupby("params_total")["value"].mean() / 2
    (said,) = [value for name, value in told.items() if name.startswith("Bits per byte, mean over runs")]
    assert said == f"digits, lookup: not measured; text: {means.iloc[0]:.3g} to {means.iloc[-1]:.3g}"


def test_what_was_left_out_is_counted_and_named(analysis: Analysis) -> None:
    told = items(cards(analysis)[0])
    assert re.fullmatch(r"\d+: \d+ finished, 1 diverged, 1 failed", told["Runs"])
    lost = told["Left out, did not finish"]
    assert "lookup lookup-0-90 (failed: killed by signal 9 &lt;out of memory?>)" in lost
    assert "(diverged: loss is nan at step 3)" in lost
    assert told["Runs behind the laws"] == "digits: 18; lookup: 39; text: 21"


def test_nothing_is_invented(analysis: Analysis) -> None:
    text = cards(analysis)[0]
    told = items(text)
    # The configs of these runs hold an optimizer's lr alone and nothing of schedule, parametrization or precision.
    for name in ("Schedule", "Parametrization", "Precision", "Repeated data", "Checkpoints"):
        assert told[name] == "not recorded"
    unknown = text.split("## Not known")[1]
    assert "- Training setup: Schedule" in unknown and "- Data: Repeated data" in unknown
    assert "Batch size" not in unknown


def test_the_loss_is_named_and_its_unit_told_where_all_tasks_share_it(analysis: Analysis) -> None:
    configs: dict[str, dict[str, Any]] = {
        "text": {"task": {"name": "text", "n_bits": 3, "data": {"source": "path:x"}}},
        "digits": {"loss": {"kind": "mse", "l2": 0.5}},
        "lookup": {"loss": {"l2": 0.5}},
    }
    written = analysis.runs["study"].map({study: json.dumps({"version": 1} | own) for study, own in configs.items()})
    told = items(cards(Analysis(**(vars(analysis) | {"runs": analysis.runs.assign(config=written)})))[0])
    assert "(digits: mse; lookup, text: cross_entropy, in nats per scored token)" in told["y"]
    assert told["Loss"] == "digits: mse, l2 0.5; lookup: cross_entropy, l2 0.5; text: cross_entropy"
    assert told["Task"] == "digits: digits; lookup: lookup; text: text (n_bits 3)"
    assert told["Preparation"] == "none" and told["Augmentation"] == "none"


def test_columns_and_steps_are_told_with_what_they_were_given(analysis: Analysis) -> None:
    assert not {"Columns", "Augmentation"} & set(items(cards(analysis)[0])), "no run states settings of data"
    data = {
        "answers": "values",
        "label_columns": ["y", "z"],
        "group_column": "who",
        "prepare": ["duplicates", {"standardise": {"by": "feature"}}],
        "augment": [{"noise": {"deviation": 0.1}}],
    }
    config = json.dumps({"version": 1, "task": {"name": "table", "data": data}})
    written = analysis.runs["study"].map({"text": config, "digits": "{}", "lookup": "{}"})
    told = items(cards(Analysis(**(vars(analysis) | {"runs": analysis.runs.assign(config=written)})))[0])
    assert told["Columns"] == "digits, lookup: none; text: values in y and z, groups in who"
    assert told["Preparation"] == "digits, lookup: none; text: duplicates, standardise (by feature)"
    assert told["Augmentation"] == "digits, lookup: none; text: noise (deviation 0.1)"


def test_exponents_stand_side_by_side_with_intervals_and_status(analysis: Analysis) -> None:
    results = cards(analysis)[0].split("## Results")[1]
    header = next(line for line in results.splitlines() if line.startswith("| study"))
    assert "total parameters | non-embedding parameters | training FLOPs | status" in header
    row = next(line for line in results.splitlines() if line.startswith("| digits"))
    assert len(re.findall(r"[\d.]+ \([\d.]+ to [\d.]+\)", row)) == 3 and "converged" in row
    assert "No surface over N and D" in results


def test_a_grid_of_durations_has_a_surface_of_its_best_learning_rates(grid: Analysis) -> None:
    text = cards(grid)[0]
    told = items(text)
    assert told["Durations at a size"] == "up to 3" and told["Learning rates"] == "0.003, 0.01, 0.03"
    assert told["Choice of learning rate"].endswith("at 0 of 7 sizes this is the smallest or largest tried")
    rows = [
        line for line in text.splitlines() if re.match(r"\| text \| (total|non-embedding) parameters \| 21 \|", line)
    ]
    assert len(rows) == 2
    total = rows[0].split(" | ")
    alpha, beta, exponent = (float(cell.split(" (")[0]) for cell in total[4:7])
    assert abs(alpha - 0.4) < 0.1 and abs(beta - 0.5) < 0.05
    assert abs(exponent - beta / (alpha + beta)) < 0.01
    assert total[7] == "converged |"


def test_the_least_and_largest_rate_are_told(tmp_path: Path) -> None:
    told = items(cards(analyze(make_grid(tmp_path / "edge", (0.01, 0.03)), bootstrap=200))[0])
    assert told["Choice of learning rate"].endswith("at 7 of 7 sizes this is the smallest or largest tried")


@pytest.mark.parametrize(
    "config", ["{}", "", "[1, 2]", "null", json.dumps({"optimizer": 3, "task": None, "family": []})]
)
def test_strange_configs(analysis: Analysis, config: str) -> None:
    runs = analysis.runs.assign(config=config, versions=config, git_revision=None)
    told = items(cards(Analysis(**(vars(analysis) | {"runs": runs})))[0])
    assert told["Optimizer"] == told["Code"] == "not recorded" and told["Batch size"] == "16 examples"


@pytest.mark.usefixtures("undrawn")
def test_results_of_other_tools(tmp_path: Path) -> None:
    folder = tmp_path / "imported"
    files = [IMPORTED / "trainer" / name for name in ("small", "large")]
    import_results("trainer", files, folder, None, {"params_total": 6040})
    console = Console(file=io.StringIO(), width=200)
    for _ in range(2):
        report.show(folder, console, x="params_total", bootstrap=100)
    assert console.file.getvalue().count(f"{folder}/card.md") == 2  # type: ignore[attr-defined]
    told = items((folder / "card.md").read_text())
    assert told["How N is counted"] == "as stated by the files or the user; the formula is not recorded"
    assert told["Optimizer"] == told["N, non-embedding"] == told["Family"] == "not recorded"


@pytest.mark.usefixtures("undrawn")
def test_the_card_lies_beside_the_page_which_names_it(analysis: Analysis) -> None:
    paths = write_report(analysis)
    assert [path.name for path in paths] == list(FILES)
    assert paths[2].read_text() == cards(analysis)[0]
    assert paths[3].read_text() == cards(analysis)[1]
    assert "card.md" in paths[0].read_text()
