"""Jumps: claims that a metric rises more sharply than any smooth curve on its ladder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.axis import Axis
from harness.analysis.checks import check_between_0_and_1
from harness.analysis.curves import Curve, assumed_meanings, label_runs, make_curves, require_columns
from harness.analysis.emergence.assessment import Assessed, assess, claims
from harness.analysis.emergence.evidence import Finding
from harness.analysis.emergence.remedies import what_would_settle
from harness.analysis.emergence.thresholds import ONSET, Places, Threshold, places_of, threshold_columns
from harness.analysis.emergence.verdicts import Evidence, PowerRelation, State, Verdict, judge, power_relation
from harness.analysis.false_discovery import adjusted
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
    "onset",
    "onset_low",
    "onset_high",
    "half_rise",
    "half_rise_low",
    "half_rise_high",
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
    "ladder_steps",
    "n_rungs",
    "n_runs",
    "chance",
    "first_mean",
    "best_mean",
    "higher_is_better",
]


def find_jumps(
    frame: pd.DataFrame,
    x: str = "params_non_embedding",
    alpha: float = 0.05,
    level: float = 0.95,
    fraction: float = 0.5,
    onset: float = ONSET,
) -> pd.DataFrame:
    """Which discontinuous metrics jump, and whether the continuous metric on the same outputs jumps with them.

    A jump is a claim against a null: the curve is smooth. *Smooth* is a level, one or two rises or falls of at least
    four ladder steps from 10 to 90 %, or one of each; *smooth plus a jump* is a jump within a step or two, alone or on
    such a rise or fall (`models`; a step is the median distance of neighbouring sizes in ln x). The statistic is the
    logarithm of the Bayes factor of the two, its p value from a calibration over smooth curves of the same
    signal-to-noise ratio (`calibration`); noise comes from the scatter of seeds and finite evaluation sets, pooled over
    the tasks of a study and metric (`noise`). A curve jumps if its adjusted p value is below `alpha` and its statistic
    above 0. p_adjusted is after Benjamini and Hochberg over all claims of the call, continuous metrics of pairs
    included. Error rates and power on planted curves are measured by experiments/detector_calibration; METHOD.md beside
    this file has the method from the top, VERDICTS.md what the verdicts claim.

    Args:
        frame: as `harness.load` returns it, or one's own, a row per (run, subtask, metric): columns x, metric, value
            and one of run_id, member, seed. What may be absent, and what is then taken: study and task (one each),
            subtask ('all'), chance (unknown), n_eval (unknown: noise from seeds alone), seed (each run is of a seed of
            its own). What a metric means (higher_is_better, discontinuous) is assumed by its name where these
            columns do not state it (`harness.metric_names`); paired_metric, the continuous metric of the same outputs,
            never is: without it a metric has no pair.
        x: column of sizes, > 0. Where it is named like a loss, an error or a perplexity, abilities are taken to appear
            as it falls, and places are in its own unit.
        alpha: false discovery rate.
        level: of the intervals of thresholds, widths and heights.
        fraction: share of the rise at which an ability that does not jump is said to have appeared.
        onset: share of the rise at which an ability is said to set in.

    Returns:
        A row per study, task, subtask and discontinuous metric:
            study, task, subtask, metric.
            p_value, p_adjusted: against smooth curves.
            statistic: ln Bayes factor of smooth plus a jump, up or down, against smooth; for ranking.
            verdict: emergent (jumps, and so does its pair), candidate (jumps; no continuous metric is known to be of
                the same outputs), metric artefact, smooth, drop, inconclusive or too few sizes; reason: why, in a
                sentence.
            threshold, threshold_low, threshold_high: N* in the unit of x, the place of the jump where the curve jumps,
                else where its mean crosses `fraction` of its rise (`thresholds`); 0 and inf where an end is open.
            onset, half_rise, each with _low and _high: where the mean crosses `onset` and half of its rise.
            state: what the metric's own runs say (`verdicts.State`).
            p_value_without_powers: against smooth curves without powers of smooth laws, which an all-or-nothing score
                of smooth tokens is; where that decides, for metrics that are a power of a smooth pair.
            continuous_metric, continuous_p_value, continuous_state: the same of the pair.
            link_length, link_residual: how the metric is a power of its pair (`verdicts.PowerRelation`).
            rise_width, rise_width_low, rise_width_high: of the mean's largest rise, in steps from 10 to 90 %;
                sharpness: the same in decades of x.
            height, height_low, height_high: of the jump where the curve jumps, else of the mean's largest rise; in
                units of the metric.
            tested_by_seed: whether seeds were tested one by one.
            share_able: of the runs at the largest size, those nearer to the top of the curve than to its bottom.
            step_octaves: length of a step, the resolution of every claim; ladder_steps: length of the ladder in steps;
                n_rungs, n_runs, chance.
            first_mean, best_mean: mean over the runs of the first size, and the best of all sizes; higher_is_better.
        Its ``attrs["assumed"]`` holds what was assumed of metrics by their names: metric -> column -> value, empty
        where the frame states all.

    Raises:
        DataError: a column is missing or holds what cannot be used.
        SettingError: a setting out of its range.
    """
    check_between_0_and_1(alpha=alpha, level=level, fraction=fraction, onset=onset)
    require_columns(frame, (x, "metric", "value"))
    axis = Axis.of(x)
    curves = list(make_curves(label_runs(axis.with_rising(frame)), axis.rising))
    found = judged(assess(curves, alpha), Settings(alpha, level, fraction, onset, axis))
    found.attrs["assumed"] = assumed_meanings(frame)
    return found


def judged(assessed: Sequence[Assessed], settings: Settings) -> pd.DataFrame:
    """The rows of `find_jumps`, of curves that were assessed together."""
    pairs = claims([each.curve for each in assessed])
    without_powers = _without_powers(assessed, pairs, settings.alpha)
    rows = [
        _row(assessed[i], None if other is None else assessed[other], without_powers.get(i), settings)
        for i, other in pairs
    ]
    return settings.axis.turned_rows(pd.DataFrame(rows, columns=_COLUMNS))


@dataclass(frozen=True)
class Settings:
    """As `find_jumps` takes them; the axis is that of x."""

    alpha: float
    level: float
    fraction: float
    onset: float
    axis: Axis


@dataclass(frozen=True)
class _WithoutPowers:
    """P value of a curve if powers of smooth laws do not count as smooth, and the adjusted one if it then jumps."""

    p_value: float
    p_if_jumps: float | None


def _evidence(assessed: Assessed, places: Places | Threshold | None = None) -> Evidence:
    """What the runs of a metric say, for its verdict."""
    name, state = assessed.curve.metric, assessed.state
    places = places or places_of(assessed)
    if isinstance(places, Threshold) or np.isnan(assessed.p_adjusted):
        return Evidence(name, state, 1.0)
    test, drawn = places.finding.test, places.drawn
    if assessed.has_jump_place:
        low, high = places.finding.compared.gap(0)
        width, in_a_gap = high - low, not np.any((places.finding.design.t > low) & (places.finding.design.t < high))
    else:
        width, in_a_gap = float(drawn.rise_widths(np.array([0.5]))[0]), False
    course = drawn.course if assessed.curve.higher_is_better else _upside_down(drawn.course)
    ladder = float(np.ptp(places.finding.design.t))
    change = places.finding.change(assessed.alpha) * (1 if assessed.curve.higher_is_better else -1)
    return Evidence(
        name, state, assessed.p_adjusted, test.statistic, width, course, test.by_seed, in_a_gap, ladder, change
    )


def _upside_down(course: str) -> str:
    """What a loss does where its negative does `course`."""
    words = {"rises": "falls", "falls": "rises"}
    return ", then ".join(words[part] for part in course.split(", then "))


def _row(
    own: Assessed, other: Assessed | None, without_powers: _WithoutPowers | None, settings: Settings
) -> dict[str, Any]:
    """One row of `find_jumps`."""
    places = places_of(own)
    row = dict.fromkeys(_COLUMNS, float("nan")) | _about(own.curve)
    row |= threshold_columns(places, settings.fraction, settings.level, settings.onset)
    row["state"] = str(own.state)
    if isinstance(places, Threshold) or np.isnan(own.p_adjusted):
        verdict, reason = _untested(own, settings.axis)
        return row | {"verdict": str(verdict), "reason": reason}
    evidence = _evidence(own, places)
    link = None if other is None else _link(own, other.curve)
    continuous = _evidence(other) if other is not None and other.state is not State.TOO_FEW_SIZES else None
    not_on_ladder = str(row["reason"]) if own.state is State.JUMP else ""
    verdict, reason = judge(
        evidence, continuous, None if without_powers is None else without_powers.p_if_jumps, link, not_on_ladder
    )
    reason += _addenda(places.finding, own.state, verdict, settings)
    row |= _measured(places, settings.level) | {
        "p_adjusted": own.p_adjusted,
        "verdict": str(verdict),
        "reason": reason,
    }
    if without_powers is not None:
        row["p_value_without_powers"] = without_powers.p_value
    if continuous is not None:
        row["continuous_p_value"] = 1.0 if other is None or other.finding is None else other.finding.test.p_value
        row["continuous_state"] = str(continuous.state)
    if link is not None:
        row |= {"link_length": link.length, "link_residual": link.residual}
    return row


def _without_powers(
    assessed: Sequence[Assessed], pairs: Sequence[tuple[int, int | None]], alpha: float
) -> dict[int, _WithoutPowers]:
    """Index of each curve for which it decides whether powers of smooth laws count as smooth -> what follows if not.

    It decides where a metric shows no jump and is a power of a pair that is smooth. P values are adjusted as if all
    paired metrics had been tested, the others with a p value of 1: the safe side.
    """
    paired = [(i, other) for i, other in pairs if other is not None and not np.isnan(assessed[i].p_adjusted)]
    p_values = dict.fromkeys((i for i, _ in paired), 1.0)
    tests = {}
    for i, other in paired:
        finding = assessed[i].finding
        if finding is not None and _may_be_power(assessed[i], assessed[other]):
            tests[i] = finding.test_without_powers
            p_values[i] = tests[i].p_value
    of_all = dict(zip(p_values, adjusted(list(p_values.values())), strict=True))
    return {
        i: _WithoutPowers(test.p_value, of_all[i] if of_all[i] < alpha and test.statistic > 0 and test.up else None)
        for i, test in tests.items()
    }


def _may_be_power(own: Assessed, pair: Assessed) -> bool:
    link = _link(own, pair.curve)
    no_jump = own.state in (State.SMOOTH, State.UNDETERMINED) and pair.state in (State.SMOOTH, State.FLAT)
    return no_jump and link is not None and link.holds


def _about(curve: Curve) -> dict[str, Any]:
    """What a row says of its curve before anything is tested."""
    means = curve.runs.means(curve.runs.value)
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
        "first_mean": means[0],
        "best_mean": means.max() if curve.higher_is_better else means.min(),
        "higher_is_better": curve.higher_is_better,
    }


def _measured(places: Places, level: float) -> dict[str, Any]:
    """What a row says of a rise whatever the verdict."""
    finding, drawn = places.finding, places.drawn
    ends = np.array([(1 - level) / 2, 0.5, (1 + level) / 2])
    heights = (drawn.jump_heights if places.assessed.has_jump_place else drawn.heights)(ends)
    widths = drawn.rise_widths(ends)
    return {
        "p_value": finding.test.p_value,
        "statistic": finding.test.statistic,
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
        "ladder_steps": float(np.ptp(finding.design.t)),
    }


def _untested(own: Assessed, axis: Axis) -> tuple[Verdict, str]:
    if own.state is State.TOO_FEW_SIZES:
        return judge(Evidence(own.curve.metric, own.state, 1.0), None, places=axis.places)
    return Verdict.SMOOTH, f"all values of {own.curve.metric} are equal: no rise to be tested"


def _addenda(finding: Finding, state: State, verdict: Verdict, settings: Settings) -> str:
    """What a reason goes on to say: a remedy, the share of runs that have the ability, and caveats."""
    added = []
    if (state is State.UNDETERMINED and verdict is Verdict.INCONCLUSIVE) or state is State.FLAT:
        added.append(what_would_settle(finding, settings.alpha, settings.axis))
    if state is State.JUMP and finding.test.by_seed:
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


def _link(own: Assessed, paired: Curve) -> PowerRelation | None:
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
        sd = np.sqrt(finding.variance)
    return power_relation(curve.runs, paired.runs, sd)
