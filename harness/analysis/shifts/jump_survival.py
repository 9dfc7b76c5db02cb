"""Does a jump survive a shift? Verdict and N* of each ability on its own evaluation set, and on each shifted one.

Each split is judged by itself, as `find_jumps` would judge it alone, and the two thresholds are compared as
`compare_thresholds` compares curves. With N* and N*' those on the own and on the shifted set:

    survives      jumps on both, and the interval of N*' / N* holds 1 (p adjusted over the table, Holm)
    moves         jumps on both, at sizes that differ
    vanishes      jumps on the own set; on the shifted one it rises smoothly, not at all, or drops
    appears       jumps on the shifted set, and is smooth or flat on its own
    no jump       on neither
    not decided   either verdict is inconclusive or of too few sizes, or a threshold is not on the ladder

A jump is a verdict of emergent, candidate or metric artefact; both verdicts stand beside the outcome, and so do both
heights, for a jump that survives may have become a small one. Curves of the
same runs rise together, and are compared as if they were independent: intervals of ratios are too wide rather than too
narrow, and a jump that moves by little is called one that survives.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.emergence.comparison import Comparison, compare_thresholds, holm, ratios
from harness.analysis.emergence.verdicts import Verdict
from harness.analysis.shifts.shares import shifts_in

_KEY = ["study", "task", "subtask", "metric"]
_COLUMNS = [
    *("study", "task", "subtask", "metric", "split", "verdict", "shifted_verdict"),
    *("threshold", "threshold_low", "threshold_high", "shifted_threshold", "shifted_low", "shifted_high"),
    *("height", "shifted_height"),
    *("ratio", "ratio_low", "ratio_high", "p_value", "p_adjusted", "outcome", "reason", "shifted_reason"),
]
_JUMPS = (Verdict.EMERGENT, Verdict.CANDIDATE, Verdict.ARTEFACT)
_NONE = (Verdict.SMOOTH, Verdict.DROP)


class Outcome(StrEnum):
    """What becomes of a jump under a shift."""

    SURVIVES = "survives"
    MOVES = "moves"
    VANISHES = "vanishes"
    APPEARS = "appears"
    NO_JUMP = "no jump"
    NOT_DECIDED = "not decided"


def jump_survival(
    frame: pd.DataFrame,
    x: str = "params_non_embedding",
    own: str = "eval",
    alpha: float = 0.05,
    level: float = 0.95,
    fraction: float = 0.5,
) -> pd.DataFrame:
    """Compare the jumps of a frame's own split with those of its others.

    Args:
        frame: as `find_jumps` takes it, with a column split, as `harness.load(path, split=None)` gives it.
        x, alpha, level, fraction: as `compare_thresholds` takes them; alpha within each split.
        own: the split that others are compared with.

    Returns:
        A row per study, task, subtask, discontinuous metric and shift that was measured: verdict and shifted_verdict;
        threshold and shifted_threshold (N*, in the unit of x) with their intervals; height and shifted_height (of the
        jump, or of the largest rise, in units of the metric); ratio (of the shifted N* to the own
        one) with ratio_low and ratio_high, p_value (two-sided, of equal thresholds) and p_adjusted (Holm, over those
        that jump on both); outcome (`Outcome`); reason and shifted_reason, of the two verdicts.

    Raises:
        DataError: no such split, or as `compare_thresholds`.
        SettingError: a setting out of its range.
    """
    shifts = shifts_in(frame, own)
    found = {
        split: compare_thresholds(
            frame[frame["split"].astype(str) == split], x, fraction=fraction, level=level, alpha=alpha
        )
        for split in (own, *shifts)
    }
    rows = [
        _row(_named(curve), split, found[own], found[split], level)
        for split in shifts
        for curve in found[own].jumps.to_dict("records")
        if _with_key(found[split].jumps, _key_of(curve)) is not None
    ]
    table = pd.DataFrame(rows, columns=_COLUMNS)
    compared = table["outcome"].isna()
    table.loc[compared, "p_adjusted"] = holm(table.loc[compared, "p_value"].to_numpy(float))
    differ = table["p_adjusted"] < 1 - level
    table["outcome"] = table["outcome"].where(~compared, np.where(differ, Outcome.MOVES, Outcome.SURVIVES))
    return table.sort_values(["study", "subtask", "metric"], kind="stable", ignore_index=True)


def _row(curve: Mapping[str, Any], split: str, own: Comparison, shifted: Comparison, level: float) -> dict[str, Any]:
    """One row, whose outcome is None where it follows from the ratio of two thresholds."""
    key = _key_of(curve)
    row = dict.fromkeys(_COLUMNS, np.nan) | dict(zip(_KEY, key, strict=True)) | {"split": split}
    there = _with_key(shifted.jumps, key)
    row |= {"verdict": curve["verdict"], "reason": curve["reason"]}
    row |= {name: curve[name] for name in ("threshold", "threshold_low", "threshold_high", "height")}
    assert there is not None
    row |= {"shifted_verdict": there["verdict"], "shifted_reason": there["reason"]}
    names = {"threshold": "shifted_threshold", "threshold_low": "shifted_low", "threshold_high": "shifted_high"}
    names |= {"height": "shifted_height"}
    row |= {name: there[of] for of, name in names.items()}
    before, after = (_placed(each, key) for each in (own, shifted))
    jumps = curve["verdict"] in _JUMPS, there["verdict"] in _JUMPS
    if before is not None and after is not None and any(jumps):
        middle = np.array([before[0], after[0]])
        (pair,) = ratios(["own", "shifted"], middle, np.stack([before[1], after[1]]), level).to_dict("records")
        row |= {"ratio": pair["ratio"], "ratio_low": pair["low"], "ratio_high": pair["high"]}
        row |= {"p_value": pair["p_value"]} if all(jumps) else {}
    return row | {"outcome": _outcome(curve["verdict"], there["verdict"], np.isfinite(row["p_value"]))}


def _key_of(curve: Mapping[Any, Any]) -> tuple[str, ...]:
    return tuple(str(curve[name]) for name in _KEY)


def _outcome(own: str, shifted: str, compared: bool) -> Outcome | None:
    """None for a jump on both whose thresholds are compared."""
    if own in _JUMPS and shifted in _JUMPS:
        return None if compared else Outcome.NOT_DECIDED
    if own in _JUMPS and shifted in _NONE:
        return Outcome.VANISHES
    if own in _NONE and shifted in _JUMPS:
        return Outcome.APPEARS
    return Outcome.NO_JUMP if own in _NONE and shifted in _NONE else Outcome.NOT_DECIDED


def _placed(comparison: Comparison, key: tuple[str, ...]) -> tuple[float, np.ndarray] | None:
    """ln N* of a curve and quantiles of its posterior; None where it has no N*."""
    at = np.flatnonzero(_is(comparison.table, key))
    if not len(at):
        return None
    return float(np.log(comparison.table["threshold"].iloc[at[0]])), comparison.log_quantiles[at[0]]


def _with_key(jumps: pd.DataFrame, key: tuple[str, ...]) -> dict[str, Any] | None:
    found = jumps[_is(jumps, key)]
    return None if found.empty else _named(found.to_dict("records")[0])


def _is(rows: pd.DataFrame, key: tuple[str, ...]) -> np.ndarray:
    """(n,) which rows are of this study, task, subtask and metric."""
    return np.asarray((rows[_KEY].to_numpy(str) == np.array(key)).all(axis=1))


def _named(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}
