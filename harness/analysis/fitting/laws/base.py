"""What a law is. Laws are pure forms: nothing here knows data, objectives or estimators.

A law is a curve or surface y(x; theta). It is written in coordinates theta that suit a solver, over
t = ln(x / centre) (`x_scale` 'log') or t = x - centre ('linear'), and returns ln(y / unit) (`scale` 'log') or y
('linear'); the parameters that people quote follow from theta by `public`. Arrays are batched over fits: theta (b, p),
t (d, n) for d variables, the same for all fits, or (b, d, n), values (b, n).

A law of your own needs its attributes and one method, `value`:

    class Saturating(Law):
        name = "saturating"
        formula = "E + A exp(-x / x0)"
        parameters = ("E", "A", "x0")
        log_parameters = frozenset({"A", "x0"})
        ranges = {"E": (0, 10), "A": (1e-2, 1e2), "x0": (1e3, 1e9)}

        def value(self, t, theta):
            floor, log_a, log_x0 = (theta[..., i, None] for i in range(3))
            return np.log(floor + np.exp(log_a - np.exp(t[..., 0, :] - log_x0)))

It has centre 1 and unit 1, so t is ln x, the value ln y, and theta the parameters themselves, or the logarithms of
those in `log_parameters`. Its derivatives are taken by differences, and fits start from points spread over `ranges`.
Laws with a `gradient`, `starts` and `public` of their own are faster, and are centred on the data.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np

from harness.analysis.fitting.laws.starts import best, spread
from harness.errors import UserError

#: Steepest exponent a fit may return; beyond it the curve is a wall and a floor, not a power law.
MAX_EXPONENT = 10.0

#: Width of the interval of an exponent of either sign from which nothing is known of it.
MAX_WIDTH = 2.0

#: Root mean square of the residuals of ln y above which a law describes nothing. In the quickstart losses that follow a
#: law are at most .11 off it, losses that jump 1.1 and more.
NO_LAW = 0.25

#: Relative step of central differences of the value: about the cube root of the rounding error, where the errors of
#: rounding and of truncation are alike.
_GRADIENT_STEP = 6e-6

#: Relative step of central differences of a gradient that is analytic, and of one that is itself by differences.
_CURVATURE_STEP, _ROUGH_CURVATURE_STEP = 1e-5, 3e-4

#: Starts that a fit follows to their end, of a law that does not say otherwise; and points spread over `ranges`, the
#: best of which are the starts of a law that has none of its own.
_N_STARTS, _SPREAD_STARTS = 6, 2048


class Law(ABC):
    """One form y(x; theta).

    Attributes:
        name: key in `LAWS`, and what tables call it.
        formula: for people.
        source: where it is from.
        variables: of x, in order.
        parameters: public names, in the order of `public`.
        log_parameters: those that are positive and whose intervals are wide, better judged by their logarithm.
        ranges: parameter -> (low, high), finite: where it is sought. For laws without `limits` of their own.
        scale: what `value` returns: 'log' for ln y (y > 0), 'linear' for y.
        x_scale: what t is: 'log' for ln(x / centre) (x > 0), 'linear' for x - centre.
        may_be_zero: those of `variables` that may be 0: labels and shares.
        n_starts: starts that a fit follows to their end.
        exponents: parameters without unit whose interval tells whether the law is identified.
        widest: the same of parameters that may be of either sign -> width of an interval that tells nothing.
        curves_as_y: whether `curvature` is that of y, divided by y, where the value is ln y.
    """

    name: str
    formula: str
    source: ClassVar[str] = ""
    variables: tuple[str, ...] = ("x",)
    parameters: tuple[str, ...]
    log_parameters: frozenset[str] = frozenset()
    ranges: Mapping[str, tuple[float, float]] = {}
    scale: Literal["log", "linear"] = "log"
    x_scale: Literal["log", "linear"] = "log"
    exponents: tuple[str, ...] = ()
    widest: Mapping[str, float] = {}
    may_be_zero: frozenset[str] = frozenset()
    n_starts: int = _N_STARTS
    curves_as_y: bool = False

    # ------------------------------------------------------------------------------------------ what every law defines

    @abstractmethod
    def value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """ln y, or y where the scale is linear: (b, n) for theta (b, p)."""

    # ------------------------------------------------------------------- what a law may know better than these defaults

    def gradient(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The value (b, n) and its derivatives by theta (b, p, n); here by central differences.

        Where the value is not finite on one side, at the edge of a logarithm say, the difference is one-sided.
        """
        value, slopes = self.value(t, theta), []
        for j in range(theta.shape[-1]):
            step = np.zeros_like(theta)
            step[..., j] = _GRADIENT_STEP * (1 + np.abs(theta[..., j]))
            ahead, behind, size = self.value(t, theta + step), self.value(t, theta - step), step[..., j, None]
            slope = (ahead - behind) / (2 * size)
            one_sided = np.where(np.isfinite(ahead), ahead - value, value - behind) / size
            slopes.append(np.where(np.isfinite(slope), slope, one_sided))
        return value, np.stack(slopes, axis=-2)

    def curvature(self, t: np.ndarray, theta: np.ndarray, weight: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """sum_i weight_i d2 value_i / d theta2: (b, p, p); here by differences of the gradient.

        With `curves_as_y` it is sum_i weight_i d2 y_i / d theta2 / y_i, often much simpler; whoever calls takes
        sum_i weight_i slopes_i slopes_i' off it, for d2 ln y = d2 y / y - d ln y (d ln y)'.

        Args:
            weight: (b, n).
            slopes: (b, p, n), the gradient at theta, which a law may know how to use.
        """
        relative = _ROUGH_CURVATURE_STEP if type(self).gradient is Law.gradient else _CURVATURE_STEP
        columns = []
        for j in range(theta.shape[-1]):
            step = np.zeros_like(theta)
            step[..., j] = relative * (1 + np.abs(theta[..., j]))
            ahead = np.einsum("bpn,bn->bp", self.gradient(t, theta + step)[1], weight)
            behind = np.einsum("bpn,bn->bp", self.gradient(t, theta - step)[1], weight)
            columns.append((ahead - behind) / (2 * step[..., j : j + 1]))
        matrix = np.stack(columns, axis=-1)
        return (matrix + np.swapaxes(matrix, -1, -2)) / 2

    def limits(self, t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Low and high bound of each coordinate, (p,) or (b, p); y on the law's scale. Here those of `ranges`."""
        ends = np.array([self.ranges[name] for name in self.parameters], dtype=float)
        logarithmic = self._logarithmic[:, None]
        ends = np.where(logarithmic, np.log(np.where(logarithmic, ends, 1.0)), ends)
        return ends[:, 0], ends[:, 1]

    def starts(self, t: np.ndarray, y: np.ndarray, weight: np.ndarray, keep: int) -> np.ndarray:
        """(b, keep, p) places for a solver to begin; y, weight (b, n), y on the law's scale.

        Here the best of points spread evenly over the limits.

        Raises:
            UserError: limits that are open.
        """
        low, high = (np.broadcast_to(end, (len(y), len(self.parameters))) for end in self.limits(t, y))
        if not (np.isfinite(low) & np.isfinite(high)).all():
            raise UserError(f"{self.name}: starts are spread over its limits, which must be finite; or define `starts`")
        shares = spread(_SPREAD_STARTS, low.shape[1])
        parts = []
        for i in range(len(y)):
            theta = low[i] + shares * (high[i] - low[i])
            value = self.value(t if t.ndim == 2 else np.repeat(t[i : i + 1], len(theta), axis=0), theta)
            parts.append(best(theta[None], (weight[i] * (value - y[i]) ** 2).sum(axis=1)[None], keep)[0])
        return np.stack(parts)

    def public(self, theta: np.ndarray, centre: np.ndarray, unit: float | np.ndarray) -> np.ndarray:
        """(..., P) parameters in the order of `parameters`; centre (d,) in units of x, y in multiples of `unit`.

        Here theta itself, or its exponential for `log_parameters`, of a law that is not centred.
        """
        return np.where(self._logarithmic, np.exp(np.where(self._logarithmic, theta, 0.0)), theta)

    def canonical(self, theta: np.ndarray) -> np.ndarray:
        """The one theta (..., p) to report where several describe the same curve: breaks in order of their places."""
        return theta

    def misplaced(self, places: np.ndarray) -> str:
        """The first row of places (n, d) that cannot be, and why; '' where every row can."""
        return ""

    def bound_message(self, coordinate: int, side: Literal["low", "high"]) -> str:
        """What a fit that stands at this bound says of the data; '' where it is a finding like any other."""
        name = self.parameters[coordinate]
        return f"{name} stands at the {side} end of its range: a wider range, or the data do not determine it"

    # ------------------------------------------------------------------------------------------------ what follows

    @property
    def min_points(self) -> int:
        """Distinct places of x below which the law cannot be judged: one more than its parameters."""
        return len(self.parameters) + 1

    @property
    def measured(self) -> tuple[str, ...]:
        """Those of `variables` a wider range of which tells parameters apart: all, unless one is a label."""
        return self.variables

    @property
    def centred(self) -> bool:
        """Whether fits centre x and scale y: only a law with a `public` of its own can undo that."""
        return type(self).public is not Law.public

    def centre(self, places: np.ndarray) -> np.ndarray:
        """(d,) what x is measured from: the middle of places (n, d), where the law is centred."""
        if not self.centred:
            return np.full(places.shape[1], 1.0 if self.x_scale == "log" else 0.0)
        if self.x_scale == "log":
            return np.exp(np.log(places).mean(axis=0))
        return places.mean(axis=0)

    def unit(self, y: np.ndarray) -> float:
        """What y is measured in: the geometric mean of y (n,), given on the law's scale, where the law is centred."""
        return float(np.exp(y.mean())) if self.centred and self.scale == "log" else 1.0

    def coordinates(self, places: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """t (d, n) of places (n, d)."""
        return np.log(places / centre).T if self.x_scale == "log" else (places - centre).T

    def judged(self, theta: np.ndarray, index: np.ndarray, centre: np.ndarray, unit: float | np.ndarray) -> np.ndarray:
        """(b,) the public parameter `index` (b,) of each theta (b, p); its logarithm for `log_parameters`."""
        public = self.public(theta, centre, unit)[np.arange(len(theta)), index]
        return np.where(self._logarithmic[index], np.log(np.maximum(public, 1e-300)), public)

    @property
    def _logarithmic(self) -> np.ndarray:
        """(P,) whether each parameter is judged by its logarithm."""
        return np.array([name in self.log_parameters for name in self.parameters])
