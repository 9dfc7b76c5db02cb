"""Choice among laws: by how well they fit, and by how well they foresaw the largest runs from the smaller ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.analysis.fitting.estimator import FitStatus, ScalingLaw
from harness.analysis.fitting.inputs import TooFewDataError, check_law, laws_for
from harness.analysis.fitting.laws import LAWS
from harness.analysis.fitting.rolling import rolling_extrapolation
from harness.errors import DataError, UserError

#: Laws of a loss that `fit_best` compares, by their number of variables.
COMPARED = {
    1: ("power", "power_floor", "bnsl1", "m4"),
    2: ("hoffmann", "gadre", "kaplan"),
    3: ("width_depth",),
}

#: A difference of AICc above which a law is refused (Burnham and Anderson 2002, section 2.6).
REFUSED = 10.0


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
