"""What `analyze` makes of its settings, and of a study that learnt nothing."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic
from rich.console import Console

from harness import report
from harness.errors import SettingError
from harness.report.analyze import Analysis, analyze
from harness.report.card import cards
from harness.report.html import write_report
from harness.report.tables import law_table

ENDS = ["alpha_low", "alpha_high"]
BOOTSTRAP = {"interval": "bootstrap", "bootstrap": 120}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic.make_results(tmp_path_factory.mktemp("results") / "text", ("text",), max_seeds=3, failures=False)


def shown(folder: Path, **settings: object) -> str:
    console = Console(file=io.StringIO(), width=200)
    report.show(folder, console, **settings)
    return console.file.getvalue()  # type: ignore[attr-defined]


# --------------------------------------------------------------------------------------------------- kinds of interval


def test_a_bootstrap_moves_with_its_draws_and_seed_and_a_profile_does_not(folder: Path) -> None:
    first, again, seed, draws = (
        analyze(folder, interval="bootstrap", bootstrap=n, seed=s).laws[ENDS]
        for n, s in ((120, 0), (120, 0), (120, 1), (150, 0))
    )
    pd.testing.assert_frame_equal(first, again)
    assert (first != seed).all().all() and (first != draws).all().all()
    profile, other = (analyze(folder, bootstrap=n, seed=s).laws[ENDS] for n, s in ((120, 0), (150, 1)))
    pd.testing.assert_frame_equal(profile, other)
    assert (profile != first).all().all()


@pytest.mark.parametrize(
    ("settings", "words"), [({}, "by profile likelihood"), (BOOTSTRAP, "by bootstrap")], ids=["profile", "bootstrap"]
)
@pytest.mark.usefixtures("undrawn")
def test_terminal_page_and_card_say_which_kind_they_show(folder: Path, settings: dict, words: str) -> None:
    for _ in range(2):  # the second time from what was kept
        assert f"Exponents of the loss, 95 % intervals {words}" in shown(folder, **settings)
    text = (folder / "card.md").read_text()
    assert f"95 % intervals {words}:" in text
    kind = "profile likelihood" if not settings else "bootstrap of runs, 120 draws"
    assert f"- **Intervals**: 95 %, {kind}" in text
    assert re.search(rf"95\s%\s+intervals\s+{words}", (folder / "report.html").read_text())


@pytest.mark.usefixtures("undrawn")
def test_another_seed_of_a_bootstrap_is_another_analysis(folder: Path) -> None:
    shown(folder, **BOOTSTRAP, seed=0)
    first = (folder / "laws.csv").read_bytes()
    shown(folder, **BOOTSTRAP, seed=1)
    assert (folder / "laws.csv").read_bytes() != first


@pytest.mark.parametrize(("setting", "value"), [("interval", "delta"), ("bootstrap", 99)])
def test_settings_out_of_range_are_named(folder: Path, setting: str, value: object) -> None:
    with pytest.raises(SettingError, match=f"^analysis.{setting}={value}: allowed is "):
        analyze(folder, **{setting: value})


# -------------------------------------------------------------------------------------------------- nothing was learnt


@pytest.fixture(scope="module")
def at_chance(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """Text, and a study at chance whatever its width."""

    def guess(rng: np.random.Generator, width: int) -> synthetic.Numbers:
        return {("loss", "all"): np.log(2) + 0.0005 * rng.standard_normal(), ("accuracy", "all"): 0.5}

    plan = {"make": guess, "family": "mlp", "widths": [8, 12, 16, 24, 32], "seeds": 3, "notes": ""}
    plan["chance"] = {"loss": np.log(2), "accuracy": 0.5}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(synthetic.STUDIES, "guesses", plan)
        folder = tmp_path_factory.mktemp("results") / "at_chance"
        return analyze(synthetic.make_results(folder, ("text", "guesses"), failures=False))


def test_a_study_at_chance_has_no_law_and_the_others_have_theirs(at_chance: Analysis) -> None:
    laws = at_chance.laws.set_index("study")
    assert (laws.loc["guesses", "status"] == "nothing learnt").all() and laws.loc["guesses", "alpha"].isna().all()
    assert laws.loc["text", "alpha"].notna().all()
    assert {study for study, _ in at_chance.fits} == {"text"}


@pytest.mark.usefixtures("undrawn")
def test_tables_page_and_card_say_that_nothing_was_learnt(at_chance: Analysis) -> None:
    row = law_table(at_chance.laws).set_index("study").loc["guesses"]
    assert row["total parameters"] == "nothing learnt" and row["misfit"] == "–"
    assert row["choice of law"].startswith("nothing was learnt: no size's loss is below that of guessing, 0.6931")
    text = cards(at_chance)[0]
    assert re.search(r"\*\*Loss at chance\*\*: no law where .*: guesses$", text, re.MULTILINE)
    assert "| guesses | nothing learnt |" in text
    write_report(at_chance)
    page = (at_chance.folder / "report.html").read_text()
    assert "nothing was learnt: no size" in page and "nothing learnt" in (at_chance.folder / "laws.csv").read_text()
