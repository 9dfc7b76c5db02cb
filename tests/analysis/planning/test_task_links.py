"""Links of several tasks together, and whether they follow the loss."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.planning.link_posterior import LinkRows
from harness.analysis.planning.link_prior import LinkPrior
from harness.analysis.planning.links import FLAT, LINKS, risen
from harness.analysis.planning.task_links import TaskLink, fit_task_links

LOSS = np.linspace(4.2, 2.8, 18)


def tasks(
    rng: np.random.Generator, n: int, ceiling: float, link: str = "sigmoid", noise: float = 0.01
) -> tuple[dict[str, LinkRows], dict[str, LinkPrior], dict[str, float]]:
    """n tasks with one ceiling, of which little is seen; and the true share at a loss of 2.2."""
    rows, priors, truth = {}, {}, {}
    for i in range(n):
        place, width = rng.uniform(2.6, 3.0), rng.uniform(0.3, 0.4)

        def share(loss: np.ndarray, place: float = place, width: float = width) -> np.ndarray:
            return 0.25 + (ceiling - 0.25) * risen(link, (place - loss) / width)

        noisy = np.clip(share(LOSS) + noise * rng.standard_normal(len(LOSS)), 0, 1)
        rows[f"task {i}"] = LinkRows(LOSS, noisy, np.ones(len(LOSS)))
        priors[f"task {i}"] = LinkPrior(0.25, 0.03, 0.25, noise)
        truth[f"task {i}"] = float(share(np.array(2.2)))
    return rows, priors, truth


def missed(found: dict[str, TaskLink], truth: dict[str, float]) -> float:
    rng = np.random.default_rng(0)
    at = np.array([2.2])
    return float(np.mean([abs(np.median(found[task].curve(at, 2000, rng)) - truth[task]) for task in truth]))


def test_tasks_inform_each_other() -> None:
    """With every ceiling at .6, ten tasks forecast better together than one by one."""
    rows, priors, truth = tasks(np.random.default_rng(5), 10, ceiling=0.6)
    together = fit_task_links(rows, priors, list(LINKS), np.random.default_rng(1))
    apart = {
        task: fit_task_links({task: rows[task]}, {task: priors[task]}, list(LINKS), np.random.default_rng(1))[task]
        for task in rows
    }
    assert missed(together, truth) < missed(apart, truth)
    some = next(iter(together.values())).prior
    assert some.ceiling_scale > LinkPrior.ceiling_scale > 0 and some.flat < LinkPrior.flat


@pytest.mark.parametrize("link", ["exponential", "gompertz"])
def test_the_link_that_the_tasks_have_weighs_most(link: str) -> None:
    rows, priors, _ = tasks(np.random.default_rng(6), 3, ceiling=0.95, link=link, noise=0.002)
    rows = {task: LinkRows(each.loss - 0.6, each.share, each.precision) for task, each in rows.items()}
    found = fit_task_links(rows, priors, list(LINKS), np.random.default_rng(2))
    assert all(max(each.weights, key=lambda name: each.weights[name]) == link for each in found.values())
    assert all(sum(each.weights.values()) == pytest.approx(1) for each in found.values())


def test_a_metric_that_does_not_move_is_flat() -> None:
    rng = np.random.default_rng(7)
    rows = {"flat": LinkRows(LOSS, 0.25 + 0.01 * rng.standard_normal(len(LOSS)), np.ones(len(LOSS)))}
    found = fit_task_links(rows, {"flat": LinkPrior(0.25, 0.03, 0.25, 0.01)}, list(LINKS), rng)["flat"]
    assert found.weights[FLAT] > 0.5
    low, middle, high = np.quantile(found.of_runs(np.array([2.5]), 4000, rng), [0.025, 0.5, 0.975])
    assert middle == pytest.approx(0.25, abs=0.02) and low > 0.2 and high > 0.27  # a rise is not excluded


def test_draws_of_runs_are_wider_than_the_curve_and_drift_grows() -> None:
    rows, priors, _ = tasks(np.random.default_rng(8), 1, ceiling=0.9)
    found = fit_task_links(rows, priors, list(LINKS), np.random.default_rng(1))["task 0"]
    at = np.array([3.0, 2.6, 1.0])
    curve = found.curve(at, 4000, np.random.default_rng(2))
    runs = found.of_runs(at, 4000, np.random.default_rng(2))
    assert (runs.std(axis=0) > curve.std(axis=0))[:2].all() and ((runs >= 0) & (runs <= 1)).all()
    assert curve.std(axis=0)[1] > curve.std(axis=0)[0]
