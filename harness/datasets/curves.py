"""Scores of runs along a ladder of sizes, drawn from curves whose truth is known.

A curve has K sizes, N = 1, 2, 4, ..., 2^(K - 1), with S seeds each. The run of seed j at size i scores

    p_ij = clip(f_ij + noise * e_ij, 0, 1),    value_ij ~ Binomial(n_eval, p_ij) / n_eval,

with the expected score f and the deviations e of its kind (`harness.datasets.kinds`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.datasets.arguments import RandomState, check_count, check_noise
from harness.datasets.kinds import JUMP_KINDS, SMOOTH_KINDS, CurveSampler
from harness.errors import SettingError, nearest

#: Sizes that a jump needs: one may lie between the second and the last but one.
_LEAST_SIZES = 4


@dataclass(frozen=True)
class PlantedCurves:
    """n curves of one kind.

    Attributes:
        kind: one of `SMOOTH_KINDS` or `JUMP_KINDS`.
        values: (n, K, S) scores of the runs, in [0, 1].
        expected: (n, K, S) the scores that they would have without noise and with unlimited evaluation sets.
        n_eval: (n,) evaluation items behind a score.
        chance: (n,) score of a guesser.
        midpoint: (n,) where the expected score crosses half of its rise, in steps from the smallest size, averaged over
            seeds that rise each at a size of its own; of kind 'break' where the law breaks. NaN for kinds without one
            rise.
        height: (n,) of the rise, not all of which need lie on the ladder.
        metric, discontinuous, paired_metric: as the columns of the table are to say.
    """

    kind: str
    values: np.ndarray
    expected: np.ndarray
    n_eval: np.ndarray
    chance: np.ndarray
    midpoint: np.ndarray
    height: np.ndarray
    metric: str = "accuracy"
    discontinuous: bool = True
    paired_metric: str = ""

    @property
    def frame(self) -> pd.DataFrame:
        """One row per run, as `harness.find_jumps` takes it with x="params".

        Each curve is a study of its own. `frame.assign(study="one")` makes them tasks of one study, whose noise
        `find_jumps` pools.
        """
        task, size, seed = (index.ravel() for index in np.indices(self.values.shape))
        return pd.DataFrame(
            {
                "study": task.astype(str),
                "task": task.astype(str),
                "metric": self.metric,
                "params": 2.0**size,
                "seed": seed,
                "value": self.values.ravel(),
                "n_eval": self.n_eval[task],
                "chance": self.chance[task],
                "discontinuous": self.discontinuous,
                "paired_metric": self.paired_metric,
                "higher_is_better": True,
            }
        )

    @property
    def truth(self) -> pd.DataFrame:
        """One row per curve: study, task, kind, threshold (the midpoint, in the unit of params), height."""
        task = np.arange(len(self.values)).astype(str)
        return pd.DataFrame(
            {"study": task, "task": task, "kind": self.kind, "threshold": 2.0**self.midpoint, "height": self.height}
        )


@dataclass(frozen=True)
class PlantedPairs:
    """Two metrics of the same outputs, curve by curve.

    Attributes:
        exact_match: share of answers all of whose tokens are right.
        token_accuracy: share of tokens that are right.
        length: (n,) tokens of an answer.
    """

    exact_match: PlantedCurves
    token_accuracy: PlantedCurves
    length: np.ndarray

    @property
    def frame(self) -> pd.DataFrame:
        """The rows of both metrics, as `harness.find_jumps` takes them with x="params"."""
        return pd.concat([self.exact_match.frame, self.token_accuracy.frame])

    @property
    def truth(self) -> pd.DataFrame:
        """One row per pair: the truth of token accuracy, and the length of the answer."""
        return self.token_accuracy.truth.assign(length=self.length)


def make_smooth_curves(
    n_curves: int = 100,
    *,
    kind: str = "logistic",
    n_sizes: int = 8,
    n_seeds: int = 3,
    noise: float | ArrayLike = 0.02,
    random_state: RandomState = None,
) -> PlantedCurves:
    """Scores that rise smoothly with size, or stay where they are: `find_jumps` should find no jump in them.

    Args:
        n_curves: number of curves, n.
        kind: one of `SMOOTH_KINDS`, whose formulas are in `harness.datasets.kinds`.
        n_sizes, n_seeds: sizes of each curve, K, and runs at each size, S.
        noise: standard deviation of a run about its expected score, >= 0: a number, or one for each curve (n,).
        random_state: seed of all draws, or a generator; None draws anew each time.

    Raises:
        SettingError: an argument out of its range.

    Examples:
        >>> from harness import find_jumps
        >>> from harness.datasets import make_smooth_curves
        >>> planted = make_smooth_curves(40, kind="exact match", random_state=0)
        >>> planted.frame[["task", "params", "seed", "value", "n_eval"]].head(2)
          task  params  seed  value  n_eval
        0    0     1.0     0  0.469    1000
        1    0     1.0     1  0.492    1000
        >>> int((find_jumps(planted.frame, x="params")["p_value"] < 0.05).sum())
        0
    """
    return draw_curves(_known(kind, SMOOTH_KINDS), n_curves, n_sizes, n_seeds, noise, random_state)


def make_jumps(
    n_curves: int = 100,
    *,
    kind: str = "jump",
    n_sizes: int = 8,
    n_seeds: int = 3,
    noise: float | ArrayLike = 0.02,
    random_state: RandomState = None,
) -> PlantedCurves:
    """Scores that jump by .1 to .9 within a step of the ladder, with two sizes or more on either side.

    No continuous metric is measured on the same outputs, so that the verdict should be 'candidate'.

    Args:
        kind: one of `JUMP_KINDS`, whose formulas are in `harness.datasets.kinds`.
        n_curves, n_sizes, n_seeds, noise, random_state: as for `make_smooth_curves`.

    Raises:
        SettingError: an argument out of its range.

    Examples:
        >>> from harness import find_jumps
        >>> from harness.datasets import make_jumps
        >>> planted = make_jumps(40, random_state=0)
        >>> int((find_jumps(planted.frame, x="params")["p_value"] < 0.05).sum())
        40
        >>> planted.truth.round(2).head(2)
          study task  kind  threshold  height
        0     0    0  jump      27.64    0.33
        1     1    1  jump      11.21    0.31
    """
    return draw_curves(_known(kind, JUMP_KINDS), n_curves, n_sizes, n_seeds, noise, random_state)


def make_metric_pairs(
    n_pairs: int = 100,
    *,
    jump: bool = True,
    n_sizes: int = 8,
    n_seeds: int = 3,
    noise: float | ArrayLike = 0.02,
    random_state: RandomState = None,
) -> PlantedPairs:
    """Exact match of answers of 2 to 30 tokens, and the token accuracy of the same outputs.

    Tokens are right independently of each other, with a probability q that jumps or rises smoothly, from at most .4 to
    at least .8. An answer of L tokens is then right with probability q^L, which looks like a jump where q is smooth
    and L is large (Schaeffer et al. 2023, "Are Emergent Abilities of Large Language Models a Mirage?"). Answers are
    short enough for exact match to reach .2.

    Args:
        n_pairs: number of pairs, n.
        jump: whether q jumps (then the verdict should be 'emergent') or rises smoothly over 4 to 8 steps (then
            'metric artefact', or 'smooth').
        n_sizes, n_seeds, noise, random_state: as for `make_smooth_curves`; the noise is that of q.

    Raises:
        SettingError: an argument out of its range.

    Examples:
        >>> from harness import find_jumps
        >>> from harness.datasets import make_metric_pairs
        >>> for jump in (True, False):
        ...     pairs = make_metric_pairs(40, jump=jump, random_state=0)
        ...     print(int((find_jumps(pairs.frame, x="params")["verdict"] == "emergent").sum()))
        40
        0
    """
    check_count("n_pairs", n_pairs)
    _check_counts(n_sizes, n_seeds)
    noise = _noise_of(noise, n_pairs)
    rng = np.random.default_rng(random_state)
    sampler = CurveSampler(rng, n_pairs, n_sizes, n_seeds)
    share = sampler.jump() if jump else sampler.smooth_rise_on_ladder()
    low, high = sampler.uniform(0.05, 0.4), sampler.uniform(0.8, 1.0)
    expected = np.broadcast_to(low + (high - low) * share, sampler.shape)
    right = np.clip(expected + noise * rng.standard_normal(sampler.shape), 0, 1)
    length = _answer_lengths(rng, high)
    n_answers = sampler.n_eval[:, None, None]
    n_tokens = n_answers * length

    def curves(scores: np.ndarray, n_eval: np.ndarray, power: np.ndarray | int, **about: Any) -> PlantedCurves:
        height = (high**power - low**power)[:, 0, 0]
        kind, chance = "jump" if jump else "logistic", np.zeros(n_pairs)
        return PlantedCurves(kind, scores, expected**power, n_eval[:, 0, 0], chance, height=height, **about)

    exact = rng.binomial(n_answers, right**length) / n_answers
    tokens = rng.binomial(n_tokens, right) / n_tokens
    unknown = np.full(n_pairs, np.nan)
    names = {"metric": "exact_match", "paired_metric": "token_accuracy"}
    return PlantedPairs(
        curves(exact, n_answers, length, midpoint=unknown, **names),
        curves(tokens, n_tokens, 1, midpoint=sampler.midpoint, metric="token_accuracy", discontinuous=False),
        length[:, 0, 0],
    )


def _answer_lengths(rng: np.random.Generator, best: np.ndarray) -> np.ndarray:
    """Tokens of an answer, 2 to 30, few enough for exact match to reach .2 where tokens are right with `best`."""
    length = np.exp(rng.uniform(np.log(4), np.log(30), best.shape))
    return np.maximum(2, np.minimum(length, np.log(0.2) / np.log(np.minimum(best, 0.999)))).astype(int)


def draw_curves(
    kind: str,
    n_curves: int,
    n_sizes: int,
    n_seeds: int,
    noise: float | ArrayLike,
    random_state: RandomState = None,
) -> PlantedCurves:
    """`make_smooth_curves` and `make_jumps` in one, of any kind.

    Raises:
        SettingError: an argument out of its range.
    """
    kinds = SMOOTH_KINDS | JUMP_KINDS
    chosen = kinds[_known(kind, kinds)]
    check_count("n_curves", n_curves)
    _check_counts(n_sizes, n_seeds)
    noise = _noise_of(noise, n_curves)
    rng = np.random.default_rng(random_state)
    sampler = CurveSampler(rng, n_curves, n_sizes, n_seeds)
    expected = np.broadcast_to(chosen.expected(sampler), sampler.shape)
    scores = np.clip(expected + noise * chosen.deviation(sampler), 0, 1)
    n_eval = sampler.n_eval[:, None, None]
    values = rng.binomial(n_eval, scores) / n_eval
    return PlantedCurves(kind, values, expected, sampler.n_eval, sampler.chance, sampler.midpoint, sampler.height)


def _known(kind: str, kinds: Collection[str]) -> str:
    if kind not in kinds:
        raise SettingError("kind", kind, f"one of {', '.join(kinds)}{nearest(kind, kinds)}")
    return kind


def _noise_of(noise: float | ArrayLike, n_curves: int) -> np.ndarray:
    """The noise as (1, 1, 1) or (n, 1, 1).

    Raises:
        SettingError: it is negative, or not one for each curve.
    """
    noise = np.asarray(noise, dtype=float)
    check_noise(noise)
    if noise.shape not in ((), (n_curves,)):
        raise SettingError("noise", f"{noise.shape} numbers", f"one number, or one for each of {n_curves} curves")
    return noise.reshape(-1, 1, 1)


def _check_counts(n_sizes: int, n_seeds: int) -> None:
    check_count("n_sizes", n_sizes, _LEAST_SIZES)
    check_count("n_seeds", n_seeds)
