"""The links of the tasks of one table, fitted together: what tasks have in common informs each of them.

Every task has draws of every link and of `flat`; links are weighed by their evidence for the task, times how well they
predicted the better runs of all tasks from the worse ones. Ceilings, widths, noise and the share of flat tasks have a
distribution over tasks, estimated by a few steps of expectation and maximisation from weak priors (empirical Bayes;
Efron and Morris 1975): with one task these priors are all there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp

from harness.analysis.planning.link_posterior import LinkDraws, LinkRows, draw_link
from harness.analysis.planning.link_prior import FLAT_SHARE, LinkPrior
from harness.analysis.planning.links import FLAT

#: Draws of each link and task.
_DRAWS = 2000
#: Tasks that the priors count as, where tasks estimate them.
_PRIOR_TASKS = 12.0
#: Steps of expectation and maximisation.
_STEPS = 2
#: Shares of the rows, those of the greatest losses first, from which the rest is predicted.
_CUTS = (0.6, 0.8)
#: Fewest rows on the side that is fitted.
_LEAST_ROWS = 6
#: A link weighs, before its evidence, as its error of these predictions to minus this power.
_SHARPNESS = 4.0
#: Least such error, and least spread of a prediction.
_LEAST_ERROR = 1e-3
#: Standardised errors of these predictions count up to this size; and as many of size 1 are added to them.
_CLIP, _USUAL_ERRORS = 5.0, 4.0
#: No link is exact: scale, in units of 2 sqrt(p (1 - p)), by which a share p drifts from it for every standard
#: deviation of the losses that its loss lies below them; and the degrees of freedom of Student's t that it follows.
DRIFT, TAIL = 0.015, 4.0


@dataclass(frozen=True)
class TaskLink:
    """The link of one task.

    Attributes:
        rows: what it is fitted to.
        draws: link -> its draws, `flat` among them.
        weights: link -> its probability.
        prior: what was believed, after the tasks of the table have spoken.
        factor: by which draws of runs are spread about their median: more than 1 where rolling predictions missed by
            more than they allowed for.
    """

    rows: LinkRows
    draws: Mapping[str, LinkDraws]
    weights: Mapping[str, float]
    prior: LinkPrior
    factor: float = 1.0

    def curve(self, loss: np.ndarray, n_draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draws (n_draws, m) of the curve at losses (n_draws, m) or (m,), in which a row is one curve."""
        return self._draw(loss, n_draws, rng, of_runs=False)

    def of_runs(self, loss: np.ndarray, n_draws: int, rng: np.random.Generator) -> np.ndarray:
        """The same of new runs."""
        drawn = self._draw(loss, n_draws, rng, of_runs=True)
        middle = np.median(drawn, axis=0)
        return np.asarray(np.clip(middle + self.factor * (drawn - middle), 0.0, 1.0))

    def summary(self, level: float, seed: int) -> dict[str, np.ndarray]:
        """Median, low and high (3,) of floor, ceiling and the noise of a run, over all links."""
        rng = np.random.default_rng(seed)
        counts = rng.multinomial(_DRAWS, list(self.weights.values()))
        parts = [self.draws[link].rows(np.arange(count)) for link, count in zip(self.weights, counts, strict=True)]
        ends = [0.5, (1 - level) / 2, (1 + level) / 2]
        return {
            name: np.quantile(np.concatenate([getattr(part, attribute) for part in parts]), ends)
            for name, attribute in (("floor", "floor"), ("ceiling", "ceiling"), ("noise", "of_a_run"))
        }

    def _draw(self, loss: np.ndarray, n_draws: int, rng: np.random.Generator, *, of_runs: bool) -> np.ndarray:
        loss = np.broadcast_to(loss, (n_draws, np.shape(loss)[-1]))
        counts = rng.multinomial(n_draws, list(self.weights.values()))
        parts, begin = [], 0
        for link, count in zip(self.weights, counts, strict=True):
            mine, begin = loss[begin : begin + count], begin + count
            chosen = self.draws[link].rows(rng.integers(_DRAWS, size=count))
            share = chosen.column.at(mine)
            share = share + self._drift(share, mine) * rng.standard_t(TAIL, (count, 1))
            if of_runs:
                share = share + chosen.of_a_run[:, None] * rng.standard_normal(share.shape)
            parts.append(np.clip(share, 0.0, 1.0))
        return np.concatenate(parts)

    def _drift(self, share: np.ndarray, loss: np.ndarray) -> np.ndarray:
        beyond = np.maximum(self.rows.loss.min() - loss, 0.0) / self.rows.scale
        return np.asarray(DRIFT * beyond * 2 * np.sqrt(share * (1 - share)))


def fit_task_links(
    tasks: Mapping[str, LinkRows], priors: Mapping[str, LinkPrior], links: Sequence[str], rng: np.random.Generator
) -> dict[str, TaskLink]:
    """The links of all tasks, from the priors that each has by itself.

    Args:
        links: names of `LINKS` to weigh.
    """
    rolls = list(_roll(tasks, priors, links, rng))
    usual, factor = _usual_shares(rolls, links), _factor(rolls, rng)
    fitted = {task: _fit(rows, priors[task], usual, rng) for task, rows in tasks.items()}
    for _ in range(_STEPS if len(tasks) > 1 else 0):
        pooled = _pool(fitted, priors)
        fitted = {task: _fit(rows, pooled[task], usual, rng) for task, rows in tasks.items()}
    return {task: replace(fit, factor=factor) for task, fit in fitted.items()}


def _fit(rows: LinkRows, prior: LinkPrior, usual: Mapping[str, float], rng: np.random.Generator) -> TaskLink:
    draws = {link: draw_link(link, rows, prior, _DRAWS, rng) for link in (*usual, FLAT)}
    before = {link: (1 - prior.flat) * share for link, share in usual.items()} | {FLAT: prior.flat}
    weight = np.array([np.log(before[link]) + draws[link].log_evidence for link in draws])
    share = np.exp(weight - logsumexp(weight))
    return TaskLink(rows, draws, dict(zip(draws, share.tolist(), strict=True)), prior)


# ------------------------------------------------------------------------------------------------- rolling prediction


@dataclass(frozen=True)
class _Roll:
    """The links of one task fitted to its rows of greatest loss, and the rows (m,) that they are judged on."""

    fit: TaskLink
    loss: np.ndarray
    share: np.ndarray

    def missed(self, link: str) -> float:
        """Mean error of the median of one link."""
        ahead = self.fit.draws[link].column.at(self.loss)
        return float(np.mean(np.abs(np.median(ahead, axis=0) - self.share)))

    def standardised(self, rng: np.random.Generator) -> float:
        """Mean square of the errors of all links together over their spread, half of the middle 68 % of the draws."""
        low, middle, high = np.quantile(self.fit.of_runs(self.loss, _DRAWS, rng), [0.16, 0.5, 0.84], axis=0)
        spread = np.maximum((high - low) / 2, _LEAST_ERROR)
        return float(np.mean(np.minimum(np.abs(self.share - middle) / spread, _CLIP) ** 2))


def _roll(
    tasks: Mapping[str, LinkRows], priors: Mapping[str, LinkPrior], links: Sequence[str], rng: np.random.Generator
) -> Iterator[_Roll]:
    """Every task at each of `_CUTS` that leaves enough rows to fit to."""
    equal = dict.fromkeys(links, 1 / len(links))
    for task, rows in tasks.items():
        for cut in _CUTS:
            seen = rows.loss >= np.quantile(rows.loss, 1 - cut)
            if seen.sum() >= _LEAST_ROWS and not seen.all():
                yield _Roll(_fit(rows.part(seen), priors[task], equal, rng), rows.loss[~seen], rows.share[~seen])


def _usual_shares(rolls: Sequence[_Roll], links: Sequence[str]) -> dict[str, float]:
    """Each link's share before the evidence, by its mean error over all rolling predictions."""
    missed = {link: [roll.missed(link) for roll in rolls] for link in links}
    if not rolls:
        return dict.fromkeys(links, 1 / len(links))
    raw = {link: max(float(np.mean(errors)), _LEAST_ERROR) ** -_SHARPNESS for link, errors in missed.items()}
    return {link: value / sum(raw.values()) for link, value in raw.items()}


def _factor(rolls: Sequence[_Roll], rng: np.random.Generator) -> float:
    """Root of the mean square of standardised rolling errors, as if `_USUAL_ERRORS` more were of size 1.

    At least 1: small errors near the runs promise nothing of runs further out.
    """
    squares = np.array([roll.standardised(rng) for roll in rolls])
    return max(1.0, float(np.sqrt((_USUAL_ERRORS + squares.sum()) / (_USUAL_ERRORS + len(squares)))))


# ------------------------------------------------------------------------------------------------------------- pooling


def _pool(fitted: Mapping[str, TaskLink], priors: Mapping[str, LinkPrior]) -> dict[str, LinkPrior]:
    """The priors of each task, with what all tasks have in common."""
    moments = [_moments(fit, priors[task]) for task, fit in fitted.items()]
    moving, below, width, width_square, noise, noise_square = np.array(moments).T
    first = next(iter(priors.values()))
    count = _PRIOR_TASKS + moving.sum()
    scale = np.sqrt((_PRIOR_TASKS * first.ceiling_scale**2 + moving @ below) / count)
    middle = (_PRIOR_TASKS * first.width + moving @ width) / count
    spread = _PRIOR_TASKS * (first.width_sd**2 + (first.width - middle) ** 2)
    spread += moving @ (width_square - 2 * middle * width + middle**2)
    shift = noise.sum() / (_PRIOR_TASKS + len(noise))
    noise_spread = _PRIOR_TASKS * (first.noise_sd**2 + shift**2) + np.sum(noise_square - 2 * shift * noise + shift**2)
    together = {
        "ceiling_scale": float(scale),
        "width": float(middle),
        "width_sd": float(np.sqrt(spread / count)),
        "noise_sd": float(np.sqrt(noise_spread / (_PRIOR_TASKS + len(noise)))),
        "flat": float((_PRIOR_TASKS * FLAT_SHARE + np.sum(1 - moving)) / (_PRIOR_TASKS + len(moving))),
    }
    return {task: replace(prior, noise=prior.noise * np.exp(shift), **together) for task, prior in priors.items()}


def _moments(fit: TaskLink, prior: LinkPrior) -> tuple[float, ...]:
    """Probability that the task moves; means over its draws, given that, of (1 - ceiling)^2, ln width and its square;
    and over all draws those of ln(noise / its median) and its square."""
    moving = {link: weight for link, weight in fit.weights.items() if link != FLAT}
    total = max(sum(moving.values()), 1e-12)
    below = width = width_square = noise = noise_square = 0.0
    for link, weight in moving.items():
        draws = fit.draws[link]
        log_width = np.log(draws.width / fit.rows.scale)
        below += weight / total * float(np.mean((1 - draws.ceiling) ** 2))
        width += weight / total * float(np.mean(log_width))
        width_square += weight / total * float(np.mean(log_width**2))
    for link, weight in fit.weights.items():
        off = np.log(fit.draws[link].noise / prior.noise)
        noise += weight * float(np.mean(off))
        noise_square += weight * float(np.mean(off**2))
    return total, below, width, width_square, noise, noise_square
