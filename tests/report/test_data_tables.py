"""Tables of where data are from and of what preparation did to them."""

from __future__ import annotations

import json

import pandas as pd

from harness.report.data_tables import data_in_words, data_sources, preparation, software, steps_in_words

PREPARED = [
    {"step": "read", "split": "train", "removed": 0, "changed": 0, "left": 100, "note": ""},
    {"step": "duplicates", "split": "train", "removed": 7, "changed": 0, "left": 93, "note": "3 of them held out"},
]


def runs() -> pd.DataFrame:
    described = {
        "python": "3.12.1",
        "data_name": "Letters",
        "data_licence": "MIT",
        "data_version": "2",
        "data_split_rule": "source",
        "data_sha256": "ab" * 32,
        "data_prepared": json.dumps(PREPARED),
    }
    other = {"python": "3.12.1", "corpus_sha256": "cd" * 32}
    versions = [json.dumps(described), json.dumps(described), json.dumps(other)]
    return pd.DataFrame({"study": ["letters", "letters", "text"], "versions": versions})


def test_sources_are_told_once_a_study() -> None:
    (row,) = data_sources(runs()).to_dict("records")
    assert row == {
        "study": "letters",
        "data": "Letters",
        "licence": "MIT",
        "version": "2",
        "split": "source",
        "SHA-256": "abababababab",
    }


def test_preparation_is_told_once_a_study() -> None:
    assert preparation(runs()).to_dict("records") == [{"study": "letters"} | step for step in PREPARED]


def test_software_leaves_described_data_out_and_keeps_other_hashes() -> None:
    first, _, last = runs()["versions"]
    assert software(first) == {"python": "3.12.1"}
    assert set(software(last)) == {"python", "corpus_sha256"}


def test_words() -> None:
    assert data_in_words(runs()[:2]) == "Letters (MIT; SHA-256 abababababab; split: source)"
    assert data_in_words(runs()[2:]) == ""


def test_steps_in_words() -> None:
    assert steps_in_words(runs()[:2]) == "duplicates" and steps_in_words(runs()[2:]) == ""


def test_versions_that_are_no_json_are_passed_over() -> None:
    frame = pd.DataFrame({"study": ["a"], "versions": ["torch 2"]})
    assert data_sources(frame).empty and preparation(frame).empty and software("torch 2") == {}
