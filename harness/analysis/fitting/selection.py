"""Choice among laws: by AICc, with the error of rolling extrapolation beside it.

AICc = n ln(RSS / n) + 2k + 2k (k + 1) / (n - k - 1) weighs the fit against the number of parameters k (Hurvich and Tsai
1989); rolling extrapolation shows how far each law, fitted to the smaller runs, missed the larger ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.analysis.fitting.estimator import FitStatus, ScalingLaw
from harness.analysis.fitting.inputs import TooFewDataError, find_law, laws_for
from harness.analysis.fitting.laws import Law
from harness.analysis.fitting.rolling import rolling_extrapolation
from harness.errors import DataError, SettingError, UserError

#: Laws of a loss that `fit_best` compares, by their number of variables.
COMPARED = {
    1: ("power", "power_floor", "bnsl1", "m4"),
    2: ("hoffmann", "gadre", "kaplan"),
    3: ("width_depth", "size_of_shape"),
}

#: Difference of AICc above which a law is refused: its support is "essentially none" (Burnham and Anderson 2002,
#: section 2.6).
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
    laws: Sequence[str | Law] | None = None,
    rolling: bool = True,
    *,
    clusters: ArrayLike | None = None,
    suspects: Mapping[str, ArrayLike] | None = None,
    **settings: Any,
) -> Choice:
    """Fit each law by squares and rank by AICc.

    Args:
        x, y, groups, clusters, suspects: as in `ScalingLaw.fit`; AICc counts runs, whatever they share.
        laws: as `ScalingLaw` takes them; by default those of `COMPARED` with as many variables as x has columns.
        rolling: whether to fit each law to the smaller sizes as well, for `rolling_error`.
        settings: of `ScalingLaw`, except law and objective.

    Raises:
        DataError: a value that is not allowed.
        SettingError: a setting out of its range, a law that is not known, or two laws of one name.
        UserError: no law can be fitted; the message is that of the law with the fewest parameters.
    """
    found = [find_law(law, "laws") for law in (laws_for(x, COMPARED) if laws is None else laws)]
    by_name = {law.name: law for law in found}
    if len(by_name) < len(found):
        raise SettingError("laws", ",".join(law.name for law in found), "each name once")
    fits: dict[str, ScalingLaw] = {}
    refused: dict[str, UserError] = {}
    for name, law in by_name.items():
        try:
            fit = ScalingLaw(**settings | {"law": law, "objective": "squares"})
            fits[name] = fit.fit(x, y, groups, clusters=clusters, suspects=suspects)
        except (DataError, SettingError):
            raise
        except UserError as error:
            refused[name] = error
    if not fits:
        raise refused[min(refused, key=lambda name: by_name[name].min_points)]
    order = sorted(fits, key=lambda name: (fits[name].aicc_, by_name[name].min_points))
    best = fits[order[0]]
    errors = {name: _rolling_error(by_name[name], x, y, groups) if rolling else np.nan for name in order}
    rows = [_fitted_row(fits[name], best, errors[name]) for name in order]
    rows += [_refused_row(by_name[name], error) for name, error in refused.items()]
    return Choice(best, pd.DataFrame(rows), fits)


def _fitted_row(fit: ScalingLaw, best: ScalingLaw, rolling_error: float) -> dict[str, Any]:
    return {
        "law": fit.law_.name,
        "formula": fit.law_.formula,
        "aicc": fit.aicc_,
        "delta_aicc": 0.0 if fit is best else fit.aicc_ - best.aicc_,
        "rolling_error": rolling_error,
        "status": str(fit.status_),
        "params": fit.params_,
        "message": fit.message_,
    }


def _refused_row(law: Law, error: UserError) -> dict[str, Any]:
    too_few = isinstance(error, TooFewDataError)
    return {
        "law": law.name,
        "formula": law.formula,
        "aicc": np.nan,
        "delta_aicc": np.nan,
        "rolling_error": np.nan,
        "status": str(FitStatus.TOO_FEW_DATA if too_few else FitStatus.NOT_IDENTIFIABLE),
        "params": {},
        "message": str(error),
    }


def _rolling_error(law: Law, x: ArrayLike | pd.DataFrame, y: ArrayLike, groups: ArrayLike | None) -> float:
    errors = rolling_extrapolation(x, y, groups, law=law)["error"].abs()
    return float(errors.median()) if len(errors) else float("nan")
