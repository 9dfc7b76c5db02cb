"""What is refused of prepared data, with the file and row of the first example at fault and the step that mends it."""

from __future__ import annotations

import numpy as np

from harness.data.dataset import MISSING, Dataset, Kind, Question
from harness.errors import DataError

#: What an example is called that cannot be used; it can only be dropped.
_UNUSABLE: dict[Kind, str] = {
    "text": "empty text",
    "audio": "empty sound, or NaN in it",
    "questions": "empty question or choice",
}


def refuse_unusable(train: Dataset, evaluation: Dataset) -> None:
    """Raise DataError for an example that cannot be trained on, a class alone, and one that a side has none of."""
    for data in (train, evaluation):
        _refuse_inputs(data)
        _refuse_labels(data)
    if not train.has_classes:
        return
    if len(train.classes) < 2:
        problem = f"one class only, {', '.join(train.classes)}; wanted are two or more, which data.classes can list"
        raise DataError(problem, source=train.provenance.name)
    for data, side in ((train, "training"), (evaluation, "evaluation")):
        counts = data.class_counts()
        if not counts.all():
            name = data.classes[int(counts.argmin())]
            problem = f"class {name} has no {side} examples (split: {data.provenance.split_rule}); change data.split"
            raise DataError(f"{problem}, data.eval_fraction or data.classes", source=data.provenance.name)


def _refuse_inputs(data: Dataset) -> None:
    wrong = unusable(data)
    if wrong.any():
        row = int(wrong.argmax())
        what = _UNUSABLE.get(data.kind, "NaN features")
        if data.kind == "questions" and _has_twins(data.inputs[row]):
            what = f"two choices alike, {_some(data.inputs[row].choices)}"
        if data.kind not in _UNUSABLE and np.isinf(data.inputs[row]).any():
            what = "infinite features"
        remedy = "drop" if data.kind in _UNUSABLE else "drop or mean"
        others = f" ({int(wrong.sum()):,} such rows)" if wrong.sum() > 1 else ""
        raise DataError(f"{what}{others}; the step missing ({remedy}) handles them", source=data.names[row])


def unusable(data: Dataset) -> np.ndarray:
    """(n,) bool: empty texts, questions and choices, choices alike, NaN or infinite features, audio without samples."""
    if data.kind == "text":
        return np.array([not text.strip() for text in data.inputs], dtype=bool)
    if data.kind == "questions":
        return np.array([_has_blanks(one) or _has_twins(one) for one in data.inputs], dtype=bool)
    if data.kind == "audio":
        return np.array([not len(wave) or not np.isfinite(wave).all() for wave in data.inputs], dtype=bool)
    return ~np.isfinite(data.inputs).reshape(len(data), -1).all(axis=1)


def _has_blanks(question: Question) -> bool:
    return not all(map(str.strip, (question.text, *question.choices)))


def _has_twins(question: Question) -> bool:
    return not _has_blanks(question) and len(set(question.choices)) < len(question.choices)


def _refuse_labels(data: Dataset) -> None:
    wrong = without_label(data)
    if data.labels is None or not wrong.any():
        return
    row = int(wrong.argmax())
    missing = not data.has_classes or data.labels[row] == MISSING
    what = "label missing" if missing else f"label out of range; classes are {_some(data.classes)}"
    others = f" ({int(wrong.sum()):,} such rows)" if wrong.sum() > 1 else ""
    raise DataError(f"{what}{others}; the step labels drops such rows", source=data.names[row])


def without_label(data: Dataset) -> np.ndarray:
    """(n,) bool: labels that are missing or out of range, values that are NaN; none where there are no labels."""
    if data.labels is None:
        return np.zeros(len(data), dtype=bool)
    return data.labels < 0 if data.has_classes else ~np.isfinite(data.labels).all(axis=1)


def _some(classes: tuple[str, ...]) -> str:
    return ", ".join(classes[:10]) + (f", ... ({len(classes)})" if len(classes) > 10 else "")
