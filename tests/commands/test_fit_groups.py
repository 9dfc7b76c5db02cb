"""harness fit --by, --share, --weight and --objective one_sided, from a user's own table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import run
from own_tables import done

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
FIT = ("fit", "corpora.csv", "--law", "power_floor", "--x", "x", "--y", "loss")


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """corpora.csv: three corpora of 8 sizes x 2 runs, alpha .5, floors 1.5, 1.2 and 2, one run scatters by .5 %."""
    monkeypatch.chdir(tmp_path)
    rng, x = np.random.default_rng(0), np.repeat(np.geomspace(1e3, 1e6, 8), 2)
    parts = [
        pd.DataFrame(
            {"x": x, "loss": (floor + 100 * x**-0.5) * np.exp(0.005 * rng.standard_normal(16)), "corpus": name}
        )
        for name, floor in (("web", 1.5), ("code", 1.2), ("books", 2.0))
    ]
    pd.concat(parts).assign(tokens=1.0).to_csv("corpora.csv", index=False)


def test_each_group_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *FIT, "--by", "corpus")
    assert [row["corpus"] for row in found["groups"]] == ["web", "code", "books"] and found["test"] is None
    alone, _ = done(capsys, *FIT, "--where", "corpus == 'code'")
    row = found["groups"][1]
    assert row["alpha"] == alone["params"]["alpha"] and [row["E_low"], row["E_high"]] == alone["intervals"]["E"]
    assert "intervals by profile" in ran.out and "48 runs, 0 excluded" in ran.out


def test_shared_exponents_and_their_test(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *FIT, "--by", "corpus", "--share", "alpha")
    assert len({row["alpha"] for row in found["groups"]}) == 1 and found["shared"] == ["alpha"]
    assert found["groups"][0]["alpha"] == pytest.approx(0.5, abs=0.03)
    assert found["test"]["freedom"] == [2, 39] and found["test"]["p"] > 0.001
    assert f"shared alpha: {found['groups'][0]['alpha']:.4g} (" in ran.out and "shared alpha: F(2, 39) = " in ran.out
    assert found["settings"]["share"] == "alpha" and found["settings"]["by"] == "corpus"
    # The floors differ, which is found.
    refused, ran = done(capsys, *FIT, "--by", "corpus", "--share", "E,alpha")
    assert refused["test"]["p"] < 1e-6 and ran.out.splitlines()[-2].endswith("p < 0.001: refused")


def test_a_group_without_a_fit_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    few = ("--exclude", "corpus == 'books' and x > 3e3")
    found, ran = done(capsys, *FIT, "--by", "corpus", *few)
    assert found["groups"][2]["status"] == "too few data" and found["groups"][2]["alpha"] is None
    assert "books: power_floor, E + A x^-alpha, needs at least 4" in ran.out
    found, ran = done(capsys, *FIT, "--by", "corpus", "--share", "alpha", *few)
    assert found["test"] is None and "was not tested" in ran.out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--share", "alpha"), ("--share alpha", "--by names their column")),
        (("--by", "corpus", "--share", ""), ("--share", "commas")),
        (("--by", "corpus", "--share", "A"), ("--share=A", "A together with alpha")),
        (("--by", "corpus", "--share", "alfa"), ("--share=alfa", "did you mean 'alpha'")),
        (("--by", "corps"), ("'corps' is missing", "did you mean 'corpus'")),
        (("--by", "corpus", "--where", "corpus == 'web'"), ("corpus is web in all rows",)),
        (("--by", "corpus", "--plot", "out.png"), ("--plot", "--where")),
        (("--by", "corpus", "--law", "best"), ("--by", "named by --law")),
        (("--weight", "corpus"), ("column corpus, row 1", "number")),
        (("--weight", "z", "--derive", "z = x - 1e3"), ("column z, row 1: 0",)),
        (("--penalty", "1"), ("--penalty", "above 1")),
        (("--objective", "one_sided", "--interval", "profile"), ("interval=profile", "bootstrap")),
    ],
)
def test_mistakes(more: tuple[str, ...], words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *FIT, *more).refused(*words)
    assert not Path("out.png").exists()


def test_weights_and_the_one_sided_objective(capsys: pytest.CaptureFixture[str]) -> None:
    one = ("--where", "corpus == 'web'")
    plain, equal = done(capsys, *FIT, *one)[0], done(capsys, *FIT, *one, "--weight", "tokens")[0]
    assert equal["params"] == plain["params"] and equal["intervals"] == plain["intervals"]
    assert equal["settings"]["weight"] == "tokens"
    weighted, _ = done(capsys, *FIT, *one, "--weight", "x")
    assert weighted["params"] != plain["params"] and weighted["params"]["E"] == pytest.approx(1.5, abs=0.03)
    low, ran = done(capsys, *FIT, *one, "--objective", "one_sided", "--bootstrap", "100", "--penalty", "20")
    assert low["settings"]["penalty"] == 20 and "intervals by bootstrap" in ran.out
    assert low["params"] != plain["params"]
