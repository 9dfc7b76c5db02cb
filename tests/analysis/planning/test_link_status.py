"""When a metric is not forecast through the loss, and what is said of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.analysis.planning.link_status import LEAST_ROWS, LinkStatus, judge_link, judge_rows
from harness.analysis.planning.links import LINKS
from harness.analysis.planning.metric_rows import MetricRows, metric_rows
from harness.analysis.planning.task_links import fit_task_links

LOSS = np.linspace(4, 2.5, 20)


def rows(values: np.ndarray, **given: Any) -> MetricRows:
    nothing = dict.fromkeys(("clusters", "chance", "higher_is_better", "n_eval", "stderr", "groups"))
    return metric_rows(LOSS[: len(values)], values, (0.0, 1.0), **{"name": "acc"} | nothing | given)


def judged(found: MetricRows) -> tuple[LinkStatus, str]:
    link = fit_task_links({"acc": found.link_rows}, {"acc": found.prior}, list(LINKS), np.random.default_rng(0))
    return judge_link(found, link["acc"])


def noise(seed: int, spread: float) -> np.ndarray:
    return spread * np.random.default_rng(seed).standard_normal(20)


def test_a_metric_that_follows() -> None:
    found = rows(0.3 + 0.2 * (4 - LOSS) + noise(1, 0.01))
    assert judge_rows(found) is None and judged(found) == (LinkStatus.FOLLOWS, "")
    assert LinkStatus.FOLLOWS.gives_numbers


def test_a_metric_at_chance_keeps_its_level() -> None:
    """Of ten tasks at chance, two at most seem to move."""
    found = [judged(rows(0.25 + noise(seed, 0.012), n_eval=np.full(20, 1200.0), chance=0.25)) for seed in range(10)]
    assert sum(status is LinkStatus.NOT_YET for status, _ in found) >= 7
    assert LinkStatus.NOT_YET.gives_numbers
    assert any("has not moved with the loss so far" in message for _, message in found)


def test_a_metric_that_something_else_decides_has_no_number() -> None:
    status, message = judged(rows(np.clip(0.5 + noise(3, 0.12), 0, 1)))
    assert status is LinkStatus.UNRELATED and not status.gives_numbers
    assert "scatters by" in message and "no forecast through the loss is made" in message


@pytest.mark.parametrize("spread", [0.0, 0.03])
def test_a_metric_that_gets_worse_has_no_number(spread: float) -> None:
    found = judge_rows(rows(0.8 - 0.2 * (4 - LOSS) + noise(4, spread), higher_is_better=True))
    assert found is not None and found[0] is LinkStatus.UNRELATED and "gets worse as the loss falls" in found[1]
    # Where no direction is stated it may be an error.
    assert judge_rows(rows(0.8 - 0.2 * (4 - LOSS) + noise(4, spread))) is None


def test_constant_and_few() -> None:
    found = judge_rows(rows(np.full(20, 0.5)))
    assert found == (LinkStatus.CONSTANT, "acc is 0.5 in all 20 runs: nothing tells at which loss it would move")
    few = judge_rows(rows(np.r_[0.2, 0.3, 0.4, np.full(17, np.nan)]))
    assert few is not None and few[0] is LinkStatus.TOO_FEW
    assert f"at least {LEAST_ROWS} rows" in few[1] and "3 rows, 17 without a number" in few[1]
