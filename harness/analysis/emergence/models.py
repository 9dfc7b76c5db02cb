"""The models of a curve on one ladder, smooth and smooth plus a jump, and their prior probabilities.

*Smooth* is a level, one or two smooth rises or falls, or one of each. *Smooth plus a jump* is a jump alone, or on a
smooth rise or fall. Within a model of one smooth rise every kind (power and width) is equally likely, and so is every
midpoint of a kind; pairs of smooth rises are equally likely, and so are jumps. Jumps in the first and last gap belong
to neither set, since data cannot distinguish them from a rise that continues off the ladder.

For a jump down rises and falls swap, so that turning a curve upside down swaps the two Bayes factors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from harness.analysis.emergence.bounded_cache import BoundedCache, array_bytes
from harness.analysis.emergence.rise_shapes import STRAIGHT_RATE, Shapes, SmoothShape, shapes_of

#: Prior probabilities of the smooth models in the comparison with a jump up; for a jump down rises and falls swap.
SMOOTH_WEIGHTS = {"level": 0.1, "rise": 0.2, "fall": 0.02, "two rises": 0.45, "rise and fall": 0.2, "two falls": 0.03}
#: Prior probabilities of the models with a jump up; for a jump down rises and falls swap.
JUMP_WEIGHTS = {"jump": 0.1, "jump on a rise": 0.7, "jump on a fall": 0.2}
#: Prior log odds of a jump up against a jump down.
LOG_ODDS_OF_UP = float(np.log(2))
#: Bytes of models that are kept between calls.
MAX_MODEL_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Models:
    """Every model of a ladder: which shapes, the signs of their heights, and prior probabilities.

    The M models are in this order: no shape; each of the S shapes with a height above 0; each with one below 0; each of
    the P pairs with both heights above 0, the first only, the second only, neither.

    Attributes:
        shapes: of the ladder.
        first, second: (M,) indices of the shapes; -1 for none.
        signs: (M, 2) of the heights.
        jump: (M,) index of the jump of each model, -1 for none; edge jumps are J and J + 1.
        smooth_up, smooth_down: (M,) prior probabilities of the smooth set, in the comparison with a jump up and down.
        jump_up, jump_down: (M,) of the set with a jump, up and down.
        edge_up, edge_down: (M,) of the models with an edge jump, as likely each as one of any other jump.
    """

    shapes: Shapes
    first: np.ndarray
    second: np.ndarray
    signs: np.ndarray
    jump: np.ndarray
    smooth_up: np.ndarray
    smooth_down: np.ndarray
    jump_up: np.ndarray
    jump_down: np.ndarray
    edge_up: np.ndarray
    edge_down: np.ndarray

    @cached_property
    def pair(self) -> np.ndarray:
        """(M,) index of the pair of shapes of each model; -1 for models of one shape or none."""
        n_pairs = len(self.shapes.first)
        alone = len(self.first) - 4 * n_pairs
        return np.concatenate([np.full(alone, -1), np.tile(np.arange(n_pairs), 4)])

    @cached_property
    def smooth(self) -> tuple[np.ndarray, np.ndarray]:
        """(m,) indices of the models of the smooth set, and (m, 2) their prior probabilities with a jump up, down."""
        prior = np.stack([self.smooth_up, self.smooth_down], axis=1)
        index = np.flatnonzero(prior.any(axis=1))
        return index, prior[index]

    @cached_property
    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """(m,) indices of the models with a jump in an end gap, and (m, 2) their priors, up and down, of sum 1."""
        prior = np.stack([self.edge_up, self.edge_down], axis=1)
        index = np.flatnonzero(prior.any(axis=1))
        return index, prior[index] / prior.sum(axis=0)

    @cached_property
    def by_place(self) -> tuple[np.ndarray, csr_array]:
        """(m,) indices of the models with a jump, and (2 J, m) their prior probabilities by place, up and then down."""
        n_jumps, prior = len(self.shapes.jumps), self.jump_up + self.jump_down
        index = np.flatnonzero(prior)
        place = np.where(self.jump_up > 0, 0, n_jumps)[index] + self.jump[index]
        return index, csr_array((prior[index], (place, np.arange(len(index)))), shape=(2 * n_jumps, len(index)))

    @property
    def nbytes(self) -> int:
        priors = (self.smooth_up, self.smooth_down, self.jump_up, self.jump_down, self.edge_up, self.edge_down)
        index, by_place = self.by_place
        own = (
            self.first,
            self.second,
            self.signs,
            self.jump,
            self.pair,
            *self.smooth,
            *self.edges,
            index,
            by_place.data,
            *priors,
        )
        return array_bytes(own) + self.shapes.nbytes


_KEPT: BoundedCache[Models] = BoundedCache(MAX_MODEL_BYTES)


def models_of(t: np.ndarray, with_powers: bool = True, steep: bool = False) -> Models:
    """Models of a ladder, kept between calls (at most `MAX_MODEL_BYTES`); arguments as `rise_shapes.shapes_of` has."""
    return _KEPT.get((t.tobytes(), with_powers, steep), lambda: _build_models(shapes_of(t, with_powers, steep)))


def _build_models(shapes: Shapes) -> Models:
    n_combined, n_jumps, n_shapes = len(shapes.combined), len(shapes.jumps), len(shapes.stacked)
    one, none = np.arange(n_shapes), np.full(n_shapes, -1)
    first = np.concatenate([[-1], one, one, np.tile(shapes.first, 4)])
    second = np.concatenate([[-1], none, none, np.tile(shapes.second, 4)])
    n_pairs = len(shapes.first)
    counts = [1, n_shapes, n_shapes, *[n_pairs] * 4]
    signs = np.repeat([(1, 1), (1, 1), (-1, 1), (1, 1), (1, -1), (-1, 1), (-1, -1)], counts, axis=0)
    last = np.where(second >= 0, second, first)
    jump = np.where((last >= n_combined) & (last < n_combined + n_jumps + 2), last - n_combined, -1)
    # Prior of one shape: single rises by kind; jumps equally. Of a pair: see the head of this file.
    single, at_jump = np.zeros(n_shapes), np.zeros(n_shapes)
    single[n_combined + n_jumps + 2 :] = _prior(shapes.single)
    at_jump[n_combined : n_combined + n_jumps + 2] = 1 / n_jumps
    smooth_pair, jump_pair = np.zeros(n_pairs), np.zeros(n_pairs)
    smooth_pair[: shapes.n_smooth_pairs] = 1 / shapes.n_smooth_pairs
    jump_pair[shapes.n_smooth_pairs :] = np.repeat(_prior(shapes.combined), n_jumps + 2) / n_jumps
    no_shapes, no_pairs = np.zeros(n_shapes), np.zeros(n_pairs)

    def smooth(level: float, rise: float, fall: float, rises: float, both: float, falls: float) -> np.ndarray:
        pairs = [rises * smooth_pair, both / 2 * smooth_pair, both / 2 * smooth_pair, falls * smooth_pair]
        return np.concatenate([np.array([level]), rise * single, fall * single, *pairs])

    level, rise, fall, rises, both, falls = SMOOTH_WEIGHTS.values()
    alone, on_same, on_other = JUMP_WEIGHTS.values()
    up = [np.zeros(1), alone * at_jump, no_shapes, on_same * jump_pair, no_pairs, on_other * jump_pair, no_pairs]
    down = [np.zeros(1), no_shapes, alone * at_jump, no_pairs, on_other * jump_pair, no_pairs, on_same * jump_pair]
    with_up, with_down = np.concatenate(up), np.concatenate(down)
    inside = jump < n_jumps
    return Models(
        shapes,
        first,
        second,
        signs,
        jump,
        smooth(level, rise, fall, rises, both, falls),
        smooth(level, fall, rise, falls, both, rises),
        np.where(inside, with_up, 0.0),
        np.where(inside, with_down, 0.0),
        np.where(inside, 0.0, with_up),
        np.where(inside, 0.0, with_down),
    )


def _prior(rises: tuple[SmoothShape, ...]) -> np.ndarray:
    """(F,) every kind equally likely, and within a kind every rise.

    Power laws of the error are one kind, the straight line is another.
    """
    straight = float(np.log(9) / STRAIGHT_RATE)
    kinds = [(rise.power, rise.width if rise.power or rise.width == straight else 0.0) for rise in rises]
    members = np.array([kinds.count(kind) for kind in kinds])
    return np.asarray(1 / members / len(set(kinds)))
