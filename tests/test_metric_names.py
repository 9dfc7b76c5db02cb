"""What names of metrics are taken to mean, and that it is the same for every part of the house."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness import find_jumps, metric_names, metrics, thresholds
from harness.analysis.curves import assumed_meanings, label_runs, likely_pairs, make_curves, with_defaults
from harness.errors import DataError
from harness.metric_names import meaning, usual_pair, vocabulary, words
from harness.records.importers.found import FoundRun, Number
from harness.records.importers.table_rows import measurement_rows

#: (higher is better, discontinuous) -> names.
NAMES = {
    (False, False): [
        *("loss", "val_loss", "eval/loss", "Loss/train", "loss2", "MSELoss", "evalLoss", "cross_entropy", "log_loss"),
        *("nll", "NLL", "perplexity", "word_perplexity", "byte_perplexity", "ppl", "eval-ppl", "ValidationPPL"),
        *(
            "bits_per_byte",
            "bits_per_character",
            "bpb",
            "bpc",
            "entropy",
            "kl",
            "kl_divergence",
            "negative_log_likelihood",
        ),
        *("mse", "rmse", "mae", "mean_squared_error", "mean absolute error", "brier", "brier_score", "ece"),
        *("expected_calibration_error", "fid", "edit_distance", "wer", "test_cer", "ter", "word_error_rate"),
    ],
    (False, True): ["error", "Err@1", "top1_err", "error_rate", "test_error", "classification errors", "eer"],
    (True, False): [
        *("log_likelihood", "loglikelihood", "answer_log_likelihood", "prob", "mean_prob", "target_logit", "logprobs"),
        *("token_accuracy", "r2", "R2_score", "neg_mean_squared_error", "neg_log_loss", "psnr"),
    ],
    (True, True): [
        *("acc", "acc_norm", "acc,none", "accuracy", "exact_match", "exact_match,strict-match", "em", "f1", "F1-score"),
        *("bleu", "rouge1", "rougeL", "mcc", "pass@1", "score", "reward", "elo", "", "Genauigkeit", "精度"),
        # No whole word of these is one of a loss.
        *("lossless_score", "terror", "mirror_errorless", "glossary", "n_bits", "aversion", "errand_acc", "probe_acc"),
        # The last word that is known decides.
        *("error_detection_accuracy", "loss_of_function_f1", "entropy_task_acc"),
    ],
}
CASES = [(name, *meant) for meant, names in NAMES.items() for name in names]


@pytest.mark.parametrize(("name", "higher", "discontinuous"), CASES)
def test_what_names_mean(name: str, higher: bool, discontinuous: bool) -> None:
    found = meaning(name)
    assert (found.higher_is_better, found.discontinuous) == (higher, discontinuous), words(name)


@pytest.mark.parametrize(("name", "higher", "discontinuous"), CASES)
def test_tables_and_imports_take_a_name_for_the_same(name: str, higher: bool, discontinuous: bool) -> None:
    """The frame of a user and the files of another tool."""
    frame = with_defaults(pd.DataFrame({"metric": [name, "acc"], "value": 0.5}))
    assert frame.loc[0, ["higher_is_better", "discontinuous"]].tolist() == [higher, discontinuous]
    run = FoundRun(None, "run", [Number(1, "eval", name, 0.5), Number(1, "eval", "acc", 0.5)])  # type: ignore[arg-type]
    about = {"run_id": "a", "study": "", "steps": 1, "tokens": 0, "flops": 0.0}
    rows = measurement_rows(run, about)
    assert [rows[0][key] for key in ("higher_is_better", "discontinuous")] == [higher, discontinuous]


def test_names_of_our_own_metrics_mean_what_they_state() -> None:
    own = [each for each in vars(metrics).values() if isinstance(each, metrics.Metric)]
    assert len(own) >= 5
    names = [each.name for each in own]
    for each in own:
        found = meaning(each.name)
        assert (found.higher_is_better, found.discontinuous) == (each.higher_is_better, each.discontinuous)
        if each.discontinuous:
            # Metrics of choices and of probes are measured beside those of the task, and paired among themselves.
            of_its_own = each.name.split("_")[0] if each.name.startswith(("choice", "probe")) else ""
            beside = [n for n in names if not meaning(n).discontinuous and n.startswith(of_its_own)]
            assert usual_pair(each.name, beside) == each.paired_metric


@pytest.mark.parametrize(
    ("metric", "continuous", "pair"),
    [
        ("acc", ["brier", "loss"], "loss"),
        ("acc", ["ppl", "brier"], "ppl"),
        ("acc", ["ece", "kl", "brier_score"], "brier_score"),
        ("acc", ["ece"], ""),
        ("acc", [], ""),
        ("acc", ["token_accuracy", "Loss"], "Loss"),
        ("exact_match", ["loss", "token_accuracy"], "token_accuracy"),
        ("exact_match,strict-match", ["loss", "token_accuracy"], "token_accuracy"),
        ("em", ["wer", "loss"], "loss"),
        ("em", ["cer"], "cer"),
    ],
)
def test_usual_pairs(metric: str, continuous: list[str], pair: str) -> None:
    assert usual_pair(metric, continuous) == pair


def test_no_name_has_two_meanings() -> None:
    listed = [words(name) for group in metric_names._GROUPS for name in group.names.split(", ")]
    assert len(listed) == len(set(listed)) == len(metric_names._PHRASES)
    shown = " ".join(vocabulary(width=60).split())
    assert all(group.names in shown for group in metric_names._GROUPS)


# ------------------------------------------------------------------------------------------- through frames of a user


def frame_of(metric: str, rising: bool = True, **columns: object) -> pd.DataFrame:
    """Six sizes, three seeds, a step in the middle, up or down."""
    size, seed = (axis.ravel() for axis in np.indices((6, 3)))
    value = np.where((size > 2) == rising, 0.9, 0.1) + 0.01 * np.random.default_rng(0).standard_normal(len(size))
    return pd.DataFrame({"params": 10.0 * 2**size, "seed": seed, "metric": metric, "value": value, **columns})


@pytest.mark.parametrize("name", ["mse", "bpb", "ppl", "brier", "wer", "error"])
def test_a_metric_of_which_less_is_better_appears_where_it_falls(name: str) -> None:
    """These counted as higher-is-better: falling from .9 to .1 was then no rise, and had no N*."""
    found = thresholds(frame_of(name, rising=False), x="params").iloc[0]
    assert 40 < found["threshold"] < 80, found["reason"]


@pytest.mark.parametrize("name", ["mse", "bpb", "ppl", "brier", "wer"])
def test_a_continuous_metric_judges_and_is_not_tested(name: str) -> None:
    """These counted as discontinuous, were tested themselves and judged nothing."""
    frame = pd.concat([frame_of("acc", paired_metric=name), frame_of(name, rising=False, paired_metric=None)])
    found = find_jumps(frame, x="params")
    assert found["metric"].tolist() == ["acc"] and found["continuous_metric"].tolist() == [name]


def test_no_pair_is_assumed() -> None:
    """A pretraining loss beside an accuracy made a planted jump a metric artefact."""
    frame = pd.concat([frame_of("acc"), frame_of("loss", rising=False)], ignore_index=True)
    assert (with_defaults(frame)["paired_metric"] == "").all()
    found = find_jumps(frame, x="params")
    assert found["continuous_metric"].tolist() == [""] and found["verdict"].tolist() != ["metric artefact"]
    assert likely_pairs(frame) == {"acc": "loss"}
    assert likely_pairs(frame.assign(paired_metric=np.where(frame["metric"] == "acc", "loss", ""))) == {}


def test_what_was_assumed_is_reported() -> None:
    whole = pd.concat([frame_of("acc"), frame_of("loss", rising=False)]).assign(subtask="all")
    frame = pd.concat([whole, frame_of("speed", subtask="other")])
    assumed = {
        "acc": {"higher_is_better": True, "discontinuous": True},
        "loss": {"higher_is_better": False, "discontinuous": False},
        "speed": {"higher_is_better": True, "discontinuous": True},
    }
    assert assumed_meanings(frame) == assumed
    assert find_jumps(frame, x="params").attrs["assumed"] == assumed
    assert thresholds(frame, x="params").attrs["assumed"] == assumed


def test_what_is_stated_is_not_assumed() -> None:
    stated = {"higher_is_better": True, "discontinuous": True, "paired_metric": "tok"}
    frame = pd.concat([frame_of("em", **stated), frame_of("tok", higher_is_better=True, discontinuous=False)])
    assert assumed_meanings(frame) == {}
    assert find_jumps(frame, x="params").attrs["assumed"] == {}
    by_pair = pd.concat([frame_of("em", paired_metric="odd"), frame_of("odd")])
    assert assumed_meanings(by_pair) == {"em": {"higher_is_better": True}, "odd": {"higher_is_better": True}}
    odd = with_defaults(by_pair).set_index("metric")["discontinuous"]
    assert odd["em"].all() and not odd["odd"].any(), "a metric that is stated as a pair is continuous"


def test_empty_cells_are_filled_and_wrong_ones_named() -> None:
    frame = pd.concat([frame_of("acc"), frame_of("mse")], ignore_index=True).assign(higher_is_better=None)
    frame.loc[:17, "higher_is_better"] = False
    curves = {curve.metric: curve for curve in make_curves(label_runs(frame), "params")}
    assert not curves["acc"].higher_is_better and not curves["mse"].higher_is_better
    frame.loc[3, "higher_is_better"] = "down"
    with pytest.raises(DataError, match="column higher_is_better, row 3: 'down': allowed are true or false"):
        with_defaults(frame)


def test_a_likely_pair_is_measured_on_the_same_subtask() -> None:
    frame = pd.concat([frame_of("acc", subtask="a"), frame_of("loss", subtask="b"), frame_of("em", subtask="b")])
    assert likely_pairs(frame) == {"em": "loss"}


def test_a_chance_that_is_no_number_is_named() -> None:
    with pytest.raises(DataError, match="column chance, row 0: 'guess': a number is wanted"):
        with_defaults(frame_of("acc", chance="guess"))
