"""What is printed can be pasted into a bibliography, and a results folder is credited for what it used."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command import run
from record_rows import measurement_rows, run_row

from harness.commands.cite import USES, read_citation
from harness.records.writer import write_run


def keys(text: str) -> set[str]:
    return set(re.findall(r"^@\w+\{(\w+),$", text, re.MULTILINE))


def test_every_reference_is_an_entry(capsys: pytest.CaptureFixture[str]) -> None:
    cff = read_citation()
    printed = run(capsys, "cite").out
    assert len(keys(printed)) == len(cff["references"]) + 1
    assert "hoffmann2022training" in keys(printed) and "misfitting" not in printed
    for reference in cff["references"]:
        assert reference["title"] in printed.replace("\\&", "&")
    entries = re.split(r"\n(?=@)", printed)
    for entry in entries:
        body = "\n".join(line for line in entry.splitlines() if not line.startswith("%"))
        assert body.count("{") == body.count("}"), entry
    assert "author = {Loshchilov, Ilya and Hutter, Frank}," in printed
    assert "author = {Hoffmann, Jordan and others}," in printed and "eprint = {2203.15556}," in printed
    assert "journal = {Applied Statistics}," in printed and "volume = {37}," in printed


def test_apa_is_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    printed = run(capsys, "cite", "--style", "apa").out
    lines = [line for line in printed.splitlines() if line]
    assert len(lines) == len(read_citation()["references"]) + 1
    assert lines[0].endswith("[Computer software].")
    assert "Loshchilov, I., & Hutter, F. (2019). Decoupled Weight Decay Regularization. arXiv:1711.05101." in lines
    assert "Hoffmann, J., et al. (2022). Training Compute-Optimal Large Language Models. arXiv:2203.15556." in lines


def test_a_folder_is_credited_for_what_it_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = {
        "optimizer": {"kind": "adamw"},
        "loss": {"kind": "contrastive"},
        "schedule": {"kind": "constant"},
        "parametrization": {"kind": "mup"},
    }
    write_run(tmp_path, run_row(task="parity", config=json.dumps(config)), measurement_rows())
    trained = {key[:8] for key in keys(run(capsys, "cite", str(tmp_path)).out)}
    assert trained == {"scaling_", "yang2022", "loshchil", "michaud2", "chen2020"}
    (tmp_path / "laws.csv").write_text("study,x\nmain,params_total\n")
    (tmp_path / "verdicts.csv").write_text("study,metric\n")
    (tmp_path / "analysis.json").write_text(json.dumps({"interval": "bootstrap"}))
    analysed = keys(run(capsys, "cite", str(tmp_path)).out)
    assert {"hoffmann2022training", "li2025mis"} <= analysed
    assert not any(key.startswith(("benjamini", "venzon", "schaeffer")) for key in analysed)


def test_what_is_used_is_in_the_list() -> None:
    cited = {f"{each['authors'][0]['family-names'].lower()}{each['year']}" for each in read_citation()["references"]}
    assert set(USES) <= cited


def test_mistakes_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "cite", "--style", "mla").refused("mla", "bibtex", "apa")
    assert run(capsys, "cite", "nowhere").refused("nowhere", "no such results folder")
