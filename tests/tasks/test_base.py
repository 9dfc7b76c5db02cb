"""What holds of every task in conf/task that makes its own examples of classes: settings, batches, chance levels."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import get_class
from omegaconf import OmegaConf

from harness.metrics import Outputs
from harness.tasks.base import Batch, Task

#: Tasks that read data, and tasks whose answers are values; their own tests say what holds of them.
OTHERS = (
    "images",
    "language",
    "linear_regression",
    "multiple_choice",
    "speech",
    "table",
    "teacher_student",
    "text_classification",
    "two_digits",
)
CONFIGS = [
    path for path in sorted((Path(__file__).parents[2] / "conf" / "task").glob("*.yaml")) if path.stem not in OTHERS
]
pytestmark = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)


def build(path: Path, **changes: object) -> Task:
    values = OmegaConf.to_container(OmegaConf.load(path))
    cls = get_class(values.pop("_target_"))
    return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(cls), values, changes))


def arrays(batch: Batch) -> list[np.ndarray]:
    return [batch.inputs, batch.targets, batch.scored, batch.subtask]


def same(a: Batch, b: Batch) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(arrays(a), arrays(b), strict=True))


def check_batch(task: Task, batch: Batch, n: int) -> None:
    signature = task.signature
    if signature.vocab_size is None:
        assert batch.inputs.dtype == np.float32
        assert batch.inputs.shape == (n, *signature.feature_shape)
        assert batch.targets.shape == (n, 1)
    else:
        assert batch.inputs.dtype == np.int64
        assert batch.inputs.shape == batch.targets.shape == (n, signature.context)
        assert 0 <= batch.inputs.min() <= batch.inputs.max() < signature.vocab_size
    assert batch.targets.dtype == np.int64
    assert 0 <= batch.targets.min() <= batch.targets.max() < signature.n_outputs
    assert batch.scored.dtype == bool
    assert batch.scored.shape == batch.targets.shape
    assert batch.scored.any(axis=1).all()
    assert batch.subtask.dtype == np.int64
    assert batch.subtask.shape == (n,)
    assert 0 <= batch.subtask.min() <= batch.subtask.max() < max(1, len(task.subtasks))


def test_config_gives_every_setting_at_its_default(path):
    values = OmegaConf.to_container(OmegaConf.load(path))
    cls = get_class(values.pop("_target_"))
    assert values == dataclasses.asdict(cls()) == dataclasses.asdict(build(path))
    assert build(path).name == path.stem


def test_batches(path):
    task = build(path)
    check_batch(task, task.train_batch(np.random.default_rng(0), 33), 33)
    check_batch(task, task.train_batch(np.random.default_rng(0), 1), 1)
    evaluation = task.eval_batch()
    check_batch(task, evaluation, len(evaluation.inputs))
    assert len(evaluation.inputs) >= 256
    assert set(evaluation.subtask) == set(range(max(1, len(task.subtasks))))


def test_equal_settings_give_equal_data(path):
    first, second = build(path), pickle.loads(pickle.dumps(build(path)))
    assert first == second
    evaluation = first.eval_batch()
    a, b = (task.train_batch(np.random.default_rng([5, 1]), 64) for task in (first, second))
    assert same(a, b)
    assert same(evaluation, second.eval_batch())
    assert not same(a, first.train_batch(np.random.default_rng([6, 1]), 64))


def test_the_evaluation_set_has_its_own_seed(path):
    seed = "split_seed" if path.stem == "digits" else "eval_seed"
    assert not same(build(path).eval_batch(), build(path, **{seed: 1}).eval_batch())


def test_data_stay_out_of_the_settings(path):
    task = build(path)
    task.train_batch(np.random.default_rng(0), 8)
    assert len(pickle.dumps(task)) < 2000, "a task travels to every worker"


def test_a_discontinuous_and_a_continuous_metric_on_the_same_outputs(path):
    metrics = {metric.name: metric for metric in build(path).metrics}
    assert next(metric for metric in metrics.values() if not metric.discontinuous).name == "loss"
    discontinuous = [metric for metric in metrics.values() if metric.discontinuous]
    assert discontinuous
    for metric in discontinuous:
        assert not metrics[metric.paired_metric].discontinuous


def test_chance_is_what_a_guesser_gets(path):
    # The guesser draws each answer from the answer alphabet. Its accuracy over at least 10,000 answers must lie within
    # five standard deviations of chance: 6e-7 for a false alarm, and the seed is fixed.
    task = build(path)
    batch = task.eval_batch()
    n_answers = getattr(task, "n_answers", task.signature.n_outputs)
    assert batch.targets[batch.scored].max() < n_answers
    repeats = -(-10_000 // len(batch.targets))
    targets, scored = np.tile(batch.targets, (repeats, 1)), np.tile(batch.scored, (repeats, 1))
    guesses = np.random.default_rng(0).integers(n_answers, size=targets.shape)
    log_prob = np.full(targets.shape, -np.log(n_answers))
    outputs = Outputs(log_prob, guesses == targets, scored, -log_prob)
    for metric in task.metrics:
        scores, chance = metric.score(outputs), task.chance(metric.name)
        if metric.name == "answer_log_likelihood" and len(set(scored.sum(axis=1))) > 1:
            assert chance is None, "it depends on the length of the answer"
            continue
        assert chance is not None
        if metric.name in ("loss", "answer_log_likelihood"):
            np.testing.assert_allclose(scores, chance)
        else:
            answers = 1 if metric.name == "exact_match" else scored.sum(axis=1).mean()
            spread = np.sqrt(chance * (1 - chance) / (answers * len(scores)))
            assert abs(scores.mean() - chance) <= 5 * spread + 1e-12
    assert task.chance("no such metric") is None


def test_weights_of_subtasks(path):
    task = build(path)
    weights = task.subtask_weight()
    if weights is not None:
        assert weights.shape == (len(task.subtasks),)
        assert weights.sum() == pytest.approx(1)
        assert (weights > 0).all()
    assert list(task.subtasks) == sorted(set(task.subtasks))


def test_nothing_heavy_is_recorded_as_version(path):
    versions = build(path).versions
    assert all(isinstance(key, str) and isinstance(value, str) and len(value) < 100 for key, value in versions.items())
