from __future__ import annotations

import html
import io
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient
from one_style import check_one_style
from rich.console import Console
from synthetic import make_results

from harness import report
from harness.errors import DataError, UserError
from harness.records.store import collect
from harness.records.writer import piece_path
from harness.report.analyze import Analysis, analyze
from harness.report.html import write_report
from harness.report.tables import as_rich, failures, law_table, overview, verdict_summary, verdict_table

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four studies, one of them with two sizes only: too few for a law or a jump."""
    folder = make_results(tmp_path_factory.mktemp("results") / "tiny", ("parity", "digits", "lookup", "text"), 3, 3)
    for path in (folder / "pieces").glob("text-[2-9]-*"):
        path.unlink()
    for name in ("runs", "measurements"):
        (folder / f"{name}.parquet").unlink()
    collect(folder)
    return folder


@pytest.fixture(scope="module")
def analysis(results: Path) -> Analysis:
    return analyze(results, bootstrap=200)


@pytest.fixture(scope="module")
def page(analysis: Analysis) -> str:
    return write_report(analysis)[0].read_text()


class Links(HTMLParser):
    """Collects what a page refers to and what its pictures say."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.alts: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.targets += [str(found[name]) for name in ("src", "href") if name in found]
        self.ids += [str(found["id"])] if "id" in found else []
        if tag == "img":
            self.alts.append(str(found.get("alt") or ""))


def test_verdicts_and_laws_of_planted_studies(analysis: Analysis) -> None:
    verdict = {(row.study, row.subtask): row.verdict for row in analysis.jumps.itertuples()}
    assert verdict["lookup", "all"] == "metric artefact"
    assert verdict["text", "all"] == "inconclusive"
    assert sorted(analysis.studies) == ["digits", "lookup", "parity", "text"]
    assert {study for study, _ in analysis.fits} == {"digits"}, "no power law describes a loss that jumps"
    text = analysis.laws[analysis.laws["study"] == "text"]
    assert (text["status"] == "too few data").all() and text["message"].str.contains("needs at least").all()


def test_tables_in_words(analysis: Analysis) -> None:
    seen = overview(analysis.runs).set_index("study")
    assert seen.loc["parity", ["rungs", "seeds", "runs", "finished", "failed"]].tolist() == [9, 4, 28, 27, 1]
    assert set(failures(analysis.runs)["status"]) == {"failed", "diverged"}
    rows = verdict_summary(analysis.jumps)
    assert "lookup" in set(rows["what"]) and "parity: all together" in set(rows["what"])
    assert any(re.fullmatch(r"parity: \d/3 subtasks", what) for what in rows["what"])
    assert len(verdict_table(analysis.jumps)) == len(analysis.jumps)
    laws = law_table(analysis.laws).set_index("study")
    assert laws.loc["text", "total parameters"] == "too few data"
    assert re.match(r"[\d.]+ \([\d.]+ to [\d.]+\)", laws.loc["digits", "training FLOPs"])
    assert laws.loc["lookup", "training FLOPs"] == "–" and laws.loc["lookup", "choice of law"].startswith(
        "no power law"
    )


def test_the_page_is_one_file_that_asks_for_nothing_else(page: str) -> None:
    links = Links()
    links.feed(page)
    assert all(target.startswith(("data:image/svg+xml;base64,", "#")) for target in links.targets)
    assert {target[1:] for target in links.targets if target.startswith("#")} <= set(links.ids)
    assert len(links.alts) > 8 and all(links.alts)
    assert not re.search(r"<script|<link|@import|url\(", page)


def test_the_page_says_what_failed_and_what_cannot_be_told(page: str) -> None:
    words = html.unescape(page)
    for said in (
        "1 diverged, 1 failed",
        "killed by signal 9 <out of memory?>",
        "too few sizes",
        "needs at least 3 distinct x",
        "The table is memorised: <this> is capacity",
        "Benjamini and Hochberg",
        "less than four steps",
        "torch 2.13.0",
        "0123456789abcdef",
        "harness sweep experiment=tiny",
    ):
        assert said in words, said
    assert "<out of memory?>" not in page and "<this>" not in page


def test_files_beside_the_page(results: Path, analysis: Analysis, page: str) -> None:
    verdicts = pd.read_csv(results / "verdicts.csv")
    assert list(verdicts.columns) == list(analysis.jumps.columns) and len(verdicts) == len(analysis.jumps)
    assert len(pd.read_csv(results / "laws.csv")) == 12
    pictures = {path.name for path in (results / "plots").iterdir()}
    assert {"thresholds.png", "thresholds.svg", "lookup_exact_match.png", "parity_accuracy_subtasks.svg"} <= pictures
    assert {path.removesuffix(".png") for path in pictures if path.endswith(".png")} == {
        path.removesuffix(".svg") for path in pictures if path.endswith(".svg")
    }


def test_the_terminal_gets_verdicts_laws_and_paths(results: Path, analysis: Analysis) -> None:
    console = Console(file=io.StringIO(), width=80)
    report.show(results, console, bootstrap=100)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "metric artefact" in said and "Exponents of the loss" in said and "choice of law" not in said
    assert re.search(r"2 of \d+ runs did not finish", said) and f"{results}/report.html" in said
    assert max(map(len, said.splitlines()[:10])) <= 80
    wide = Console(file=io.StringIO(), width=200)
    wide.print(as_rich(verdict_summary(analysis.jumps), "Verdicts"))
    assert "why" in wide.file.getvalue()  # type: ignore[attr-defined]
    check_one_style(said + wide.file.getvalue())  # type: ignore[attr-defined]


def test_the_page_and_the_card_write_numbers_in_one_style(page: str, results: Path) -> None:
    text = html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|script|svg)\b.*?</\1>", " ", page)))
    assert "p < 0.001" in text
    check_one_style(text)
    check_one_style((results / "card.md").read_text())


def test_a_study_that_cannot_be_used_does_not_stop_the_others(tmp_path: Path) -> None:
    folder = make_results(tmp_path / "mixed", ("lookup", "text"), max_seeds=2, failures=False)
    runs = pd.read_parquet(folder / "runs.parquet")
    for run_id in runs.loc[runs["study"] == "text", "run_id"]:
        _change(folder, run_id, "params_non_embedding", 0)
    for run_id in runs.loc[runs["study"] == "lookup", "run_id"].iloc[:2]:
        _change(folder, run_id, "status", "failed")
    collect(folder)
    analysis = analyze(folder, bootstrap=200)
    assert set(analysis.jumps["study"]) == {"lookup"}
    assert "params_non_embedding" in analysis.impossible["text"]
    words = html.unescape(write_report(analysis)[0].read_text())
    assert "Not tested for jumps" in words and "text_loss_params_total" in str(list((folder / "plots").iterdir()))


def _change(folder: Path, run_id: str, column: str, value: object) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = piece_path(folder, run_id, "runs")
    table = pq.read_table(path)
    place = table.schema.get_field_index(column)
    field = table.schema.field(place)
    pq.write_table(table.set_column(place, field, pa.array([value], field.type)), path)


def test_no_finished_run_still_makes_a_page(tmp_path: Path) -> None:
    folder = make_results(tmp_path / "lost", ("text",), max_seeds=1)
    for path in (folder / "pieces").glob("text-*-0.*"):
        path.unlink()
    for name in ("runs", "measurements"):
        (folder / f"{name}.parquet").unlink()
    collect(folder)
    analysis = analyze(folder, bootstrap=200)
    assert analysis.impossible == {"text": "none of its runs finished"}
    assert "none of its runs finished" in write_report(analysis)[0].read_text()


def test_bad_input_is_told_in_a_line(results: Path, tmp_path: Path, analysis: Analysis) -> None:
    with pytest.raises(DataError, match=r"analysis\.x=params: no such column; sizes are params_total"):
        analyze(results, x="params")
    with pytest.raises(DataError, match="no such results folder"):
        analyze(tmp_path / "nowhere")
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    with pytest.raises(UserError, match="cannot be written"):
        write_report(Analysis(**(vars(analysis) | {"folder": blocked})))


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_chromium_shows_the_page_on_a_phone_without_sideways_scrolling(page: str, tmp_path: Path) -> None:
    frame = tmp_path / "phone.html"
    measure = "d = f.contentDocument; document.title = [d.documentElement.scrollWidth, f.clientWidth, d.images.length]"
    frame.write_text(
        f'<iframe id="f" style="width:375px;height:800px;border:0" srcdoc="{html.escape(page)}"></iframe>'
        f"<script>f.onload = () => {{ {measure} }}</script>"
    )
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
    command += [f"--user-data-dir={tmp_path}", "--virtual-time-budget=5000", "--dump-dom", frame.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    found = re.search(r"<title>(\d+),(\d+),(\d+)</title>", shown)
    assert found, shown[:300]
    wide, window, images = map(int, found.groups())
    assert wide <= window and images == page.count("<img ")


def test_the_notebook_runs_and_is_short_and_stored_without_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = make_results(tmp_path / "tiny", ("lookup", "text"), max_seeds=3)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert len(notebook.cells) < 12
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
    monkeypatch.setenv("HARNESS_RESULTS", str(results))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(NOTEBOOK.parents[1]), os.environ.get("PYTHONPATH", "")]))
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": NOTEBOOK.parent}}
    ).execute()
    pictures = [out for cell in notebook.cells for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
    assert len(pictures) == 4


def test_what_has_not_changed_is_not_analysed_again(results: Path) -> None:
    def said(**settings: int) -> str:
        console = Console(file=io.StringIO(), width=200)
        report.show(results, console, **settings)
        return console.file.getvalue()  # type: ignore[attr-defined]

    first = said(bootstrap=100)
    page = (results / "report.html").stat().st_mtime_ns
    assert said(bootstrap=100) == first
    assert (results / "report.html").stat().st_mtime_ns == page
    assert said(bootstrap=120) and (results / "report.html").stat().st_mtime_ns > page, "other settings"
    (results / "report.html").unlink()
    assert said(bootstrap=120) and (results / "report.html").exists(), "a part that is gone"
