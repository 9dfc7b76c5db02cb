"""What the name of a metric says: its split, its direction, and whether it can jump where outputs move smoothly."""

from __future__ import annotations

import re

#: How tools call the two splits. Numbers of a test set are evaluations too, and keep the word in their name.
_SPLITS = {
    "train": "train",
    "training": "train",
    "eval": "eval",
    "val": "eval",
    "valid": "eval",
    "validation": "eval",
    "dev": "eval",
    "test": "eval",
}
_WORD = "|".join(_SPLITS)
_BEFORE = re.compile(rf"({_WORD})[/_.: -]+(.+)", re.IGNORECASE)
_AFTER = re.compile(rf"(.+?)[/_.: -]+({_WORD})", re.IGNORECASE)

#: Lightning's mark of what a metric was averaged over.
_AVERAGED = re.compile(r"(.+)_(?:step|epoch)")

_WORDS = re.compile(r"[a-z]+", re.IGNORECASE)
_LOSSES = {"loss", "perplexity", "ppl", "nll", "bits", "bpb", "bpc", "bpt", "brier", "entropy", "mse", "mae", "rmse"}
_ERRORS = {"error", "err", "wer", "cer"}
_CONTINUOUS = _LOSSES | {"likelihood", "loglikelihood", "logprob", "logprobs", "prob", "probability", "logit", "logits"}
_SCORES = {"acc", "accuracy", "f", "bleu", "chrf", "rouge", "mcc", "auc", "precision", "recall", "score", "em", "match"}
#: Numbers about the training itself, which trackers log beside its metrics.
_BOOKKEEPING = re.compile(
    r"(?:^|[/_.-])(runtime|per_second|learning_rate|lr|epoch|step|steps|grad_norm|tokens_seen|total_flos|train_loss"
    r"|preparation_time|timestamp|samples|memory\w*|time|mfu)$",
    re.IGNORECASE,
)


def split_and_metric(name: str) -> tuple[str, str] | None:
    """Split and metric that a logged name means, e.g. 'eval/loss', 'val_loss', 'Loss/train'; None for bookkeeping.

    A name that states no split is of the train split, where a metric must sound like one (loss, accuracy, ...), for
    trackers log much else there.
    """
    split, rest, word = "train", name, ""
    if match := _BEFORE.fullmatch(name):
        word, rest = match[1].lower(), match[2]
        split = _SPLITS[word]
    elif match := _AFTER.fullmatch(name):
        rest, word = match[1], match[2].lower()
        split = _SPLITS[word]
    metric = rest.lower().replace(" ", "_")
    if (match := _AVERAGED.fullmatch(metric)) and _sounds_like_a_metric(match[1]):
        metric = match[1]
    if _BOOKKEEPING.search(metric) or not (split == "eval" or _sounds_like_a_metric(metric)):
        return None
    return split, f"test_{metric}" if word == "test" else metric


def higher_is_better(metric: str) -> bool:
    """Direction by name: all but losses, errors and perplexities."""
    return not _words(metric) & (_LOSSES | _ERRORS)


def is_continuous(metric: str) -> bool:
    """Whether the metric moves smoothly with the outputs, by name: losses, perplexities, probabilities."""
    return bool(_words(metric) & _CONTINUOUS)


def _words(metric: str) -> set[str]:
    return {word.lower() for word in _WORDS.findall(metric)}


def _sounds_like_a_metric(metric: str) -> bool:
    return bool(_words(metric) & (_CONTINUOUS | _ERRORS | _SCORES))
