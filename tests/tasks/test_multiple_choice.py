"""Choices by likelihood: what is scored, training rows, chance, and what a whole evaluation says."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import job_of, make_settings

from harness.data.settings import DataSettings
from harness.errors import UserError
from harness.families.transformer import Transformer
from harness.tasks.multiple_choice import MultipleChoice
from harness.training.choices import ChoiceEvaluator
from harness.training.evaluation import Evaluator
from harness.training.members import Stack

NUMBERS = DataSettings(source="embedded:numbers", eval_fraction=0.02)
CPU = torch.device("cpu")


def written(tokens: np.ndarray) -> str:
    return bytes(tokens[tokens < 256].tolist()).decode()


@pytest.fixture
def few(tmp_path: Path) -> DataSettings:
    rows = [
        {"question": f"{i}?", "choices": ["yes", "no, never", "é"][: 2 + i % 2], "answer": i % 2, "split": side}
        for i, side in enumerate(["train"] * 4 + ["test"] * 4)
    ]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return DataSettings(source=f"path:{tmp_path / 'q.jsonl'}")


def test_answers_are_scored_after_a_space(few: DataSettings) -> None:
    task = MultipleChoice(few, context=20, prompt="Q: {question}\nA:")
    batch = task.eval_batch()
    assert written(batch.inputs[0, :1]) + written(batch.targets[0]) == "Q: 4?\nA: yes"
    assert [written(row[mask]) for row, mask in zip(batch.targets, batch.scored, strict=True)] == [
        " yes", " no, never", " yes", " no, never",
    ]  # fmt: skip
    wrong = task.choices.wrong
    assert [written(row[mask]) for row, mask in zip(wrong.targets, wrong.scored, strict=True)] == [
        " no, never", " yes", " é", " no, never", " yes", " é",
    ]  # fmt: skip
    assert task.choices.question.tolist() == [0, 1, 1, 2, 3, 3]
    assert task.choices.right_bytes.tolist() == [3, 9, 3, 9] and task.choices.wrong_bytes.tolist() == [9, 3, 2, 9, 3, 2]


@pytest.mark.parametrize(("train_on", "learnt"), [("text", "? yes"), ("answers", " yes")])
def test_training_predicts_text_or_answers_and_the_end(few: DataSettings, train_on: str, learnt: str) -> None:
    batch = MultipleChoice(few, context=20, train_on=train_on).first_examples(4)
    row = next(row for row in range(4) if written(batch.inputs[row]).startswith("0"))
    scored = batch.targets[row, batch.scored[row]]
    assert written(scored) == learnt and scored[-1] == 256 and (scored == 256).sum() == 1


def test_a_long_question_loses_its_beginning_and_is_counted(few: DataSettings) -> None:
    task = MultipleChoice(few, context=11)
    assert task.versions["questions_cut"] == "0 to train on, 0 to evaluate on"
    task = MultipleChoice(few, context=10)
    assert task.versions["questions_cut"] == "2 to train on, 2 to evaluate on"
    batch = task.eval_batch()
    assert written(batch.inputs[1, :1]) + written(batch.targets[1]) == "? no, never"


def test_chance_is_over_the_choices_of_each_question(few: DataSettings) -> None:
    task = MultipleChoice(few)
    assert task.chance("choice_accuracy") == task.chance("choice_accuracy_norm") == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert task.chance("choice_log_prob") == pytest.approx(-np.log([2, 3]).mean())
    assert task.chance("choice_brier") == pytest.approx(1 - (1 / 2 + 1 / 3) / 2)
    assert task.chance("loss") == np.log(257)


def test_an_evaluation_is_that_of_each_answer_alone(few: DataSettings) -> None:
    task = MultipleChoice(few, context=16)
    settings = make_settings(Transformer(zero_head=False), task)
    job = job_of(settings)
    stack = Stack.of(job, CPU)
    outputs = ChoiceEvaluator(settings, CPU, task.choices).outputs(stack)[1]
    model = settings.family.build(job.rung.shape, task.signature, settings.parametrization)
    torch.nn.utils.vector_to_parameters(stack.params_MP[1], model.parameters())

    def log_likelihood(question: str, answer: str) -> float:
        tokens = torch.tensor([list(f"{question} {answer}".encode())])
        with torch.no_grad():
            log_probs = model(tokens[:, :-1]).log_softmax(dim=-1)[0]
        of_each = log_probs.gather(-1, tokens[0, 1:, None])[:, 0]
        return float(of_each[len(question.encode()) - 1 :].sum())

    found = outputs.choices
    for row, one in enumerate(task.examples.evaluation.inputs):
        order = [one.right, *(i for i in range(len(one.choices)) if i != one.right)]
        expected = [log_likelihood(one.text, one.choices[i]) for i in order]
        np.testing.assert_allclose(found.log_likelihood[row, : len(order)], expected, rtol=1e-4)
        assert (found.log_likelihood[row, len(order) :] == -np.inf).all()
        assert found.n_bytes[row, : len(order)].tolist() == [len(one.choices[i].encode()) for i in order]


def test_kinds_of_question_are_subtasks() -> None:
    task = MultipleChoice(NUMBERS, context=80, subtasks_by="groups", vocabulary=300)
    settings = make_settings(Transformer(), task)
    evaluator = ChoiceEvaluator(settings, CPU, task.choices)
    assert isinstance(evaluator, Evaluator)
    rows = {(row["metric"], row["subtask"]): row for row in evaluator.measure(Stack.of(job_of(settings), CPU))[0]}
    parts = [rows["choice_accuracy", kind] for kind in ("largest", "next", "sum")]
    assert (
        sum(part["n_eval"] for part in parts)
        == rows["choice_accuracy", "all"]["n_eval"]
        == len(task.eval_batch().inputs)
    )
    assert rows["choice_accuracy", "all"]["chance"] == 0.25


def test_a_task_travels_without_its_questions(few: DataSettings) -> None:
    task = MultipleChoice(few, context=20, vocabulary=None)
    task.first_examples(2)
    travelled = pickle.dumps(task)
    assert len(travelled) < 2000 and pickle.loads(travelled) == task


def test_an_answer_longer_than_the_context(few: DataSettings) -> None:
    with pytest.raises(UserError, match=r"q\.jsonl, line \d: an answer of 10 tokens; task.context=9 holds no more"):
        MultipleChoice(few, context=9).eval_batch()


def test_a_prompt_without_the_question() -> None:
    with pytest.raises(UserError, match=r"task.prompt='Answer:': allowed is text with {question} in it"):
        MultipleChoice(NUMBERS, prompt="Answer:")
