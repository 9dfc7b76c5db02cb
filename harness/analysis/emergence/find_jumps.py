"""Jumps: claims that a metric rises more sharply than any smooth curve on its ladder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from harness.analysis.checks import check_between_0_and_1
from harness.analysis.curves import Curve, assumed_meanings, label_runs, make_curves, require_columns
from harness.analysis.emergence.evidence import MIN_TESTED, Finding, examine
from harness.analysis.emergence.remedies import what_would_settle
from harness.analysis.emergence.thresholds import threshold_of
from harness.analysis.emergence.verdicts import (
    FLAGGED,
    Evidence,
    PowerRelation,
    State,
    Verdict,
    judge,
    power_relation,
)
from harness.wording import percent

#: Share of the degrees of freedom of a curve's noise from other curves, above which the noise is said to be of all
#: tasks.
MOSTLY_POOLED = 0.5

_COLUMNS = [
    "study",
    "task",
    "subtask",
    "metric",
    "p_value",
    "p_adjusted",
    "statistic",
    "verdict",
    "threshold",
    "threshold_low",
    "threshold_high",
    "reason",
    "state",
    "p_value_without_powers",
    "continuous_metric",
    "continuous_p_value",
    "continuous_state",
    "link_length",
    "link_residual",
    "rise_width",
    "rise_width_low",
    "rise_width_high",
    "sharpness",
    "height",
    "height_low",
    "height_high",
    "tested_by_seed",
    "share_able",
    "step_octaves",
    "n_rungs",
    "n_runs",
    "chance",
]


def find_jumps(
    frame: pd.DataFrame,
    x: str = "params_non_embedding",
    alpha: float = 0.05,
    level: float = 0.95,
    fraction: float = 0.5,
) -> pd.DataFrame:
    """Which discontinuous metrics jump, and whether the continuous metric on the same outputs jumps with them.

    A jump is a claim against a null: every smooth curve, that is every curve none of whose rises takes less than four
    ladder steps from 10 to 90 % (`smooth_null`; a step is the median distance of neighbouring sizes in ln x). The test
    asks whether the means lie further from the smooth curves than the noise of seeds and finite evaluation sets
    explains (`significance`; the noise comes from the scatter of seeds, pooled over the tasks of a study and metric,
    `noise`). p_adjusted is after Benjamini and Hochberg over all tests of the call, continuous metrics included. Error
    rates and power on planted curves are measured by experiments/detector_calibration; METHOD.md beside this file has
    the method from the top, VERDICTS.md what the verdicts claim.

    Args:
        frame: as `harness.load` returns it, or one's own, a row per (run, subtask, metric): columns x, metric, value
            and one of run_id, member, seed. What may be absent, and what is then taken: study and task (one each),
            subtask ('all'), chance (unknown), n_eval (unknown: noise from seeds alone), seed (each run is of a seed of
            its own). What a metric means (higher_is_better, discontinuous, paired_metric) is assumed by its name where
            these columns do not state it (`harness.metric_names`).
        x: column of sizes.
        alpha: false discovery rate.
        level: of the intervals of thresholds, widths and heights.
        fraction: share of the rise at which an ability is said to have appeared.

    Returns:
        A row per study, task, subtask and discontinuous metric:
            study, task, subtask, metric.
            p_value, p_adjusted: against every smooth curve.
            statistic: ln Bayes factor of a jump against no jump (`rise_posterior`); for ranking.
            verdict: emergent, metric artefact, smooth or inconclusive; reason: why, in a sentence.
            threshold, threshold_low, threshold_high: N* in the unit of x; 0 and inf where an end is open.
            state: what the metric's own runs say (`verdicts.State`).
            p_value_without_powers: against smooth curves without powers of smooth laws, which an all-or-nothing score
                of smooth tokens is.
            continuous_metric, continuous_p_value, continuous_state: the same of the pair.
            link_length, link_residual: how the metric is a power of its pair (`verdicts.PowerRelation`).
            rise_width, rise_width_low, rise_width_high: in steps from 10 to 90 %; sharpness: the same in decades of x.
            height, height_low, height_high: in units of the metric.
            tested_by_seed: whether seeds were tested one by one.
            share_able: of the runs at the largest size, those nearer to the top of the curve than to its bottom.
            step_octaves: length of a step, the resolution of every claim; n_rungs, n_runs, chance.
        Its ``attrs["assumed"]`` holds what was assumed of metrics by their names: metric -> column -> value, empty
        where the frame states all.

    Raises:
        DataError: a column is missing or holds what cannot be used.
        SettingError: a setting out of its range.
    """
    check_between_0_and_1(alpha=alpha, level=level, fraction=fraction)
    require_columns(frame, (x, "metric", "value"))
    curves = list(make_curves(label_runs(frame), x))
    pairs = _pairs(curves)
    tested = sorted({i for pair in pairs for i in pair if i is not None})
    findings = examine([curves[i] for i in tested])
    adjusted = _adjusted([_p_value(finding) for finding in findings])
    examined = {i: _Examined(curves[i], finding, p) for i, finding, p in zip(tested, findings, adjusted, strict=True)}
    paired = [i for i, other in pairs if other is not None]
    without_powers = _adjusted([_p_value_without_powers(examined[i].finding) for i in paired])
    steep = {i for i, p in zip(paired, without_powers, strict=True) if p < alpha}
    settings = _Settings(alpha, level, fraction)
    rows = [_row(examined[i], None if other is None else examined[other], i in steep, settings) for i, other in pairs]
    found = pd.DataFrame(rows, columns=_COLUMNS)
    found.attrs["assumed"] = assumed_meanings(frame)
    return found


@dataclass(frozen=True)
class _Settings:
    alpha: float
    level: float
    fraction: float


@dataclass(frozen=True)
class _Examined:
    """A curve, what was found of it (None where it cannot be examined) and its adjusted p value (NaN: not tested)."""

    curve: Curve
    finding: Finding | None
    p_adjusted: float

    def evidence(self, alpha: float) -> Evidence:
        """What its runs say at error rate `alpha`."""
        name, finding, p = self.curve.metric, self.finding, self.p_adjusted
        if finding is None or np.isnan(p):
            few = len(self.curve.runs.sizes) < MIN_TESTED
            return Evidence(name, State.TOO_FEW_SIZES if few else State.FLAT, p, float("nan"))
        width = float(finding.widths([0.5])[0])
        return Evidence(name, finding.state(p, alpha), p, width, finding.test.by_seed)


def _pairs(curves: Sequence[Curve]) -> list[tuple[int, int | None]]:
    """Index of each discontinuous metric's curve, and of its continuous pair's, or None."""
    by_key = {(c.study, c.task, c.subtask, c.metric): i for i, c in enumerate(curves)}
    return [
        (i, by_key.get((c.study, c.task, c.subtask, c.paired_metric))) for i, c in enumerate(curves) if c.discontinuous
    ]


def _row(own: _Examined, other: _Examined | None, steep_without_powers: bool, settings: _Settings) -> dict[str, Any]:
    """One row of `find_jumps`."""
    row = dict.fromkeys(_COLUMNS, float("nan")) | _about(own.curve)
    evidence, where = own.evidence(settings.alpha), None
    if own.finding is not None:
        where = threshold_of(own.curve, own.finding, settings.fraction, settings.level)
        row |= {"threshold": where.value, "threshold_low": where.low, "threshold_high": where.high}
    if own.finding is None or where is None or np.isnan(own.p_adjusted):
        verdict, reason = _untested(own.curve, evidence)
        return row | {"verdict": str(verdict), "reason": reason, "state": str(evidence.state)}
    link = None if other is None else _link(own, other.curve)
    continuous = None if other is None or np.isnan(other.p_adjusted) else other.evidence(settings.alpha)
    not_on_ladder = where.reason if evidence.state in FLAGGED else ""
    verdict, reason = judge(evidence, continuous, steep_without_powers, link, not_on_ladder)
    reason += _addenda(own.finding, evidence, verdict, settings.alpha)
    row |= _measured(own.finding, settings.level) | {
        "p_adjusted": own.p_adjusted,
        "verdict": str(verdict),
        "reason": reason,
        "state": str(evidence.state),
    }
    if other is not None:
        row["p_value_without_powers"] = own.finding.test_without_powers.p_value
        row["continuous_p_value"] = _p_value(other.finding) or float("nan")
    if continuous is not None:
        row["continuous_state"] = str(continuous.state)
    if link is not None:
        row |= {"link_length": link.length, "link_residual": link.residual}
    return row


def _about(curve: Curve) -> dict[str, Any]:
    """What a row says of its curve before anything is tested."""
    return {
        "study": curve.study,
        "task": curve.task,
        "subtask": curve.subtask,
        "metric": curve.metric,
        "continuous_metric": curve.paired_metric,
        "continuous_state": "",
        "tested_by_seed": False,
        "n_rungs": len(curve.runs.sizes),
        "n_runs": len(curve.runs.value),
        "chance": curve.chance,
    }


def _measured(finding: Finding, level: float) -> dict[str, Any]:
    """What a row says of a rise whatever the verdict."""
    ends = ((1 - level) / 2, 0.5, (1 + level) / 2)
    widths, heights = finding.widths(ends), finding.heights(ends)
    return {
        "p_value": finding.test.p_value,
        "statistic": finding.log_bayes_factor,
        "rise_width": widths[1],
        "rise_width_low": widths[0],
        "rise_width_high": widths[2],
        "sharpness": widths[1] * finding.step / np.log(10),
        "height": heights[1],
        "height_low": heights[0],
        "height_high": heights[2],
        "tested_by_seed": finding.test.by_seed,
        "share_able": finding.share_able,
        "step_octaves": finding.resolution,
    }


def _is_tested(finding: Finding | None) -> TypeGuard[Finding]:
    return finding is not None and len(finding.curve.runs.sizes) >= MIN_TESTED


def _p_value(finding: Finding | None) -> float | None:
    return finding.test.p_value if _is_tested(finding) else None


def _p_value_without_powers(finding: Finding | None) -> float | None:
    return finding.test_without_powers.p_value if _is_tested(finding) else None


def _untested(curve: Curve, evidence: Evidence) -> tuple[Verdict, str]:
    if evidence.state is State.TOO_FEW_SIZES:
        return judge(evidence, None)
    return Verdict.SMOOTH, f"all values of {curve.metric} are equal: no rise to be tested"


def _addenda(finding: Finding, evidence: Evidence, verdict: Verdict, alpha: float) -> str:
    """What a reason goes on to say: a remedy, the share of runs that have the ability, and caveats."""
    added = []
    if evidence.state is State.UNDETERMINED and verdict is Verdict.INCONCLUSIVE:
        added.append(what_would_settle(finding, alpha))
    if evidence.state in FLAGGED and finding.test.by_seed:
        added.append(f"{percent(finding.share_able)} of the seeds have it at the largest size")
    return "".join(f"; {each}" for each in (*added, *_caveats(finding)))


def _caveats(finding: Finding) -> list[str]:
    """What the result owes to what the table does not say."""
    curve, design, caveats = finding.curve, finding.design, []
    if design.freedom == 0:
        pooled = finding.noise.pooled > MOSTLY_POOLED
        source = "the roughness of all tasks together" if pooled else "the curve's own roughness"
        caveats.append(f"one run a size: noise from {source}")
    if not np.any(curve.evaluation):
        caveats.append("n_eval unknown: noise from seeds alone" if design.freedom else "n_eval unknown")
    if np.isfinite(curve.chance) and curve.higher_is_better and curve.runs.value.max() < curve.chance:
        caveats.append(f"every value lies below chance ({curve.chance:.3g})")
    if curve.repeated:
        caveats.append(f"{curve.repeated} repeated rows of runs were averaged")
    if len(design.t) < len(curve.runs.sizes):
        caveats.append(f"{len(curve.runs.sizes)} sizes taken together to {len(design.t)}")
    return caveats


def _link(own: _Examined, paired: Curve) -> PowerRelation | None:
    """How the metric is a power of its pair, where both are shares measured at the same sizes."""
    curve, finding = own.curve, own.finding
    if not (curve.higher_is_better and paired.higher_is_better):
        return None
    if not np.array_equal(curve.runs.sizes, paired.runs.sizes):
        return None
    if any(each.runs.value.min() < 0 or each.runs.value.max() > 1 for each in (curve, paired)):
        return None
    sd = None
    if finding is not None and len(finding.design.t) == len(curve.runs.sizes):
        sd = np.sqrt(finding.noise.variance / finding.design.counts)
    return power_relation(curve.runs, paired.runs, sd)


def _adjusted(p_values: Sequence[float | None]) -> list[float]:
    """P values after Benjamini and Hochberg over those that are not None; NaN for those that are."""
    known = [p for p in p_values if p is not None]
    corrected = iter(false_discovery_control(known) if known else [])
    return [float("nan") if p is None else float(next(corrected)) for p in p_values]
