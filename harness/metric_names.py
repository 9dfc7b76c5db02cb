"""What the name of a metric says of it, for tables that do not say it: its direction and its kind.

A name is read as whole words (`words`), in any case: "val_loss", "MSELoss" and "eval/loss" are losses, "lossless_score"
is not. Where several words are known the last one decides, as in English: an "error_detection_accuracy" is an accuracy.
"neg" or "negative" before it reverses the direction: "neg_mean_squared_error", "negative_log_likelihood". A name
without a known word is taken for a score: higher is better, discontinuous.

A metric is *discontinuous* where it can jump although the probabilities that a model gives to the right answers move
smoothly (Schaeffer et al. 2023, "Are Emergent Abilities of Large Language Models a Mirage?"): it counts answers that
are wholly right. It is *continuous* where it is a smooth function of these probabilities, or a mean over the parts of
an answer. Word and character error rates are of the second kind: edits per word are linear in the errors made, as token
accuracy is, and no share of items (they can exceed 1); Schaeffer et al. measure the token edit distance beside exact
match for that reason, and speech recognition fits power laws to word error rates. An error rate without further words
is 1 - accuracy, and discontinuous.

All that is assumed here can be stated instead: in a table by its columns `higher_is_better` and `discontinuous`, on the
command line by flags. Metrics of the harness's own tasks (`metrics`) state it themselves. No name says which metric is
of the same outputs as another, so that a table has the pairs that it states (`paired_metric`, --pair); `usual_pair`
names one that may be offered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from textwrap import TextWrapper


@dataclass(frozen=True)
class Meaning:
    """What is assumed of a metric.

    Attributes:
        higher_is_better: direction.
        discontinuous: whether it can jump where the outputs move smoothly.
        known: whether a word of the name says so; otherwise this is the default.
        of_answers: whether it says how right answers are, so that, if continuous, it can judge a discontinuous metric
            of the same outputs; the calibration of a model's confidence and its distance from another model do not.
    """

    higher_is_better: bool
    discontinuous: bool
    known: bool = True
    of_answers: bool = True


@dataclass(frozen=True)
class _Group:
    """Names of one meaning, as --help lists them."""

    title: str
    names: str
    meaning: Meaning


_GROUPS = (
    _Group(
        "smaller is better, continuous",
        "loss, nll, perplexity, ppl, entropy, cross-entropy, logloss, surprisal, ce, bce, xent, bits per, nats per, "
        "bpb, bpc, bpt, bpd, brier, crps, mse, rmse, mae, mape, msle, squared error, absolute error, percentage error, "
        "distance, levenshtein, edit rate, wer, cer, ter, word error, character error, char error, phoneme error, "
        "token error, fid, kid, fvd, fad, lpips",
        Meaning(higher_is_better=False, discontinuous=False),
    ),
    _Group(
        "smaller is better, continuous, and no judge of another metric",
        "ece, calibration error, kl, kld, divergence",
        Meaning(higher_is_better=False, discontinuous=False, of_answers=False),
    ),
    _Group(
        "higher is better, continuous",
        "likelihood, loglikelihood, logprob, logprobs, prob, probs, probability, probabilities, logit, logits, "
        "token accuracy, r2, pearson, psnr, ssim",
        Meaning(higher_is_better=True, discontinuous=False),
    ),
    _Group(
        "smaller is better, discontinuous",
        "error, errors, err, eer, misclassification",
        Meaning(higher_is_better=False, discontinuous=True),
    ),
    _Group(
        "higher is better, discontinuous",
        "acc, accuracy, em, match, f1, bleu, chrf, rouge, mcc, auc, auroc, precision, recall",
        Meaning(higher_is_better=True, discontinuous=True),
    ),
)
_DEFAULT = Meaning(higher_is_better=True, discontinuous=True, known=False)
_NEGATIONS = {"neg", "negative", "minus"}
#: "MSELoss" is MSE Loss, "evalLoss" eval Loss, "f1" f 1; any other sign separates words.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+|\d+")

#: How names of exact match begin, which is judged by token accuracy before the loss.
_EXACT_MATCH = (("exact", "match"), ("em",))


def words(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case: split at signs, before capitals, and between letters and digits."""
    return tuple(word.lower() for word in _WORD.findall(name))


_PHRASES = {words(name): group.meaning for group in _GROUPS for name in group.names.split(", ")}
_LONGEST = max(map(len, _PHRASES))


@cache
def meaning(name: str) -> Meaning:
    """What a metric of this name is taken for.

    >>> meaning("val_MSE").higher_is_better, meaning("lossless_score").higher_is_better
    (False, True)
    """
    said = words(name)
    for end in range(len(said), 0, -1):
        for start in range(max(0, end - _LONGEST), end):
            found = _PHRASES.get(said[start:end])
            if found is not None:
                negated = bool(_NEGATIONS & set(said[:start]))
                return Meaning(found.higher_is_better != negated, found.discontinuous, of_answers=found.of_answers)
    return _DEFAULT


def usual_pair(metric: str, continuous: Iterable[str]) -> str:
    """The continuous metric that would judge a discontinuous one, if both are of the same outputs; '' where none is.

    Exact match is judged by token accuracy, where that was measured; anything else by the loss, else by the first
    continuous metric that says how right the answers are.

    Args:
        metric: name of the discontinuous metric.
        continuous: names of the continuous metrics beside it, in order of preference.
    """
    judges = {words(name): name for name in continuous if meaning(name).of_answers and name != metric}
    exact = any(words(metric)[: len(start)] == start for start in _EXACT_MATCH)
    for wanted in ([("token", "accuracy")] if exact else []) + [("loss",)]:
        if wanted in judges:
            return judges[wanted]
    return next(iter(judges.values()), "")


def describe(higher_is_better: bool | None = None, discontinuous: bool | None = None) -> str:
    """A meaning in words, as far as it is given: 'smaller is better, discontinuous'."""
    parts = []
    if higher_is_better is not None:
        parts.append("higher is better" if higher_is_better else "smaller is better")
    if discontinuous is not None:
        parts.append("discontinuous" if discontinuous else "continuous")
    return ", ".join(parts)


def vocabulary(width: int = 79, pairs: bool = True) -> str:
    """All names that are known and what follows from them, in lines of at most this width; for --help.

    Args:
        pairs: whether to say how pairs are stated.
    """
    paragraphs = [
        "What neither a flag nor the columns higher_is_better and discontinuous state of a metric is assumed by the "
        "last word of its name that is known. Whole words count, in any case:",
        *(f"  {group.title}: {group.names}" for group in _GROUPS),
        "  all else: higher is better, discontinuous",
        "'neg' or 'negative' before the word reverses the direction.",
    ]
    if pairs:
        paragraphs[-1] += (
            " No pair is assumed: the continuous metric that judges a discontinuous one must be measured on the same "
            "outputs, which no name says (a pretraining loss is not the loss of an exam's answers). A table states it "
            "in the column paired_metric, you by --pair; a likely pair is offered."
        )
    lines = TextWrapper(width, break_on_hyphens=False)
    return "\n".join(lines.fill(paragraph) for paragraph in paragraphs)
