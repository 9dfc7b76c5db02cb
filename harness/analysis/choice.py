"""Choice among laws: by how well they fit, and by how well they foresaw the largest runs from the smaller ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.analysis.checks import TooFewDataError, check_law, laws_for
from harness.analysis.fitting import FitStatus, ScalingLaw
from harness.analysis.laws import LAWS
from harness.errors import DataError, UserError

#: Laws of a loss that `fit_best` compares, by their number of variables.
COMPARED = {
    1: ("power", "power_floor", "bnsl1", "m4"),
    2: ("hoffmann", "gadre", "kaplan"),
    3: ("width_depth",),
}

#: A difference of AICc above which a law is refused (Burnham and Anderson 2002, section 2.6).
REFUSED = 10.0

#: Shares of the places, the smallest first, that rolling extrapolation fits to; the rest is foretold.
CUTS = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Choice:
    """Laws fitted to the same data.

    Attributes:
        best: the fit with the lowest AICc.
        ranking: a row a law, best first: law, formula, aicc, delta_aicc, rolling_error (median absolute relative error
            of rolling extrapolation), status, params, message.
        fits: law name -> fit.
    """

    best: ScalingLaw
    ranking: pd.DataFrame
    fits: dict[str, ScalingLaw]

    @property
    def verdict(self) -> str:
        """One sentence, e.g. 'E + A x^-alpha; A x^-alpha is refused (AICc higher by 41.2)'."""
        rows = self.ranking.to_dict("records")
        others = [
            f"{row['formula']} is {'refused' if row['delta_aicc'] > REFUSED else 'not excluded'} "
            f"(AICc higher by {row['delta_aicc']:.1f})"
            for row in rows[1:]
            if np.isfinite(row["delta_aicc"])
        ]
        return "; ".join([rows[0]["formula"], *others])


def fit_best(
    x: ArrayLike | pd.DataFrame,
    y: ArrayLike,
    groups: ArrayLike | None = None,
    laws: tuple[str, ...] | None = None,
    rolling: bool = True,
    **settings: Any,
) -> Choice:
    """Fit each law by squares and rank by AICc.

    Args:
        x, y, groups: as in `ScalingLaw.fit`.
        laws: keys of `laws.LAWS`; by default those of `COMPARED` with as many variables as x has columns.
        rolling: whether to fit each law to the smaller sizes as well, for `rolling_error`.
        settings: of `ScalingLaw`, but for law and objective.

    Raises:
        UserError: no law can be fitted; the message is that of the law with the fewest parameters.
    """
    laws = laws_for(x, COMPARED) if laws is None else laws
    fits: dict[str, ScalingLaw] = {}
    refused: dict[str, UserError] = {}
    for name in laws:
        check_law(name, "laws")
        try:
            fits[name] = ScalingLaw(**settings | {"law": name, "objective": "squares"}).fit(x, y, groups)
        except DataError:
            raise
        except UserError as error:
            refused[name] = error
    if not fits:
        raise refused[min(refused, key=lambda name: LAWS[name].min_points)]
    order = sorted(fits, key=lambda name: (fits[name].aicc_, LAWS[name].min_points))
    lowest = fits[order[0]].aicc_
    rows = [
        {
            "law": name,
            "formula": LAWS[name].formula,
            "aicc": fits[name].aicc_,
            "delta_aicc": 0.0 if name == order[0] else fits[name].aicc_ - lowest,
            "rolling_error": _rolling_error(name, x, y, groups) if rolling else np.nan,
            "status": str(fits[name].status_),
            "params": fits[name].params_,
            "message": fits[name].message_,
        }
        for name in order
    ]
    rows += [
        {
            "law": name,
            "formula": LAWS[name].formula,
            "aicc": np.nan,
            "delta_aicc": np.nan,
            "rolling_error": np.nan,
            "status": str(FitStatus.TOO_FEW_DATA if isinstance(error, TooFewDataError) else FitStatus.NOT_IDENTIFIABLE),
            "params": {},
            "message": str(error),
        }
        for name, error in refused.items()
    ]
    return Choice(fits[order[0]], pd.DataFrame(rows), fits)


def _rolling_error(name: str, x: ArrayLike | pd.DataFrame, y: ArrayLike, groups: ArrayLike | None) -> float:
    errors = rolling_extrapolation(x, y, groups, law=name)["error"].abs()
    return float(errors.median()) if len(errors) else float("nan")


def rolling_cuts(places: np.ndarray) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Each of `CUTS` that leaves other runs than the one before, of places (n, d): the cut, the runs (n,) that it sees,
    and how far the others reach beyond them, as a factor.

    Sizes are ordered by the product of the columns (with N and D: by compute); runs of about one size stay together.
    """
    size = np.log(places).sum(axis=1)
    label = np.round(size - size.min(), 1)
    rungs = np.unique(label)
    edges = {rungs[max(0, round(cut * len(rungs)) - 1)]: cut for cut in reversed(CUTS)}
    seen = [(cut, label <= edge) for edge, cut in sorted(edges.items()) if edge < rungs[-1]]
    return [(cut, some, np.exp(size[~some] - size[some].max())) for cut, some in seen]


def rolled(cut: float, reach: np.ndarray, observed: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    """A row a run foretold: cut, reach, observed, predicted, error (predicted / observed - 1)."""
    columns = {"reach": reach, "observed": observed, "predicted": predicted, "error": predicted / observed - 1}
    return pd.DataFrame({"cut": cut} | columns)


def stacked(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Tables of `rolled` as one; its columns without rows where there are none."""
    return pd.concat(parts or [rolled(0.0, *np.empty((3, 0)))], ignore_index=True)


def rolling_extrapolation(
    x: ArrayLike | pd.DataFrame, y: ArrayLike, groups: ArrayLike | None = None, *, law: str, **settings: Any
) -> pd.DataFrame:
    """A law fitted to the smaller sizes, judged on the larger ones it did not see.

    Sizes are ordered by x, or by the product of x's columns (with N and D: by compute); see `CUTS`.

    Args:
        x, y, groups: as in `ScalingLaw.fit`.
        law, settings: of `ScalingLaw`.

    Returns:
        A row a run foretold: cut (share of the places that was fitted to), reach (its size over the largest one fitted
        to), observed, predicted, error (predicted / observed - 1). No rows where no cut leaves enough sizes.
    """
    places, values = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    places = places[:, None] if places.ndim == 1 else places
    given = None if groups is None else np.asarray(groups)
    parts: list[pd.DataFrame] = []
    for cut, seen, reach in rolling_cuts(places):
        try:
            fit = ScalingLaw(law=law, objective="squares", interval="delta", **settings).fit(
                places[seen], values[seen], None if given is None else given[seen]
            )
        except UserError:
            continue
        parts.append(rolled(cut, reach, values[~seen], np.asarray(fit.predict(places[~seen]))))
    return stacked(parts)
