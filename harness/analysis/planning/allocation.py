"""How to spend compute, by a fitted surface: the optimal N and D, and the cost of a smaller model at equal loss.

For L = E + A N^-alpha + B D^-beta at C = k N D the optimum is N = G (C/k)^(beta / (alpha + beta)), with
G = (alpha A / (beta B))^(1 / (alpha + beta)) (Hoffmann et al. 2022, eq. 4). Everything here follows from the
parameters, so its intervals are profiles of the same fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.analysis.checks import check_between_0_and_1, check_fitted, positive_columns
from harness.analysis.fitting.estimator import FitStatus, ScalingLaw
from harness.analysis.fitting.intervals import (
    Interval,
    Quantity,
    by_differences,
    failure_message,
    hold_estimate,
    one_sided,
)
from harness.analysis.fitting.status import interval_status
from harness.errors import UserError

#: Laws of the form E + A/N^alpha + B/D^beta.
ALLOCATING = ("hoffmann", "gadre")


def allocate(
    fit: ScalingLaw,
    compute: float | Sequence[float],
    flops_per_token_parameter: float = 6.0,
    level: float | None = None,
) -> pd.DataFrame:
    """The split of C = k N D with the lowest loss by the law.

    Args:
        fit: of hoffmann or gadre.
        compute: C in FLOPs, one or several.
        flops_per_token_parameter: k.
        level: of the intervals; that of the fit by default.

    Returns:
        A row a budget: compute, then N, D, tokens_per_parameter and loss, each with _low and _high (of the curve, not
        of a new run); status ('converged', or 'interval failed') and message.

    Raises:
        UserError: another law, or one in which N or D has no part.
    """
    level = _checked(fit, level)
    (budgets,) = positive_columns(compute=np.atleast_1d(np.asarray(compute, dtype=float)))
    names = ("N", "D", "tokens_per_parameter", "loss")
    products = np.repeat(budgets / flops_per_token_parameter, len(names))
    which = np.tile(np.arange(len(names)), len(budgets))
    ends, failed = _with_intervals(fit, _optimum(fit, products, which), len(which), level)
    ends, failed = ends.reshape(-1, len(names), 3), failed.reshape(-1, len(names))
    columns: dict[str, object] = {"compute": budgets}
    for i, name in enumerate(names):
        columns |= {name: ends[:, i, 0], f"{name}_low": ends[:, i, 1], f"{name}_high": ends[:, i, 2]}
    return pd.DataFrame(columns | _status_columns(failed, names))


def overtraining(
    fit: ScalingLaw, size_ratio: Sequence[float] = (0.75, 0.5, 0.35, 0.25), level: float | None = None
) -> pd.DataFrame:
    """What a model `size_ratio` times the optimal one costs, trained until it reaches the same loss.

    With r the ratio: D'/D = (1 + (beta/alpha)(1 - r^-alpha))^(-1/beta), whatever the budget. de Vries 2023, "Go smol or
    go home".

    Returns:
        A row a ratio: size_ratio, compute_ratio and tokens_ratio, each with _low and _high; inf where no number of
        tokens reaches that loss; status ('converged', or 'interval failed') and message.

    Raises:
        UserError: as `allocate`.
    """
    level = _checked(fit, level)
    (ratios,) = positive_columns(size_ratio=np.atleast_1d(np.asarray(size_ratio, dtype=float)))
    tokens, failed = np.full((len(ratios), 3), np.inf), np.zeros(len(ratios), dtype=bool)
    everyone = np.arange(len(ratios))
    with np.errstate(invalid="ignore"):
        at_optimum, _ = _tokens_at_equal_loss(fit, ratios)(np.repeat(fit.theta_, len(ratios), axis=0), everyone)
    reached = np.isfinite(at_optimum)
    if reached.any():
        quantity = _tokens_at_equal_loss(fit, ratios[reached])
        tokens[reached], failed[reached] = _with_intervals(fit, quantity, int(reached.sum()), level)
    columns: dict[str, object] = {"size_ratio": ratios}
    for name, factor in (("compute_ratio", ratios), ("tokens_ratio", np.ones_like(ratios))):
        columns |= {f"{name}{end}": tokens[:, i] * factor for i, end in enumerate(("", "_low", "_high"))}
    return pd.DataFrame(columns | _status_columns(failed[:, None], ("tokens_ratio",)))


def optimal_exponent(fit: ScalingLaw, level: float | None = None) -> tuple[float, float, float]:
    """The exponent a = beta / (alpha + beta) of N_opt ~ C^a, with its interval: (value, low, high)."""
    level = _checked(fit, level)
    if fit.law_.name == "gadre":  # its exponents are equal whatever the data
        return 0.5, 0.5, 0.5

    def value(theta: np.ndarray, _: np.ndarray) -> np.ndarray:
        alpha, beta = _surface(fit, theta)[3:]
        return beta / (alpha + beta)

    found = fit.interval_of(by_differences(value), 1, level)
    point = float(value(fit.theta_, np.zeros(1, dtype=int))[0])
    return point, float(found.low[0]), float(found.high[0])


def _checked(fit: ScalingLaw, level: float | None) -> float:
    check_fitted(fit, "intervals_")
    level = fit.level if level is None else level
    check_between_0_and_1(level=level)
    if fit.law_.name not in ALLOCATING:
        raise UserError(f"law={fit.law_.name}: an optimal split of compute is known for {' and '.join(ALLOCATING)}")
    if fit.status_ is FitStatus.AT_BOUND and " = 0: y does not" in fit.message_:
        raise UserError(f"no optimal split of compute: {fit.message_}")
    return level


def surface(law: str, public: np.ndarray) -> tuple[np.ndarray, ...]:
    """E, A, B, alpha, beta (...) of the parameters (..., P) of one of `ALLOCATING`."""
    columns = tuple(np.moveaxis(public, -1, 0))
    if law == "hoffmann":
        return columns
    floor, a, b, eta = columns
    return floor, a * 6.0**-eta, b * 6.0**-eta, 2 * eta, 2 * eta


def optimal_log_size(terms: Sequence[np.ndarray], log_product: np.ndarray | float) -> np.ndarray:
    """ln of the N of least loss where ln N D is given, for terms A, B, alpha, beta."""
    a, b, alpha, beta = terms
    log_ratio = np.log(np.maximum(alpha * a, 1e-300) / np.maximum(beta * b, 1e-300))
    return np.asarray((log_ratio + beta * log_product) / (alpha + beta))


def _surface(fit: ScalingLaw, theta: np.ndarray) -> tuple[np.ndarray, ...]:
    """E, A, B, alpha, beta of theta (b, p)."""
    return surface(fit.law_.name, fit.public(theta))


def _optimum(fit: ScalingLaw, products: np.ndarray, which_of_four: np.ndarray) -> Quantity:
    """At the optimum with N D = product: ln N, ln D, ln D/N or ln loss, by an index of 0 to 3 for each."""

    def value(theta: np.ndarray, which: np.ndarray) -> np.ndarray:
        floor, a, b, alpha, beta = _surface(fit, theta)
        log_product = np.log(products[which])
        log_n = optimal_log_size((a, b, alpha, beta), log_product)
        log_d = log_product - log_n
        log_loss = np.log(floor + a * np.exp(-alpha * log_n) + b * np.exp(-beta * log_d))
        return np.stack([log_n, log_d, log_d - log_n, log_loss])[which_of_four[which], np.arange(len(which))]

    return by_differences(value)


def _tokens_at_equal_loss(fit: ScalingLaw, ratios: np.ndarray) -> Quantity:
    """ln D'/D at equal loss for a model `ratio` times the optimal size; inf where no D' is enough."""

    def value(theta: np.ndarray, which: np.ndarray) -> np.ndarray:
        alpha, beta = _surface(fit, theta)[3:]
        left = 1 + beta / alpha * (1 - ratios[which] ** -alpha)
        return np.where(left > 0, -np.log(np.maximum(left, 1e-300)) / beta, np.inf)

    return by_differences(value)


@np.errstate(over="ignore", invalid="ignore")
def _with_intervals(fit: ScalingLaw, quantity: Quantity, count: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """(count, 3) exp of value, low, high, and (count,) where the interval found ends at the value or before it."""
    point, _ = quantity(np.repeat(fit.theta_, count, axis=0), np.arange(count))
    found = fit.interval_of(quantity, count, level)
    # A draw in which no number of tokens is enough leaves the upper end open.
    held, failed = hold_estimate(point, Interval(found.low, np.where(np.isnan(found.high), np.inf, found.high)))
    failed |= one_sided(point, held)
    return np.exp(np.stack([point, held.low, held.high], axis=1)), failed


def _status_columns(failed: np.ndarray, names: Sequence[str]) -> dict[str, list[str]]:
    """Status and message of each row of estimates of which some (rows, names) have an interval that failed."""
    messages = [failure_message([name for name, bad in zip(names, row, strict=True) if bad]) for row in failed]
    return {"status": interval_status(np.any(failed, axis=1)), "message": messages}
