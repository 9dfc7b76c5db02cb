"""From size to a metric through the loss: the forecast of a new run's loss, led through the link from loss to metric.

Gadre et al. 2024, section 3.4, and Bhagia et al. 2024 fit one curve of the metric to the loss and put the forecast loss
in. Here the links of `links` are weighed against each other, with weak priors on their floors, ceilings and widths, and
everything that is not known goes into the interval: the loss, which link it is, where it ends, and the noise of a run.
METHOD.md in this folder tells the method in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.analysis.checks import check_between_0_and_1, check_fitted, finite_numbers
from harness.analysis.fitting.laws import Law
from harness.analysis.planning.forecast import Forecaster
from harness.analysis.planning.link_status import judge_link, judge_rows
from harness.analysis.planning.links import LINKS
from harness.analysis.planning.metric_rows import MetricRows, by_task, metric_rows
from harness.analysis.planning.task_links import TaskLink, fit_task_links
from harness.errors import DataError, SettingError, nearest

#: The task of a metric that is one column without a name of its own.
_ONLY = "metric"

T = TypeVar("T")


@dataclass
class Chain:
    """metric = link(loss(x)), for one metric or for the metrics of several tasks.

    Args:
        link: 'best' for all of `LINKS`, weighed; or one of them.
        law: of the loss, as `Forecaster` takes it.
        level: of the intervals, in (0, 1).
        bounds: least and greatest value that the metric can take; no forecast leaves them.
        n_draws: draws by which all that is not known is carried through, at least 100.
        seed: of the draws; equal seeds give equal numbers.

    Attributes:
        losses_: task -> the `Forecaster` of its loss; one and the same where all tasks have one loss.
        links_: task -> its `TaskLink`; those without a forecast are not there.
        table_: a row a task: task, status, message, n (rows of the link), the probability of each link and of `flat`,
            and floor, ceiling (of an error: where it begins, and ends) and noise of a run, in units of the metric, each
            with _low and _high.
    """

    link: str = "best"
    law: str | Law = "best"
    level: float = 0.95
    bounds: tuple[float, float] = (0.0, 1.0)
    n_draws: int = 4000
    seed: int = 0

    losses_: dict[str, Forecaster] = field(init=False, repr=False)
    links_: dict[str, TaskLink] = field(init=False, repr=False)
    table_: pd.DataFrame = field(init=False, repr=False)

    def fit(
        self,
        x: ArrayLike | pd.DataFrame,
        loss: ArrayLike | pd.DataFrame,
        metric: ArrayLike | pd.DataFrame,
        groups: ArrayLike | None = None,
        *,
        clusters: ArrayLike | None = None,
        of_loss: ArrayLike | None = None,
        chance: float | Mapping[str, float] | None = None,
        higher_is_better: bool | Mapping[str, bool] | None = None,
        n_eval: ArrayLike | pd.DataFrame | None = None,
        stderr: ArrayLike | pd.DataFrame | None = None,
    ) -> Chain:
        """Fit to rows x (n,) or (n, d), loss (n,) > 0 and metric (n,), a row a run.

        Args:
            metric: or a frame with a column a task, whose links then inform each other. Rows in which a task has no
                number are left out of its link.
            loss: or a frame with a column for each task: its own loss, NaN where it was not measured.
            groups: rows that share (x, group) are one run, whose loss and metric are their means.
            clusters: (n,) labels; rows of one label, checkpoints of one run, err together.
            of_loss: (n,) bool; rows where it is False inform the links and not the law of the loss, as checkpoints do
                whose learning rate has not been decayed. By default all rows do both.
            chance: what a guesser scores, of all tasks or by task.
            higher_is_better: direction of the metric, of all tasks or by task; where it is not stated, the one in which
                the metric goes with the loss.
            n_eval: items behind each value; stderr: or its standard error. One column for all tasks, or one for each.

        Raises:
            DataError: a value that is not allowed, or columns that do not fit each other.
            SettingError: a setting out of its range.
            UserError: as `Forecaster.fit`.
        """
        self._check_settings()
        self._check_names(metric, chance=chance, higher_is_better=higher_is_better)
        losses, metrics = by_task(loss, "loss", _ONLY), by_task(metric, "metric", _ONLY)
        items, errors = _noise(n_eval, "n_eval"), _noise(stderr, "stderr")
        runs = _labels_of_runs(x, groups)
        tasks = {
            task: metric_rows(
                _of_task(losses, task, "loss"),
                values,
                self.bounds,
                name=task,
                clusters=clusters,
                chance=_stated(chance, task),
                higher_is_better=_stated(higher_is_better, task),
                n_eval=None if items is None else _of_task(items, task, "n_eval"),
                stderr=None if errors is None else _of_task(errors, task, "stderr"),
                groups=runs,
            )
            for task, values in metrics.items()
        }
        self._fit_losses(x, losses, list(metrics), groups, clusters, of_loss)
        self._fit_links(tasks)
        return self

    def _check_settings(self) -> None:
        check_between_0_and_1(level=self.level)
        if self.link != "best" and self.link not in LINKS:
            allowed = ["best", *LINKS]
            raise SettingError("link", self.link, f"one of {', '.join(allowed)}{nearest(self.link, allowed)}")
        low, high = self.bounds
        if not -np.inf < low < high < np.inf:
            raise SettingError("bounds", self.bounds, "two finite numbers, the lower one first")
        if self.n_draws < 100:
            raise SettingError("n_draws", self.n_draws, "at least 100")

    @staticmethod
    def _check_names(metric: ArrayLike | pd.DataFrame, **stated: object) -> None:
        """Raise DataError for what is stated of a task that there is none of."""
        tasks = [str(name) for name in metric.columns] if isinstance(metric, pd.DataFrame) else [_ONLY]
        for what, given in stated.items():
            for name in given if isinstance(given, Mapping) else ():
                if name not in tasks:
                    raise DataError(f"{what}: no task {name}; there are {', '.join(tasks)}{nearest(str(name), tasks)}")

    def _fit_losses(
        self,
        x: ArrayLike | pd.DataFrame,
        losses: Mapping[str, np.ndarray],
        tasks: list[str],
        groups: ArrayLike | None,
        clusters: ArrayLike | None,
        of_loss: ArrayLike | None,
    ) -> None:
        n = len(next(iter(losses.values())))
        rows = np.ones(n, dtype=bool) if of_loss is None else np.asarray(of_loss, dtype=bool)
        if len(rows) != n:
            raise DataError(f"of_loss has {len(rows)} rows where loss has {n}")
        labels = {"groups": groups, "clusters": clusters}
        fitted: dict[str, Forecaster] = {}
        for name, values in losses.items():
            there = rows & np.isfinite(values) if len(losses) > 1 else rows
            places = x[there] if isinstance(x, pd.DataFrame) else np.asarray(x)[there]
            chosen = {key: np.asarray(label)[there] for key, label in labels.items() if label is not None}
            fitted[name] = Forecaster(law=self.law, level=self.level).fit(places, values[there], **chosen)
        self.losses_ = {task: fitted.get(task) or next(iter(fitted.values())) for task in tasks}

    def _fit_links(self, tasks: Mapping[str, MetricRows]) -> None:
        self._tasks = dict(tasks)
        refused = {task: judge_rows(rows) for task, rows in tasks.items()}
        usable = {task: rows for task, rows in tasks.items() if refused[task] is None}
        names = tuple(LINKS) if self.link == "best" else (self.link,)
        rng = np.random.default_rng(self.seed)
        rows, priors = ({task: getattr(each, name) for task, each in usable.items()} for name in ("link_rows", "prior"))
        found = fit_task_links(rows, priors, names, rng) if usable else {}
        judged = {task: refused[task] or judge_link(tasks[task], found[task]) for task in tasks}
        self.links_ = {task: fit for task, fit in found.items() if judged[task][0].gives_numbers}
        self._judged = judged
        self.table_ = pd.DataFrame([self._row(task) for task in tasks])

    def _row(self, task: str) -> dict[str, object]:
        status, message = self._judged[task]
        row: dict[str, object] = {"task": task, "status": str(status), "message": message, "n": self._tasks[task].n}
        if task not in self.links_:
            return row
        link = self.links_[task]
        row |= dict(link.weights)
        for name, ends in link.summary(self.level, self.seed).items():
            value, low, high = self._tasks[task].width_of(ends) if name == "noise" else self._tasks[task].natural(ends)
            row |= {name: value, f"{name}_low": low, f"{name}_high": high}
        return row

    def predict(self, x: ArrayLike | pd.DataFrame, level: float | None = None) -> pd.DataFrame:
        """Forecasts of the metric of a new run at x (m,) or (m, d).

        Returns:
            A row a task and place: task (of a metric that was given as a frame), the variables of x, loss, and
            predicted, low, high of the metric (median and percentiles of the draws), status and message. Where the
            metric does not follow the loss, or there are too few runs, there is no number.
        """
        level = self.level if level is None else level
        check_between_0_and_1(level=level)
        check_fitted(self, "table_")
        parts = []
        for task, forecaster in self.losses_.items():
            table = forecaster.predict(x, level=level)
            status, message = self._judged[task]
            ends = np.full((3, len(table)), np.nan)
            if task in self.links_:
                rng = np.random.default_rng(self.seed)
                drawn = self.links_[task].of_runs(forecaster.draws(x, self.n_draws, rng), self.n_draws, rng)
                ends = self._tasks[task].natural(np.quantile(drawn, [0.5, (1 - level) / 2, (1 + level) / 2], axis=0))
            columns = dict(zip(("predicted", "low", "high"), ends, strict=True))
            part = table[list(forecaster.variables_)].assign(loss=table["predicted"], **columns)
            part = part.assign(status=str(status), message=message)
            part.insert(0, "task", task)
            parts.append(part)
        found = pd.concat(parts, ignore_index=True)
        return found.drop(columns="task") if list(self.losses_) == [_ONLY] else found

    def rises(self, task: str) -> bool:
        """Whether more of a task's metric is better, as stated or as it goes with the loss."""
        return self._tasks[task].rises

    def curve(self, loss: ArrayLike, task: str | None = None, level: float | None = None) -> pd.DataFrame:
        """The link of a task at losses (m,): loss, and predicted, low, high of the metric, without the noise of runs.

        Raises:
            DataError: no such task, or one without a link.
        """
        level = self.level if level is None else level
        check_between_0_and_1(level=level)
        check_fitted(self, "table_")
        name = next(iter(self.losses_)) if task is None else task
        if name not in self.links_:
            raise DataError(f"{name}: {self._judged[name][1] if name in self._judged else 'no such task'}")
        losses = finite_numbers("loss", loss)
        drawn = self.links_[name].curve(losses, self.n_draws, np.random.default_rng(self.seed))
        ends = self._tasks[name].natural(np.quantile(drawn, [0.5, (1 - level) / 2, (1 + level) / 2], axis=0))
        return pd.DataFrame({"loss": losses} | dict(zip(("predicted", "low", "high"), ends, strict=True)))


def _of_task(columns: Mapping[str, np.ndarray], task: str, what: str) -> np.ndarray:
    """The column of a task, or the only one there is.

    Raises:
        DataError: there are several, and none is the task's.
    """
    if task in columns:
        return columns[task]
    if len(columns) == 1:
        return next(iter(columns.values()))
    raise DataError(f"{what} has no column of task {task}; there are {', '.join(columns)}")


def _stated(given: T | Mapping[str, T] | None, task: str) -> T | None:
    return given.get(task) if isinstance(given, Mapping) else given


def _noise(given: ArrayLike | pd.DataFrame | None, what: str) -> dict[str, np.ndarray] | None:
    return None if given is None else by_task(given, what, _ONLY)


def _labels_of_runs(x: ArrayLike | pd.DataFrame, groups: ArrayLike | None) -> np.ndarray | None:
    """(n,) the run of each row, where rows of one (x, group) are one run."""
    if groups is None:
        return None
    places = np.asarray(x, dtype=float).reshape(len(np.asarray(groups)), -1)
    table = pd.DataFrame(places).assign(group=np.asarray(groups).astype(str))
    return table.groupby(list(table.columns), sort=False).ngroup().to_numpy()
