"""What --help lists is what the library knows."""

from __future__ import annotations

import argparse

import pytest

from harness import metric_names
from harness.analysis.emergence.verdicts import Verdict
from harness.analysis.fitting import estimator
from harness.analysis.fitting.laws import LAWS
from harness.analysis.planning import allocation, compute_gain, links
from harness.analysis.planning.ladder_scores import NoiseSource
from harness.commands import arguments
from harness.records import exporters, importers


def test_names_are_those_of_the_library() -> None:
    assert set(arguments.LAWS) == set(LAWS) and len(arguments.LAWS) == len(LAWS)
    of_sizes = {name for name, law in LAWS.items() if law.scale == "log" and not law.may_be_zero}
    assert set(arguments.LAWS_OF_A_LOSS) == of_sizes - {"transferred"}
    assert arguments.ALLOCATING == allocation.ALLOCATING
    assert set(arguments.GAINING) == {law for laws in compute_gain.GAINING.values() for law in laws}
    assert arguments.OBJECTIVES == estimator.OBJECTIVES and arguments.INTERVALS == estimator.INTERVALS
    assert tuple(links.LINKS) == arguments.LINKS
    assert tuple(importers.FORMATS) == arguments.FORMATS
    assert tuple(exporters.FORMATS) == arguments.EXPORTS
    assert set(Verdict) <= set(arguments.VERDICTS)
    assert tuple(NoiseSource) == arguments.NOISE_SOURCES


@pytest.mark.parametrize(
    ("declare", "pairs"), [(arguments.of_emergence, True), (arguments.of_compare, True), (arguments.of_screen, False)]
)
def test_the_meaning_of_names_is_listed(declare: object, pairs: bool) -> None:
    parser = argparse.ArgumentParser()
    declare(parser)  # type: ignore[operator]
    shown = " ".join(parser.format_help().split())
    assert " ".join(metric_names.vocabulary(pairs=pairs).split()) in shown and " wer, " in shown
    assert ("--pair" in shown) == pairs
