"""Numbers of items behind shares, from their standard errors."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from harness.records.importers.found import FoundRun, Number
from harness.records.importers.items import with_items


def error(right: int, n: int) -> float:
    """As lm-eval computes it: the sample standard deviation over the root of n."""
    items = np.repeat([1.0, 0.0], [right, n - right])
    return float(items.std(ddof=1) / math.sqrt(n))


def share(right: int, n: int, metric: str = "acc", digits: int | None = None, **more: object) -> Number:
    value, stderr = right / n, error(right, n)
    if digits is not None:
        value, stderr = round(value, digits), round(stderr, digits)
    return Number(None, "eval", metric, value, stderr=stderr, task="piqa", **more)


def run(*numbers: Number) -> FoundRun:
    return FoundRun(Path("a.json"), "m", list(numbers))


@pytest.mark.parametrize("n", [2, 11, 100, 1838, 40_000])
def test_items_follow_exactly_from_numbers_written_in_full(n: int) -> None:
    for right in {1, n // 2, n - 1}:
        derived = with_items([run(share(right, n))])
        assert derived.runs[0].numbers[0].n_eval == n
        assert derived.from_errors == {"piqa": 0.0} and not derived.unknown


def test_rounded_numbers_give_items_within_their_bounds() -> None:
    derived = with_items([run(share(317, 1172, digits=4), share(354, 1172, "acc_norm", digits=4))])
    assert [number.n_eval for number in derived.runs[0].numbers] == [pytest.approx(1172, rel=0.01)] * 2
    assert 0 < derived.from_errors["piqa"] < 0.01
    coarse = with_items([run(share(30, 100, digits=2))])
    assert coarse.runs[0].numbers[0].n_eval is None and coarse.unknown == {"piqa"}


def test_a_share_of_0_has_the_items_of_the_same_task_elsewhere() -> None:
    elsewhere, other_task = run(share(917, 1838)), run(Number(None, "eval", "acc", 0.0, stderr=0.0, task="boolq"))
    derived = with_items([run(share(0, 1838)), elsewhere, other_task])
    assert [each.numbers[0].n_eval for each in derived.runs] == [1838, 1838, None]
    assert derived.from_others == 1 and derived.unknown == {"boolq"}
    disagreeing = with_items([run(share(0, 100)), run(share(50, 100)), run(share(20, 40))])
    assert [each.numbers[0].n_eval for each in disagreeing.runs] == [None, 100, 40]


def test_metrics_of_the_same_evaluation_have_its_items() -> None:
    perplexity = Number(None, "eval", "ppl", 9.0, stderr=0.2, task="piqa")
    five_shots = Number(None, "eval", "ppl", 9.0, stderr=0.2, task="piqa", subtask="5-shot")
    derived = with_items([run(share(50, 100), perplexity, five_shots)])
    assert [number.n_eval for number in derived.runs[0].numbers] == [100, 100, None]


def test_means_of_other_things_and_what_files_state_are_left_alone() -> None:
    thirds = np.array([0.0, 1 / 3, 1.0, 1.0, 2 / 3])
    mean = Number(
        None, "eval", "acc", float(thirds.mean()), stderr=float(thirds.std(ddof=1)) / math.sqrt(5), task="piqa"
    )
    assert with_items([run(mean)]).runs[0].numbers[0].n_eval is None
    assert with_items([run(share(5, 10, "f1"))]).runs[0].numbers[0].n_eval is None
    stated = share(5, 10, n_eval=12)
    assert with_items([run(stated)]).runs[0].numbers == [stated]
