"""Steps that remove or mend examples: labels, missing values, outliers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.data.checks import unusable, without_label
from harness.data.dataset import EVAL, MISSING, TRAIN, Dataset
from harness.data.prepare.base import Change, Step
from harness.errors import DataError
from harness.ranges import above, one_of, or_null, setting


def _kept(data: Dataset, split: str, removed: np.ndarray, note: str = "") -> tuple[Dataset, Change]:
    return data.take(~removed), Change(split, removed=int(removed.sum()), note=note)


@dataclass
class Labels(Step):
    """Drops examples whose label is missing, or is none of the classes."""

    def apply(
        self, train: Dataset, evaluation: Dataset, rng: np.random.Generator
    ) -> tuple[Dataset, Dataset, list[Change]]:
        sides, changes = [], []
        for data, split in ((train, TRAIN), (evaluation, EVAL)):
            if data.labels is None:
                raise DataError("labels: the source has none; see data.label_columns", source=data.provenance.name)
            wrong = without_label(data)
            missing = int(wrong.sum()) if not data.has_classes else int((data.labels == MISSING).sum())
            note = f"{missing} missing, {int(wrong.sum()) - missing} out of range" if wrong.any() else ""
            kept, change = _kept(data, split, wrong, note)
            sides.append(kept)
            changes.append(change)
        return sides[0], sides[1], changes


@dataclass
class Missing(Step):
    """Drops examples with missing inputs, or puts the mean of the training examples in their place.

    Missing are features that are NaN or infinite, texts, questions and choices without a visible
    character, and sounds without samples.
    """

    kinds = ("features", "text", "audio", "questions")

    how: str = setting(
        "drop", "drop such examples, or give a missing feature its training mean", one_of("drop", "mean")
    )

    def apply(
        self, train: Dataset, evaluation: Dataset, rng: np.random.Generator
    ) -> tuple[Dataset, Dataset, list[Change]]:
        if self.how == "drop":
            train, in_training = _kept(train, TRAIN, unusable(train))
            evaluation, in_evaluation = _kept(evaluation, EVAL, unusable(evaluation))
            return train, evaluation, [in_training, in_evaluation]
        if train.kind != "features":
            raise DataError(f"missing: {train.kind} have no mean; how=drop drops them", source=train.provenance.name)
        finite = np.isfinite(train.inputs)
        if not finite.any(axis=0).all():
            name = train.feature_name(int(finite.any(axis=0).argmin()))
            problem = f"missing: {name} has no value in training, so that it has no mean"
            raise DataError(problem, source=train.provenance.name)
        means = np.nanmean(np.where(finite, train.inputs, np.nan), axis=0)

        def filled(data: Dataset) -> Dataset:
            return replace(data, inputs=np.where(np.isfinite(data.inputs), data.inputs, means))

        changes = [
            Change(split, changed=int(unusable(data).sum()), note=f"{int((~np.isfinite(data.inputs)).sum())} values")
            for data, split in ((train, TRAIN), (evaluation, EVAL))
        ]
        return filled(train), filled(evaluation), changes


@dataclass
class Outliers(Step):
    """Removes training examples of which a statistic lies far from that of the others; evaluation is kept as it is.

    With `rule=zscore` far is more than `limit` standard deviations from the mean; with `rule=iqr` more than `limit`
    interquartile ranges below the first or above the third quartile (Tukey 1977: 1.5). A missing value is no outlier.
    """

    kinds = ("images", "text", "audio", "features")

    rule: str = setting("zscore", "deviations from the mean, or interquartile ranges", one_of("zscore", "iqr"))
    limit: float = setting(4.0, "how many of them are allowed", above(0))
    statistic: str | None = setting(
        None,
        "of each example: every value (of features), mean or deviation (over its numbers), or length (of text in "
        "characters, of audio in seconds)",
        or_null(
            one_of("values", "mean", "deviation", "length"),
            "values of features, mean of images, length of text and audio",
        ),
    )

    def apply(
        self, train: Dataset, evaluation: Dataset, rng: np.random.Generator
    ) -> tuple[Dataset, Dataset, list[Change]]:
        statistics = self._statistics(train)
        if self.rule == "zscore":
            centre, spread = np.nanmean(statistics, axis=0), np.nanstd(statistics, axis=0)
            low, high = centre - self.limit * spread, centre + self.limit * spread
        else:
            first, third = np.nanpercentile(statistics, [25, 75], axis=0)
            low, high = first - self.limit * (third - first), third + self.limit * (third - first)
        far = ((statistics < low) | (statistics > high)).any(axis=1)
        note = f"allowed {low[0]:.6g} to {high[0]:.6g}" if len(low) == 1 else f"bounds of {len(low)} values"
        train, change = _kept(train, TRAIN, far, note)
        return train, evaluation, [change]

    def _statistics(self, data: Dataset) -> np.ndarray:
        """(n, S) numbers."""
        name = self.statistic or {"features": "values", "images": "mean"}.get(data.kind, "length")
        allowed = {"text": ("length",), "features": ("values", "mean", "deviation"), "images": ("mean", "deviation")}
        if name not in allowed.get(data.kind, ("mean", "deviation", "length")):
            raise DataError(f"outliers: {data.kind} have no statistic {name}", source=data.provenance.name)
        if name == "values":
            return data.inputs
        if name == "length":
            return np.array([[len(one) / (data.sample_rate or 1)] for one in data.inputs])
        of = np.mean if name == "mean" else np.std
        return np.array([[of(one, dtype=np.float64) if len(one) else np.nan] for one in data.inputs])
