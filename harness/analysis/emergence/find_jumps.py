"""Jumps: claims that a metric rises more sharply than any smooth curve on its ladder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from harness.analysis.checks import check_between_0_and_1
from harness.analysis.curves import Curve, assumed_meanings, make_curves, require_columns, select_runs
from harness.analysis.emergence.evidence import MIN_TESTED, Finding, examine
from harness.analysis.emergence.remedies import what_would_settle
from harness.analysis.emergence.thresholds import Threshold, placed
from harness.analysis.emergence.verdicts import Evidence, PowerRelation, State, Verdict, judge, power_relation
from harness.wording import percent

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
    "face_p_value",
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
    "seeds_apart",
    "share_with",
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
    asks whether the means lie further outside than the noise of seeds and finite evaluation sets explains
    (`jump_test`; noise from the scatter of seeds, pooled over the tasks of a study and metric, `noise`); p_adjusted is
    after Benjamini and Hochberg over all tests of the call, continuous metrics included. Its error rates and power on
    planted curves are measured by experiments/detector_calibration.

    Args:
        frame: as `harness.load` returns it, or one's own, a row per (run, subtask, metric): columns x, metric, value
            and one of run_id, member, seed. What may be absent, and what is then taken: study and task (one each),
            subtask ('all'), chance (unknown), n_eval (unknown: noise from seeds alone), seed (runs are strangers to
            each other at every size). What a metric means (higher_is_better, discontinuous, paired_metric) is assumed
            by its name where these columns do not state it (`harness.metric_names`).
        x: column of sizes.
        alpha: false discovery rate.
        level: of the intervals of thresholds, widths and heights.
        fraction: share of the rise at which an ability is said to have appeared.

    Returns:
        A row per study, task, subtask and discontinuous metric: study, task, subtask, metric, p_value, p_adjusted,
        statistic (ln Bayes factor of a jump over smooth rises, `rises`; for ranking), verdict (emergent, metric
        artefact, smooth, inconclusive), threshold, threshold_low, threshold_high (N* in the unit of x; 0 and inf where
        open), reason; state, face_p_value (against smooth curves without those of an all-or-nothing score),
        continuous_metric, continuous_p_value, continuous_state, link_length, link_residual (`mirage.PowerRelation`),
        rise_width(_low, _high) in steps from 10 to 90 %, sharpness (the same in decades), height(_low, _high),
        seeds_apart (seeds were tested one by one), share_with (of the runs at the largest size that have it),
        step_octaves (the ladder's resolution), n_rungs, n_runs, chance. Its ``attrs["assumed"]`` holds what was
        assumed of metrics by their names: metric -> column -> value, empty where the frame states all.

    Raises:
        DataError: a column is missing or holds what cannot be used.
        SettingError: a setting out of its range.
    """
    check_between_0_and_1(alpha=alpha, level=level, fraction=fraction)
    require_columns(frame, (x, "metric", "value"))
    curves = list(make_curves(select_runs(frame), x))
    by_key = {(c.study, c.task, c.subtask, c.metric): i for i, c in enumerate(curves)}
    pairs = [
        (i, by_key.get((c.study, c.task, c.subtask, c.paired_metric))) for i, c in enumerate(curves) if c.discontinuous
    ]
    tested = sorted({i for pair in pairs for i in pair if i is not None})
    findings = dict(zip(tested, examine([curves[i] for i in tested]), strict=True))
    adjusted = _adjusted([_p_value(findings[i]) for i in tested])
    p_adjusted = dict(zip(tested, adjusted, strict=True))
    paired = [i for i, other in pairs if other is not None]
    face = _adjusted([_p_value(findings[i], at_face=True) for i in paired])
    at_face = dict(zip(paired, face, strict=True))
    rows = [
        _row(
            (curves[i], findings[i], p_adjusted[i]),
            None if other is None else (curves[other], findings[other], p_adjusted[other]),
            at_face.get(i, float("nan")) < alpha,
            (alpha, level, fraction),
        )
        for i, other in pairs
    ]
    found = pd.DataFrame(rows, columns=_COLUMNS)
    found.attrs["assumed"] = assumed_meanings(frame)
    return found


_Examined = tuple[Curve, Finding | None, float]


def _row(
    own: _Examined, other: _Examined | None, steep_at_face: bool, settings: tuple[float, float, float]
) -> dict[str, Any]:
    alpha, level, fraction = settings
    curve, finding, p_adjusted = own
    row: dict[str, Any] = dict.fromkeys(_COLUMNS, float("nan")) | {
        "study": curve.study,
        "task": curve.task,
        "subtask": curve.subtask,
        "metric": curve.metric,
        "continuous_metric": curve.paired_metric,
        "continuous_state": "",
        "seeds_apart": False,
        "n_rungs": len(curve.runs.sizes),
        "n_runs": len(curve.runs.value),
        "chance": curve.chance,
    }
    evidence = _evidence(own, alpha)
    where = placed(finding, fraction, level) if finding is not None else None
    if finding is None or where is None or np.isnan(p_adjusted):
        verdict, reason = _untested(curve, evidence)
        found = {} if where is None else _ends(where)
        return row | found | {"verdict": str(verdict), "reason": reason, "state": str(evidence.state)}
    ends = ((1 - level) / 2, 0.5, (1 + level) / 2)
    flagged = evidence.state in (State.JUMP, State.STEEP)
    link = None if other is None else _link(own, other[0])
    continuous = None if other is None or np.isnan(other[2]) else _evidence(other, alpha)
    verdict, reason = judge(evidence, continuous, steep_at_face, link, where.reason if flagged else "")
    if evidence.state is State.UNDETERMINED and verdict is Verdict.INCONCLUSIVE:
        reason += f"; {what_would_settle(finding, alpha)}"
    if flagged and finding.test.seeds_apart:
        reason += f"; {percent(finding.share_with)} of the seeds have it at the largest size"
    widths, heights = finding.widths(ends), finding.heights(ends)
    measured = {
        "p_value": finding.test.p_value,
        "p_adjusted": p_adjusted,
        "statistic": finding.log_bayes_factor,
        "verdict": str(verdict),
        "reason": reason + _caveats(curve, finding),
        "state": str(evidence.state),
        "face_p_value": float("nan") if other is None else finding.face_test.p_value,
        "continuous_p_value": float("nan") if other is None else _p_value(other[1]) or float("nan"),
        "continuous_state": "" if continuous is None else str(continuous.state),
        "link_length": float("nan") if link is None else link.length,
        "link_residual": float("nan") if link is None else link.residual,
        "rise_width": widths[1],
        "rise_width_low": widths[0],
        "rise_width_high": widths[2],
        "sharpness": widths[1] * finding.step / np.log(10),
        "height": heights[1],
        "height_low": heights[0],
        "height_high": heights[2],
        "seeds_apart": finding.test.seeds_apart,
        "share_with": finding.share_with,
        "step_octaves": finding.resolution,
    }
    return row | _ends(where) | measured


def _ends(where: Threshold) -> dict[str, float]:
    return {"threshold": where.value, "threshold_low": where.low, "threshold_high": where.high}


def _p_value(finding: Finding | None, at_face: bool = False) -> float | None:
    if finding is None or len(finding.curve.runs.sizes) < MIN_TESTED:
        return None
    return finding.face_test.p_value if at_face else finding.test.p_value


def _evidence(examined: _Examined, alpha: float) -> Evidence:
    curve, finding, p_adjusted = examined
    if finding is None or np.isnan(p_adjusted):
        state = State.TOO_FEW_SIZES if len(curve.runs.sizes) < MIN_TESTED else State.FLAT
        return Evidence(curve.metric, state, p_adjusted, float("nan"))
    width = float(finding.widths([0.5])[0])
    return Evidence(curve.metric, finding.state(p_adjusted, alpha), p_adjusted, width, finding.test.seeds_apart)


def _untested(curve: Curve, evidence: Evidence) -> tuple[Verdict, str]:
    if evidence.state is State.TOO_FEW_SIZES:
        return judge(evidence, None)
    return Verdict.SMOOTH, f"all values of {curve.metric} are equal: no rise to be tested"


def _caveats(curve: Curve, finding: Finding) -> str:
    """What the result owes to what the table does not say."""
    caveats = []
    if finding.layout.freedom == 0:
        if finding.noise.pooled > 0.5:
            caveats.append("one run a size: noise from the roughness of all tasks together")
        else:
            caveats.append("one run a size: noise from the curve's own roughness")
    if not np.any(curve.evaluation):
        caveats.append("n_eval unknown: noise from seeds alone" if finding.layout.freedom else "n_eval unknown")
    if np.isfinite(curve.chance) and curve.higher_is_better and curve.runs.value.max() < curve.chance:
        caveats.append(f"every value lies below chance ({curve.chance:.3g})")
    if curve.repeated:
        caveats.append(f"{curve.repeated} repeated rows of runs were averaged")
    if len(finding.layout.t) < len(curve.runs.sizes):
        caveats.append(f"{len(curve.runs.sizes)} sizes taken together to {len(finding.layout.t)}")
    return "".join(f"; {caveat}" for caveat in caveats)


def _link(own: _Examined, paired: Curve) -> PowerRelation | None:
    """How the metric is a power of its pair, where both are shares measured at the same sizes."""
    curve, finding, _ = own
    if not (curve.higher_is_better and paired.higher_is_better):
        return None
    if not np.array_equal(curve.runs.sizes, paired.runs.sizes):
        return None
    if any(c.runs.value.min() < 0 or c.runs.value.max() > 1 for c in (curve, paired)):
        return None
    sd = None
    if finding is not None and len(finding.layout.t) == len(curve.runs.sizes):
        sd = np.sqrt(finding.noise.variance / finding.layout.counts)
    return power_relation(curve.runs, paired.runs, sd)


def _adjusted(p_values: Sequence[float | None]) -> list[float]:
    """Benjamini-Hochberg over the p values that there are."""
    there = [p for p in p_values if p is not None]
    corrected = iter(false_discovery_control(there) if there else [])
    return [float("nan") if p is None else float(next(corrected)) for p in p_values]
