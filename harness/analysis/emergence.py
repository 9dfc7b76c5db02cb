"""Jumps: claims that a metric rises more sharply than any smooth law at the ladder's resolution."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2, false_discovery_control

from harness.analysis.curves import Curve, make_curves, require_columns, select_runs
from harness.analysis.mirage import FLAGGED, State, judge, power_relation
from harness.analysis.rises import Rises, build_rises, normalise
from harness.analysis.thresholds import Threshold, threshold_of
from harness.analysis.uncertainty import tail_probability
from harness.errors import SettingError

MIN_RUNGS = 4
#: Differences of log likelihood within this are ties.
TIE = 2.0
#: A smooth law this much likelier than a step, 100 to 1, is called so without reserve.
DECISIVE = float(np.log(100))
#: Nulls within this of the best one are tried for the largest p value.
LIKELY = 4.0
#: First pass of the bootstrap; curves with at least 10 draws beyond them need no second.
FEW_DRAWS = 200


@dataclass(frozen=True)
class RiseTest:
    """One metric of one subtask against the smooth null.

    Attributes:
        p_value: P(as sharp or sharper | best smooth law); NaN with too few rungs.
        width: (best, low, high) of the rise from 10 to 90 %, in ladder steps.
        sharp_deficit: log likelihood that a step between rungs lacks against the best rise.
        smooth_gain: log likelihood of the best smooth law over the best step.
        flat: whether there is no rise worth the name.
    """

    p_value: float
    width: tuple[float, float, float]
    sharp_deficit: float
    smooth_gain: float
    flat: bool

    def state(self, p_adjusted: float, alpha: float) -> State:
        """What the runs say at error rate `alpha`."""
        if np.isnan(self.p_value):
            return State.TOO_FEW_RUNGS
        if self.flat:
            return State.FLAT
        if p_adjusted < alpha:
            return State.JUMP if self.sharp_deficit <= TIE else State.BROKEN
        return State.SMOOTH if self.smooth_gain > TIE else State.UNDETERMINED


class _Tester:
    """Tests curves; ladders and null draws are made once and shared by the curves that can."""

    def __init__(self, resolution: float, min_rise: float, n_bootstrap: int, seed: int) -> None:
        self.resolution, self.min_rise, self.n_bootstrap, self.seed = resolution, min_rise, n_bootstrap, seed
        self._rises: dict[bytes, Rises] = {}

    def test(self, curve: Curve) -> RiseTest:
        runs = curve.runs
        if len(runs.sizes) < MIN_RUNGS:
            return RiseTest(np.nan, (np.nan,) * 3, np.nan, np.nan, False)
        if self._too_small(curve):
            return RiseTest(1.0, (np.nan,) * 3, np.inf, np.inf, True)
        rises = self._rises_of(runs.sizes, runs.counts)
        log_likelihood = rises.log_likelihood(normalise(curve.oriented, runs.counts)[None], runs.rung)
        ratio = float(rises.ratio(log_likelihood)[0])
        likelihood = log_likelihood[0]
        best, sharp = likelihood.max(), likelihood[rises.sharp].max()
        flat = bool(best - likelihood[rises.flat].max() <= TIE)
        return RiseTest(
            p_value=self._p_value(rises, likelihood, ratio),
            width=_width_interval(rises, likelihood),
            sharp_deficit=float(best - sharp),
            smooth_gain=float(likelihood[rises.smooth].max() - sharp),
            flat=flat,
        )

    def _too_small(self, curve: Curve) -> bool:
        """Whether a share of something (within [0, 1]) rises by less than `min_rise` of the way from chance to 1."""
        values = curve.runs.value
        means = curve.runs.means(curve.oriented)
        rise = means.max() - means.min()
        if not curve.discontinuous:
            return bool(rise <= 0)
        bounded = values.min() >= 0 and values.max() <= 1 and curve.higher_is_better
        room = 1 - (curve.chance if 0 <= curve.chance < 1 else 0.0)
        return bool(rise <= 0 or (bounded and rise < self.min_rise * room))

    def _rises_of(self, sizes: np.ndarray, counts: np.ndarray) -> Rises:
        key = sizes.tobytes() + counts.tobytes()
        if key not in self._rises:
            self._rises[key] = build_rises(np.log(sizes), counts, self.resolution)
        return self._rises[key]

    def _p_value(self, rises: Rises, likelihood: np.ndarray, ratio: float) -> float:
        """The largest p value over the likely nulls, under their own noise and under little, and the asymptotic one.

        The null is allowed more noise than runs may really have, which makes its draws blunter than quiet data.
        """
        p_value = float(0.5 * chi2.sf(2 * ratio, df=1)) if ratio > 0 else 1.0
        for null, quiet in product(rises.likely_nulls(likelihood, LIKELY), (True, False)):
            if p_value > 0.2:
                break
            draws = rises.null_ratios(null, min(FEW_DRAWS, self.n_bootstrap), self.seed, quiet)
            if np.sum(draws >= ratio) < 10:
                draws = rises.null_ratios(null, self.n_bootstrap, self.seed, quiet)
            p_value = max(p_value, tail_probability(ratio, draws))
        return p_value


def _width_interval(rises: Rises, likelihood: np.ndarray) -> tuple[float, float, float]:
    """Width of the likeliest logistic rise, and the widths within 1.92 log units of it (95 % by profile likelihood)."""
    logistic = np.isfinite(rises.width)
    widths, values = rises.width[logistic], likelihood[logistic]
    near = widths[values >= values.max() - 1.92]
    return float(widths[np.argmax(values)]), float(near.min()), float(near.max())


def find_jumps(
    frame: pd.DataFrame,
    x: str = "params_non_embedding",
    alpha: float = 0.05,
    resolution: float = 2.0,
    level: float = 0.95,
    n_bootstrap: int = 1000,
    seed: int = 0,
    min_rise: float = 0.1,
) -> pd.DataFrame:
    """Which discontinuous metrics jump, and whether the continuous metric on the same outputs jumps with them.

    A jump is a claim against a null: the best smooth law at the ladder's resolution, that is a logistic rise in ln x
    from 10 to 90 % over at least `resolution` ladder steps, an exponential or power-law approach no faster, or no rise
    at all. Runs are models with their own place of rise, so that rungs may be bimodal, and noise (`rises`). The
    statistic is the log likelihood ratio of the best rise of any width over the best smooth one; its p value comes
    from a parametric bootstrap of the null, and p_adjusted from Benjamini and Hochberg over all tests of the call,
    continuous metrics included. Measured (experiments/calibration): p < .05 for at most 5.5 % of smooth rises two
    steps wide, mostly far fewer, and none of them called emergent; steps between two rungs are found in at least 199 of
    200 curves from three seeds a rung on, whether seeds agree or spread over the rungs; with one seed a rung, in a
    third, so that no verdict comes of it.

    It cannot see a jump in the first or last gap of the ladder where all runs agree: an exponential approach explains
    it as well, and rungs on both sides are lacking. A metric that leaps on the ladder while N* lies beyond it is
    inconclusive.

    Args:
        frame: as `harness.load` returns it, or one's own, a row per (run, subtask, metric): columns x, metric, value
            and one of run_id, member, seed. What may be absent, and what is then taken: study and task (one each),
            subtask ('all'), chance (unknown), higher_is_better (all but losses, errors, perplexities), paired_metric
            ('loss', where that was measured), discontinuous (all that are nobody's paired metric and not a loss).
        x: column of sizes.
        alpha: false discovery rate.
        resolution: widest rise, in ladder steps, that counts as unresolved.
        level: of the intervals of thresholds.
        n_bootstrap: draws of each bootstrap.
        seed: of the bootstraps; equal seeds give equal numbers.
        min_rise: least rise of a metric within [0, 1], as a share of the way from chance to 1, to be called a rise.

    Returns:
        A row per study, task, subtask and discontinuous metric: study, task, subtask, metric, p_value, p_adjusted,
        verdict (emergent, metric artefact, smooth, inconclusive), threshold, threshold_low, threshold_high (N* in the
        unit of x), continuous_metric, continuous_p_value, state, continuous_state, rise_width, rise_width_low,
        rise_width_high (ladder steps), reason, n_rungs, n_runs, chance.

    Raises:
        DataError: a column is missing or holds what cannot be used.
        SettingError: a setting out of its range.
    """
    if not 0 < alpha < 1:
        raise SettingError("alpha", alpha, "a number between 0 and 1")
    if not resolution > 0:
        raise SettingError("resolution", resolution, "a number of ladder steps above 0")
    if not 0 < level < 1:
        raise SettingError("level", level, "a number between 0 and 1")
    if not 0 <= min_rise < 1:
        raise SettingError("min_rise", min_rise, "a share from 0 up to 1")
    if n_bootstrap < 100:
        raise SettingError("n_bootstrap", n_bootstrap, "at least 100")
    require_columns(frame, (x, "metric", "value"))
    curves = list(make_curves(select_runs(frame), x))
    by_key = {(c.study, c.task, c.subtask, c.metric): c for c in curves}
    pairs = [
        (curve, by_key.get((curve.study, curve.task, curve.subtask, curve.paired_metric)))
        for curve in curves
        if curve.discontinuous
    ]
    tester = _Tester(resolution, min_rise, n_bootstrap, seed)
    tests = {id(c): tester.test(c) for pair in pairs for c in pair if c is not None}
    adjusted = _adjust({key: test.p_value for key, test in tests.items()})

    def state(curve: Curve) -> State:
        return tests[id(curve)].state(adjusted[id(curve)], alpha)

    rows = []
    for curve, paired in pairs:
        placed = threshold_of(curve, level=level, n_bootstrap=n_bootstrap, seed=seed)
        own, other = state(curve), None if paired is None else state(paired)
        if own is State.FLAT:
            placed = Threshold(np.nan, np.nan, np.nan, "no rise")
        decisive = paired is None or tests[id(paired)].smooth_gain > DECISIVE
        verdict, reason = judge(own, other, (curve.metric, curve.paired_metric), placed.reason, decisive)
        if own in FLAGGED and paired is not None:
            reason += _relation(curve, paired)
        test, runs = tests[id(curve)], curve.runs
        rows.append(
            {
                "study": curve.study,
                "task": curve.task,
                "subtask": curve.subtask,
                "metric": curve.metric,
                "p_value": test.p_value,
                "p_adjusted": adjusted[id(curve)],
                "verdict": str(verdict),
                "threshold": placed.value,
                "threshold_low": placed.low,
                "threshold_high": placed.high,
                "continuous_metric": curve.paired_metric,
                "continuous_p_value": np.nan if paired is None else tests[id(paired)].p_value,
                "state": str(own),
                "continuous_state": str(other or ""),
                "rise_width": test.width[0],
                "rise_width_low": test.width[1],
                "rise_width_high": test.width[2],
                "reason": reason,
                "n_rungs": len(runs.sizes),
                "n_runs": len(runs.value),
                "chance": curve.chance,
            }
        )
    return pd.DataFrame(rows, columns=_COLUMNS)


_COLUMNS = [
    "study",
    "task",
    "subtask",
    "metric",
    "p_value",
    "p_adjusted",
    "verdict",
    "threshold",
    "threshold_low",
    "threshold_high",
    "continuous_metric",
    "continuous_p_value",
    "state",
    "continuous_state",
    "rise_width",
    "rise_width_low",
    "rise_width_high",
    "reason",
    "n_rungs",
    "n_runs",
    "chance",
]


def _adjust(p_values: dict[int, float]) -> dict[int, float]:
    """Benjamini-Hochberg over the p values that are numbers."""
    tested = {key: p for key, p in p_values.items() if not np.isnan(p)}
    adjusted = false_discovery_control(list(tested.values())) if tested else []
    return dict.fromkeys(p_values, float("nan")) | dict(zip(tested, map(float, adjusted), strict=True))


def _relation(curve: Curve, paired: Curve) -> str:
    """'; exact_match = token_accuracy ^ 8.0 within 0.005' where that holds within 0.05."""
    means: list[Any] = [c.runs.means(c.runs.value) for c in (curve, paired)]
    if any(m.min() < 0 or m.max() > 1 for m in means) or not paired.higher_is_better:
        return ""
    found = power_relation(*means)
    if found.residual > 0.05 or found.length < 1.5:
        return ""
    return f"; {curve.metric} = {paired.metric} ^ {found.length:.1f} within {max(found.residual, 0.001):.3f}"
