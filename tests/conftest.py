"""What every test may ask for."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny import NextSymbol, SignOfSum

#: Tests of the detector are small cuts of this experiment, and share its cells.
sys.path.append(str(Path(__file__).parents[1] / "experiments" / "detector_calibration"))


#: The processes of one run of the tests, and the commands that they start, share what is slow to compute.
os.environ.setdefault("HARNESS_CACHE", str(Path(__file__).parents[1] / ".pytest_cache" / "harness"))


#: By when a test has to begin, in seconds since the epoch; later ones skip. Slow ones come first, so that on a machine
#: which is slower than most it is many small ones that are left out, and said to be, and no gate that never opens.
UNTIL = float(os.environ.get("HARNESS_TESTS_UNTIL", "inf"))


def pytest_runtest_setup() -> None:
    """Skip a test where the time for all of them is over."""
    if time.time() > UNTIL:
        pytest.skip("no time is left: HARNESS_TESTS_UNTIL")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests come first, so that none of several processes waits for one at the end; those for a GPU may skip.

    Tests marked `gpu` skip where there is no CUDA; torch is loaded only if there are any.
    """
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device on this machine"))


@pytest.fixture(scope="module")
def few_draws() -> Iterator[None]:
    """Ladders are calibrated with fewer draws, for tests that do not depend on how many."""
    from few_draws import quarter_of_the_draws  # scipy is loaded only if there are any

    with quarter_of_the_draws():
        yield


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without their pictures, which take most of the time: for tests of what reports say."""
    for makers in ("OF_ALL", "OF_STUDY"):
        monkeypatch.setattr(f"harness.report.pictures.{makers}", ())


@pytest.fixture
def sign_of_sum() -> SignOfSum:
    return SignOfSum()


@pytest.fixture
def next_symbol() -> NextSymbol:
    return NextSymbol()
