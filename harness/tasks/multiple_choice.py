"""Questions with several answers, one of which is right: the one that a language model finds the most likely."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.data.dataset import Dataset, Kind, Question
from harness.data.load import Prepared, prepared
from harness.data.tokens import (
    MEANING,
    SIZES,
    Vocabulary,
    check_vocabulary,
    first_ends,
    is_quick,
    size_of,
    vocabulary_of,
)
from harness.errors import DataError
from harness.metrics import CHOICE_ACCURACY, CHOICE_ACCURACY_NORM, CHOICE_BRIER, CHOICE_LOG_PROB, LOSS
from harness.ranges import Text, one_of, setting, whole
from harness.tasks.base import Batch, Choices, Signature
from harness.tasks.labelled import LabelledTask


@dataclass
class MultipleChoice(LabelledTask):
    """Language modelling of questions and their right answers; evaluation compares the likelihoods of all answers.

    An answer follows the question after a space, as in EleutherAI's lm-evaluation-harness, and its log-likelihood is
    that of its tokens given the question; training sees the end of a document after it. Where both are longer than the
    context the question loses its beginning; how many did is recorded. The loss of an evaluation is that of the right
    answers, in nats per token. Chance is that of a guesser: one over the number of choices, the mean over questions.
    """

    context: int = setting(128, "tokens of a question and its answer", whole(2, 8192))
    vocabulary: int | None = setting(None, MEANING, SIZES)
    prompt: str = setting(
        "{question}", "how a question is put", Text("text with {question} in it", lambda text: "{question}" in text)
    )
    train_on: str = setting(
        "text", "what training predicts: questions and answers, or answers alone", one_of("text", "answers")
    )
    subtasks_by: str = setting("none", "what has curves of its own beside the whole", one_of("none", "groups"))

    data_kind: ClassVar[Kind] = "questions"
    name = "multiple_choice"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.metrics = (LOSS, CHOICE_LOG_PROB, CHOICE_BRIER, CHOICE_ACCURACY, CHOICE_ACCURACY_NORM)

    @property
    def examples(self) -> Prepared:
        return prepared(self.data, self.data_kind)

    def check_data(self) -> None:
        check_vocabulary(self.examples, self.vocabulary)
        if is_quick(self.examples, self.vocabulary):
            self._sides, self.choices  # noqa: B018  an answer longer than the context is refused

    @property
    def signature(self) -> Signature:
        return Signature.of_tokens(size_of(self.vocabulary), self.context)

    @property
    def versions(self) -> dict[str, str]:
        sides = (self.examples.train, self._asked)
        train, evaluation = (int(self._encoded(side, _right(side))[2].sum()) for side in sides)
        cut = {"questions_cut": f"{train} to train on, {evaluation} to evaluate on"}
        return super().versions | self._vocabulary.versions | cut

    @property
    def target_bytes(self) -> np.ndarray:
        return self._vocabulary.n_bytes

    def eval_batch(self) -> Batch:
        return self._answered(self._asked, _right(self._asked))

    @property
    def choices(self) -> Choices:
        questions: list[Question] = self._asked.inputs
        wrong = [(row, i) for row, one in enumerate(questions) for i in range(len(one.choices)) if i != one.right]
        of_question = np.array([row for row, _ in wrong])
        return Choices(
            wrong=self._answered(self._asked.take(of_question), [i for _, i in wrong]),
            question=of_question,
            right_bytes=np.array([len(one.choices[one.right].encode()) for one in questions]),
            wrong_bytes=np.array([len(questions[row].choices[i].encode()) for row, i in wrong]),
        )

    def chance(self, metric: str) -> float | None:
        if metric == LOSS.name:
            return math.log(self.signature.n_outputs)
        n_choices = np.array([len(one.choices) for one in self._asked.inputs])
        guessed = float((1 / n_choices).mean())
        of_metric = {
            CHOICE_ACCURACY: guessed,
            CHOICE_ACCURACY_NORM: guessed,
            CHOICE_LOG_PROB: -float(np.log(n_choices).mean()),
            CHOICE_BRIER: 1 - guessed,
        }
        return {known.name: value for known, value in of_metric.items()}.get(metric)

    def inputs_of(self, data: Dataset) -> np.ndarray:
        """int64 tokens (n, context) of questions and right answers, each with its end."""
        return self._learnt(data).inputs

    def _batches(self, train: Dataset, evaluation: Dataset) -> tuple[Batch, Batch]:
        return self._learnt(train), self._learnt(evaluation)

    def _learnt(self, data: Dataset) -> Batch:
        """Questions with right answers as training has them; the end of each is learnt too, the first of its row."""
        tokens, of_answer, _ = self._encoded(data, _right(data))
        is_end = tokens[:, 1:] == self._vocabulary.end
        scored = (of_answer if self.train_on == "answers" else ~is_end) | first_ends(is_end)
        return Batch(tokens[:, :-1], tokens[:, 1:], scored, np.zeros(len(data), dtype=np.int64))

    def _answered(self, data: Dataset, chosen: Sequence[int]) -> Batch:
        """Questions with chosen answers, of which the answers are scored, without their ends."""
        tokens, of_answer, _ = self._encoded(data, chosen)
        subtask = self._subtask(data)
        if subtask is None:
            subtask = np.zeros(len(data), dtype=np.int64)
        return Batch(tokens[:, :-1], tokens[:, 1:], of_answer, subtask)

    def _encoded(self, data: Dataset, chosen: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Questions, each with the one of its answers that is chosen.

        Returns:
            (n, context + 1) tokens, filled up with the end; (n, context) bool, whether the token after each position
            is of the answer; (n,) bool, whether the question lost its beginning.

        Raises:
            DataError: an answer that is longer than the context.
        """
        encoded = self._vocabulary.encoded
        questions = encoded([self.prompt.replace("{question}", one.text) for one in data.inputs])
        answers = encoded([f" {one.choices[i]}" for one, i in zip(data.inputs, chosen, strict=True)])
        tokens = np.full((len(data), self.context + 1), self._vocabulary.end, dtype=np.int64)
        of_answer = np.zeros((len(data), self.context), dtype=bool)
        cut = np.zeros(len(data), dtype=bool)
        for row, (question, answer) in enumerate(zip(questions, answers, strict=True)):
            if len(answer) > self.context:
                problem = f"an answer of {len(answer)} tokens; task.context={self.context} holds no more"
                raise DataError(problem, source=data.names[row])
            room = self.context + 1 - len(answer)
            cut[row] = len(question) > room
            question = question[-room:]
            end = len(question) + len(answer)
            tokens[row, :end] = np.concatenate([question, answer])
            of_answer[row, len(question) - 1 : end - 1] = True
        return tokens, of_answer, cut

    @property
    def _asked(self) -> Dataset:
        return self.examples.evaluation

    @property
    def _vocabulary(self) -> Vocabulary:
        return vocabulary_of(self.examples, self.vocabulary)


def _right(data: Dataset) -> list[int]:
    return [one.right for one in data.inputs]
