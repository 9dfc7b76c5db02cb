"""What is known of public benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command import REPOSITORY
from imported import REAL, needs_real_data

from harness import benchmarks
from harness.benchmarks import is_share_of_items, known_chance, known_meaning, known_pair

FACTS = tomllib.loads((REPOSITORY / "harness/benchmarks.toml").read_text())


@pytest.mark.parametrize(
    ("task", "metric", "chance"),
    [
        ("hellaswag", "acc_norm", 0.25),
        ("HellaSwag", "acc,none", 0.25),
        ("ARC-Challenge", "accuracy", 0.25),
        ("arc_easy_val_rc_5shot", "len_norm", 0.25),
        ("arc_challenge_test_mc_5shot_fast", "length-normalized accuracy v2", 0.25),
        ("winogrande_mc_5shot", "accuracy", 0.5),
        ("mmlu_stem_val_rc_var", "len_norm", None),
        ("mmlu_stem_val_rc_5shot", "len_norm", 0.25),
        ("hendrycksTest-us_foreign_policy", "acc", 0.25),
        ("piqa", "acc", 0.5),
        ("lambada_openai", "acc", 0.0),
        ("lambada_openai", "ppl", None),
        ("triviaqa", "exact_match,strict-match", 0.0),
        ("mathqa", "acc", 0.2),
        ("blimp_adjunct_island", "acc", 0.5),
        ("crows_pairs_french_autre", "pct_stereotype", 0.5),
        ("crows_pairs_french_autre", "likelihood_difference", None),
        ("cola", "mcc", 0.0),
        ("cola", "acc", None),
        # Likenesses say nothing.
        ("arc_agi", "acc", None),
        ("mmlu_pro", "acc", None),
        ("racecars", "acc", None),
        ("hellaswag", "exact_match", None),
        ("my_task", "acc", None),
    ],
)
def test_chance(task: str, metric: str, chance: float | None) -> None:
    assert known_chance(task, metric) == chance


def test_meanings_and_pairs() -> None:
    stereotypes = known_meaning("crows_pairs_english", "pct_stereotype")
    assert stereotypes and not stereotypes.higher_is_better and stereotypes.discontinuous
    difference = known_meaning("crows_pairs_english", "likelihood_diff,none")
    assert difference and not difference.higher_is_better and not difference.discontinuous
    soft = known_meaning("arc_easy_val_rc", "soft")
    assert soft and soft.higher_is_better and not soft.discontinuous
    assert known_meaning("hellaswag", "acc") is None
    assert known_pair("lambada_openai", "acc,none", ["acc,none", "perplexity,none"]) == "perplexity,none"
    assert known_pair("lambada_openai", "ppl", ["ppl", "acc"]) is None
    assert known_pair("hellaswag", "acc", ["loss", "ppl", "acc_norm"]) is None
    assert known_pair("tiny", "acc", ["bpb", "brier_score"]) == "brier_score"
    assert is_share_of_items("exact_match,strict-match") and not is_share_of_items("bleu")


def test_every_entry_is_whole() -> None:
    assert set(FACTS) == {"metrics", "meanings", "pairs", "benchmarks"}
    for entry in FACTS["benchmarks"]:
        assert {"tasks", "chance", "why", "source"} <= set(entry) <= {"parts", "metrics"} | set(entry), entry
        assert 0 <= entry["chance"] <= 0.5 and entry.get("metrics", "choice") in FACTS["metrics"], entry
        assert any("{}" in task for task in entry["tasks"]) == ("parts" in entry), entry
    listed = [task for entry in FACTS["benchmarks"] for task in entry["tasks"]]
    assert all(task == benchmarks._name(task) for task in listed if not set("*?{") & set(task))
    assert len(set(listed)) == len(listed)


@needs_real_data
def test_all_tasks_of_the_published_files_are_known() -> None:
    for path in (REAL / "lm_eval_opt/opt-1.3b.json", REAL / "lm_eval_pythia/pythia-70m/70m_step0.json"):
        for task, scores in json.loads(path.read_text())["results"].items():
            for metric in set(scores) & {"acc", "acc_norm", "pct_stereotype"}:
                assert known_chance(task, metric) is not None, (task, metric)


def test_loads_nothing_heavy() -> None:
    code = "import sys, harness.benchmarks as b; b.known_chance('piqa', 'acc'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "scipy", "pyarrow", "hydra"} & set(loaded)
    assert Path(benchmarks.__file__).with_suffix(".toml").exists()
