"""A results folder whose report several files look at; tests that write into one make their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from few_draws import quarter_of_the_draws
from synthetic import make_results

from harness.records.store import collect
from harness.report.analyze import Analysis, analyze
from harness.report.html import write_report


@pytest.fixture(autouse=True, scope="module")
def quick(few_draws: None) -> None:
    pass


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four studies, one of them with two sizes only: too few for a law or a jump."""
    folder = make_results(tmp_path_factory.mktemp("results") / "tiny", ("parity", "digits", "lookup", "text"), 3, 3)
    for path in (folder / "pieces").glob("text-[2-9]-*"):
        path.unlink()
    for name in ("runs", "measurements"):
        (folder / f"{name}.parquet").unlink()
    collect(folder)
    return folder


@pytest.fixture(scope="session")
def analysis(results: Path) -> Analysis:
    with quarter_of_the_draws():
        return analyze(results, bootstrap=200)


@pytest.fixture(scope="session")
def page(analysis: Analysis) -> str:
    return write_report(analysis)[0].read_text()
