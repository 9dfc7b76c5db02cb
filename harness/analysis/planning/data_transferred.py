"""Effective data transferred, read off the runs: on how much data a model from scratch would do as a pretrained one.

D_E is the amount on which the same size reaches from scratch the loss that it reaches after fine-tuning on D_F, and
D_T = D_E - D_F is what pretraining was worth (Hernandez et al. 2021, section 2.1). The multiplier D_E / D_F is above 1
where pretraining helps. No law of either curve is assumed: the runs from scratch are interpolated, and never followed
beyond their amounts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.analysis.checks import check_between_0_and_1, positive_columns
from harness.analysis.planning.scratch_curve import amounts_of, interpolation_error
from harness.analysis.planning.seed_draws import Cells, draw_means
from harness.errors import DataError, SettingError

#: Fewest draws of other seeds.
LEAST_DRAWS = 100
#: Fewest amounts from scratch: with two, nothing tells how far an interpolation between them errs.
LEAST_AMOUNTS = 3
#: How far beyond the amounts from scratch a D_E stands, in ln amount, of which it is known only that it is beyond.
_BEYOND = 1e-6


class Reading(StrEnum):
    """What D_E is."""

    MEASURED = "measured"
    AT_LEAST = "at least"
    AT_MOST = "at most"


class Effect(StrEnum):
    """What the interval of the multiplier says of pretraining."""

    HELPS = "helps"
    HURTS = "hurts"
    NOT_TOLD = "not told apart"
    NO_INTERVAL = "no interval"


@dataclass(frozen=True)
class DataTransferred:
    """What pretraining is worth, at each size and amount.

    Attributes:
        amounts: a row a size and amount of fine-tuning: N, D_F, n_runs, loss (geometric mean); reading (a `Reading`);
            D_E, D_T and multiplier, each with _low and _high; effect (an `Effect`). Where the loss lies beyond the
            runs from scratch, `reading` says so, D_E is the end of their range, and the interval is open on that side:
            inf, or 0.
        sizes: a row a size: N; helps_to, the largest amount tried at which pretraining is shown to help; hurts_from,
            the least from which on it is shown to hurt, both NaN where there is none; turning_point, the amount at
            which the multiplier crosses 1, with _low and _high: inf where it lies beyond the amounts tried, 0 where it
            lies below them, NaN where pretraining is not shown to help at any.
        runs: the runs: N, D, pretrained, loss.
        level: of the intervals.
        n_alone: runs that no size has both kinds of, which are left out.
    """

    amounts: pd.DataFrame
    sizes: pd.DataFrame
    runs: pd.DataFrame
    level: float
    n_alone: int


def data_transferred(
    x: ArrayLike | pd.DataFrame,
    y: ArrayLike,
    pretrained: ArrayLike,
    seed: ArrayLike | None = None,
    *,
    level: float = 0.95,
    n_draws: int = 1000,
    random_state: int = 0,
) -> DataTransferred:
    """Effective data transferred of every size at every amount of fine-tuning, with intervals.

    Intervals come from draws of the mean losses as other seeds would have them: runs of one size and seed are drawn
    together, from scratch and pretrained, and sizes share their scatter unless they differ in it (`seed_draws`). With
    one run each there are none.

    Args:
        x: (n, 2) parameters N and training examples D of each run; of pretrained runs those of fine-tuning.
        y: (n,) loss, > 0.
        pretrained: (n,) truth values: whether the run began from a pretrained model.
        seed: (n,) labels: runs of one size that share it are paired. None takes all runs as independent.
        level: of the intervals, in (0, 1).
        n_draws: at least 100.
        random_state: seed of the draws.

    Raises:
        DataError: a value that is not allowed, columns of unequal length, or no size that has runs from scratch at
            three amounts and pretrained runs.
        SettingError: a setting out of its range.

    Examples:
        >>> import harness
        >>> from harness.datasets import TransferTruth, make_transfer
        >>> runs = make_transfer(truth=TransferTruth(kept=0.5), random_state=0).frame
        >>> found = harness.data_transferred(runs[["N", "D"]], runs["loss"], runs["pretrained"], runs["seed"])
        >>> found.amounts.query("N == 1e9")["effect"].tolist()
        ['helps', 'helps', 'helps', 'helps', 'helps', 'helps', 'hurts']
    """
    check_between_0_and_1(level=level)
    if n_draws < LEAST_DRAWS:
        raise SettingError("n_draws", n_draws, f"at least {LEAST_DRAWS}")
    table = _checked(x, y, pretrained, seed)
    runs = table[table["N"].isin(_sizes_with_both(table))]
    cells = _cells(runs)
    rng = np.random.default_rng(random_state)
    drawn = draw_means(cells.of_runs, n_draws, level, rng)
    means = cells.of_runs.means
    amounts, sizes = [], []
    for number, size in enumerate(cells.sizes):
        own = cells.table[cells.of_runs.size == number]
        scratch, tuned = (own[own["pretrained"] == kind].sort_values("D") for kind in (False, True))
        known = n_draws if np.isfinite(drawn[:, own["place"]]).all() else 0
        estimate, *others = _effective(np.vstack([means, drawn[:known]]), scratch, tuned)
        reach = scratch["D"].to_numpy()[[0, -1]]
        off = interpolation_error(*_curve(means, scratch))
        draws = np.array(others).reshape(-1, len(tuned))
        draws = draws + off * rng.standard_normal(draws.shape)
        rows = _rows(size, tuned, estimate, draws, reach, means, level)
        amounts += rows
        helps = any(row["effect"] in (Effect.HELPS, Effect.NO_INTERVAL) for row in rows)
        crossing = _turning(tuned, estimate, draws, reach, level, rng) if helps else (np.nan,) * 3
        sizes.append(_of_size(size, rows, crossing))
    return DataTransferred(
        pd.DataFrame(amounts),
        pd.DataFrame(sizes),
        runs[["N", "D", "pretrained", "loss"]].reset_index(drop=True),
        level,
        len(table) - len(runs),
    )


# ------------------------------------------------------------------------------------------------------------ the runs


def _checked(x: ArrayLike | pd.DataFrame, y: ArrayLike, pretrained: ArrayLike, seed: ArrayLike | None) -> pd.DataFrame:
    """The runs as a frame: N, D, loss, pretrained, seed (number)."""
    given = np.asarray(x)
    if given.ndim != 2 or given.shape[1] != 2:
        raise DataError(f"x has the shape {given.shape}: wanted are two columns, parameters N and examples D")
    n, d, loss = positive_columns(N=given[:, 0], D=given[:, 1], loss=y)
    kind = np.asarray(pretrained)
    if kind.shape != n.shape or not np.isin(kind, (0, 1)).all():
        raise DataError("pretrained: a truth value a run is wanted: from scratch (False) or pretrained (True)")
    label = np.arange(len(n)) if seed is None else np.asarray(seed)
    if label.shape != n.shape:
        raise DataError(f"seed has {label.size} rows where x has {len(n)}")
    number = np.unique(label.astype(str), return_inverse=True)[1].ravel()
    table = pd.DataFrame({"N": n, "D": d, "loss": loss, "pretrained": kind.astype(bool), "seed": number})
    twice = table.duplicated(["N", "D", "pretrained", "seed"])
    if seed is not None and twice.any():
        row = int(np.argmax(twice))
        raise DataError(
            f"row {row}: a second run of N = {n[row]:g}, D = {d[row]:g}, pretrained = {bool(kind[row])} and seed "
            f"{label[row]}; runs that differ in anything else are to be chosen among"
        )
    return table


def _sizes_with_both(table: pd.DataFrame) -> list[float]:
    amounts = table.groupby(["N", "pretrained"])["D"].nunique().unstack(fill_value=0)
    amounts = amounts.reindex(columns=[False, True], fill_value=0)
    found = amounts.index[(amounts[False] >= LEAST_AMOUNTS) & (amounts[True] >= 1)].tolist()
    if not found:
        raise DataError(
            f"no size has runs from scratch at {LEAST_AMOUNTS} amounts of data or more, and pretrained runs: "
            f"{(~table['pretrained']).sum()} runs are from scratch and {table['pretrained'].sum()} pretrained, of "
            f"{table['N'].nunique()} sizes"
        )
    return found


@dataclass(frozen=True)
class _CellsOfSizes:
    """Cells, with what each is: a frame N, D, pretrained, count, place (its number)."""

    of_runs: Cells
    table: pd.DataFrame
    sizes: list[float]


def _cells(runs: pd.DataFrame) -> _CellsOfSizes:
    grouped = runs.groupby(["N", "pretrained", "D"], sort=True)
    table = grouped.size().rename("count").reset_index()
    table["place"] = np.arange(len(table))
    rank = table.groupby(["N", "pretrained"]).cumcount()
    sizes, size = np.unique(table["N"], return_inverse=True)
    kind = (2 * rank + table["pretrained"]).to_numpy()
    cells = Cells(np.log(runs["loss"].to_numpy()), grouped.ngroup().to_numpy(), size, kind, runs["seed"].to_numpy())
    return _CellsOfSizes(cells, table, sizes.tolist())


# -------------------------------------------------------------------------------------------------------- what is read


def _effective(means: np.ndarray, scratch: pd.DataFrame, tuned: pd.DataFrame) -> np.ndarray:
    """(b, k) ln D_E of each amount of fine-tuning, by mean ln losses (b, cells)."""
    return amounts_of(means[:, tuned["place"]], *_curve(means, scratch))


def _curve(means: np.ndarray, scratch: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """From scratch: ln amounts (m,), mean ln losses (..., m) and numbers of runs (m,)."""
    return np.log(scratch["D"].to_numpy()), means[..., scratch["place"]], scratch["count"].to_numpy(float)


def _rows(
    size: float,
    tuned: pd.DataFrame,
    estimate: np.ndarray,
    others: np.ndarray,
    reach: np.ndarray,
    means: np.ndarray,
    level: float,
) -> list[dict[str, Any]]:
    """A row of `DataTransferred.amounts` for each amount (k,).

    Args:
        estimate, others: (k,) and (draws, k) ln D_E.
        reach: (2,) the least and the greatest amount from scratch.
    """
    logs = np.log(tuned["D"].to_numpy())
    low, high = _ends(others, level, len(logs))
    rows = []
    for i, cell in enumerate(tuned.to_dict("records")):
        reading = Reading.MEASURED if np.isfinite(estimate[i]) else Reading.AT_LEAST
        reading = Reading.AT_MOST if estimate[i] == -np.inf else reading
        # An end beyond the runs from scratch is known to be beyond them, and no more.
        held = np.clip(np.exp([estimate[i], low[i], high[i]]), *reach)
        effective = held[0], 0.0 if low[i] == -np.inf else held[1], np.inf if high[i] == np.inf else held[2]
        amount, row = cell["D"], {"N": size, "D_F": cell["D"], "n_runs": cell["count"]}
        row |= {"loss": float(np.exp(means[cell["place"]])), "reading": str(reading)}
        for name, of in (
            ("D_E", effective),
            ("D_T", np.subtract(effective, amount)),
            ("multiplier", np.divide(effective, amount)),
        ):
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), map(float, of), strict=True))
        effect = Effect.HELPS if low[i] > logs[i] else Effect.HURTS if high[i] < logs[i] else Effect.NOT_TOLD
        row["effect"] = str(Effect.NO_INTERVAL if np.isnan(low[i]) else effect)
        rows.append(row)
    return rows


def _turning(
    tuned: pd.DataFrame,
    estimate: np.ndarray,
    others: np.ndarray,
    reach: np.ndarray,
    level: float,
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """ln of the amount at which the multiplier is 1, with its interval: ln of it is read as a curve that falls."""
    logs, alike, one = np.log(tuned["D"].to_numpy()), np.ones(len(tuned)), np.zeros((1 + len(others), 1))
    # What is beyond the runs from scratch is not at their end.
    least, most = np.log(reach) + np.array([-_BEYOND, _BEYOND])
    gains = np.clip(np.vstack([estimate, others]), least, most) - logs
    if len(logs) == 1:
        found, *draws = np.where(gains[:, 0] < 0, -np.inf, np.inf)
        off = 0.0
    else:
        found, *draws = amounts_of(one, logs, gains, alike)[:, 0]
        off = interpolation_error(logs, gains[0], alike) if len(logs) > 2 else 0.0
    low, high = _ends((np.array(draws) + off * rng.standard_normal(len(draws)))[:, None], level, 1)
    return float(found), float(low[0]), float(high[0])


def _ends(drawn: np.ndarray, level: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Ends (k,) of the middle `level` of draws (draws, k), some of which may be infinite; NaN without draws."""
    if not len(drawn):
        return np.full(count, np.nan), np.full(count, np.nan)
    ordered = np.sort(drawn, axis=0)
    outside = int(np.floor((1 - level) / 2 * len(drawn)))
    return ordered[outside], ordered[len(drawn) - 1 - outside]


def _of_size(size: float, rows: list[dict[str, Any]], crossing: tuple[float, float, float]) -> dict[str, Any]:
    """A row of `DataTransferred.sizes`."""
    helped = [row["D_F"] for row in rows if row["effect"] == Effect.HELPS]
    harmed = [row["D_F"] for row in rows if row["effect"] == Effect.HURTS]
    # From where on it hurts at every amount tried.
    unharmed = max((row["D_F"] for row in rows if row["effect"] != Effect.HURTS), default=0.0)
    turning = dict(
        zip(("turning_point", "turning_point_low", "turning_point_high"), np.exp(crossing).tolist(), strict=True)
    )
    found = {
        "helps_to": max(helped, default=np.nan),
        "hurts_from": min((d for d in harmed if d > unharmed), default=np.nan),
    }
    return {"N": size, **found, **turning}
