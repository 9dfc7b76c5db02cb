"""The models of a ladder: which there are, how probable beforehand, and what they share."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.emergence import models as module
from harness.analysis.emergence.bounded_cache import BoundedCache
from harness.analysis.emergence.models import JUMP_WEIGHTS, SMOOTH_WEIGHTS, Models, models_of

LADDERS = [np.arange(4.0), np.arange(5.0), np.arange(8.0), np.array([0.0, 1.0, 1.5, 2.7, 4.0, 7.0]), np.arange(12.0)]
PRIORS = ("smooth_up", "smooth_down", "jump_up", "jump_down")


def kinds(models: Models) -> tuple[np.ndarray, np.ndarray]:
    """(M,) numbers of smooth shapes and of jumps of each model."""
    is_jump = np.zeros(len(models.shapes.stacked) + 1, dtype=int)
    n_jumps = len(models.shapes.jump_low)
    is_jump[len(models.shapes.combined) : len(models.shapes.combined) + n_jumps] = 1
    of_first, of_second = models.first >= 0, models.second >= 0
    jumps = of_first * is_jump[models.first] + of_second * is_jump[models.second]
    return of_first.astype(int) + of_second - jumps, jumps


@pytest.mark.parametrize("t", LADDERS, ids=["4", "5", "8", "uneven", "12"])
@pytest.mark.parametrize(("with_powers", "steep"), [(True, False), (False, False), (True, True)])
def test_each_prior_is_of_its_set_and_sums_to_one(t: np.ndarray, with_powers: bool, steep: bool) -> None:
    models = models_of(t, with_powers, steep)
    smooth, jumps = kinds(models)
    for name in PRIORS:
        assert getattr(models, name).sum() == pytest.approx(1)
        assert (getattr(models, name) >= 0).all()
    for name in PRIORS[:2]:
        used = getattr(models, name) > 0
        assert not jumps[used].any() and set(smooth[used]) == {0, 1, 2}
    for name in PRIORS[2:]:
        used = getattr(models, name) > 0
        assert (jumps[used] == 1).all() and set(smooth[used]) == {0, 1}
        assert (models.jump[used] < len(models.shapes.jumps)).all(), "none in the first or last gap"
    for name in ("edge_up", "edge_down"):
        used = getattr(models, name) > 0
        assert (models.jump[used] >= len(models.shapes.jumps)).all() and used.any()


def test_weights_of_the_models_are_those_stated() -> None:
    models = models_of(np.arange(8.0))
    smooth, jumps = kinds(models)
    up, down = models.signs > 0, models.signs < 0
    one, two = (smooth == 1) & (jumps == 0), (smooth == 2) & (jumps == 0)
    for prior, rising, falling in ((models.smooth_up, up, down), (models.smooth_down, down, up)):
        found = {
            "level": prior[0],
            "rise": prior[one & rising[:, 0]].sum(),
            "fall": prior[one & falling[:, 0]].sum(),
            "two rises": prior[two & rising.all(axis=1)].sum(),
            "rise and fall": prior[two & (rising[:, 0] != rising[:, 1])].sum(),
            "two falls": prior[two & falling.all(axis=1)].sum(),
        }
        assert found == pytest.approx(SMOOTH_WEIGHTS)
    alone, on_another = (jumps == 1) & (smooth == 0), (jumps == 1) & (smooth == 1)
    for prior, sign in ((models.jump_up, 1), (models.jump_down, -1)):
        same = models.signs[:, 0] == sign
        found = {
            "jump": prior[alone].sum(),
            "jump on a rise": prior[on_another & same].sum(),
            "jump on a fall": prior[on_another & ~same].sum(),
        }
        assert found == pytest.approx(JUMP_WEIGHTS)
        # The jump, which comes second, is up in the one set and down in the other.
        last = np.where(models.second >= 0, models.signs[:, 1], models.signs[:, 0])
        assert (last[prior > 0] == sign).all()


def test_places_of_jumps_are_equally_likely() -> None:
    models = models_of(np.arange(8.0))
    for prior in (models.jump_up, models.jump_down):
        by_place = np.bincount(models.jump[prior > 0], prior[prior > 0])
        np.testing.assert_allclose(by_place, 1 / len(models.shapes.jumps))
    index, by_place = models.by_place
    np.testing.assert_allclose(by_place.sum(axis=1), 1 / len(models.shapes.jumps))
    assert set(index) == set(np.flatnonzero(models.jump_up + models.jump_down))


def test_kinds_of_a_smooth_rise_are_equally_likely_however_many_midpoints_they_have() -> None:
    models = models_of(np.arange(8.0))
    smooth, jumps = kinds(models)
    rising = (smooth == 1) & (jumps == 0) & (models.signs[:, 0] > 0) & (models.smooth_up > 0)
    start = len(models.shapes.stacked) - len(models.shapes.single)
    weight: dict[tuple[int, float], float] = {}
    for shape, prior in zip(models.first[rising] - start, models.smooth_up[rising], strict=True):
        rise = models.shapes.single[shape]
        kind = (rise.power, rise.width) if rise.power else (0, float(rise.width > 100))
        weight[kind] = weight.get(kind, 0.0) + prior
    np.testing.assert_allclose(list(weight.values()), SMOOTH_WEIGHTS["rise"] / len(weight))


def test_sums_over_sets_pick_the_models_of_the_sets() -> None:
    models = models_of(np.arange(6.0))
    index, prior = models.smooth
    np.testing.assert_array_equal(prior, np.stack([models.smooth_up, models.smooth_down], axis=1)[index])
    assert prior.sum(axis=0) == pytest.approx([1, 1])
    index, prior = models.edges
    assert prior.sum(axis=0) == pytest.approx([1, 1]) and (models.jump[index] >= len(models.shapes.jumps)).all()


def test_models_are_built_once_and_say_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT", BoundedCache(module.MAX_MODEL_BYTES))
    models = models_of(np.arange(8.0))
    assert models_of(np.arange(8.0)) is models
    others = [models_of(np.arange(8.0), with_powers=False), models_of(np.arange(8.0), steep=True)]
    assert all(other is not models for other in others)
    assert models.nbytes > models.first.nbytes + models.smooth_up.nbytes * 6 + models.shapes.nbytes
