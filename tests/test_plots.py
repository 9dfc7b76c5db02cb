"""harness.plots: every example in its docstrings runs and draws something that can be read."""

from __future__ import annotations

import doctest
import inspect
from pathlib import Path

import pandas as pd
import pytest
from legible import check_legible
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from synthetic import make_training

import harness
from harness import datasets, plots
from harness.errors import DataError

pytestmark = pytest.mark.usefixtures("few_draws")

#: Labels of the axes that each example draws, and at least how many lines.
DRAWN = {
    "loss_law": ("total parameters", "loss (nats)", 2),
    "curves": ("non-embedding parameters", "accuracy", 4),
    "pairs": ("non-embedding parameters", "exact match", 3),
    "forest": ("N*: params", "", 3),
    "isoflop": ("parameters N", "loss (nats)", 5),
    "overlay": ("non-embedding parameters", "loss (nats)", 6),
    "on_the_line": ("accuracy on eval, probit scale", "accuracy on noisy, probit scale", 3),
    "rates": ("learning rate", "loss (nats)", 11),
    "transfer": ("examples D", "loss (nats)", 10),
    "compute": ("training FLOPs", "accuracy", 11),
    "trajectories": ("step", "loss (nats)", 5),
    "save": ("non-embedding parameters", "loss (nats)", 3),
}


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with results/rates, and results/quickstart of one rate."""
    folder = tmp_path_factory.mktemp("work")
    make_training(folder / "results" / "rates")
    make_training(folder / "results" / "quickstart", (0.01,))
    return folder


@pytest.fixture(autouse=True)
def there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def test_the_list_of_the_module_names_every_function() -> None:
    assert set(plots.__all__) == set(DRAWN)
    assert harness.plots is plots and "best_rates" in dir(harness)
    assert plots.__doc__ is not None
    listed = [line.split()[0] for line in plots.__doc__.splitlines() if line.startswith("    ")]
    assert sorted(listed) == sorted(plots.__all__)


@pytest.mark.filterwarnings("ignore:.*left out:harness.errors.RunsWarning")
@pytest.mark.parametrize("name", plots.__all__)
def test_the_example_of_a_function_draws(name: str) -> None:
    function = getattr(plots, name)
    doc = inspect.getdoc(function)
    assert doc is not None
    examples = doctest.DocTestParser().get_examples(doc)
    assert examples and f"harness.plots.{name}(" in doc
    made = {"harness": harness, "pd": pd}
    for example in examples:
        exec(example.source, made)
    axes = next((each for each in (made.get("ax"), made.get("left")) if isinstance(each, Axes)), None)
    if name == "save":
        assert all(path.exists() for path in made["paths"]) and [p.suffix for p in made["paths"]] == [".png", ".svg"]
        return
    assert axes is not None
    check_legible(axes)
    x, y, n = DRAWN[name]
    assert (axes.get_xlabel() or axes.figure.axes[-1].get_xlabel(), axes.get_ylabel()) == (x, y)
    drawn = [line for line in axes.lines if len(line.get_xdata())]
    assert len(drawn) >= n, [line.get_label() for line in drawn]


def test_given_axes_are_drawn_on_and_returned() -> None:
    text = datasets.make_text_study(random_state=0)
    for draw in (plots.loss_law, plots.overlay):
        left, _ = Figure(figsize=(7, 3)).subplots(1, 2)
        assert draw(text, ax=left) is left and left.lines
    law = harness.PowerLaw(irreducible=False).fit(
        *(text[text["metric"] == "loss"][name] for name in ("flops", "value"))
    )
    assert any(f"{law.params_['alpha']:.4f}" in line.get_label() for line in plots.loss_law(text, "flops", law).lines)


@pytest.mark.parametrize("draw", [plots.loss_law, plots.curves])
def test_one_study_is_wanted_where_one_curve_is_drawn(draw) -> None:
    both = pd.concat([datasets.make_text_study(random_state=i).assign(study=name) for i, name in enumerate("ab")])
    with pytest.raises(DataError, match="several studies, a, b: choose one, or use overlay"):
        draw(both)


def test_a_metric_that_is_not_tested_is_drawn_without_a_threshold_and_has_no_evidence() -> None:
    text = datasets.make_text_study(random_state=0)
    axes = plots.curves(text, "loss")
    assert axes.get_ylabel() == "loss (nats)" and not any("N*" in str(line.get_label()) for line in axes.lines)
    with pytest.raises(DataError, match="loss of subtask all is not tested; those that are: accuracy"):
        plots.pairs(text, "loss")
    for metric in ("f2", 3):
        with pytest.raises(DataError, match=f"metric '{metric}' is not there"):
            plots.curves(text, metric)


@pytest.fixture
def plain() -> pd.DataFrame:
    """Columns params, seed, metric and value, and no other: an accuracy that jumps, and a loss."""
    rows = [
        {"params": 1e4 * 3**i, "seed": seed, "metric": metric, "value": value + 0.01 * seed}
        for i in range(8)
        for seed in range(3)
        for metric, value in (("acc", 0.1 + 0.8 * (i > 3)), ("loss", 3 * 0.9**i))
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("numbers", [float, str])
def test_a_plain_frame_is_enough(plain: pd.DataFrame, numbers: type) -> None:
    plain = plain.assign(value=plain["value"].map(numbers), params=plain["params"].map(numbers))
    for metric in (None, "acc", "loss"):
        assert plots.curves(plain, metric, "params").lines
    left, _ = plots.pairs(plain, "acc", "params")
    assert left.lines
    for axes in (
        plots.forest(plain, "params"),
        plots.overlay(plain, "acc", "params"),
        plots.loss_law(plain, "params"),
        plots.trajectories(plain, "acc", "params", size="seed"),
        plots.compute(plain, "acc", "params", size="seed"),
    ):
        assert axes.lines


FRAMES = ("curves", "pairs", "forest", "overlay", "loss_law", "isoflop", "rates", "compute", "trajectories")


@pytest.mark.parametrize("name", FRAMES)
def test_what_is_no_frame_is_named(name: str) -> None:
    for found in ([1], None, harness.PowerLaw()):
        with pytest.raises(DataError, match=f"(frame|jumps): found {type(found).__name__}; allowed is a pandas"):
            getattr(plots, name)(found)


def test_what_are_no_axes_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="ax: found NoneType; allowed are Axes"):
        plots.save(None, tmp_path / "x.png")  # type: ignore[arg-type]


def test_a_forest_of_measurements_finds_their_jumps() -> None:
    frame = datasets.make_jumps(3, random_state=0).frame
    found, own = (plots.forest(each, "params") for each in (harness.find_jumps(frame, "params"), frame))
    assert [t.get_text() for t in own.get_yticklabels()] == [t.get_text() for t in found.get_yticklabels()]
