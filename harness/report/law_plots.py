"""Pictures of laws over N and D: surfaces, profiles, residuals; frame and fit in, Axes out.

Frames have one row per run; the argument `columns` names their columns of parameters N, training tokens D and loss. The
pictures in `forecast_plots` and `isoflop_plots` can be imported from here too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import ArrayLike

from harness.analysis.emergence.metric_bounds import names_a_share
from harness.analysis.fitting.estimator import ScalingLaw
from harness.analysis.planning.allocation import ALLOCATING, allocate
from harness.errors import DataError, SettingError, UserError, nearest
from harness.report.axes import (
    BLACK,
    BLUE,
    COLUMNS,
    GREY,
    SEQUENTIAL,
    STYLE,
    VERMILLION,
    axis_name,
    legend_above,
    log_value_axis,
    new_figure,
    padded,
    plain_log_ticks,
    scientific,
    size_ticks,
)
from harness.wording import between, confidence, count, estimate

#: Confidence levels of the intervals whose ends trace a profile, besides the fit's own level.
_PROFILE_LEVELS = (0.2, 0.4, 0.55, 0.68, 0.8, 0.9, 0.95, 0.98, 0.99)

#: The limits of a picture ignore residuals more than this many robust standard deviations away from the median.
_OUTLYING = 5.0


@rc_context(STYLE)
def plot_surface(
    frame: pd.DataFrame,
    fit: ScalingLaw,
    ax: Axes | None = None,
    *,
    columns: tuple[str, str, str] = COLUMNS,
    flops_per_token_parameter: float = 6.0,
) -> Axes:
    """Contours of a fitted loss over N and D, runs coloured by their own loss, and the compute-efficient frontier.

    A run whose colour differs from its surroundings is one that the surface misses. Dotted lines have equal compute;
    they and the frontier are drawn for laws of N and D.

    Args:
        frame: the runs that `fit` was fitted to, a law of two variables.
        flops_per_token_parameter: k of C = k N D.
    """
    n, d, loss = columns
    k = flops_per_token_parameter
    ax = ax or new_figure(2.7, top_in=0.3, right_in=0.62).add_subplot()
    ax.set(xscale="log", yscale="log", xlabel=axis_name(n), ylabel=axis_name(d))
    (n_low, n_high), (d_low, d_high) = padded(frame[n]), padded(frame[d])
    sizes, tokens = np.geomspace(n_low, n_high, 90), np.geomspace(d_low, d_high, 90)
    grid = np.stack([each.ravel() for each in np.meshgrid(sizes, tokens)], axis=1)
    surface = np.asarray(fit.predict(grid)).reshape(len(tokens), len(sizes))
    levels = _levels(surface, frame[loss], fit.params_.get("E", 0.0))
    norm = BoundaryNorm(levels, SEQUENTIAL.N)
    ax.contourf(sizes, tokens, surface, levels=levels, cmap=SEQUENTIAL, norm=norm, extend="both")
    looks: Any = {"cmap": SEQUENTIAL, "norm": norm, "s": 10, "edgecolors": BLACK, "linewidths": 0.45, "zorder": 3}
    ax.scatter(frame[n], frame[d], c=frame[loss], **looks)
    size_ticks(ax.xaxis, n_low, n_high)
    size_ticks(ax.yaxis, d_low, d_high)
    if fit.law_.variables == ("N", "D"):
        _draw_compute_lines(ax, sizes, k * frame[n] * frame[d], k, (d_low, d_high))
        _draw_frontier(ax, fit, np.geomspace(k * n_low * d_low, k * n_high * d_high, 60), k)
    ax.plot([], [], "o", color="white", markersize=3.2, markeredgecolor=BLACK, markeredgewidth=0.45, label="runs")
    legend_above(ax, columns=2)
    _draw_colour_bar(ax, norm, levels, axis_name(loss))
    return ax


def _draw_frontier(ax: Axes, fit: ScalingLaw, compute: np.ndarray, flops_per_token_parameter: float) -> None:
    """The N and D of lowest loss at each compute; where the fit gives none, the legend says why."""
    try:
        frontier = allocate(fit, compute.tolist(), flops_per_token_parameter)
        shown = frontier["N"].between(*ax.get_xlim()) & frontier["D"].between(*ax.get_ylim())
        label = "lowest loss at equal compute" if shown.any() else "frontier: beyond the runs"
        ax.plot(frontier["N"], frontier["D"], color=VERMILLION, linewidth=1.6, label=label)
    except UserError:
        reason = fit.status_ if fit.law_.name in ALLOCATING else fit.law_.name
        ax.plot([], [], " ", label=f"no frontier: {reason}")


def _draw_colour_bar(ax: Axes, norm: BoundaryNorm, levels: np.ndarray, label: str) -> None:
    bar = ax.figure.colorbar(ScalarMappable(norm, SEQUENTIAL), cax=ax.inset_axes((1.03, 0, 0.045, 1)))
    bar.set_label(label, labelpad=2)
    bar.ax.yaxis.set_major_locator(FixedLocator(levels[::2].tolist()))
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    bar.ax.yaxis.set_minor_locator(NullLocator())


def _levels(surface: np.ndarray, observed: pd.Series, floor: float) -> np.ndarray:
    """Contour levels evenly spaced in ln(loss - floor), so that they are dense where the loss hardly falls."""
    low, high = float(surface.min()) - floor, min(float(surface.max()), 1.02 * float(observed.max())) - floor
    return floor + np.geomspace(max(low, 1e-3 * high), max(high, 1.1 * low), 15)


def _draw_compute_lines(
    ax: Axes, sizes: np.ndarray, compute: pd.Series, factor: float, limits: tuple[float, float]
) -> None:
    """A few lines of equal compute across the runs, each labelled with its C near the lower end."""
    low, high = np.log10(compute.min()), np.log10(compute.max())
    powers = np.arange(np.ceil(low), np.floor(high) + 1)
    powers = powers[:: -(-len(powers) // 4)] if len(powers) > 1 else np.linspace(low, high, 4)[1:3]
    for c in 10**powers:
        tokens = c / (factor * sizes)
        inside = np.flatnonzero((tokens > limits[0]) & (tokens < limits[1]))
        if len(inside) < 10:
            continue
        ax.plot(sizes[inside], tokens[inside], color=BLACK, linewidth=0.8, linestyle=(0, (1, 2)))
        at, near_left = inside[-4], inside[-4] < len(sizes) / 3
        ax.annotate(
            f"C = {scientific(c)}", (sizes[at], tokens[at]), xytext=(5 if near_left else -5, 0),
            textcoords="offset points", fontsize=6.5, va="center", ha="left" if near_left else "right", zorder=4,
            path_effects=[withStroke(linewidth=1.6, foreground="white")],
        )  # fmt: skip


@rc_context(STYLE)
def plot_fit(fit: ScalingLaw, x: ArrayLike, y: ArrayLike, ax: Axes | None = None, *, y_name: str = "loss") -> Axes:
    """A law with the runs that it was fitted to: its curve and band in one variable, or its surface over two.

    Args:
        x, y: what `fit` was fitted to; axes have the names of x's columns, of the law's variables where it has none.

    Raises:
        UserError: the law has more than two variables.
    """
    law = fit.law_
    names = _names(x) or list(law.variables)
    runs = pd.DataFrame(np.asarray(x, dtype=float).reshape(len(np.asarray(y)), -1), columns=names)
    if len(law.variables) > 2:
        raise UserError(f"{law.name} has {len(law.variables)} variables; one or two can be drawn")
    if len(law.variables) == 2:
        runs[y_name] = np.asarray(y, dtype=float)
        return plot_surface(runs, fit, ax, columns=(names[0], names[1], y_name))
    sizes, values = runs[names[0]], pd.Series(np.asarray(y, dtype=float))
    ax = ax or new_figure(2.4).add_subplot()
    ax.set(xlabel=axis_name(names[0]), ylabel=axis_name(y_name))
    spaced = np.geomspace if law.x_scale == "log" else np.linspace
    along = spaced(sizes.min(), sizes.max(), 100)
    band = pd.DataFrame(fit.predict(along, level=fit.level))[["predicted", "low", "high"]]
    if names_a_share(y_name) and values.max() <= 1:
        band = band.clip(upper=1.0)  # a law of a loss knows no ceiling, but the metric has one
    ax.plot(sizes, values, "o", color=BLACK, alpha=0.55, markersize=3.2, markerfacecolor="none", label="runs")
    ax.plot(along, band["predicted"], color=VERMILLION, label=law.name)
    label = f"{confidence(fit.level)} interval"
    ax.fill_between(along, band["low"], band["high"], color=VERMILLION, alpha=0.2, linewidth=0, label=label)
    if law.x_scale == "log":
        ax.set_xscale("log")
        size_ticks(ax.xaxis, *padded(sizes))
    if law.scale == "log":
        ax.set_yscale("log")
        log_value_axis(ax, values)
    legend_above(ax, columns=2)
    return ax


def _names(x: ArrayLike | pd.DataFrame) -> list[str]:
    """What the columns of x are called; none where they have no names."""
    if isinstance(x, pd.Series):
        return [] if x.name is None else [str(x.name)]
    return [str(name) for name in x.columns] if isinstance(x, pd.DataFrame) else []


@rc_context(STYLE)
def plot_profile(fit: ScalingLaw, parameter: str, ax: Axes | None = None) -> Axes:
    """The profile of a parameter: the rise of the objective when it is held at a value and the others are refitted.

    The rise is scaled so that values below 1 lie in the interval at the fit's own level. Where the profile is a
    parabola, the estimate and its standard error say all; where it is steep on one side or flat, they do not.

    Raises:
        SettingError: there is no such parameter, or the fit's intervals are from a bootstrap, which has no profile.
    """
    names = fit.law_.parameters
    if parameter not in names:
        raise SettingError("parameter", parameter, f"one of {', '.join(names)}{nearest(parameter, names)}")
    if fit.interval_ == "bootstrap":
        raise SettingError("interval", "bootstrap", "profile or delta, for a picture of what a value costs")
    logarithm = parameter in fit.law_.log_parameters
    ends, rises = _profile(fit, parameter)
    ends = np.exp(ends) if logarithm else ends
    # An open end cannot be drawn; the legend says that it is open.
    known = np.isfinite(ends) & ((ends > 0) if logarithm else True)
    ax = ax or new_figure(2.3, top_in=0.45).add_subplot()
    order = np.lexsort((rises * np.sign(ends - fit.params_[parameter]), ends))
    order = order[known[order]]
    ax.plot(ends[order], rises[order], "-o", color=BLUE, markersize=2.6, label="profile")
    ax.axhline(1.0, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    if logarithm:
        ax.set_xscale("log")
    _mark_estimate(ax, fit, parameter)
    if logarithm:
        plain_log_ticks(ax)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.set(xlabel=parameter, ylabel=f"rise of the objective\n(1: {confidence(fit.level)} interval)")
    ax.set_ylim(-0.04 * rises.max(), 1.04 * rises.max())
    legend_above(ax, columns=2)
    return ax


def _mark_estimate(ax: Axes, fit: ScalingLaw, parameter: str) -> None:
    """The estimate as a line, with the fit's status where it is in doubt, and its interval shaded."""
    left, right = ax.get_xlim()
    low, high = fit.intervals_[parameter]
    label = f"{confidence(fit.level)}: {between(low, high, _number)}"
    ax.axvspan(max(low, left), min(high, right), color=BLUE, alpha=0.12, linewidth=0, zorder=0, label=label)
    doubt = "" if fit.status_ == "converged" else f"\n({fit.status_})"
    label = f"{parameter} = {_number(fit.params_[parameter])}{doubt}"
    ax.axvline(fit.params_[parameter], color=VERMILLION, linewidth=1.0, label=label)
    ax.set_xlim(left, right)


def _profile(fit: ScalingLaw, parameter: str) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the parameter's intervals at many levels, and the rise of the objective at each.

    Of parameters with intervals on the log scale the ends are logarithms.
    """
    quantity = fit.parameters([fit.law_.parameters.index(parameter)])
    ends, rises = [float(quantity(fit.theta_, np.zeros(1, dtype=int))[0][0])], [0.0]
    for level in sorted({*_PROFILE_LEVELS, fit.level}):
        found = fit.interval_of(quantity, 1, level)
        ends += [float(found.low[0]), float(found.high[0])]
        rises += [fit.allowed_rise(level) / fit.allowed_rise(fit.level)] * 2
    return np.array(ends), np.array(rises)


@rc_context(STYLE)
def plot_residuals(
    fit: ScalingLaw, x: ArrayLike | pd.DataFrame, against: str = "fitted", ax: Axes | None = None
) -> Axes:
    """Residuals (observed / fitted - 1) in percent against the fitted value or one of the law's variables.

    Outliers do not compress the rest of the picture: they are triangles at its edge, counted in the legend.

    Args:
        x: the table that `fit` was fitted to.
        against: 'fitted' or one of the law's variables.

    Raises:
        SettingError: `against` is neither.
        DataError: x has another number of rows than the fitted table.
    """
    law = fit.law_
    if against != "fitted" and against not in law.variables:
        allowed = ("fitted", *law.variables)
        raise SettingError("against", against, f"one of {', '.join(allowed)}{nearest(against, allowed)}")
    if len(np.asarray(x)) != len(fit.residuals_):
        raise DataError(f"x has {len(np.asarray(x))} rows where the law was fitted to {len(fit.residuals_)}")
    logarithmic = law.scale == "log"
    places = np.asarray(x, dtype=float).reshape(len(fit.residuals_), -1)
    place = np.asarray(fit.predict(x)) if against == "fitted" else places[:, law.variables.index(against)]
    residuals = 100 * (np.expm1(fit.residuals_) if logarithmic else fit.residuals_)
    ax = ax or new_figure(2.3, top_in=0.42).add_subplot()
    _draw_residuals(ax, place, residuals)
    if logarithmic if against == "fitted" else law.x_scale == "log":
        ax.set_xscale("log")
        ax.set_xlim(padded(place, 0.04))
        plain_log_ticks(ax) if against == "fitted" else size_ticks(ax.xaxis, *ax.get_xlim())
    ax.set_xlabel(f"fitted {'loss (nats)' if logarithmic else 'value'}" if against == "fitted" else axis_name(against))
    ax.set_ylabel("residual (%)" if logarithmic else "residual (points)")
    legend_above(ax, columns=2)
    return ax


def _draw_residuals(ax: Axes, place: np.ndarray, residuals: np.ndarray) -> None:
    """Residuals in percent as circles about a line at 0, and outliers as triangles at the edge."""
    reach = _robust_reach(residuals)
    inside = np.abs(residuals) <= reach
    ax.axhline(0, color=VERMILLION, linewidth=0.9)
    looks: Any = {"color": BLUE, "markersize": 3, "markerfacecolor": "none", "markeredgewidth": 0.7}
    ax.plot(place[inside], residuals[inside], "o", label=f"{inside.sum()} runs", **looks)
    for marker, side, beyond in (("v", "below", residuals < -reach), ("^", "above", residuals > reach)):
        if beyond.any():
            edge = np.full(beyond.sum(), np.sign(residuals[beyond][0]) * reach)
            label = f"{beyond.sum()} {side}, to {residuals[beyond][np.argmax(np.abs(residuals[beyond]))]:+.3g} %"
            ax.plot(place[beyond], edge, marker, color=VERMILLION, markersize=4, clip_on=False, label=label)
    ax.set_ylim(-reach, reach)
    ax.yaxis.set_major_locator(MaxNLocator(5, symmetric=True))


def _robust_reach(residuals: np.ndarray) -> float:
    """Half the height of a picture of residuals, set by those that are not outliers."""
    off = np.abs(residuals - np.median(residuals))
    spread = 1.4826 * float(np.median(off))
    usual = np.abs(residuals)[off <= _OUTLYING * spread] if spread > 0 else np.abs(residuals)
    return 1.12 * max(float(usual.max(initial=0.0)), 1e-6)


def _number(value: float) -> str:
    """Three significant digits; from a thousand on, written like a size."""
    return count(value) if abs(value) >= 1e3 else estimate(value, 0, 0).split()[0]
