"""What the names of logged series say: whether it is a metric at all, and of which split."""

from __future__ import annotations

import re

from harness.metric_names import meaning, words

#: What tools call the two splits. Numbers of a test set are evaluations too, and keep the word in their name.
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

#: Numbers about the training itself, which trackers log beside the metrics.
_BOOKKEEPING = re.compile(
    r"(?:^|[/_.-])(runtime|per_second|learning_rate|lr|epoch|step|steps|grad_norm|tokens_seen|total_flos|train_loss"
    r"|preparation_time|timestamp|samples|memory\w*|time|mfu)$",
    re.IGNORECASE,
)


def split_and_metric(name: str) -> tuple[str, str] | None:
    """Split and metric that a logged name means, e.g. 'eval/loss', 'val_loss', 'Loss/train'; None for bookkeeping.

    A name that states no split is of the train split. There, only names that `metric_names` knows (loss, accuracy, ...)
    and scores count as metrics, because trackers log much else among them.
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


def split_metric_and_subtask(name: str) -> tuple[str, str, str] | None:
    """As `split_and_metric`, and the subtask: NAME in 'eval/accuracy/NAME', as the harness exports it; else 'all'.

    In 'eval/c4/loss' the last word is the metric, so that c4 is taken for part of its name.
    """
    split, _, rest = name.partition("/")
    metric, _, subtask = rest.partition("/")
    if split in ("train", "eval") and subtask:
        last = subtask.rpartition("/")[2].lower()
        if _sounds_like_a_metric(metric.lower()) or not _sounds_like_a_metric(last):
            found = split_and_metric(f"{split}/{metric}")
            return (*found, subtask) if found else None
    plain = split_and_metric(name)
    return (*plain, "all") if plain else None


def _sounds_like_a_metric(metric: str) -> bool:
    return meaning(metric).known or "score" in words(metric)
