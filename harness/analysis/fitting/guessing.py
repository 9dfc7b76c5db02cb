"""Whether a loss ever leaves guessing: the test that comes before a law is fitted to it.

A law of a loss that never falls below chance is a law of noise, and its exponent means nothing. The null hypothesis is
that no size's expected loss is below chance. It is tested one-sided, for the mean of each size and of all runs
together, with the runs' scatter within sizes pooled:

    t_i = (chance - mean_i) / (s / sqrt(n_i)),  s^2 = sum of squares within sizes / (n - R)

Each t_i has n - R degrees of freedom. A sign test asks the same of all runs whatever their scatter: of n runs at chance
k or more lie below it with probability P(Binomial(n, 1/2) >= k). The least p of the R + 2 is multiplied by R + 2
(Bonferroni). "Nothing was learnt" is said where that is not below `ALPHA`.

Where some runs learn and others do not, these inflate s themselves. So a loss also counts as having fallen where a size
lies below chance by more than `GROSS` times a noise that such runs cannot inflate: the median over sizes of the scatter
within them, or the typical distance from chance of the runs above it, whichever is less.

Error rates, by `python experiments/guessing/run.py`: a loss that stays at chance is taken for one that fell in 1 % of
studies (1.5 % with two seeds at four or five sizes, 2.5 % at three), in 4 to 6 % where the noise changes fivefold along
the ladder; an improvement of the largest size by 3 standard deviations of a run is seen in 90 % of studies of 7 sizes
and 3 seeds, by 4 in more than 99 %; one seed of two that learns everything is always seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import bdtrc, ndtr, stdtr

from harness.analysis.robust import MEDIAN_OF_NORMAL
from harness.analysis.runs import Runs
from harness.wording import counted

#: Error rate of the test: share of studies that stay at chance and are taken to have learnt something.
ALPHA = 0.01
#: p below which it is left open whether something was learnt.
DOUBTFUL = 0.2
#: What is said otherwise.
NOTHING = "nothing was learnt"
#: Multiple of the robust noise above which a loss is below chance whatever the scatter: few studies at chance exceed
#: it, while a run that learnt what there is to learn lies a hundredfold below.
GROSS = 15.0
#: Least noise, as a share of the chance level: what rounding leaves of runs that guess exactly.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Guessing:
    """The test of one study.

    Attributes:
        chance: loss of a guesser.
        p_value: that no size is below chance, corrected for all that were tested.
        below: how far a mean lies below chance at most, in its standard errors; negative above chance.
        gross: the same in units of the robust noise; 0 where there is none.
        n_sizes: sizes tested.
    """

    chance: float
    p_value: float
    below: float
    gross: float
    n_sizes: int

    @property
    def nothing_learnt(self) -> bool:
        """Whether it is not shown that any size's loss is below chance."""
        return self.p_value >= ALPHA and self.gross <= GROSS

    @property
    def message(self) -> str:
        """In words, for a study that learnt nothing."""
        side = f"at most {self.below:.1f} standard errors below" if self.below > 0 else "all above"
        doubtful = self.p_value < DOUBTFUL
        told, remedy = ("learning is not established", "; more seeds may show it") if doubtful else (NOTHING, "")
        return (
            f"{told}: no size's loss is below that of guessing, {self.chance:.4g}, by more than its noise "
            f"({side}, p = {self.p_value:.2g} for {counted(self.n_sizes, 'size')}{remedy}); no law is fitted"
        )


def judge_guessing(runs: Runs, chance: float, stderr: np.ndarray | None = None) -> Guessing | None:
    """Test whether the loss of any size is below chance.

    Args:
        runs: value is a loss, lower is better.
        chance: loss of a guesser.
        stderr: (n,) standard error of each run's evaluation, the only noise known where no size has two runs. Training
            noise is then not known, so that noise is taken for learning more often; never the other way about.

    Returns:
        None where no noise is known: no claim.
    """
    counts, means = runs.counts, runs.means(runs.value)
    freedom = len(runs.value) - len(counts)
    sizes, everyone = chance - means, chance - runs.value.mean()
    least = _ROUNDING * abs(chance) + 1e-300
    if freedom > 0:
        squares = (runs.value - means[runs.rung]) ** 2
        noise = max(float(np.sqrt(squares.sum() / freedom)), least)
        errors = np.append(noise / np.sqrt(counts), noise / np.sqrt(len(runs.value)))
        robust = max(_robust_noise(runs, squares, chance), least)
        gross = float(np.max(sizes * np.sqrt(counts))) / robust
    elif stderr is not None and np.isfinite(stderr).all():
        variance = np.maximum(stderr, least) ** 2
        errors = np.sqrt(np.append(runs.means(variance) / counts, variance.mean() / len(variance)))
        gross = 0.0
    else:
        return None
    below = float(np.max(np.append(sizes, everyone) / errors))
    tail = stdtr(freedom, -below) if freedom > 0 else ndtr(-below)
    if freedom > 0:
        n_below = int(np.sum(chance - runs.value > least))
        tail = np.minimum(tail, bdtrc(n_below - 1, len(runs.value), 0.5))  # NaN stays NaN
    n_tests = len(counts) + (2 if freedom > 0 else 1)
    corrected = float(np.minimum(1.0, n_tests * tail))  # NaN of a value that is NaN, which the fit refuses
    return Guessing(chance, corrected, below, gross, len(counts))


def _robust_noise(runs: Runs, squares: np.ndarray, chance: float) -> float:
    """A standard deviation of runs at chance that runs which learnt cannot inflate."""
    several = runs.counts > 1
    within = np.bincount(runs.rung, squares, minlength=len(runs.counts))[several] / (runs.counts[several] - 1)
    above = runs.value[runs.value > chance] - chance
    # Without a run above chance, the distance of the nearest one.
    distance = float(np.median(above) if len(above) else np.min(chance - runs.value)) / MEDIAN_OF_NORMAL
    return min(float(np.sqrt(np.median(within))), distance)
